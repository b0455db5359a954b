/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that use pages.
 */
#include <sys/mman.h>

#include "fuzz.h"

/* Mapped, mostly. */
static unsigned int pick_page(struct actor *actor)
{
	struct range range = pick_mapped(actor);

	if (!range.n || !pick(&actor->random, 16))
		return pick(&actor->random, ARENA_PAGES);
	return range.first + pick(&actor->random, range.n);
}

/** op_read - read some pages */
void op_read(struct actor *actor)
{
	unsigned int n = 1 + pick(&actor->random, 20);

	log_step(actor, "read %u pages", n);
	while (n--)
		check_page(actor, pick_page(actor));
}

/** op_read_window - read all of a window; few signals, which take long */
void op_read_window(struct actor *actor)
{
	unsigned int first = pick_page(actor);

	first -= first % PAGES_PER_WINDOW;
	log_step(actor, "read pages %u+%lu", first, PAGES_PER_WINDOW);
	for (unsigned int n = first; n < first + PAGES_PER_WINDOW; n++)
		if (!expected_signal(&actor->pages[n], PROT_READ) ||
		    !pick(&actor->random, 64))
			check_page(actor, n);
}

/** op_write - write a word, where that is allowed and where not */
void op_write(struct actor *actor)
{
	unsigned int n = pick_page(actor);
	struct page_model *page = &actor->pages[n];
	struct page_version before = version_of(actor, page);
	uint32_t own = next_random(&actor->random) | 1;
	int sig;

	log_step(actor, "write page %u", n);
	sig = guarded_write(word_at(n, WORD_OWN), own_word(own));
	if (!signal_is_right(actor, page, PROT_WRITE, before, sig))
		fail(actor, "signal %d of a write to page %u, prot %d", sig, n,
		     page->prot);
	if (sig)
		return;
	page->own = own;
	check_page(actor, n);
}

/** op_execute - call a page's function */
void op_execute(struct actor *actor)
{
	unsigned int n = pick_page(actor);
	struct page_model *page = &actor->pages[n];
	struct page_version after;
	bool readable, executable;
	uint32_t value, seen = UINT32_MAX;
	int sig;

	/* First see that it is one: zeros and strange pages are not called. */
	if (page->kind != TEXT || files[page->file].holes)
		return;
	log_step(actor, "execute page %u", n);
	check_page(actor, n);
	sig = guarded_call(word_at(n, WORD_CODE), &value);

	executable = page->prot & PROT_EXEC;
	readable = page->number < files[page->file].segments[1].first;
	if (sig != (executable ? 0 : SIGSEGV) &&
	    !(executable && readable && sig == SIGSEGV))
		fail(actor, "signal %d of a call of page %u, prot %d", sig, n,
		     page->prot);
	if (sig)
		return;
	after = version_of(actor, page);
	if (!word_is(0xccccc300000000b8UL | (uint64_t)value << 8, page->file,
		     page->number, WORD_CODE,
		     (struct bounds){ page->floor, after.begun, after.hole },
		     &seen))
		fail(actor, "a call of page %u returned %#x", n, value);
}
