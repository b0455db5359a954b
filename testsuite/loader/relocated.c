/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that relocates its text, though the catalog lists it, is loaded as
 * ever and works.
 *
 *	relocated LIBRARY	(relocated-text.so)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

#include <linux/msharefs.h>

#include "report.h"

static struct mshare_info info;

static bool in_region(uintptr_t address)
{
	return address >= info.start && address < info.start + info.size;
}

/* How many lines of /proc/self/maps are in the region? */
static int count_lines(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];
	uintptr_t start;
	int n = 0;

	while (maps && fgets(line, sizeof(line), maps))
		n += sscanf(line, "%lx-", &start) == 1 && in_region(start);
	if (maps)
		fclose(maps);
	return n;
}

int main(int argc, char **argv)
{
	int fd = open("/sys/fs/mshare/system", O_RDONLY | O_CLOEXEC);
	struct link_map *map = NULL;
	int (*read_answer)(void);
	void *handle;
	int before;

	if (argc != 2 || read(fd, &info, sizeof(info)) != sizeof(info))
		return 2;
	close(fd);
	before = count_lines();
	handle = dlopen(argv[1], RTLD_NOW);
	if (!check(handle != NULL, "it can be opened")) {
		puts(dlerror());
		return report_status();
	}
	dlinfo(handle, RTLD_DI_LINKMAP, &map);
	check(map && !in_region(map->l_addr), "it is not in the region");
	check_eq(count_lines(), before, "nothing of it is");
	read_answer = (int (*)(void))dlsym(handle, "read_answer");
	check_eq(read_answer ? read_answer() : 0, 42, "its text is relocated");
	check(!dlclose(handle), "it can be closed");
	return report_status();
}
