/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process must see at each page of its arena.
 *
 * A page of text has the file's content, of now if the window is linked.  Where
 * the process has a page table of its own, a page may be a copy, made at any
 * time since the process last got or dropped it (page->floor).  What a process
 * wrote to a page stays until it drops it, whatever becomes of the file.  A page
 * of data is one of an ordinary private mapping of a file that does not change.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* Words looked at in most reads. */
#define FEW_WORDS	8

struct sample {
	uint16_t indices[WORDS];
	uint64_t words[WORDS];
	unsigned int n;
	int sig;
};

/** version_of - where the file page behind a page is now, zeros if none */
struct page_version version_of(struct actor *actor,
			       const struct page_model *page)
{
	struct page_version *version, now = { 0 };

	if (page->kind != TEXT)
		return now;
	version = &actor->world->version[page->file][page->number];
	now.done = __atomic_load_n(&version->done, __ATOMIC_SEQ_CST);
	now.begun = __atomic_load_n(&version->begun, __ATOMIC_SEQ_CST);
	now.hole = __atomic_load_n(&version->hole, __ATOMIC_SEQ_CST);
	now.gone = __atomic_load_n(&version->gone, __ATOMIC_SEQ_CST);
	return now;
}

/**
 * expected_signal - what an access raises
 * @page:	page
 * @access:	PROT_READ or PROT_WRITE
 */
int expected_signal(const struct page_model *page, int access)
{
	bool allowed = access == PROT_WRITE ? page->prot & PROT_WRITE :
					      page->prot;

	switch (page->kind) {
	case DATA:
	case ANON:
		return allowed ? 0 : SIGSEGV;
	case PAD:
		return allowed ? SIGBUS : SIGSEGV;
	case TEXT:
		return allowed && !in_gap(page) ? 0 : SIGSEGV;
	default:
		return SIGSEGV;
	}
}

/**
 * signal_is_right - was this signal, or none, to be expected?
 * @actor:	process
 * @page:	page
 * @access:	PROT_READ or PROT_WRITE
 * @before:	the file page as it was before the access
 * @sig:	signal
 */
bool signal_is_right(struct actor *actor, const struct page_model *page,
		     int access, struct page_version before, int sig)
{
	int want = expected_signal(page, access);

	if (sig == want)
		return true;
	/* The file was too short for a moment. */
	return !want && sig == SIGBUS && page->kind == TEXT && !page->own &&
	       (int32_t)(version_of(actor, page).gone - before.done) > 0;
}

static void add_word(struct sample *sample, unsigned int index)
{
	if (index != WORD_SCRATCH)
		sample->indices[sample->n++] = index;
}

static void choose_words(struct sample *sample, struct random *random)
{
	sample->n = 0;
	if (!pick(random, 32)) {
		for (unsigned int i = 0; i < WORDS; i++)
			add_word(sample, i);
		return;
	}
	add_word(sample, 0);
	add_word(sample, WORD_OWN);
	add_word(sample, WORD_CODE);
	add_word(sample, WORDS - 1);
	for (unsigned int i = 4; i < FEW_WORDS; i++)
		add_word(sample, pick(random, WORDS));
}

/* Returns the number of the first word that is wrong, or -1. */
static int wrong_word(const struct page_model *page, const struct sample *sample,
		      struct bounds bounds, uint32_t *seen)
{
	for (unsigned int i = 0; i < sample->n; i++) {
		unsigned int index = sample->indices[i];
		uint64_t word = sample->words[i];
		bool ok;

		if (index == WORD_OWN && page->own)
			ok = word == own_word(page->own);
		else if (page->kind == ANON)
			ok = !word;
		else
			ok = word_is(word, page->file, page->number, index,
				     bounds, seen);
		if (!ok)
			return i;
	}
	return -1;
}

/* Has this process a page table of its own there, as the region says? */
static bool says_private(struct actor *actor, const struct page_model *page)
{
	unsigned char windows[REGION_WINDOWS] = { 0 };
	struct mshare_process_stat stat = {
		.windows = (uintptr_t)windows, .nr = sizeof(windows),
	};
	unsigned int offset = files[page->file].offset + page->number;

	if (ioctl(actor->regions[page->region], MSHAREFS_PROCESS_STAT, &stat))
		return false;
	return windows[offset / PAGES_PER_WINDOW] & MSHARE_WINDOW_PRIVATE;
}

struct verdict {
	const char *wrong;
	uint32_t seen;		/* oldest version */
	bool all_seen;		/* of all words */
	uint64_t word;
	unsigned int index;
	int sig;
};

static struct verdict judge(struct actor *actor, const struct page_model *page,
			    const struct sample *sample,
			    struct page_version before)
{
	struct page_version after = version_of(actor, page);
	struct bounds bounds = { before.done, after.begun, after.hole };
	struct verdict verdict = {
		.seen = UINT32_MAX, .all_seen = sample->n == WORDS - 1,
		.sig = sample->sig,
	};
	int wrong;

	if (!signal_is_right(actor, page, PROT_READ, before, sample->sig))
		verdict.wrong = "signal";
	if (verdict.wrong || sample->sig)
		return verdict;

	wrong = wrong_word(page, sample, bounds, &verdict.seen);
	if (wrong < 0)
		return verdict;
	verdict.word = sample->words[wrong];
	verdict.index = sample->indices[wrong];
	if (page->kind == TEXT) {
		bounds.oldest = page->floor;
		verdict.seen = UINT32_MAX;
		if (wrong_word(page, sample, bounds, &verdict.seen) < 0) {
			if (!says_private(actor, page))
				verdict.wrong = "old content, and no page table of its own";
			return verdict;
		}
	}
	verdict.wrong = "content";
	return verdict;
}

static struct verdict read_and_judge(struct actor *actor, unsigned int n,
				     const struct page_model *page,
				     struct random *random)
{
	struct page_version before = version_of(actor, page);
	struct sample sample;

	choose_words(&sample, random);
	sample.sig = guarded_read(word_at(n, 0), sample.words, sample.indices,
				  sample.n);
	return judge(actor, page, &sample, before);
}

static void report(struct actor *actor, unsigned int n,
		   const struct page_model *page, const struct verdict *verdict,
		   const char *who)
{
	static const char *const kinds[] = {
		"nothing", "pad", "text", "data", "memory",
	};
	struct page_version now = version_of(actor, page);

	fail(actor, "%s: wrong %s at page %u (%p): signal %d, word %u is %#lx\n"
	     "  the page is %s, prot %d, file %u, page %u, floor %u, own %#x; "
	     "version begun %u, done %u, hole %u, gone %u; oldest word seen %u",
	     who, verdict->wrong, n, address(n), verdict->sig, verdict->index,
	     verdict->word, kinds[page->kind], page->prot, page->file,
	     page->number, page->floor, page->own, now.begun, now.done, now.hole,
	     now.gone, verdict->seen);
}

/** check_page - read a page and compare it with the model */
void check_page(struct actor *actor, unsigned int n)
{
	struct page_model *page = &actor->pages[n];
	struct verdict verdict = read_and_judge(actor, n, page, &actor->random);

	if (verdict.wrong)
		report(actor, n, page, &verdict, "read");
	/* From now on it can only get newer; some words may be already. */
	if (verdict.all_seen && verdict.seen != UINT32_MAX &&
	    verdict.seen > page->floor)
		page->floor = verdict.seen;
	__atomic_fetch_add(&actor->world->judged, 1, __ATOMIC_RELAXED);
}

static unsigned int sequence(struct actor *actor)
{
	return __atomic_load_n(&actor->changing, __ATOMIC_SEQ_CST);
}

static void read_once(struct actor *actor, unsigned int n,
		      struct random *random)
{
	unsigned int begun = sequence(actor);
	struct page_model page = actor->pages[n];
	struct verdict verdict = read_and_judge(actor, n, &page, random);
	bool raced = begun & 1 || sequence(actor) != begun;

	if (verdict.wrong && !raced)
		report(actor, n, &page, &verdict, "another thread's read");
	__atomic_fetch_add(raced ? &actor->world->raced : &actor->world->judged,
			   1, __ATOMIC_RELAXED);
}

static bool is_hot(const struct page_model *page)
{
	return page->kind == TEXT && page->number % HOT_DISTANCE == 0 &&
	       page->number < HOT_PAGES * HOT_DISTANCE &&
	       !expected_signal(page, PROT_READ);
}

/* Some hot page behind a random one; that one if there is none. */
static unsigned int pick_hot(struct actor *actor, struct random *random)
{
	unsigned int first = pick(random, ARENA_PAGES);

	for (unsigned int i = 0; i < ARENA_PAGES; i++) {
		unsigned int n = (first + i) % ARENA_PAGES;

		if (is_hot(&actor->pages[n]))
			return n;
	}
	return first;
}

/**
 * read_beside - a thread that reads while operations go on, until the end
 * @arg:	the actor
 *
 * It does not leave its CPU while it reads one page again and again: what is
 * stale in that one's TLB stays there.
 */
void *read_beside(void *arg)
{
	struct actor *actor = arg;
	struct random random = { .state = actor->random.state ^ 0x7ead };

	while (!stopping(actor->world)) {
		unsigned int hot = pick_hot(actor, &random);

		for (unsigned int i = 0; i < 200; i++)
			read_once(actor, hot, &random);
		for (unsigned int i = 0; i < 50; i++)
			read_once(actor, pick(&random, ARENA_PAGES), &random);
		/* The others need the CPUs, too. */
		usleep(pick(&random, 20000));
	}
	return NULL;
}

/** set_none - pages were unmapped */
void set_none(struct actor *actor, struct range range)
{
	memset(&actor->pages[range.first], 0,
	       range.n * sizeof(actor->pages[0]));
}

/**
 * forget_private - the process is about to drop its copies of some pages
 * @actor:	process
 * @range:	all of them mapped
 */
void forget_private(struct actor *actor, struct range range)
{
	for (unsigned int n = range.first; n < range.first + range.n; n++) {
		actor->pages[n].own = 0;
		actor->pages[n].floor = version_of(actor, &actor->pages[n]).done;
	}
}

/** become_child - what fork() does to the arena of a child */
void become_child(struct actor *actor)
{
	for (unsigned int n = 0; n < ARENA_PAGES; n++) {
		struct page_model *page = &actor->pages[n];

		if (page->dontfork)
			set_none(actor, (struct range){ n, 1 });
		else if (page->wipeonfork)
			page->own = 0;
	}
}
