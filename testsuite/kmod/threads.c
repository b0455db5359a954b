/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads of one sharer: they fault in the same windows at the same time, and
 * read while others of them change, drop, unmap and map the text.
 *
 *	threads [SEED]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4
#define PAGES	(WINDOWS * PAGES_PER_WINDOW)
#define READERS	4

/* The first page of this window is what changes: readers leave it alone. */
#define CHANGED	1

/**
 * struct team - threads that read while one changes something
 * @region:	the region
 * @text:	its mapping
 * @seed:	for each reader's sequence of pages
 * @may_miss:	parts of it may be unmapped for a moment
 * @readers:	threads that have begun
 * @stop:	the change is over
 * @read:	pages read by all
 * @wrong:	pages with wrong content
 */
struct team {
	const struct test_region *region;
	char *text;
	uint64_t seed;
	bool may_miss;
	atomic_int readers;
	atomic_bool stop;
	atomic_long read;
	atomic_long wrong;
};

static __thread sigjmp_buf after_signal;

static void on_signal(int sig)
{
	siglongjmp(after_signal, sig);
}

static unsigned int pick(uint64_t *state, unsigned int n)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return (*state >> 33) % n;
}

/* Content that is there must be right, also if it is gone a moment later. */
static bool page_is_right(const struct team *team, long n)
{
	char page[PAGE];

	if (sigsetjmp(after_signal, 0))
		return team->may_miss;
	memcpy(page, team->text + n * PAGE, PAGE);
	return page_number(page) == n;
}

static void *read_until_stopped(void *arg)
{
	struct team *team = arg;
	uint64_t random = team->seed + atomic_fetch_add(&team->readers, 1);

	while (!atomic_load(&team->stop)) {
		long n = pick(&random, PAGES);

		if (n == CHANGED * (long)PAGES_PER_WINDOW)
			continue;
		if (!page_is_right(team, n))
			atomic_fetch_add(&team->wrong, 1);
		atomic_fetch_add(&team->read, 1);
	}
	return NULL;
}

/* The last change met readers. */
static void let_read(struct team *team)
{
	long now = atomic_load(&team->read);

	while (atomic_load(&team->read) < now + READERS)
		sched_yield();
}

static void while_read(const char *what, const struct test_region *region,
		       uint64_t seed, bool may_miss,
		       bool (*change)(struct team *team, int round))
{
	enum { ROUNDS = 40 };
	struct team team = { .region = region, .seed = seed,
			     .may_miss = may_miss };
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER };
	pthread_t threads[READERS];
	int failed = 0;

	sigaction(SIGSEGV, &action, NULL);
	team.text = map_text(region, NULL);
	for (int i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, read_until_stopped, &team))
			exit(1);
	for (int round = 0; round < ROUNDS; round++) {
		let_read(&team);
		failed += !change(&team, round);
	}
	atomic_store(&team.stop, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	printf("%s: %ld pages read\n", what, team.read);
	check_eq(failed, 0, "%s: it can be done under readers", what);
	check_eq(team.wrong, 0, "%s: all that readers see is right", what);
	check_eq(munmap(team.text, region->size), 0, "%s: munmap", what);
	check_eq(windows_attached(region, 0), 0, "%s: detaches all", what);
}

static char *changed_page(const struct team *team)
{
	return team->text + CHANGED * WINDOW;
}

static bool protect(struct team *team, int round)
{
	static const int protections[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_EXEC,
	};

	return !mprotect(changed_page(team), PAGE, protections[round % 4]);
}

static bool write_and_drop(struct team *team, int round)
{
	char *page = changed_page(team);

	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return false;
	page[7] = round;
	if (page[7] != (char)round || madvise(page, PAGE, MADV_DONTNEED))
		return false;
	return page_number(page) == CHANGED * (long)PAGES_PER_WINDOW;
}

static bool drop(struct team *team, int round)
{
	/* One page of a window, a window, everything. */
	static const size_t sizes[] = { PAGE, WINDOW, WINDOWS * WINDOW };

	return !madvise(team->text, sizes[round % 3], MADV_DONTNEED);
}

static bool write_from_outside(struct team *team, int round)
{
	int fd = open("/proc/self/mem", O_RDWR);
	char byte = round;
	bool ok = pwrite(fd, &byte, 1, (off_t)changed_page(team)) == 1 &&
		  *changed_page(team) == byte;

	close(fd);
	return ok;
}

static bool punch(struct team *team, int round)
{
	char *page = changed_page(team);

	if (round % 2)
		return !munmap(page, PAGE);
	return mmap(page, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page &&
	       !page[0] && (page[0] = 1);
}

static bool unmap_and_map(struct team *team, int round)
{
	const struct test_region *region = team->region;

	if (round % 2 && munmap(team->text, region->size))
		return false;
	return mmap(team->text, region->size, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED, region->fd, TEXT_OFFSET) == team->text;
}

static bool move_away_and_back(struct team *team, int round)
{
	size_t size = team->region->size;
	char *away = team->text + 32 * WINDOW * (1 + round % 2);

	return mremap(team->text, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      away) == away &&
	       page_number(away + 5 * PAGE) == 5 &&
	       mremap(away, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		      team->text) == team->text;
}

/* Nobody has touched anything, and all begin at once. */
struct start {
	pthread_barrier_t barrier;
	const struct test_region *region;
	char *text;
	atomic_int wrong;
};

static void *read_all(void *arg)
{
	struct start *start = arg;

	pthread_barrier_wait(&start->barrier);
	if (!verify(start->text, start->region))
		atomic_fetch_add(&start->wrong, 1);
	return NULL;
}

static void fault_together(const struct test_region *region)
{
	enum { ROUNDS = 15 };
	int shared = 0, wrong = 0;
	pthread_t threads[READERS];

	for (int round = 0; round < ROUNDS; round++) {
		struct start start = { .region = region,
				       .text = map_text(region, NULL) };

		pthread_barrier_init(&start.barrier, NULL, READERS);
		for (int i = 0; i < READERS; i++)
			if (pthread_create(&threads[i], NULL, read_all, &start))
				exit(1);
		for (int i = 0; i < READERS; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&start.barrier);
		wrong += start.wrong;
		shared += windows_attached(region, 0);
		munmap(start.text, region->size);
	}
	check_eq(wrong, 0, "threads that fault together read all pages");
	check_eq(shared, ROUNDS * WINDOWS, "and share all windows");
}

static int run(const void *arg)
{
	const struct beside *beside = arg;
	const struct test_region *region = beside->region;
	uint64_t seed = beside->seed;

	fault_together(region);
	while_read("mprotect", region, seed, false, protect);
	while_read("write and MADV_DONTNEED", region, seed, false, write_and_drop);
	while_read("MADV_DONTNEED", region, seed, false, drop);
	while_read("/proc/PID/mem", region, seed, false, write_from_outside);
	while_read("a hole", region, seed, false, punch);
	while_read("munmap and mmap", region, seed, true, unmap_and_map);
	while_read("mremap", region, seed, true, move_away_and_back);
	return report_status();
}

int main(int argc, char **argv)
{
	return beside_sharers("threads", WINDOWS, run,
			      argc > 1 ? strtoul(argv[1], NULL, 0) : 1);
}
