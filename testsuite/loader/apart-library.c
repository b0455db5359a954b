/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library with everything that a loader does to data.  apart_wrong() says
 * which of it is not as it should be; 0 if all is.
 */
#include <string.h>
#include <unistd.h>

#define NPOINTERS	65536
#define NZEROS		(1 << 16)

/* More RELATIVE relocations than anything else of this library has pages. */
static int numbers[4] = { 1, 2, 3, 4 };
int *const apart_pointers[NPOINTERS] = {
	[0 ... NPOINTERS - 1] = &numbers[2],
};

/* A symbol of another library, and one of its functions, called lazily */
extern char **environ;
static char ***where_environ = &environ;

static __thread int counter = 42;
__thread int apart_thread_zeros[16];

int apart_zeros[NZEROS];
static int constructed;

static int chosen_first(void)
{
	return 1;
}

static int (*resolve_chosen(void))(void)
{
	return chosen_first;
}

static int chosen(void) __attribute__((ifunc("resolve_chosen")));
int apart_chosen(void) __attribute__((ifunc("resolve_chosen")));
static int (*pointer_to_chosen)(void) = chosen;

__attribute__((constructor))
static void construct(void)
{
	constructed++;
}

static int count_wrong_pointers(void)
{
	int wrong = 0;

	for (int i = 0; i < NPOINTERS; i++)
		wrong += apart_pointers[i] != &numbers[2] ||
			 *apart_pointers[i] != 3;
	return wrong;
}

static int count_dirt(void)
{
	int dirt = 0;

	for (int i = 0; i < NZEROS; i++)
		dirt += apart_zeros[i] != 0;
	return dirt + apart_thread_zeros[7];
}

unsigned int apart_wrong(void)
{
	unsigned int wrong = 0;

	wrong |= (count_wrong_pointers() != 0) << 0;
	wrong |= (count_dirt() != 0) << 1;
	wrong |= (*where_environ != environ) << 2;
	wrong |= (counter != 42) << 3;
	wrong |= (chosen() != 1) << 4;
	wrong |= (apart_chosen() != 1) << 5;
	wrong |= (pointer_to_chosen() != 1) << 6;
	wrong |= (constructed != 1) << 7;
	wrong |= (getpid() <= 0) << 8;
	wrong |= (strlen("abc" + (getppid() < 0)) != 3) << 9;
	return wrong;
}
