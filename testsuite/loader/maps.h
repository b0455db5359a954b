/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program that runs with a region sees of itself. */
#ifndef LDMSHARE_TEST_MAPS_H
#define LDMSHARE_TEST_MAPS_H

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <linux/msharefs.h>

#define REGION	"/sys/fs/mshare/system"

static struct mshare_info info;

static inline bool read_region(void)
{
	int fd = open(REGION, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, &info, sizeof(info)) == sizeof(info);

	if (fd >= 0)
		close(fd);
	return ok;
}

static inline bool in_region(const void *p)
{
	return (uintptr_t)p >= info.start &&
	       (uintptr_t)p < info.start + info.size;
}

static inline struct link_map *map_of(void *handle)
{
	struct link_map *map = NULL;

	return handle && !dlinfo(handle, RTLD_DI_LINKMAP, &map) ? map : NULL;
}

/** struct line - a line of /proc/self/maps */
struct line {
	uintptr_t start, end;
	char perms[5];
	char path[512];
};

typedef void line_fn(const struct line *line, void *data);

static inline void each_line(line_fn *fn, void *data)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char text[1024];

	while (maps && fgets(text, sizeof(text), maps)) {
		struct line line = { 0 };

		if (sscanf(text, "%lx-%lx %4s %*s %*s %*s %511[^\n]", &line.start,
			   &line.end, line.perms, line.path) >= 3)
			fn(&line, data);
	}
	if (maps)
		fclose(maps);
}

struct lookup {
	uintptr_t address;
	struct line found;
};

static inline void match_address(const struct line *line, void *data)
{
	struct lookup *lookup = data;

	if (lookup->address >= line->start && lookup->address < line->end)
		lookup->found = *line;
}

static inline struct line line_at(uintptr_t address)
{
	struct lookup lookup = { .address = address };

	each_line(match_address, &lookup);
	return lookup.found;
}

#endif /* LDMSHARE_TEST_MAPS_H */
