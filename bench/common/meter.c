// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "meter.h"

#define LOOPS	1000000UL

static uint64_t count_loop(void)
{
	uint64_t start = meter_read(), n = LOOPS;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r" (n) : : "cc");
	return meter_read() - start;
}

/* A loop of two instructions must count as two, but for a timer interrupt. */
void meter_start(void)
{
	struct sched_param param = { .sched_priority = 1 };
	uint64_t counted = count_loop();

	if (counted < 2 * LOOPS || counted > 2 * LOOPS + LOOPS / 10 ||
	    sysconf(_SC_NPROCESSORS_ONLN) != 1) {
		warnx("the time-stamp counter does not count instructions: 2 million were %lu; this needs a machine with one processor under QEMU's -icount (vm run --icount)",
		      counted);
		exit(77);
	}
	/* Its children come after it, in turn. */
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		err(1, "SCHED_FIFO");
}

double samples_least(const struct samples *samples)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < samples->count; i++)
		if (samples->value[i] < least)
			least = samples->value[i];
	if (!samples->count)
		errx(1, "nothing was counted");
	return (double)least;
}
