/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the pages of a library's file reaches every sharer before the
 * one who did it goes on; and what a region that nobody uses lets go of.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4

static void reclaim(struct sharer *sharers, const struct test_region *region)
{
	uint64_t detaches = detaches_host(region);
	uint64_t faults = region_stat(region).counters[MSHARE_FAULTS_HOST];

	for (int i = 0; i < 3; i++) {
		/* What cannot be reclaimed in full is an error, and no matter. */
		write_value("/sys/fs/cgroup/memory.reclaim", "2G");
		check(all_answer(sharers, VERIFY, 1),
		      "reclaim %d: all pages have their content", i);
	}
	write_value("/proc/sys/vm/compact_memory", "1");
	check(all_answer(sharers, VERIFY, 1), "compaction: all pages have their content");
	check(all_answer(sharers, ATTACHED, WINDOWS), "all windows are attached");
	detaches = detaches_host(region) - detaches;
	faults = region_stat(region).counters[MSHARE_FAULTS_HOST] - faults;
	printf("detached by the host: %lu, faults in the host: %lu\n", detaches,
	       faults);
	check(detaches > 0, "reclaim detached sharers");
	check(faults > 0,
	      "sharers made the host fault pages in");
}

static bool is_huge(const void *text)
{
	return !madvise((void *)text, WINDOWS * WINDOW, MADV_COLLAPSE);
}

/*
 * A huge page of the file's pages takes the table from everybody who maps them:
 * the host loses it, without any change of its mappings.
 */
static void collapse(struct sharer *sharers, const struct test_region *region)
{
	uint64_t tables = region_stat(region).host_pgtables;
	uint64_t detaches = detaches_host(region);
	int fd = open(region->file, O_RDONLY);
	char *text = mmap((char *)REGION_START - 64 * WINDOW, region->size,
			  PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);

	close(fd);
	check(verify(text, region) && eventually(is_huge, text),
	      "the file's pages can be made huge ones");
	check(region_stat(region).host_pgtables <= tables - WINDOWS * PAGE,
	      "which takes the host's page tables");
	check(detaches_host(region) >= detaches + SHARERS * WINDOWS,
	      "all were detached before [inv 8]");
	check(all_answer(sharers, VERIFY, 1), "all pages have their content");
	check(all_answer(sharers, ATTACHED, WINDOWS), "all windows are attached");
	munmap(text, region->size);
}

static void with_sharers(const char *name, int populate,
			 void (*fn)(struct sharer *, const struct test_region *))
{
	const char *dir = fn == collapse ? "/tmp" : "/var/tmp";
	struct sharer sharers[SHARERS];
	struct test_region region;
	char path[64];

	snprintf(path, sizeof(path), "%s/mshare-%s", dir, name);
	make_file(path, WINDOWS * PAGES_PER_WINDOW);
	make_region_of(&region, name, path, WINDOWS, populate);
	start_sharers(sharers, &region);
	fn(sharers, &region);
	stop_sharers(sharers);
	check_eq(region_stat(&region).attached, 0, "%s: nothing is attached at the end",
		 name);
	drop_region(&region);
}

static void lose_the_region(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	struct stat stat;

	make_region(&region, "unlinked", WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	check_eq(unlink(region.name), 0, "the region can be unlinked");
	check(all_answer(sharers, VERIFY, 1), "its sharers read on");
	check_eq(fstat(region.fd, &stat), 0, "its descriptor works");
	check(map_text(&region, NULL) == MAP_FAILED && errno == EAGAIN,
	      "new mappings are refused");
	stop_sharers(sharers);
	drop_region(&region);
}

/* Retired, a library nobody uses holds nobody's file system. */
static void release_the_file_system(void)
{
	const char *dir = "/var/tmp/mshare-fs";
	struct test_region region;
	char *text;
	struct mshare_unmap unmap = { .region_offset = TEXT_OFFSET };

	mkdir(dir, 0755);
	if (mount("none", dir, "tmpfs", 0, "mode=755"))
		exit(1);
	/* make_region() follows it. */
	if (symlink("/var/tmp/mshare-fs/file", "/var/tmp/mshare-held"))
		exit(1);
	make_region(&region, "held", WINDOWS, MAP_POPULATE);
	text = map_text(&region, NULL);
	check(verify(text, &region), "a file on tmpfs can be shared");
	check(umount(dir) && errno == EBUSY, "its file system is in use");
	check_eq(ioctl(region.fd, MSHAREFS_UNMAP, &unmap), 0,
		 "the library can be retired");
	check(verify(text, &region), "its sharer reads on");
	munmap(text, region.size);
	check(wait_until_umounted(dir),
	      "without a sharer it lets go of the file system [inv 8]");
	close(region.fd);
	unlink(region.name);
	unlink("/var/tmp/mshare-held");
	rmdir(dir);
}

int main(void)
{
	setup_module();
	release_the_file_system();
	with_sharers("reclaimed", MAP_POPULATE, reclaim);
	with_sharers("lazy", 0, reclaim);
	with_sharers("collapsed", MAP_POPULATE, collapse);
	lose_the_region();
	teardown_module();
	return report_status();
}
