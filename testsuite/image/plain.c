// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A library of what compilers make: constants with pointers, switches, static
 * and thread-local data, constructors, functions in tables.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *name_of(int n);
int counted(void);
int run_all(int (*use)(const char *, int));

static const char *const names[] = { "one", "two", "three", "four" };
static int count;
static int zeroes[5000];
static __thread int per_thread = 42;
int exported = 17;
int *exported_pointer = &exported;
const char **first_name = (const char **)&names[1];

static int twice(int n) { return 2 * n; }
static int square(int n) { return n * n; }
static int (*const functions[])(int) = { twice, square, abs };
static int (*changing)(int) = twice;

__attribute__((constructor)) static void begin(void)
{
	count = 100;
	zeroes[4999] = exported;
}

const char *name_of(int n)
{
	if (n < 0 || n > 3) {
		errno = ERANGE;
		return NULL;
	}
	return names[n];
}

static int pick(int n)
{
	switch (n) {
	case 0: return count;
	case 1: return exported++;
	case 2: return zeroes[4999];
	case 3: return per_thread++;
	case 4: return functions[exported & 1](n);
	case 5: changing = changing == twice ? square : twice; return changing(n);
	case 6: return (int)strlen(*first_name);
	case 7: return (int)sizeof(zeroes);
	default: return -1;
	}
}

int counted(void)
{
	static int calls;
	int sum = ++calls;

	for (int i = 0; i < 9; i++)
		sum = 31 * sum + pick(i);
	return sum;
}

int run_all(int (*use)(const char *, int))
{
	int sum = 0;

	for (int i = 0; i < 4; i++)
		sum += use(names[i], counted());
	return sum + snprintf(NULL, 0, "%s", name_of(2));
}
