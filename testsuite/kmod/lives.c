/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How sharers begin and end: fork, vfork, exec, exit and SIGKILL, at any
 * moment and many at once.
 *
 *	lives [SEED]
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
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4
#define PAGES	(WINDOWS * PAGES_PER_WINDOW)

static unsigned int pick(uint64_t *state, unsigned int n)
{
	*state = *state * 6364136223846793005UL + 1442695040888963407UL;
	return (*state >> 33) % n;
}

static char *agreed_text(void)
{
	return (char *)REGION_START + TEXT_OFFSET;
}

/* One page in each window, but not one of the first eight. */
static bool read_some(const char *text, uint64_t *random)
{
	for (unsigned int i = 0; i < WINDOWS; i++) {
		long n = i * PAGES_PER_WINDOW + 8 +
			 pick(random, PAGES_PER_WINDOW - 8);

		if (page_number(text + n * PAGE) != n)
			return false;
	}
	return true;
}

static bool write_page(char *page, char value)
{
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return false;
	page[9] = value;
	return true;
}

/* To be killed in the middle of any of it. */
static void live_and_let_die(const struct test_region *region, uint64_t random)
{
	for (;;) {
		char *at = agreed_text() - pick(&random, 4) * 16 * WINDOW;
		char *text = map_text(region, at);

		if (text != at || !read_some(text, &random))
			_exit(1);
		if (!write_page(text + pick(&random, 8) * PAGE, 1))
			_exit(2);
		if (pick(&random, 4) == 0 && !fork())
			_exit(read_some(text, &random) ? 0 : 3);
		if (madvise(text, WINDOW, MADV_DONTNEED))
			_exit(4);
		if (munmap(text + WINDOW, PAGE) || !read_some(text, &random) ||
		    munmap(text, region->size))
			_exit(5);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void kill_at_random(const struct test_region *region, uint64_t random)
{
	enum { VICTIMS = 4, ROUNDS = 15 };
	int status, killed = 0, bad = 0;
	pid_t pids[VICTIMS];

	/* Children of the killed become ours. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < VICTIMS; i++) {
			pids[i] = fork();
			if (!pids[i])
				live_and_let_die(region, random + i);
			pick(&random, 1);
		}
		for (int i = 0; i < VICTIMS; i++) {
			/* Any moment will do: the seed chooses, not the outcome. */
			usleep(pick(&random, 20000));
			kill(pids[i], SIGKILL);
		}
		while (wait(&status) > 0) {
			if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
				killed++;
			else if (status)
				bad++;
		}
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	check_eq(killed, VICTIMS * ROUNDS, "SIGKILL: they die when told to");
	check_eq(bad, 0, "SIGKILL: nobody read anything wrong before");
}

/* Each generation has a page of its own, which its descendants see. */
static int grow_tree(char *text, int depth, int max, uint64_t random)
{
	int status, bad;

	for (int i = 0; i < depth; i++)
		if (text[i * PAGE + 9] != i + 1)
			return 1;
	bad = !read_some(text, &random) || !write_page(text + depth * PAGE, depth + 1);
	for (int i = 0; depth < max && i < 2; i++)
		if (!fork())
			_exit(grow_tree(text, depth + 1, max, random + i));
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad || text[depth * PAGE + 9] != depth + 1 ||
	       (depth < max && page_number(text + (depth + 1) * PAGE) != depth + 1);
}

static int fork_tree(const void *arg)
{
	char *text = map_text(arg, NULL);

	return verify(text, arg) ? grow_tree(text, 0, 5, 1) : 1;
}

/* One after the other, each from the one before, deeper than any program. */
static int fork_chain(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	uint64_t random = 1;
	int status;

	for (int depth = 0; depth < 40; depth++) {
		pid_t pid = fork();

		if (pid)
			return waitpid(pid, &status, 0) == pid && !status &&
			       read_some(text, &random) ? 0 : 1;
		if (!read_some(text, &random))
			return 1;
	}
	return 0;
}

/* What this program does if it is run again. */
static int read_after_exec(const char *name)
{
	struct test_region region = {
		.fd = open(name, O_RDONLY), .windows = WINDOWS,
		.size = WINDOWS * WINDOW,
	};
	char *text;

	if (windows_attached(&region, 0))
		return 1;
	text = map_text(&region, NULL);
	return text != MAP_FAILED && verify(text, &region) &&
	       windows_attached(&region, 0) == WINDOWS ? 0 : 2;
}

static void exec_reader(const struct test_region *region)
{
	execl("/proc/self/exe", "lives", "--read", region->name, NULL);
	_exit(127);
}

static int exec_sharing(const void *arg)
{
	if (!verify(map_text(arg, NULL), arg))
		return 3;
	exec_reader(arg);
	return 4;
}

static void *read_for_ever(void *text)
{
	for (uint64_t random = 1; read_some(text, &random); )
		;
	exit(5);
}

/* exec kills the other threads, and this one's mm is theirs. */
static int exec_from_thread(const void *arg)
{
	char *text = map_text(arg, NULL);
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, read_for_ever, text))
			return 3;
	exec_reader(arg);
	return 4;
}

static int exit_under_threads(const void *arg)
{
	char *text = map_text(arg, NULL);
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		if (pthread_create(&threads[i], NULL, read_for_ever, text))
			return 3;
	_exit(verify(text, arg) ? 0 : 1);
}

/* A vfork child lives in its parent's mm, and leaves it by exec or death. */
static int vfork_and(const struct test_region *region, bool die)
{
	char *text = map_text(region, NULL);
	uint64_t random = 1;
	int status;
	pid_t pid;

	if (!read_some(text, &random))
		return 1;
	pid = vfork();
	if (!pid) {
		if (!read_some(text, &random))
			_exit(1);
		if (die)
			kill(getpid(), SIGKILL);
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid || status != (die ? SIGKILL : 0))
		return 2;
	return windows_attached(region, 0) == WINDOWS && verify(text, region) ?
	       0 : 3;
}

static int vfork_and_exec(const void *arg)
{
	return vfork_and(arg, false);
}

static int vfork_and_die(const void *arg)
{
	return vfork_and(arg, true);
}

/* Several processes at once do the same. */
static void all_do(const char *what, int (*fn)(const void *arg),
		   const struct test_region *region)
{
	enum { PROCESSES = 4 };
	int status, bad = 0;

	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++)
		if (!fork())
			_exit(fn(region));
	for (int i = 0; i < PROCESSES; i++) {
		if (wait(&status) < 0 || status) {
			printf("%s: a process ended with %#x\n", what, status);
			bad++;
		}
	}
	check_eq(bad, 0, "%s", what);
}

/* In a child, whose children are no others than those it waits for. */
static int live(const void *arg)
{
	const struct beside *beside = arg;
	const struct test_region *region = beside->region;

	kill_at_random(region, beside->seed);
	all_do("a tree of forks", fork_tree, region);
	all_do("a chain of forks", fork_chain, region);
	all_do("exec", exec_sharing, region);
	all_do("exec by one of several threads", exec_from_thread, region);
	all_do("exit under other threads", exit_under_threads, region);
	all_do("vfork and exec", vfork_and_exec, region);
	all_do("vfork and SIGKILL", vfork_and_die, region);
	return report_status();
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--read"))
		return read_after_exec(argv[2]);
	return beside_sharers("lives", WINDOWS, live,
			      argc > 1 ? strtoul(argv[1], NULL, 0) : 1);
}
