/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process did last, and how it ends if something was wrong.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/**
 * log_step - say what is about to be done
 * @actor:	process
 * @fmt:	the system call, with pages of the arena by their number
 */
void log_step(struct actor *actor, const char *fmt, ...)
{
	char *line = actor->log[actor->logged++ % LOG_LENGTH];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(actor->log[0]), fmt, ap);
	va_end(ap);
}

/* At most size: what was written, as vsnprintf() counts, may be more. */
static size_t limited(int written, size_t size)
{
	return written < 0 ? 0 : (size_t)written < size ? (size_t)written : size;
}

/**
 * fail - report a mismatch with the last operations, and end everything
 * @actor:	process
 * @fmt:	what was wrong
 */
void fail(struct actor *actor, const char *fmt, ...)
{
	char text[8192];
	size_t n;
	unsigned int i;
	va_list ap;

	n = limited(snprintf(text, sizeof(text),
			     "fuzz: process %s (pid %d), step %u: ",
			     actor->name, getpid(), actor->step), sizeof(text));
	va_start(ap, fmt);
	n += limited(vsnprintf(text + n, sizeof(text) - n, fmt, ap),
		     sizeof(text) - n);
	va_end(ap);
	n += limited(snprintf(text + n, sizeof(text) - n, "\n  it did last:\n"),
		     sizeof(text) - n);
	i = actor->logged > LOG_LENGTH ? actor->logged - LOG_LENGTH : 0;
	for (; i < actor->logged; i++)
		n += limited(snprintf(text + n, sizeof(text) - n, "    %s\n",
				      actor->log[i % LOG_LENGTH]),
			     sizeof(text) - n);

	/* In one piece: others may have failed, too. */
	if (write(STDOUT_FILENO, text, n) < 0)
		abort();
	__atomic_fetch_add(&actor->world->failures, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&actor->world->stop, true, __ATOMIC_SEQ_CST);
	_exit(1);
}
