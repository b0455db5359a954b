/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many: sharers of one window, mappings of one sharer, processors that come and
 * go while they share.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

/* What a crowd says, in memory that all of it shares. */
struct tally {
	atomic_int right, wrong;
};

/* Each byte that comes lets one go on. */
struct gate {
	int fds[2];
};

static struct gate new_gate(void)
{
	struct gate gate;

	if (pipe2(gate.fds, O_CLOEXEC))
		exit(1);
	return gate;
}

static void wait_at(const struct gate *gate)
{
	char byte;

	if (read(gate->fds[0], &byte, 1) != 1)
		_exit(1);
}

static void open_gate(const struct gate *gate, int n)
{
	char bytes[256] = "";

	for (; n > 0; n -= sizeof(bytes))
		if (write(gate->fds[1], bytes, n < 256 ? n : 256) < 0)
			exit(1);
}

struct crowd {
	struct test_region region;
	struct tally *tally;
	struct gate gates[2];
	int n;
};

static void say(struct tally *tally, bool right)
{
	atomic_fetch_add(right ? &tally->right : &tally->wrong, 1);
}

/* Reads a page; after the file was changed, reads it again; goes. */
static void one_of(const struct crowd *crowd)
{
	volatile char *text = map_text(&crowd->region, NULL);

	say(crowd->tally, page_number((char *)text + 3 * PAGE) == 3);
	wait_at(&crowd->gates[0]);
	say(crowd->tally, text[3 * PAGE] == 'x' && text[4 * PAGE] != 'x');
	wait_at(&crowd->gates[1]);
	_exit(0);
}

static bool all_said(const void *arg)
{
	const struct crowd *crowd = arg;

	return crowd->tally->right + crowd->tally->wrong == crowd->n;
}

/* Ask until all have: a crowd takes its time. */
static void hear(struct crowd *crowd, const char *what)
{
	for (int i = 0; i < 10 && !eventually(all_said, crowd); i++)
		;
	check_eq(crowd->tally->right, crowd->n, "%d %s", crowd->n, what);
	memset(crowd->tally, 0, sizeof(*crowd->tally));
}

static void many_sharers(int n)
{
	struct crowd crowd = {
		.tally = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		.gates = { new_gate(), new_gate() },
		.n = n,
	};
	int fd, status, bad = 0;

	make_region(&crowd.region, "crowd", 1, MAP_POPULATE);
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();

		if (!pid)
			one_of(&crowd);
		if (pid < 0) {
			check(false, "fork %d: %m", i);
			exit(1);
		}
	}
	hear(&crowd, "processes read a page");
	check_eq(region_stat(&crowd.region).attached, n, "all are attached");

	fd = open(crowd.region.file, O_WRONLY);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * PAGE,
		      PAGE) || pwrite(fd, "x", 1, 3 * PAGE) != 1)
		exit(1);
	close(fd);
	check_eq(region_stat(&crowd.region).attached, 0,
		 "a hole in the file detaches all");
	open_gate(&crowd.gates[0], n);
	hear(&crowd, "processes read what was written there");
	check_eq(region_stat(&crowd.region).attached, n, "all are attached again");

	open_gate(&crowd.gates[1], n);
	for (int i = 0; i < n; i++)
		if (wait(&status) < 0 || status)
			bad++;
	check_eq(bad, 0, "all end");
	check_eq(region_stat(&crowd.region).attached, 0, "nothing is attached then");
	check_eq(region_stat(&crowd.region).sharers, 0, "no sharer is left");
	munmap(crowd.tally, PAGE);
	drop_region(&crowd.region);
}

/* A process with 5000 mappings of other things becomes a sharer. */
static int many_mappings(const void *arg)
{
	const struct test_region *region = arg;
	char *others, *text;

	others = mmap(NULL, 10000 * PAGE, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (int i = 0; i < 10000; i += 2)
		if (mprotect(others + i * PAGE, PAGE, PROT_READ))
			return 1;
	text = map_text(region, NULL);
	check(verify(text, region), "with 5000 mappings every page has its content");
	check_eq(windows_attached(region, 0), region->windows,
		 "all windows are attached");
	check_eq(munmap(others, 10000 * PAGE), 0, "they can be unmapped");
	check(verify(text, region), "the text is read on");
	return report_status();
}

/* The text itself is thousands of mappings, all of one library. */
static int many_pieces(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	long pages = region->size / PAGE;

	for (long i = 0; i < pages; i += 2)
		if (madvise(text + i * PAGE, PAGE, MADV_RANDOM))
			return 1;
	check(verify(text, region), "a text of 5120 mappings has its content");
	check_eq(windows_attached(region, 0), region->windows,
		 "all windows are attached");
	for (long i = 0; i < pages; i += 2)
		if (madvise(text + i * PAGE, PAGE, MADV_NORMAL))
			return 1;
	check(verify(text, region), "and as one mapping again");
	for (long i = 1; i < pages; i += 2)
		if (munmap(text + i * PAGE, PAGE))
			return 1;
	check_eq(windows_attached(region, 0), 0,
		 "with every other page unmapped nothing is attached");
	for (long i = 0; i < pages; i += 2)
		if (page_number(text + i * PAGE) != i)
			return 1;
	return report_status();
}

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

/* Sharers are moved from a processor that goes, with their links. */
static void processors(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	int fd;

	if (access(CPU1, W_OK)) {
		unsupported("CPU hotplug: no second processor that can go");
		return;
	}
	make_region(&region, "hotplug", 2, MAP_POPULATE);
	start_sharers(sharers, &region);
	fd = open(region.file, O_WRONLY);
	for (int round = 0; round < 6; round++) {
		char byte = 'a' + round;

		check(write_value(CPU1, round % 2 ? "1" : "0"),
		      "%d: a processor %s", round, round % 2 ? "comes" : "goes");
		if (pwrite(fd, &byte, 1, 0) != 1 ||
		    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      WINDOW + round * PAGE, PAGE))
			exit(1);
		check(all_answer(sharers, READ_BYTE, byte) &&
		      all_answer(sharers, READ_BYTE + WINDOW + round * PAGE, 0) &&
		      all_answer(sharers, READ_BYTE + WINDOW + 7 * PAGE, 'e'),
		      "%d: sharers read what is in the file", round);
	}
	close(fd);
	stop_sharers(sharers);
	check_eq(region_stat(&region).attached, 0, "nothing is attached at the end");
	drop_region(&region);
}

int main(int argc, char **argv)
{
	struct test_region region;

	setup_module();
	many_sharers(argc > 1 ? atoi(argv[1]) : 2000);
	make_region(&region, "pieces", 10, MAP_POPULATE);
	check_eq(in_child(many_mappings, &region), 0, "many mappings");
	check_eq(in_child(many_pieces, &region), 0, "many pieces");
	check_eq(region_stat(&region).attached, 0, "nothing is attached by them");
	drop_region(&region);
	processors();
	teardown_module();
	return report_status();
}
