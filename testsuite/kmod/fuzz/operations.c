/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of operations, and what they are done to.
 */
#include <string.h>

#include "fuzz.h"

/* Does what another thread reads stay the same meanwhile? */
enum effect { CHANGES, QUIET };

static const struct {
	const char *name;
	unsigned int weight;
	void (*fn)(struct actor *actor);
	enum effect effect;
} operations[] = {
	{ "map a library",		10, op_map, CHANGES },
	{ "map memory",			3, op_map_anon, CHANGES },
	{ "map where no window fits",	1, op_map_misaligned, CHANGES },
	{ "map data",			4, op_map_data, CHANGES },
	{ "map data that is none",	1, op_map_no_data, QUIET },
	{ "munmap",			4, op_unmap, CHANGES },
	{ "mremap",			4, op_move, CHANGES },
	{ "mremap that cannot be",	1, op_grow, QUIET },
	{ "read",			30, op_read, QUIET },
	{ "read a window",		3, op_read_window, QUIET },
	{ "write",			8, op_write, CHANGES },
	{ "execute",			8, op_execute, QUIET },
	{ "mprotect",			6, op_protect, CHANGES },
	{ "MADV_DONTNEED",		5, op_drop, CHANGES },
	{ "madvise",			6, op_advise, QUIET },
	{ "MADV_POPULATE",		3, op_populate, QUIET },
	{ "madvise about fork",		3, op_fork_advice, QUIET },
	{ "mlock",			2, op_lock, QUIET },
	{ "msync, mincore",		1, op_sync, QUIET },
	{ "userfaultfd",		2, op_userfault, QUIET },
	{ "write to another",		3, op_poke, QUIET },
	{ "read of another",		2, op_peek, QUIET },
	{ "process_madvise",		1, op_advise_other, QUIET },
	{ "/proc",			1, op_proc, QUIET },
	{ "statistics",			4, op_statistics, QUIET },
	{ "fork",			3, op_fork, QUIET },
	{ "vfork and exec",		1, op_spawn, QUIET },
	{ "wait for a child",		2, op_reap, QUIET },
};

#define NR_OPERATIONS (sizeof(operations) / sizeof(operations[0]))
_Static_assert(NR_OPERATIONS <= MAX_OPERATIONS, "MAX_OPERATIONS");

/** operation_name - of the table's entry @i, NULL at the end */
const char *operation_name(unsigned int i)
{
	return i < NR_OPERATIONS ? operations[i].name : NULL;
}

static unsigned int choose(struct random *random)
{
	unsigned int total = 0, i;

	for (i = 0; i < NR_OPERATIONS; i++)
		total += operations[i].weight;
	total = pick(random, total);
	for (i = 0; total >= operations[i].weight; i++)
		total -= operations[i].weight;
	return i;
}

/** do_step - one operation, at random */
void do_step(struct actor *actor)
{
	unsigned int i = choose(&actor->random);
	unsigned int change = operations[i].effect == CHANGES;

	actor->step++;
	__atomic_fetch_add(&actor->changing, change, __ATOMIC_SEQ_CST);
	operations[i].fn(actor);
	__atomic_fetch_add(&actor->changing, change, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&actor->world->operations[i], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&actor->world->steps, 1, __ATOMIC_RELAXED);
}

/* A page, a few, a window, or what comes. */
static unsigned int pick_length(struct random *random, unsigned int first)
{
	switch (pick(random, 4)) {
	case 0:
		return 1;
	case 1:
		return 1 + pick(random, 16);
	case 2:
		return PAGES_PER_WINDOW - first % PAGES_PER_WINDOW;
	default:
		return 1 + pick(random, 2 * PAGES_PER_WINDOW);
	}
}

static unsigned int pick_first(struct random *random)
{
	unsigned int first = pick(random, ARENA_PAGES);

	return pick(random, 4) ? first : first - first % PAGES_PER_WINDOW;
}

/** pick_range - any pages of the arena */
struct range pick_range(struct actor *actor)
{
	struct range range = { .first = pick_first(&actor->random) };

	range.n = pick_length(&actor->random, range.first);
	if (range.n > ARENA_PAGES - range.first)
		range.n = ARENA_PAGES - range.first;
	return range;
}

/** pick_mapped - pages that are mapped, all of them; none if there is none */
struct range pick_mapped(struct actor *actor)
{
	unsigned int first = pick_first(&actor->random), i, n, length;

	for (i = 0; i < ARENA_PAGES; i++) {
		if (actor->pages[first].kind != NONE)
			break;
		first = (first + 1) % ARENA_PAGES;
	}
	length = pick_length(&actor->random, first);
	for (n = 0; n < length && first + n < ARENA_PAGES; n++)
		if (actor->pages[first + n].kind == NONE)
			break;
	return (struct range){ first, n };
}

/** same_mapping - the beginning of a range, as far as it is of one mapping */
struct range same_mapping(struct actor *actor, struct range range)
{
	const struct page_model *page = &actor->pages[range.first];
	unsigned int n;

	for (n = 1; n < range.n; n++)
		if (page[n].kind != page->kind || page[n].prot != page->prot ||
		    page[n].dontfork != page->dontfork ||
		    page[n].wipeonfork != page->wipeonfork ||
		    ((page->kind == TEXT || page->kind == DATA) &&
		     (page[n].file != page->file ||
		      page[n].region != page->region ||
		      page[n].number != page->number + n)))
			break;
	if (range.n > n)
		range.n = n;
	return range;
}
