/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything at once: processes that map, read, write, split, move, fork and
 * die at random, while the host's pages are reclaimed and moved.  Every page
 * read is checked.
 *
 *	stress [SEED [PROCESSES [STEPS]]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	6
#define SLOTS	4

/* A deterministic sequence for each process: a failing seed can be replayed. */
struct random {
	uint64_t state;
};

static unsigned int pick(struct random *random, unsigned int n)
{
	random->state = random->state * 6364136223846793005UL + 1442695040888963407UL;
	return (random->state >> 33) % n;
}

struct worker {
	const struct test_region *region;
	struct random random;
	char *text[SLOTS];
	unsigned char mine[SLOTS][WINDOWS * PAGES_PER_WINDOW];
};

/* What this process did to a page: its content is no longer the file's. */
enum { FILE_PAGE, WRITTEN, GONE };

static char *slot_address(unsigned int slot)
{
	return (char *)REGION_START + TEXT_OFFSET - slot * 32 * WINDOW;
}

static void map_slot(struct worker *worker, unsigned int slot)
{
	char *text;

	if (worker->text[slot])
		return;
	text = map_text(worker->region, slot_address(slot));
	if (text == MAP_FAILED)
		exit(10);
	worker->text[slot] = text;
	memset(worker->mine[slot], FILE_PAGE, sizeof(worker->mine[slot]));
}

static void unmap_slot(struct worker *worker, unsigned int slot)
{
	if (worker->text[slot] && munmap(worker->text[slot], worker->region->size))
		exit(11);
	worker->text[slot] = NULL;
}

static void check_page(struct worker *worker, unsigned int slot, unsigned int n)
{
	char *page = worker->text[slot] + n * PAGE;

	if (worker->mine[slot][n] == FILE_PAGE && page_number(page) != (long)n)
		exit(12);
	if (worker->mine[slot][n] == WRITTEN && page[17] != (char)n)
		exit(13);
}

static void read_some(struct worker *worker, unsigned int slot)
{
	for (int i = 0; i < 20; i++)
		check_page(worker, slot,
			   pick(&worker->random, WINDOWS * PAGES_PER_WINDOW));
}

static void write_one(struct worker *worker, unsigned int slot, unsigned int n)
{
	char *page = worker->text[slot] + n * PAGE;

	if (worker->mine[slot][n] == GONE)
		return;
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		exit(14);
	page[17] = n;
	worker->mine[slot][n] = WRITTEN;
	if (pick(&worker->random, 2) && mprotect(page, PAGE, PROT_READ | PROT_EXEC))
		exit(15);
}

static void punch_one(struct worker *worker, unsigned int slot, unsigned int n)
{
	if (munmap(worker->text[slot] + n * PAGE, PAGE))
		exit(16);
	worker->mine[slot][n] = GONE;
}

static void advise(struct worker *worker, unsigned int slot)
{
	static const int advices[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_RANDOM,
	};
	unsigned int first = pick(&worker->random, WINDOWS * PAGES_PER_WINDOW);
	unsigned int n = 1 + pick(&worker->random, 700);

	if (n > WINDOWS * PAGES_PER_WINDOW - first)
		n = WINDOWS * PAGES_PER_WINDOW - first;
	/* Holes make it fail; that is not what is tested here. */
	madvise(worker->text[slot] + first * PAGE, n * PAGE,
		advices[pick(&worker->random, 4)]);
}

/* Dropping brings the file's content back where it was written over. */
static void drop(struct worker *worker, unsigned int slot)
{
	unsigned int first = pick(&worker->random, WINDOWS) * PAGES_PER_WINDOW;

	for (unsigned int n = first; n < first + PAGES_PER_WINDOW; n++) {
		if (worker->mine[slot][n] == GONE)
			continue;
		if (madvise(worker->text[slot] + n * PAGE, PAGE, MADV_DONTNEED))
			exit(17);
		worker->mine[slot][n] = FILE_PAGE;
	}
}

static void fork_one(struct worker *worker)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		exit(18);
	if (!pid) {
		for (unsigned int slot = 0; slot < SLOTS; slot++)
			if (worker->text[slot])
				read_some(worker, slot);
		if (pick(&worker->random, 3) == 0)
			raise(SIGKILL);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid ||
	    (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)))
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 19);
}

static volatile bool stop_readers;

/* Another thread reads what is never changed: slot 0. */
static void *reader(void *arg)
{
	struct worker *worker = arg;
	struct random random = { .state = worker->random.state + 1 };

	while (!stop_readers) {
		unsigned int n = pick(&random, WINDOWS * PAGES_PER_WINDOW);

		if (page_number(worker->text[0] + n * PAGE) != (long)n)
			exit(20);
	}
	return NULL;
}

static void step(struct worker *worker)
{
	unsigned int slot = 1 + pick(&worker->random, SLOTS - 1);
	unsigned int n = pick(&worker->random, WINDOWS * PAGES_PER_WINDOW);

	map_slot(worker, slot);
	switch (pick(&worker->random, 12)) {
	case 0:
		unmap_slot(worker, slot);
		break;
	case 1:
		write_one(worker, slot, n);
		break;
	case 2:
		punch_one(worker, slot, n);
		break;
	case 3:
		advise(worker, slot);
		break;
	case 4:
		drop(worker, slot);
		break;
	case 5:
		fork_one(worker);
		break;
	default:
		read_some(worker, slot);
	}
}

static void work(const struct test_region *region, uint64_t seed, int steps)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	pthread_t thread;

	worker->region = region;
	worker->random.state = seed;
	map_slot(worker, 0);
	if (pthread_create(&thread, NULL, reader, worker))
		exit(21);
	for (int i = 0; i < steps; i++)
		step(worker);
	stop_readers = true;
	pthread_join(thread, NULL);
	/* Some leave their mappings to exit. */
	for (unsigned int slot = 0; slot < pick(&worker->random, SLOTS); slot++)
		unmap_slot(worker, slot);
	_exit(0);
}

static void poke_host(void)
{
	static const char *const files[][2] = {
		{ "/sys/fs/cgroup/memory.reclaim", "64M" },
		{ "/proc/sys/vm/compact_memory", "1" },
		{ "/proc/sys/vm/drop_caches", "1" },
	};

	for (;;)
		for (unsigned int i = 0; i < 3; i++) {
			int fd = open(files[i][0], O_WRONLY);

			/* Partial reclaim is EAGAIN: as good. */
			if (write(fd, files[i][1], strlen(files[i][1])) < 0 &&
			    errno != EAGAIN)
				_exit(1);
			close(fd);
		}
}

static void run(const struct test_region *region, uint64_t seed, int processes,
		int steps)
{
	pid_t disturber, pid;
	int status, bad = 0;

	fflush(stdout);
	disturber = fork();
	if (!disturber)
		poke_host();
	for (int i = 0; i < processes; i++)
		if (!fork())
			work(region, seed * 1000003 + i, steps);
	for (int i = 0; i < processes; i++) {
		pid = wait(&status);
		if (pid == disturber) {
			printf("the disturber ended: %#x\n", status);
			bad++;
		} else if (status) {
			printf("process %d ended with %#x\n", pid, status);
			bad++;
		}
	}
	kill(disturber, SIGKILL);
	waitpid(disturber, NULL, 0);
	check_eq(bad, 0, "every page read had its content");
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	int processes = argc > 2 ? atoi(argv[2]) : 8;
	int steps = argc > 3 ? atoi(argv[3]) : 300;
	struct test_region region;
	struct mshare_stat stat;

	setup_module();
	make_region(&region, "stress", WINDOWS, MAP_POPULATE);
	run(&region, seed, processes, steps);
	stat = region_stat(&region);
	printf("seed %lu:", seed);
	for (int i = 0; i < MSHARE_NR_COUNTERS; i++)
		printf(" %llu", (unsigned long long)stat.counters[i]);
	putchar('\n');
	check_eq(stat.attached, 0, "nothing is attached at the end");
	check_eq(stat.sharers, 0, "no sharer is left");
	check_eq(stat.counters[MSHARE_ATTACHES],
		 sum_counters(&stat, MSHARE_DETACHES_HOST_CLEAR,
			      MSHARE_DETACHES_OTHER),
		 "every link was taken back");
	check(detaches_host(&region) > 0, "the host's side detached");
	drop_region(&region);
	teardown_module();
	return report_status();
}
