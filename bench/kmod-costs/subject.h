/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is measured: a text of numbered windows, mapped from its file or from a
 * region of its own, and processes that use it.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE		4096UL
#define WINDOW		(2UL << 20)

/* How a text is mapped. */
enum side { STOCK, OURS, SIDES };

/**
 * struct text - one file, as it is and as a region
 * @file:	its path
 * @name:	of the region
 * @windows:	how many
 * @size:	bytes
 * @fd:		the region
 */
struct text {
	char file[64];
	const char *name;
	unsigned int windows;
	size_t size;
	int fd;
};

/**
 * texts_begin() - prepare for texts
 *
 * Their files are on a tmpfs: no disk's time, which is not instructions, comes
 * into what is counted.  Ends the program if that cannot be done.
 */
void texts_begin(void);

/** texts_end() - when all texts are destroyed */
void texts_end(void);

/**
 * text_create() - make the file and a live region of it
 * @text:	filled in
 * @name:	of the region; remembered
 * @windows:	of text
 *
 * Ends the program, with a message, if that cannot be done.
 */
void text_create(struct text *text, const char *name, unsigned int windows);

/** text_destroy() - take region and file away */
void text_destroy(struct text *text);

/** text_open() - a descriptor for text_map() that is the caller's */
int text_open(const struct text *text, enum side side);

/**
 * text_map() - map it, r-x
 * @text:	the text
 * @side:	how
 * @fd:		from text_open()
 * @place:	which of many places it fits at, from 0
 *
 * Ends the program if that cannot be done.
 */
char *text_map(const struct text *text, enum side side, int fd,
	       unsigned int place);

/** text_map_new() - the same through a descriptor of its own */
char *text_map_new(const struct text *text, enum side side, unsigned int place);

/** text_attached() - windows of it this process has attached */
unsigned int text_attached(const struct text *text);

/** touch() - read one byte in each @step of some text */
void touch(const char *text, size_t size, size_t step);

/**
 * in_subject() - run a function in a process of its own
 * @run:	what to run; it leaves what it has found in shared memory
 * @arg:	what it is given
 *
 * The caller's own memory is never mapped from a region.  Ends the program if
 * the process fails.
 */
void in_subject(void (*run)(void *arg), void *arg);

/** shared_memory() - zeroed memory that children share */
void *shared_memory(size_t size);

#endif /* SUBJECT_H */
