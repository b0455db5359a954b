/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sharer cannot treat pages that all share as if they were its alone, and
 * pays for those that are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/mempolicy.h>

#include "region.h"
#include "report.h"

#define WINDOWS	4

static char *read_text(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	if (!verify(text, region) || windows_attached(region, 0) != WINDOWS)
		check(false, "all windows are attached before the test");
	return text;
}

/* The host maps each text twice: the core ages only what is mapped once. */
static int page_out(const void *arg)
{
	const struct test_region *region = arg;
	char *text = read_text(region);
	uint64_t faults = region_stat(region).counters[MSHARE_FAULTS_HOST];
	uint64_t detaches = detaches_host(region);

	check_eq(madvise(text, region->size, MADV_COLD), 0, "MADV_COLD");
	check_eq(madvise(text, region->size, MADV_PAGEOUT), 0, "MADV_PAGEOUT");
	check_eq(detaches_host(region), detaches,
		 "nothing was evicted [inv 10]");
	check_eq(windows_attached(region, 0), WINDOWS, "all windows are attached");
	check(verify(text, region), "every page has its content");
	check_eq(region_stat(region).counters[MSHARE_FAULTS_HOST], faults,
		 "and was in memory");
	return report_status();
}

static int move_page(const void *arg)
{
	const struct test_region *region = arg;
	void *page = read_text(region) + WINDOW;
	int node = 0, status = 0;
	long ret = syscall(SYS_move_pages, 0, 1, &page, &node, &status,
			   MPOL_MF_MOVE);

	if (ret < 0 && errno == ENOSYS) {
		unsupported("move_pages: this kernel knows no NUMA");
		return 77;
	}
	printf("move_pages gives %ld, of the page %d\n", ret, status);
	check_eq(status, -EFAULT, "a shared page does not move [inv 10]");
	return report_status();
}

#define GROUP	"/sys/fs/cgroup/mshare-alone"

static void write_to(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		printf("%s: %s\n", path, strerror(errno));
	close(fd);
}

static long read_from(const char *path)
{
	FILE *file = fopen(path, "r");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

/*
 * Charges are made for many pages at once, and kept in store by each CPU: this
 * process uses the store of one.
 */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	if (sched_setaffinity(0, sizeof(here), &here))
		exit(1);
}

/* What is copied for one process is charged to it. */
static int pay(const void *arg)
{
	enum { PAGES = WINDOWS * PAGES_PER_WINDOW };
	const struct test_region *region = arg;
	char *text, self[16];
	long before, after;

	stay_here();
	snprintf(self, sizeof(self), "%d", getpid());
	write_to(GROUP "/cgroup.procs", self);
	text = read_text(region);
	for (int i = 0; i < WINDOWS; i++)
		if (mprotect(text + i * WINDOW, PAGE, PROT_READ | PROT_WRITE))
			return 1;
	before = read_from(GROUP "/memory.current");
	for (int i = 0; i < PAGES; i++)
		(void)*(volatile char *)(text + i * PAGE);
	after = read_from(GROUP "/memory.current");
	printf("memory.current: %ld before, %ld after\n", before, after);
	check(region_stat(region).counters[MSHARE_FAULTS_PRIVATE] >= PAGES,
	      "all windows' pages were copied");
	check(before >= 0 && after - before > (long)(PAGES * PAGE * 3 / 4),
	      "and charged to the process [inv 9]");
	return report_status();
}

static void charge(const struct test_region *region)
{
	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) || access(GROUP "/memory.current", F_OK)) {
		rmdir(GROUP);
		unsupported("charging: no memory controller");
		return;
	}
	check_eq(in_child(pay, region), 0, "private pages are paid for");
	check_eq(rmdir(GROUP), 0, "its cgroup can be removed");
}

int main(void)
{
	struct test_region region;
	int status;

	setup_module();
	make_region(&region, "alone", WINDOWS, MAP_POPULATE);
	check_eq(in_child(page_out, &region), 0, "MADV_COLD and MADV_PAGEOUT");
	status = in_child(move_page, &region);
	check(status == 0 || status == 77, "move_pages");
	charge(&region);
	drop_region(&region);
	teardown_module();
	return report_status();
}
