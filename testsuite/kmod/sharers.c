/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "sharers.h"

static sigjmp_buf after_signal;

static void on_signal(int sig)
{
	siglongjmp(after_signal, sig);
}

static uint64_t add_page(uint64_t sum, const uint64_t *page)
{
	for (unsigned int i = 0; i < PAGE / sizeof(*page); i++)
		sum = sum * 0x9e3779b97f4a7c15UL + page[i];
	return sum;
}

long checksum(const char *text, const struct test_region *region)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_NODEFER }, before;
	volatile uint64_t sum = 0;

	sigaction(SIGBUS, &action, &before);
	for (volatile size_t n = 0; n < region->size; n += PAGE) {
		if (sigsetjmp(after_signal, 0))
			sum = sum * 31 + SIGBUS;
		else
			sum = add_page(sum, (const uint64_t *)(text + n));
	}
	sigaction(SIGBUS, &before, NULL);
	return sum & LONG_MAX;
}

static long faults(const char *text, const struct test_region *region)
{
	long before = minor_faults();

	verify(text, region);
	return minor_faults() - before;
}

static long answer_to(long question, const char *text,
		      const struct test_region *region)
{
	const char *byte = text + question - READ_BYTE;
	int sig;

	switch (question) {
	case VERIFY:
		return verify(text, region);
	case CHECKSUM:
		return checksum(text, region);
	case FAULTS:
		return faults(text, region);
	case ATTACHED:
		return windows_attached(region, 0);
	default:
		sig = touch_signal(byte, false);
		return sig ? -sig : *byte;
	}
}

static void serve(int ask, int answer, const struct test_region *region)
{
	char *text = map_text(region, NULL);
	long word = verify(text, region);

	while (write(answer, &word, sizeof(word)) == sizeof(word) &&
	       read(ask, &word, sizeof(word)) == sizeof(word))
		word = answer_to(word, text, region);
	_exit(0);
}

static void start_one(struct sharer *sharers, int i,
		      const struct test_region *region)
{
	int ask[2], answer[2];
	long ok = 0;

	if (pipe2(ask, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
		exit(1);
	sharers[i].pid = fork();
	if (!sharers[i].pid) {
		/* Or the others would never see the end of their questions. */
		for (int j = 0; j < i; j++)
			close(sharers[j].ask);
		close(ask[1]);
		serve(ask[0], answer[1], region);
	}
	close(ask[0]);
	close(answer[1]);
	sharers[i].ask = ask[1];
	sharers[i].answer = answer[0];
	if (read(answer[0], &ok, sizeof(ok)) != sizeof(ok) || !ok)
		check(false, "a sharer reads all pages before the test");
}

void start_sharers(struct sharer *sharers, const struct test_region *region)
{
	fflush(stdout);
	for (int i = 0; i < SHARERS; i++)
		start_one(sharers, i, region);
}

void stop_sharers(struct sharer *sharers)
{
	for (int i = 0; i < SHARERS; i++) {
		close(sharers[i].ask);
		close(sharers[i].answer);
		waitpid(sharers[i].pid, NULL, 0);
	}
}

long answer(const struct sharer *sharer, long question)
{
	long word = question;

	if (write(sharer->ask, &word, sizeof(word)) != sizeof(word) ||
	    read(sharer->answer, &word, sizeof(word)) != sizeof(word))
		return LONG_MIN;
	return word;
}

bool all_answer(const struct sharer *sharers, long question, long want)
{
	bool ok = true;

	for (int i = 0; i < SHARERS; i++) {
		long got = answer(&sharers[i], question);

		if (got == want)
			continue;
		printf("sharer %d: question %ld gives %ld, not %ld\n", i,
		       question, got, want);
		ok = false;
	}
	return ok;
}

int beside_sharers(const char *name, unsigned int windows,
		   int (*run)(const void *arg), uint64_t seed)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	struct beside beside = { &region, seed };

	setup_module();
	make_region(&region, name, windows, MAP_POPULATE);
	start_sharers(sharers, &region);
	check_eq(in_child(run, &beside), 0, "%s", name);
	check(all_answer(sharers, VERIFY, 1), "others read what they read before");
	check(all_answer(sharers, ATTACHED, windows), "and share all windows");
	stop_sharers(sharers);
	check_eq(region_stat(&region).attached, 0, "nothing is attached at the end");
	check_eq(region_stat(&region).sharers, 0, "no sharer is left");
	drop_region(&region);
	teardown_module();
	return report_status();
}
