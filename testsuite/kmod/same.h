/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measure of a sharer: whatever it does, it gets the results and sees the
 * content that it would with a private mapping of the same file.
 *
 * Each operation is run by several processes at once: one has the file mapped
 * privately, the others from a region.  What their calls gave and what all
 * their pages hold afterwards is compared.  Then processes that share the
 * region, and did nothing, read all of it.
 */
#ifndef LDMSHARE_TEST_SAME_H
#define LDMSHARE_TEST_SAME_H

#include <stdbool.h>
#include <stdint.h>

#include "region.h"

#define SAME_WINDOWS	4
#define SAME_PAGES	(SAME_WINDOWS * PAGES_PER_WINDOW)
#define SAME_RESULTS	48

#define __unused	__attribute__((unused))

/**
 * struct trial - one process doing an operation
 * @region:	the region
 * @text:	its mapping, all pages of which it has read
 * @shared:	from the region, not from the file
 * @moved:	where the operation has left other pages of it, if it has: as
 *		many are compared there as in @text
 * @nr:		results so far
 * @results:	what its calls gave: result()
 * @pages:	checksum or -signal of each page of @text and @moved
 * @attached:	windows attached after all were read
 * @private:	windows with a page table of its own then
 * @ended:	it came to the end
 */
struct trial {
	const struct test_region *region;
	char *text;
	bool shared;
	char *moved;
	unsigned int nr;
	long results[SAME_RESULTS];
	int64_t pages[2 * SAME_PAGES];
	int attached;
	int private;
	bool ended;
};

/**
 * struct operation - what is done to a mapping
 * @name:	for the report
 * @fn:		does it
 * @attached:	windows that are shared after it, once everything was read
 * @private:	windows that have a page table of the process's own
 * @arg:	for @fn
 */
struct operation {
	const char *name;
	void (*fn)(struct trial *trial, long arg);
	int attached;
	int private;
	long arg;
};

/**
 * result - note what a call gave, to be compared
 * @value:	-1 stands for errno; addresses in the text count from its start
 */
void result(struct trial *trial, long value);

/** page_at - address of a page of the text, by window and page in it */
char *page_at(const struct trial *trial, unsigned int window,
	      unsigned int page);

/** map_again - map the whole text once more, over whatever is there */
char *map_again(const struct trial *trial, char *at);

/**
 * add_content - note the content of memory, to be compared
 * @from:	readable
 * @size:	bytes
 */
void add_content(struct trial *trial, const void *from, size_t size);

/**
 * struct also - what else is to be seen of a sharer
 * @what:	for the report
 * @fn:		in a child; given the region, returns report_status()
 */
struct also {
	const char *what;
	int (*fn)(const void *region);
};

/**
 * same_program - all of a program: do each operation and report on it
 * @name:	of the region
 * @operations:	array
 * @n:		elements of it
 * @also:	array whose last element is empty
 *
 * Checks also that nothing is left attached when all processes are gone.
 *
 * Returns the program's exit status.
 */
int same_program(const char *name, const struct operation *operations,
		 unsigned int n, const struct also *also);

#endif /* LDMSHARE_TEST_SAME_H */
