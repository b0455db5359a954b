/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracepoints tell what happened, to whom and why.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define TRACING	"/sys/kernel/tracing"
#define EVENTS	TRACING "/events/mshare"
#define WINDOWS	2

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) ==
		  (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool switch_events(bool on)
{
	return write_file(EVENTS "/enable", on ? "1" : "0");
}

/**
 * seen - how many events the trace has
 * @event:	of this name
 * @generation:	of this region
 * @what:	and with these words
 */
static int seen(const char *event, unsigned long generation, const char *what)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[512], head[64];
	int n = 0;

	if (!trace)
		return -1;
	snprintf(head, sizeof(head), " mshare_%s: generation=%lu ", event,
		 generation);
	while (fgets(line, sizeof(line), trace))
		n += strstr(line, head) && strstr(line, what);
	fclose(trace);
	return n;
}

static unsigned long generation_of(const struct test_region *region)
{
	struct mshare_info info;

	if (pread(region->fd, &info, sizeof(info), 0) != sizeof(info))
		exit(1);
	return info.generation;
}

static void wait_for(char command, int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1 || byte != command)
		_exit(1);
}

/* One link is taken by the host, one by a write, the process is refused. */
static void share(const struct test_region *region, int ready, int go)
{
	char *text = map_text(region, NULL);
	int mem = open("/proc/self/mem", O_RDWR);

	if (page_number(text) != 0 ||
	    page_number(text + WINDOW) != PAGES_PER_WINDOW)
		_exit(1);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	wait_for('g', go);
	if (pwrite(mem, "x", 1, (off_t)text) != 1)
		_exit(1);
	mlockall(MCL_FUTURE);
	_exit(map_text(region, text + 64 * WINDOW) != MAP_FAILED);
}

static pid_t run_sharer(const struct test_region *region)
{
	int ready[2], go[2], file = open(region->file, O_WRONLY), status;
	pid_t pid;

	if (pipe(ready) || pipe(go))
		exit(1);
	fflush(stdout);
	pid = fork();
	if (!pid)
		share(region, ready[1], go[0]);
	wait_for('r', ready[0]);
	if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, WINDOW,
		      PAGE) || write(go[1], "g", 1) != 1)
		exit(1);
	waitpid(pid, &status, 0);
	check_eq(status, 0, "a sharer runs");
	close(file);
	return pid;
}

/* A library that is retired goes in the background: wait, but not for ever. */
static bool dropped(unsigned long generation)
{
	for (int tries = 0; tries < 100; tries++) {
		if (seen("drop", generation, "") == 1)
			return true;
		usleep(100000);
	}
	return false;
}

static void trace_all(void)
{
	struct test_region region;
	unsigned long generation;
	char who[32], words[96];
	pid_t pid;

	make_region(&region, "traced", WINDOWS, 0);
	generation = generation_of(&region);
	pid = run_sharer(&region);
	drop_region(&region);

	check(dropped(generation), "drop is seen");
	check_eq(seen("seal", generation, "start=0x7f9000000000 size=0x600000"), 1,
		 "seal is seen");
	check_eq(seen("host_fault", generation, "ret=0"), 2,
		 "two faults of the host are seen");
	snprintf(who, sizeof(who), " pid=%d", pid);
	check_eq(seen("attach", generation, who), 2, "two attaches are seen");
	snprintf(words, sizeof(words), "window=0x400000 start=%#lx",
		 REGION_START + 2 * WINDOW);
	check_eq(seen("attach", generation, words), 1, "with their windows");
	snprintf(words, sizeof(words), "%s side=host cause=clear", who);
	check_eq(seen("detach", generation, words), 1,
		 "a detach from the host's side tells whose link it was");
	check_eq(seen("detach", generation, "side=sharer cause=clear"), 1,
		 "a detach by a write is seen");
	check_eq(seen("detach", generation, ""), 2, "there are no others");
	check_eq(seen("private", generation, "cause=replaced"), 1,
		 "a window that becomes private is seen");
	check_eq(seen("refuse", generation, "cause=locked"), 1,
		 "a refusal is seen");
	check_eq(seen("retire", generation, "offset=0x200000 size=0x400000"), 1,
		 "a library that retires is seen");
}

static void trace_nothing(void)
{
	struct test_region region;
	unsigned long generation;

	make_region(&region, "untraced", WINDOWS, 0);
	generation = generation_of(&region);
	run_sharer(&region);
	check_eq(seen("attach", generation, ""), 0,
		 "nothing is seen of it when it is off");
	drop_region(&region);
}

int main(void)
{
	setup_module();
	if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY) {
		unsupported("tracepoints: no tracefs");
	} else if (check(switch_events(true), "the events can be switched on")) {
		trace_all();
		check(switch_events(false), "and off");
		trace_nothing();
		write_file(TRACING "/trace", "\n");
	}
	teardown_module();
	return report_status();
}
