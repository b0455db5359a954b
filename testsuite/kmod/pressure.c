/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is short: limits of cgroups, swap, the OOM killer, and memory
 * that fails.  Sharers read the right content or are killed as ever.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/mman.h>

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4
#define GROUP	"mshare-pressure"
#define MIB	(1UL << 20)

/* Anonymous memory whose pages say which they are. */
static bool write_numbers(char *memory, size_t size, long salt)
{
	for (size_t n = 0; n < size; n += PAGE)
		*(long *)(memory + n) = n + salt;
	return true;
}

static bool read_numbers(const char *memory, size_t size, long salt)
{
	for (size_t n = 0; n < size; n += PAGE)
		if (*(long *)(memory + n) != (long)n + salt)
			return false;
	return true;
}

static char *anonymous(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	return memory;
}

/* Reads the text between using more memory than the group may have. */
static int hog(const struct test_region *region)
{
	const size_t size = 12 * MIB;
	char *text = map_text(region, NULL), *memory = anonymous(size);

	for (long round = 0; round < 2; round++)
		if (!write_numbers(memory, size, round) || !verify(text, region) ||
		    !read_numbers(memory, size, round))
			return 1;
	return 0;
}

/* All is charged to the group: the text, the hogs' memory, their tables. */
static void limited_with_swap(void)
{
	struct test_region region;
	int status, bad = 0;

	swap_on(128);
	make_cgroup(GROUP, "32M", "max");
	enter_cgroup(GROUP);
	make_region(&region, "limited", WINDOWS, MAP_POPULATE);
	fflush(stdout);
	for (int i = 0; i < 4; i++)
		if (!fork())
			_exit(hog(&region));
	for (int i = 0; i < 4; i++) {
		write_value(cgroup(GROUP, "memory.reclaim"), "16M");
		if (wait(&status) < 0 || status)
			bad++;
	}
	check_eq(bad, 0, "sharers that swap under a limit read what they should");
	check(read_value(cgroup(GROUP, "memory.stat"), "pgscan ") > 0,
	      "the group's memory was reclaimed");
	printf("detached by the host: %llu, faults in the host: %llu\n",
	       (unsigned long long)detaches_host(&region),
	       (unsigned long long)region_stat(&region).counters[MSHARE_FAULTS_HOST]);
	check_eq(swap_off(), 0, "swapoff while a region exists");
	check_eq(region_stat(&region).attached, 0, "nothing is attached at the end");
	enter_cgroup("");
	drop_region(&region);
	remove_cgroup(GROUP);
}

/* A sharer that takes memory without end. */
static int glutton(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	enter_cgroup(GROUP);
	if (!verify(text, region))
		return 1;
	write_numbers(anonymous(256 * MIB), 256 * MIB, 0);
	return 2;
}

static void oom_kill(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;

	make_region(&region, "oom", WINDOWS, MAP_POPULATE);
	make_cgroup(GROUP, "16M", "0");
	/* A table of tasks says nothing here. */
	write_value("/proc/sys/vm/oom_dump_tasks", "0");
	start_sharers(sharers, &region);
	for (int i = 0; i < 3; i++)
		check_eq(in_child(glutton, &region), 128 + SIGKILL,
			 "a sharer falls to the OOM killer: %d", i);
	check_eq(read_value(cgroup(GROUP, "memory.events"), "oom_kill "), 3,
		 "three were killed");
	check(all_answer(sharers, VERIFY, 1), "the others read on");
	check_eq(region_stat(&region).attached, SHARERS * WINDOWS,
		 "they are all that is attached");
	check_eq(region_stat(&region).sharers, SHARERS, "and the only sharers");
	stop_sharers(sharers);
	drop_region(&region);
	remove_cgroup(GROUP);
}

/*
 * A page of the text fails.  From a disk it is read again, as for a plain
 * mapping; from memory it is gone, and a touch is SIGBUS.
 */
static void memory_failure(const char *path, bool gone)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	char *text;

	make_file(path, WINDOWS * PAGES_PER_WINDOW);
	make_region_of(&region, "poisoned", path, WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	text = map_text(&region, NULL);
	verify(text, &region);
	if (madvise(text + WINDOW, PAGE, MADV_HWPOISON)) {
		unsupported("memory failure: MADV_HWPOISON: %m");
		goto out;
	}
	check(detaches_host(&region) >= SHARERS + 1,
	      "%s: a failing page detaches all from its window", path);
	check(all_answer(sharers, READ_BYTE + WINDOW, gone ? -SIGBUS : text[0]),
	      "%s: sharers %s", path, gone ? "get SIGBUS" : "read it again");
	check_eq(region_stat(&region).counters[MSHARE_PRIVATE_HOST],
		 gone ? SHARERS : 0, "%s: windows that became private", path);
	check(all_answer(sharers, READ_BYTE + WINDOW + PAGE, text[0]) &&
	      all_answer(sharers, READ_BYTE + 2 * WINDOW, text[0]),
	      "%s: its neighbours have their content", path);

	check_eq(madvise(text + 3 * WINDOW, PAGE, MADV_SOFT_OFFLINE), 0,
		 "%s: a page can be taken out of use", path);
	check(all_answer(sharers, READ_BYTE + 3 * WINDOW, text[0]),
	      "%s: sharers read it elsewhere", path);
out:
	munmap(text, region.size);
	stop_sharers(sharers);
	check_eq(region_stat(&region).attached, 0,
		 "%s: nothing is attached at the end", path);
	drop_region(&region);
}

int main(void)
{
	setup_module();
	limited_with_swap();
	oom_kill();
	memory_failure("/var/tmp/mshare-poisoned", false);
	memory_failure("/dev/shm/mshare-poisoned", true);
	teardown_module();
	return report_status();
}
