/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting guest instructions, user's and kernel's: under QEMU's -icount the
 * time-stamp counter is their number.
 */
#ifndef METER_H
#define METER_H

#include <stdint.h>

#define SAMPLES_MAX	64

/**
 * struct samples - the same thing counted several times
 * @count: how often
 * @value: instructions each
 */
struct samples {
	unsigned int count;
	uint64_t value[SAMPLES_MAX];
};

/**
 * meter_start() - find out whether instructions can be counted here
 *
 * Ends the program with status 77 if they cannot.  From then on nothing of
 * normal priority runs while this process does.
 */
void meter_start(void);

/** meter_read() - instructions so far */
static inline uint64_t meter_read(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a" (low), "=d" (high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/** samples_add() - one more, since @start; beyond SAMPLES_MAX: forgotten */
static inline void samples_add(struct samples *samples, uint64_t start)
{
	uint64_t value = meter_read() - start;

	if (samples->count < SAMPLES_MAX)
		samples->value[samples->count++] = value;
}

/** samples_least() - what no interrupt came into, nor a cache to be refilled */
double samples_least(const struct samples *samples);

#endif /* METER_H */
