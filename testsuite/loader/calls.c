// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A function that a library with DT_BIND_NOW calls is the one that is found
 * first, however calls are bound and whoever sees them.
 *
 *	calls LIBRARY	(calls-library.c, which needs calls-answer.so; another
 *			answer is preloaded)
 */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

#include "report.h"

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_LAZY) : NULL;
	int (*ask)(void) = library ? dlsym(library, "ask") : NULL;

	if (!ask)
		printf("%s\n", dlerror());
	for (int i = 1; i <= 2; i++)
		check_eq(ask ? ask() : 0, 42, "call %d: the preloaded answer", i);
	return report_status();
}
