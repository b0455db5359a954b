/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that may raise a signal, by any thread.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

static __thread sigjmp_buf after_signal;
static __thread volatile bool guarded;

static void on_signal(int sig)
{
	static const char message[] = "fuzz: a signal where none was possible\n";

	if (guarded)
		siglongjmp(after_signal, sig);
	if (write(STDOUT_FILENO, message, strlen(message)) < 0)
		abort();
	signal(sig, SIG_DFL);
	raise(sig);
}

/** catch_signals - have the functions below return signals instead */
void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_signal, .sa_flags = SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
}

/**
 * guarded_read - read some words
 * @from:	of which array
 * @to:		where to
 * @indices:	which of them
 * @n:		how many
 *
 * Returns the signal that was raised, 0 if none.
 */
int guarded_read(const uint64_t *from, uint64_t *to, const uint16_t *indices,
		 unsigned int n)
{
	int sig = sigsetjmp(after_signal, 0);

	guarded = !sig;
	if (!sig)
		for (unsigned int i = 0; i < n; i++)
			to[i] = *(const volatile uint64_t *)&from[indices[i]];
	guarded = false;
	return sig;
}

/** guarded_write - write a word; returns as guarded_read() does */
int guarded_write(uint64_t *to, uint64_t value)
{
	int sig = sigsetjmp(after_signal, 0);

	guarded = !sig;
	if (!sig)
		*(volatile uint64_t *)to = value;
	guarded = false;
	return sig;
}

/**
 * guarded_call - call a function
 * @code:	where it is
 * @value:	what it returned
 *
 * Returns as guarded_read() does.
 */
int guarded_call(const void *code, uint32_t *value)
{
	int sig = sigsetjmp(after_signal, 0);

	guarded = !sig;
	if (!sig)
		*value = ((uint32_t (*)(void))(uintptr_t)code)();
	guarded = false;
	return sig;
}
