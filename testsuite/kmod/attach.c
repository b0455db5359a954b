/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sharing is for: processes that read a text through the host's tables
 * see its content, take one fault a window and have no page tables of their
 * own for it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	16

static int read_all(const void *arg)
{
	const struct test_region *region = arg;
	long pte = status_kb("VmPTE:"), faults;
	char *text = map_text(region, NULL);

	check(text != MAP_FAILED, "the text maps at the agreed address");
	if (text == MAP_FAILED)
		return 1;
	check_eq(windows_attached(region, 0), 0, "nothing is attached before a touch");

	faults = minor_faults();
	check(verify(text, region), "every page has its content");
	faults = minor_faults() - faults;
	printf("minor faults for %d windows: %ld\n", WINDOWS, faults);
	check(faults <= WINDOWS + 4, "one minor fault a window");
	check_eq(windows_attached(region, 0), WINDOWS, "all windows are attached");

	printf("VmPTE: %ld kB before, %ld kB after\n", pte, status_kb("VmPTE:"));
	check(status_kb("VmPTE:") - pte <= 12, "no page tables of its own");

	check_eq(munmap(text, region->size), 0, "munmap");
	check_eq(windows_attached(region, 0), 0, "munmap detaches all");
	return report_status();
}

static int read_plainly(const void *arg)
{
	const struct test_region *region = arg;
	long faults = minor_faults(), pte = status_kb("VmPTE:");
	int fd = open(region->file, O_RDONLY);
	char *text = mmap(NULL, region->size, PROT_READ | PROT_EXEC, MAP_PRIVATE,
			  fd, 0);

	verify(text, region);
	printf("plain mmap: %ld minor faults, VmPTE %+ld kB\n",
	       minor_faults() - faults, status_kb("VmPTE:") - pte);
	return status_kb("VmPTE:") - pte >= (long)(WINDOWS * PAGE / 1024) ? 0 : 1;
}

/* A fetch from rodata must fault although the VMA says r-x. */
static int fetch_rodata(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	check_eq(touch_signal(text, false), 0, "rodata can be read");
	check_eq(touch_signal(text, true), SIGSEGV, "rodata cannot be executed");
	check(touch_signal(text + region->size / 2, true) != SIGSEGV ||
	      windows_attached(region, 0) == 2, "code can be fetched");
	return report_status();
}

/* Elsewhere, but congruent modulo a window: each process may have its own. */
static int read_elsewhere(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, (char *)REGION_START - 64 * WINDOW);

	if (!check(text != MAP_FAILED, "the text maps elsewhere too"))
		return 1;
	check(verify(text, region), "elsewhere every page has its content");
	check_eq(windows_attached(region, 0), WINDOWS,
		 "elsewhere all windows are attached");
	return report_status();
}

static int read_mapped(const void *arg)
{
	const struct test_region *region = arg;
	return verify((char *)REGION_START + TEXT_OFFSET, region) &&
	       windows_attached(region, 0) == WINDOWS ? 0 : 1;
}

/* A child inherits mappings, not links, and makes its own. */
static int fork_and_read(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	verify(text, region);
	check_eq(in_child(read_mapped, region), 0, "a forked child attaches");
	check(verify(text, region), "the parent reads on");
	check_eq(windows_attached(region, 0), WINDOWS,
		 "the parent's windows are still attached");
	return report_status();
}

/* [inv 7] A pad covers a window where there is no text, not instead of it. */
static int pad_over_text(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	char *page = text + WINDOW + PAGE;

	verify(text, region);
	check(mmap(page, PAGE, PROT_NONE, MAP_PRIVATE | MAP_FIXED, region->fd,
		   TEXT_OFFSET + (page - text)) == page,
	      "a pad maps over text");
	check_eq(touch_signal(page + PAGE, false), 0, "the text beside it is there");
	check_eq(touch_signal(page, false), SIGSEGV, "the text below it is not");
	check_eq(window_flags(region, 1) & MSHARE_WINDOW_ATTACHED, 0,
		 "their window is not linked");
	return report_status();
}

static bool maps_line(const char *want, unsigned long start)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (fgets(line, sizeof(line), maps))
		if (strtoul(line, NULL, 16) == start)
			found = strstr(line, want);
	fclose(maps);
	return found;
}

static int look_at_maps(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	char name[128], link[128];
	ssize_t n;

	verify(text, region);
	check(maps_line(region->file, (unsigned long)text),
	      "/proc/PID/maps names the library");
	snprintf(name, sizeof(name), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)text, (unsigned long)text + region->size);
	n = readlink(name, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	check(!strcmp(link, region->file), "map_files names the library");
	return report_status();
}

/* Many at once, each ready to be seen while all are alive. */
static void many(const struct test_region *region)
{
	enum { N = 30 };
	int ready[2], go[2], bad = 0, attached = 0;
	pid_t pids[N];
	char byte = 0;

	if (pipe(ready) || pipe(go))
		exit(1);
	fflush(stdout);
	for (int i = 0; i < N; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		close(go[1]);
		byte = !verify(map_text(region, NULL), region);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1))
			_exit(1);
		_exit(0);
	}
	for (int i = 0; i < N; i++) {
		bad += read(ready[0], &byte, 1) != 1 || byte;
	}
	check_eq(bad, 0, "30 processes read all pages");
	for (int i = 0; i < N; i++)
		attached += windows_attached(region, pids[i]);
	check_eq(attached, N * WINDOWS, "all have attached all windows");
	check_eq(region_stat(region).attached, N * WINDOWS,
		 "the region counts the same");
	check_eq(region_stat(region).sharers, N, "30 sharers");
	close(go[1]);
	for (int i = 0; i < N; i++)
		waitpid(pids[i], NULL, 0);
	check_eq(region_stat(region).attached, 0, "exit detaches all");
	check_eq(region_stat(region).sharers, 0, "no sharer is left");
}

int main(void)
{
	struct test_region region;

	setup_module();
	make_region(&region, "attach", WINDOWS, MAP_POPULATE);
	check_eq(in_child(read_plainly, &region), 0, "plain mmap needs page tables");
	check_eq(in_child(read_all, &region), 0, "one process");
	check_eq(in_child(read_elsewhere, &region), 0, "at another address");
	check_eq(in_child(fetch_rodata, &region), 0, "permissions of pages");
	check_eq(in_child(fork_and_read, &region), 0, "fork");
	check_eq(in_child(pad_over_text, &region), 0, "a pad over text");
	check_eq(in_child(look_at_maps, &region), 0, "names in /proc");
	many(&region);
	drop_region(&region);
	teardown_module();
	return report_status();
}
