/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that share a region while a test does something to it, and then
 * say what they see.
 */
#ifndef LDMSHARE_TEST_SHARERS_H
#define LDMSHARE_TEST_SHARERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "region.h"

#define SHARERS	4

/* A process with a pipe in each direction. */
struct sharer {
	pid_t pid;
	int ask, answer;
};

enum question {
	VERIFY,		/* do all pages have their content? */
	CHECKSUM,	/* of all pages, SIGBUS counting as content: checksum() */
	FAULTS,		/* minor faults taken while reading all pages */
	ATTACHED,	/* windows attached */
	READ_BYTE,	/* + offset: the byte there, or -signal */
};

/**
 * start_sharers - fork SHARERS processes that have read all of a text
 * @sharers:	filled in
 * @region:	the region
 *
 * That they could read it is checked.
 */
void start_sharers(struct sharer *sharers, const struct test_region *region);

/** stop_sharers - have them exit, and wait for it */
void stop_sharers(struct sharer *sharers);

/**
 * answer - ask one sharer
 * @question:	enum question, READ_BYTE with the offset added
 *
 * Returns the answer, or LONG_MIN if the sharer is gone.
 */
long answer(const struct sharer *sharer, long question);

/** all_answer - do all sharers answer this? */
bool all_answer(const struct sharer *sharers, long question, long want);

/**
 * struct beside - what a test beside sharers is given
 * @region:	theirs
 * @seed:	for its choices
 */
struct beside {
	const struct test_region *region;
	uint64_t seed;
};

/**
 * beside_sharers - all of a program that tests beside processes that share
 * @name:	of the region
 * @windows:	of it
 * @run:	the test, in a child; given a struct beside, returns
 *		report_status()
 * @seed:	for it
 *
 * They must not see anything of it, and nothing may be left of it.
 *
 * Returns the program's exit status.
 */
int beside_sharers(const char *name, unsigned int windows,
		   int (*run)(const void *arg), uint64_t seed);

/** checksum - of any mapping of a region's file, pages that SIGBUS included */
long checksum(const char *text, const struct test_region *region);

#endif /* LDMSHARE_TEST_SHARERS_H */
