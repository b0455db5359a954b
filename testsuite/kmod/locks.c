/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The windows' locks, counted by the injecting build of the module.
 *
 *	locks		many sharers of one library: whom do they make wait?
 *	locks hold	how long is a lock held when all lose a window?  For
 *			vm run --icount, where time is instructions
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS		2
#define LOCK_STATS	"/sys/module/mshare/parameters/lock_stats"

struct lock_stat {
	unsigned long taken, contended;
	unsigned long long max_hold;
};

/* Of the first n windows that were made and still are. */
static void read_locks(struct lock_stat *stats, int n)
{
	FILE *file = fopen(LOCK_STATS, "r");

	for (int i = 0; i < n; i++)
		if (!file || fscanf(file, "%lu %lu %llu", &stats[i].taken,
				    &stats[i].contended, &stats[i].max_hold) != 3)
			exit(1);
	fclose(file);
}

static void reset_locks(void)
{
	FILE *file = fopen(LOCK_STATS, "w");

	if (!file || fputs("0", file) < 0 || fclose(file))
		exit(1);
}

/* Processes that begin together and end by themselves. */
struct crowd {
	pid_t pids[1024];
	int nr;
	int go[2];
};

static void join(struct crowd *crowd, const struct test_region *region,
		 void (*fn)(const struct test_region *region), int nr)
{
	char byte;

	fflush(stdout);
	for (int i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid < 0)
			exit(1);
		if (!pid) {
			close(crowd->go[1]);
			if (read(crowd->go[0], &byte, 1))
				_exit(1);
			fn(region);
			_exit(0);
		}
		crowd->pids[crowd->nr++] = pid;
	}
}

static void go(struct crowd *crowd)
{
	close(crowd->go[0]);
	close(crowd->go[1]);
}

static bool finish(struct crowd *crowd)
{
	bool ok = true;
	int status;

	for (int i = 0; i < crowd->nr; i++)
		ok &= waitpid(crowd->pids[i], &status, 0) > 0 && !status;
	return ok;
}

static void come_and_go(const struct test_region *region)
{
	for (int i = 0; i < 10; i++) {
		char *text = map_text(region, NULL);

		for (int window = 0; window < WINDOWS; window++)
			if (page_number(text + window * WINDOW) !=
			    (long)(window * PAGES_PER_WINDOW))
				_exit(1);
		if (munmap(text, region->size))
			_exit(1);
	}
}

static void contention(void)
{
	enum { CROWD = 64 };
	struct lock_stat stats[2 * WINDOWS];
	struct crowd crowd = { .nr = 0 };
	struct test_region busy, quiet;
	unsigned long waits = 0;

	make_region(&busy, "busy", WINDOWS, MAP_POPULATE);
	make_region(&quiet, "quiet", WINDOWS, MAP_POPULATE);
	if (pipe(crowd.go))
		exit(1);
	join(&crowd, &busy, come_and_go, CROWD);
	join(&crowd, &quiet, come_and_go, 1);
	reset_locks();
	go(&crowd);
	check(finish(&crowd), "%d processes attach and detach one library", CROWD);
	read_locks(stats, 2 * WINDOWS);
	for (int i = 0; i < 2 * WINDOWS; i++)
		printf("%s library, window %d: lock taken %lu times, waited for %lu times\n",
		       i < WINDOWS ? "busy" : "quiet", i % WINDOWS,
		       stats[i].taken, stats[i].contended);
	for (int i = WINDOWS; i < 2 * WINDOWS; i++)
		waits += stats[i].contended;
	check(stats[0].taken >= 2 * 10 * CROWD, "each takes that library's locks");
	check_eq(waits, 0, "nobody waits for another library's locks");
	drop_region(&busy);
	drop_region(&quiet);
}

static int attached[2], stay[2];

static void attach_and_stay(const struct test_region *region)
{
	char *text = map_text(region, NULL), byte = 0;

	close(stay[1]);
	(void)*(volatile char *)text;
	if (write(attached[1], &byte, 1) != 1 || read(stay[0], &byte, 1))
		_exit(1);
}

/* The longest hold while a page goes that nr processes are linked to. */
static unsigned long long hold_of(const struct test_region *region, int nr)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	struct lock_stat stat;
	int fd = open(region->file, O_RDWR);
	char byte;

	if (fd < 0 || pipe(crowd->go) || pipe(attached) || pipe(stay))
		exit(1);
	join(crowd, region, attach_and_stay, nr);
	go(crowd);
	for (int i = 0; i < nr; i++)
		if (read(attached[0], &byte, 1) != 1)
			exit(1);
	check_eq(region_stat(region).attached, nr, "%d processes are linked", nr);
	reset_locks();
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE))
		exit(1);
	read_locks(&stat, 1);
	check_eq(region_stat(region).attached, 0, "%d lose their links", nr);
	printf("%d sharers lose a window: its lock is held for at most %llu\n",
	       nr, stat.max_hold);
	close(stay[0]);
	close(stay[1]);
	if (!finish(crowd))
		exit(1);
	free(crowd);
	close(attached[0]);
	close(attached[1]);
	close(fd);
	return stat.max_hold;
}

/* Without the ticks that happen to fall into one. */
static unsigned long long least_hold(const struct test_region *region, int nr)
{
	unsigned long long least = -1;

	for (int i = 0; i < 3; i++) {
		unsigned long long hold = hold_of(region, nr);

		if (hold < least)
			least = hold;
	}
	return least;
}

static void hold(void)
{
	unsigned long long one, few, many;
	struct test_region region;

	make_region(&region, "held", WINDOWS, MAP_POPULATE);
	one = least_hold(&region, 1);
	few = least_hold(&region, 100);
	many = least_hold(&region, 1000);
	printf("longest hold with 1, 100, 1000 sharers: %llu, %llu, %llu\n",
	       one, few, many);
	check(many < few + few / 2, "a lock is held no longer for 1000 sharers than for 100 [inv 11]");
	drop_region(&region);
}

int main(int argc, char **argv)
{
	if (!getenv("MSHARE_MODULE")) {
		unsupported("locks: only the injecting build counts them");
		return report_status();
	}
	setup_module();
	if (argc > 1 && !strcmp(argv[1], "hold"))
		hold();
	else
		contention();
	teardown_module();
	return report_status();
}
