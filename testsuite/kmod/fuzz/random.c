/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers that are the same for the same seed: splitmix64.
 */
#include "fuzz.h"

/** next_random - 64 random bits */
uint64_t next_random(struct random *random)
{
	uint64_t x = random->state += 0x9e3779b97f4a7c15UL;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9UL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebUL;
	return x ^ (x >> 31);
}

/** pick - a number below @n */
unsigned int pick(struct random *random, unsigned int n)
{
	return (next_random(random) >> 32) % n;
}
