/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fuzzer: processes that do to shared text, from a seed, whatever processes
 * can do, while files, memory and regions change beneath them.
 *
 * Each process knows what every page of its arena must be (model.c).  What a
 * file holds is known by versions (content.c).  Whatever a process does is one
 * of a table of operations (operations.c), whose effect on the model is
 * written next to the system call.
 */
#ifndef LDMSHARE_FUZZ_H
#define LDMSHARE_FUZZ_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../region.h"

/*
 * Where all of it happens: in every process the same addresses, in two GiB,
 * which also divide the regions.
 */
#define ARENA		((char *)REGION_START - 20 * WINDOW)
#define ARENA_PAGES	(40 * PAGES_PER_WINDOW)
#define AGREED_PAGE	(18 * PAGES_PER_WINDOW)
#define REGION_PAGES	(10 * PAGES_PER_WINDOW)
#define REGION_WINDOWS	(REGION_PAGES / PAGES_PER_WINDOW)

#define MAX_PAGES	2048	/* of a file */
#define MAX_OPERATIONS	64
#define WORDS		(PAGE / sizeof(uint64_t))

/*
 * Pages of each file that change often, and that other threads read again and
 * again: what is stale in a TLB is so only until the next process runs.
 */
#define HOT_PAGES	4
#define HOT_DISTANCE	100

/* Words of a page with a meaning of their own; all others say which page. */
enum {
	WORD_SCRATCH = 1,	/* anybody writes it at any time; not judged */
	WORD_OWN = 2,		/* written by the process itself */
	WORD_CODE = 3,		/* a function that returns part of this word */
};

/* random.c */
struct random {
	uint64_t state;
};
uint64_t next_random(struct random *random);
unsigned int pick(struct random *random, unsigned int n);

/* content.c: what the files hold */
enum { FILE_STEADY, FILE_HOLES, FILE_SHM, NR_FILES };

/*
 * The file that regions give data from.  It never changes: each word of it is
 * of version 0.  The zone is what lies between its first and last pages.
 */
#define FILE_DATA	NR_FILES
#define DATA_PATH	"/var/tmp/mshare-fuzz-data"
#define DATA_PAGES	700
#define ZONE_FIRST	20
#define ZONE_PAGES	660
#define ZONE_OFFSET	(8 * PAGES_PER_WINDOW)	/* in each region */

/**
 * struct file_info - a file that regions have as a library
 * @path:	where
 * @pages:	its size
 * @holes:	it is truncated and punched, too: never executed, a page of zeros
 *		is no program
 * @offset:	where in each region, in pages
 * @segments:	what of it regions map
 */
struct file_info {
	const char *path;
	unsigned int pages;
	bool holes;
	unsigned int offset;
	struct {
		unsigned int first, pages;
		int prot;
	} segments[2];
};
extern const struct file_info files[NR_FILES];

/**
 * struct page_version - how far a page of a file is
 * @begun:	the newest content somebody may see already
 * @done:	the oldest content the file may have still
 * @hole:	the last content that was preceded by a hole: zeros
 * @gone:	the last that was preceded by the file being too short: SIGBUS
 */
struct page_version {
	uint32_t begun, done, hole, gone;
};

/* What a read may give: versions, zeros if a hole came after @oldest. */
struct bounds {
	uint32_t oldest, newest, hole;
};
bool word_is(uint64_t word, unsigned int file, unsigned int number,
	     unsigned int index, struct bounds bounds, uint32_t *seen);
void make_files(void);
bool data_is_unchanged(void);
void remove_files(void);
struct world;
void change_files(struct world *world, uint64_t seed);

/* regions.c: the system's side, done by the first process */
struct generations;
struct generations *generations_create(struct random *random);
void generations_step(struct generations *all, struct world *world);
void generations_close_inherited(struct generations *all);
int generations_finish(struct generations *all, struct mshare_stat *sums);

/* pressure.c */
void press(struct world *world, uint64_t seed);

/* What all processes share */
#define NR_PIDS	64
#define NR_NAMES 3

/**
 * struct world - memory that all processes share
 * @stop:	everybody ends after this step
 * @failures:	mismatches found
 * @version:	of each page of each file
 * @pids:	some processes that may be alive, for what is done to others
 * @operations:	how often each was done
 * @steps:	all of them
 * @judged:	accesses whose result was compared with the model
 * @raced:	accesses of reader threads that an operation overlapped
 * @huge:	times a huge page was made of a file's pages
 */
struct world {
	bool stop;
	unsigned int failures;
	struct page_version version[NR_FILES][MAX_PAGES];
	pid_t pids[NR_PIDS];
	unsigned long operations[MAX_OPERATIONS];
	unsigned long steps, judged, raced;
	unsigned long huge;
};

static inline bool stopping(const struct world *world)
{
	return __atomic_load_n(&world->stop, __ATOMIC_RELAXED);
}

/* model.c: what a process must see */
enum kind { NONE, PAD, TEXT, DATA, ANON };

/**
 * struct page_model - what this process has at one page of its arena
 * @kind:	what is mapped
 * @prot:	PROT_*
 * @file:	of a TEXT or DATA
 * @region:	index in actor->regions, of a PAD or TEXT
 * @dontfork:	children do not get it
 * @wipeonfork:	children get it empty
 * @number:	page of the file
 * @floor:	oldest version a private copy may have
 * @own:	what this process wrote to WORD_OWN, 0: nothing
 */
struct page_model {
	uint8_t kind;
	uint8_t prot;
	uint8_t file;
	uint8_t region;
	bool dontfork;
	bool wipeonfork;
	uint16_t number;
	uint32_t floor;
	uint32_t own;
};

/* Pages of the arena. */
struct range {
	unsigned int first, n;
};

#define NR_REGIONS	8
#define NR_CHILDREN	3
#define LOG_LENGTH	48

/**
 * struct actor - a process that does random things; fork() copies it whole
 * @world:	shared
 * @name:	for reports: slot.incarnation, children appended
 * @random:	this process's own sequence
 * @pages:	the model
 * @changing:	odd while the model and the address space may differ: reader
 *		threads do not judge what they saw meanwhile
 * @regions:	descriptors by which it asks for its state, -1: none
 * @generation:	of those
 * @children:	not yet waited for, 0: none
 * @userfault:	descriptor of a userfaultfd, -1: none
 * @depth:	0: a worker, 1: its child...
 * @step:	of this process
 * @log:	the last operations, parents' included
 * @logged:	how many there were
 */
struct actor {
	struct world *world;
	char name[64];
	struct random random;
	struct page_model pages[ARENA_PAGES];
	unsigned int changing;
	int regions[NR_REGIONS];
	uint64_t generation[NR_REGIONS];
	pid_t children[NR_CHILDREN];
	int userfault;
	unsigned int depth;
	unsigned int step;
	char log[LOG_LENGTH][80];
	unsigned int logged;
};

static inline char *address(unsigned int page)
{
	return ARENA + page * PAGE;
}

static inline uint64_t *word_at(unsigned int page, unsigned int index)
{
	return (uint64_t *)address(page) + index;
}

static inline uint64_t own_word(uint32_t own)
{
	return own * 0x9e3779b97f4a7c15UL;
}

static inline bool in_gap(const struct page_model *page)
{
	const struct file_info *file = &files[page->file];

	return page->number >= file->segments[0].pages &&
	       page->number < file->segments[1].first;
}

void catch_signals(void);
int guarded_read(const uint64_t *from, uint64_t *to, const uint16_t *indices,
		 unsigned int n);
int guarded_write(uint64_t *to, uint64_t value);
int guarded_call(const void *code, uint32_t *value);
int expected_signal(const struct page_model *page, int access);
bool signal_is_right(struct actor *actor, const struct page_model *page,
		     int access, struct page_version before, int sig);
struct page_version version_of(struct actor *actor,
			       const struct page_model *page);
void check_page(struct actor *actor, unsigned int page);
void *read_beside(void *arg);
void set_none(struct actor *actor, struct range range);
void forget_private(struct actor *actor, struct range range);
void become_child(struct actor *actor);
struct range pick_range(struct actor *actor);
struct range pick_mapped(struct actor *actor);
struct range same_mapping(struct actor *actor, struct range range);
__attribute__((format(printf, 2, 3)))
void log_step(struct actor *actor, const char *fmt, ...);
__attribute__((format(printf, 2, 3), noreturn))
void fail(struct actor *actor, const char *fmt, ...);

/* operations.c and those it lists */
const char *operation_name(unsigned int i);
void do_step(struct actor *actor);

/* map.c */
void op_map(struct actor *actor);
void op_map_anon(struct actor *actor);
void op_map_misaligned(struct actor *actor);
void op_map_data(struct actor *actor);
void op_map_no_data(struct actor *actor);
void op_unmap(struct actor *actor);
void op_move(struct actor *actor);
void op_grow(struct actor *actor);

/* access.c */
void op_read(struct actor *actor);
void op_read_window(struct actor *actor);
void op_write(struct actor *actor);
void op_execute(struct actor *actor);

/* advise.c */
void op_protect(struct actor *actor);
void op_drop(struct actor *actor);
void op_advise(struct actor *actor);
void op_populate(struct actor *actor);
void op_fork_advice(struct actor *actor);
void op_lock(struct actor *actor);
void op_sync(struct actor *actor);
void op_userfault(struct actor *actor);

/* others.c: what processes do to each other, and look at */
void op_poke(struct actor *actor);
void op_peek(struct actor *actor);
void op_advise_other(struct actor *actor);
void op_proc(struct actor *actor);
void op_statistics(struct actor *actor);

/* family.c */
void op_fork(struct actor *actor);
void op_spawn(struct actor *actor);
void op_reap(struct actor *actor);
void reap_all(struct actor *actor);

/* worker.c */
void work(struct world *world, uint64_t seed, unsigned int slot,
	  unsigned int incarnation, unsigned int steps);
void announce(struct world *world);

/* supervise.c */
struct plan {
	uint64_t seed;
	unsigned int seconds;	/* or */
	unsigned int steps;	/* of each process */
	unsigned int processes;
};
unsigned int supervise(struct world *world, const struct plan *plan,
		       struct generations *generations, struct random *random);

#endif /* LDMSHARE_FUZZ_H */
