/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "same.h"
#include "sharers.h"

/* The private mapping, and two that share: what one does the other does too. */
#define TRIALS	3

/* In memory that all processes of a test share. */
struct arena {
	atomic_int ready;
	struct trial trials[TRIALS];
};

void result(struct trial *trial, long value)
{
	unsigned long distance = value - (long)trial->text;

	if (trial->nr == SAME_RESULTS)
		abort();
	if (value == -1)
		value = -errno;
	else if (distance < 1UL << 40 || -distance < 1UL << 40)
		value = distance;
	trial->results[trial->nr++] = value;
}

char *page_at(const struct trial *trial, unsigned int window,
	      unsigned int page)
{
	return trial->text + window * WINDOW + page * PAGE;
}

static char *map_file(const struct test_region *region, char *at)
{
	int fd = open(region->file, O_RDONLY);
	char *text = mmap(at, region->size, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | (at ? MAP_FIXED : 0), fd, 0);

	close(fd);
	return text;
}

char *map_again(const struct trial *trial, char *at)
{
	const struct test_region *region = trial->region;

	if (!trial->shared)
		return map_file(region, at);
	return mmap(at, region->size, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED, region->fd, TEXT_OFFSET);
}

static int64_t sum_of(const volatile uint64_t *words, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15UL;
	return sum >> 1;
}

void add_content(struct trial *trial, const void *from, size_t size)
{
	result(trial, sum_of(from, size) | 1L << 62);
}

static sigjmp_buf after_signal;

static void on_signal(int sig)
{
	siglongjmp(after_signal, sig);
}

/* By the process's own loads: what a signal answers is content, too. */
static void read_pages(const char *from, int64_t *pages)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (volatile unsigned int i = 0; i < SAME_PAGES; i++) {
		int sig = sigsetjmp(after_signal, 0);

		pages[i] = sig ? -sig : sum_of((uint64_t *)(from + i * PAGE), PAGE);
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

static void count_windows(struct trial *trial)
{
	for (unsigned int i = 0; i < SAME_WINDOWS; i++) {
		int flags = window_flags(trial->region, i);

		trial->attached += !!(flags & MSHARE_WINDOW_ATTACHED);
		trial->private += !!(flags & MSHARE_WINDOW_PRIVATE);
	}
}

/* All begin at the same moment. */
static void meet(atomic_int *ready)
{
	atomic_fetch_add(ready, 1);
	while (atomic_load(ready) < TRIALS)
		sched_yield();
}

static void try_one(struct trial *trial, const struct operation *operation,
		    atomic_int *ready)
{
	read_pages(trial->text, trial->pages);
	meet(ready);
	operation->fn(trial, operation->arg);
	read_pages(trial->text, trial->pages);
	if (trial->moved)
		read_pages(trial->moved, trial->pages + SAME_PAGES);
	count_windows(trial);
	trial->ended = true;
}

static void set_up(struct trial *trial, const struct test_region *region, int i)
{
	/* Each elsewhere, but all congruent, with room around. */
	char *at = (char *)REGION_START + TEXT_OFFSET - i * 64 * WINDOW;

	*trial = (struct trial){ .region = region, .shared = i > 0 };
	trial->text = trial->shared ? map_text(region, at) : map_file(region, at);
	if (trial->text != at)
		_exit(1);
}

static void try_all(struct arena *arena, const struct test_region *region,
		    const struct operation *operation)
{
	pid_t pids[TRIALS];
	int status;

	memset(arena, 0, sizeof(*arena));
	for (int i = 0; i < TRIALS; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		set_up(&arena->trials[i], region, i);
		try_one(&arena->trials[i], operation, &arena->ready);
		_exit(0);
	}
	for (int i = 0; i < TRIALS; i++)
		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			printf("%s: process %d ended with %#x\n",
			       operation->name, i, status);
}

static bool equal(const char *name, const struct trial *plain,
		  const struct trial *ours)
{
	bool ok = plain->ended && ours->ended && plain->nr == ours->nr;

	for (unsigned int i = 0; i < plain->nr && i < ours->nr; i++) {
		if (plain->results[i] == ours->results[i])
			continue;
		printf("%s: result %u is %#lx, not %#lx\n", name, i,
		       ours->results[i], plain->results[i]);
		ok = false;
	}
	for (unsigned int i = 0; i < 2 * SAME_PAGES; i++) {
		if (plain->pages[i] == ours->pages[i])
			continue;
		printf("%s: page %u holds %#lx, not %#lx\n", name, i,
		       (long)ours->pages[i], (long)plain->pages[i]);
		return false;
	}
	return ok;
}

static bool counts(const struct operation *operation,
		   const struct trial *trial)
{
	bool ok = trial->attached == operation->attached &&
		  trial->private == operation->private;

	if (!ok)
		printf("%s: %d windows attached and %d private, not %d and %d\n",
		       operation->name, trial->attached, trial->private,
		       operation->attached, operation->private);
	return ok;
}

static void print_results(const struct operation *operation,
			  const struct trial *trial)
{
	printf("%s:", operation->name);
	for (unsigned int i = 0; i < trial->nr; i++)
		printf(" %ld", trial->results[i]);
	printf("\n");
}

static void report_on(const struct operation *operation,
		      const struct trial *trials)
{
	bool as_plain = true, as_said = true;

	print_results(operation, &trials[0]);
	for (int i = 1; i < TRIALS; i++) {
		as_plain &= equal(operation->name, &trials[0], &trials[i]);
		as_said &= counts(operation, &trials[i]);
	}
	check(as_plain, "%s: as on a private mapping", operation->name);
	check(as_said, "%s: shares what it should", operation->name);
}

static bool file_is_unchanged(const struct test_region *region)
{
	char *text = map_file(region, NULL);
	bool ok = text != MAP_FAILED && verify(text, region);

	munmap(text, region->size);
	return ok;
}

static void same(const struct test_region *region,
		 const struct operation *operations, unsigned int n)
{
	struct arena *arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sharer sharers[SHARERS];

	start_sharers(sharers, region);
	for (unsigned int i = 0; i < n; i++) {
		try_all(arena, region, &operations[i]);
		report_on(&operations[i], arena->trials);
		check(all_answer(sharers, VERIFY, 1) &&
		      all_answer(sharers, ATTACHED, SAME_WINDOWS) &&
		      file_is_unchanged(region),
		      "%s: others see nothing of it", operations[i].name);
	}
	stop_sharers(sharers);
	munmap(arena, sizeof(*arena));
	check_eq(region_stat(region).attached, 0, "nothing is attached at the end");
	check_eq(region_stat(region).sharers, 0, "no sharer is left");
}

int same_program(const char *name, const struct operation *operations,
		 unsigned int n, const struct also *also)
{
	struct test_region region;

	setup_module();
	make_region(&region, name, SAME_WINDOWS, MAP_POPULATE);
	same(&region, operations, n);
	for (; also->fn; also++)
		check_eq(in_child(also->fn, &region), 0, "%s", also->what);
	drop_region(&region);
	teardown_module();
	return report_status();
}
