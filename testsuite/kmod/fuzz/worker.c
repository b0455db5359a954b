/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of a process that does random things.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fuzz.h"

/* After so many steps a worker ends by itself, and another begins. */
#define LIFETIME	400

/** announce - let others do things to this process */
void announce(struct world *world)
{
	__atomic_store_n(&world->pids[getpid() % NR_PIDS], getpid(),
			 __ATOMIC_RELAXED);
}

static struct actor *new_actor(struct world *world, uint64_t seed,
			       unsigned int slot, unsigned int incarnation)
{
	struct actor *actor = calloc(1, sizeof(*actor));

	if (!actor)
		_exit(1);
	actor->world = world;
	actor->userfault = -1;
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		actor->regions[i] = -1;
	actor->random.state = seed + slot * 0x100000001UL + incarnation;
	actor->random.state = next_random(&actor->random);
	snprintf(actor->name, sizeof(actor->name), "%u.%u", slot, incarnation);
	return actor;
}

/**
 * work - be a worker
 * @world:	shared
 * @seed:	of all
 * @slot:	which of the workers
 * @incarnation: how many were in this slot before
 * @steps:	how many it does; 0: a lifetime
 */
void work(struct world *world, uint64_t seed, unsigned int slot,
	  unsigned int incarnation, unsigned int steps)
{
	struct actor *actor = new_actor(world, seed, slot, incarnation);
	unsigned int left = steps ?: 1 + pick(&actor->random, LIFETIME);
	pthread_t thread;

	catch_signals();
	announce(world);
	if (!pick(&actor->random, 3) &&
	    pthread_create(&thread, NULL, read_beside, actor))
		fail(actor, "pthread_create: %m");
	while (left-- && !stopping(world))
		do_step(actor);
	/* The other thread judges nothing any more. */
	__atomic_fetch_add(&actor->changing, 1, __ATOMIC_SEQ_CST);
	if (pick(&actor->random, 2))
		munmap(ARENA, ARENA_PAGES * PAGE);
	reap_all(actor);
	_exit(0);
}
