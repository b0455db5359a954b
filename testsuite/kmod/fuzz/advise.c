/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that say how pages are to be treated.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "fuzz.h"

/* Newer than the headers of some distributions. */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

/** op_protect - mprotect */
void op_protect(struct actor *actor)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC,
		PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE | PROT_EXEC,
	};
	struct range range = pick_mapped(actor);
	int prot = prots[pick(&actor->random, 6)];

	if (!range.n)
		return;
	log_step(actor, "mprotect pages %u+%u, %d", range.first, range.n, prot);
	if (mprotect(address(range.first), range.n * PAGE, prot))
		fail(actor, "mprotect: %m");
	for (unsigned int n = 0; n < range.n; n++)
		actor->pages[range.first + n].prot = prot;
}

/** op_drop - MADV_DONTNEED: what was written is lost */
void op_drop(struct actor *actor)
{
	struct range range = pick_mapped(actor);

	if (!range.n)
		return;
	log_step(actor, "MADV_DONTNEED pages %u+%u", range.first, range.n);
	forget_private(actor, range);
	if (madvise(address(range.first), range.n * PAGE, MADV_DONTNEED))
		fail(actor, "MADV_DONTNEED: %m");
}

static bool has_memory(struct actor *actor, struct range range)
{
	for (unsigned int n = 0; n < range.n; n++)
		if (actor->pages[range.first + n].kind == ANON)
			return true;
	return false;
}

/** op_advise - advice that changes no content */
void op_advise(struct actor *actor)
{
	static const int advices[] = {
		MADV_COLD, MADV_COLD, MADV_PAGEOUT, MADV_PAGEOUT, MADV_WILLNEED,
		MADV_RANDOM, MADV_SEQUENTIAL, MADV_NORMAL, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE,
		MADV_COLLAPSE, MADV_DONTDUMP, MADV_DODUMP, MADV_REMOVE,
		MADV_FREE,
	};
	struct range range = pick_mapped(actor);
	int advice = advices[pick(&actor->random,
				  sizeof(advices) / sizeof(advices[0]))];

	if (!range.n || (advice == MADV_FREE && has_memory(actor, range)))
		return;
	log_step(actor, "madvise pages %u+%u, %d", range.first, range.n, advice);
	/* Some of it is refused of some mappings: as it is without sharing. */
	madvise(address(range.first), range.n * PAGE, advice);
}

/** op_populate - fault pages in; written ones become copies */
void op_populate(struct actor *actor)
{
	struct range range = pick_mapped(actor);
	int advice = pick(&actor->random, 2) ? MADV_POPULATE_READ :
					       MADV_POPULATE_WRITE;

	if (!range.n)
		return;
	/* Copies cost memory. */
	if (range.n > 64 && advice == MADV_POPULATE_WRITE)
		range.n = 64;
	log_step(actor, "madvise pages %u+%u, %d", range.first, range.n, advice);
	madvise(address(range.first), range.n * PAGE, advice);
}

/** op_fork_advice - what a child shall get */
void op_fork_advice(struct actor *actor)
{
	static const int advices[] = {
		MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK,
	};
	struct range range = same_mapping(actor, pick_mapped(actor));
	int advice = advices[pick(&actor->random, 4)];
	bool refused;

	if (!range.n)
		return;
	refused = advice == MADV_WIPEONFORK &&
		  actor->pages[range.first].kind != ANON;
	log_step(actor, "madvise pages %u+%u, %d", range.first, range.n, advice);
	if (!madvise(address(range.first), range.n * PAGE, advice) == refused)
		fail(actor, "madvise %d was %srefused", advice,
		     refused ? "not " : "");

	for (unsigned int n = 0; n < range.n && !refused; n++) {
		struct page_model *page = &actor->pages[range.first + n];

		if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
			page->dontfork = advice == MADV_DONTFORK;
		else
			page->wipeonfork = advice == MADV_WIPEONFORK;
	}
}

/** op_lock - lock and unlock: a process with locked memory maps no text */
void op_lock(struct actor *actor)
{
	struct range range = pick_mapped(actor);

	if (!range.n)
		return;
	if (!pick(&actor->random, 32)) {
		log_step(actor, "mlockall, munlockall");
		mlockall(MCL_CURRENT | (pick(&actor->random, 2) ? MCL_ONFAULT : 0));
		munlockall();
		return;
	}
	if (range.n > 128)
		range.n = 128;
	log_step(actor, "mlock, munlock pages %u+%u", range.first, range.n);
	mlock2(address(range.first), range.n * PAGE,
	       pick(&actor->random, 2) ? MLOCK_ONFAULT : 0);
	if (munlock(address(range.first), range.n * PAGE))
		fail(actor, "munlock: %m");
}

/** op_sync - msync and mincore */
void op_sync(struct actor *actor)
{
	static const int flags[] = { MS_ASYNC, MS_SYNC, MS_SYNC | MS_INVALIDATE };
	struct range range = pick_mapped(actor);
	unsigned char resident[ARENA_PAGES];

	if (!range.n)
		return;
	log_step(actor, "msync, mincore pages %u+%u", range.first, range.n);
	if (msync(address(range.first), range.n * PAGE,
		  flags[pick(&actor->random, 3)]))
		fail(actor, "msync: %m");
	if (mincore(address(range.first), range.n * PAGE, resident))
		fail(actor, "mincore: %m");
}

static int open_userfault(void)
{
	struct uffdio_api api = {
		.api = UFFD_API, .features = UFFD_FEATURE_WP_ASYNC,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		return -1;
	}
	return fd;
}

/**
 * op_userfault - watch pages for writes, or end that
 *
 * The kernel itself resolves them; that is the one kind of userfaultfd it
 * allows for any mapping.
 */
void op_userfault(struct actor *actor)
{
	struct range range = pick_mapped(actor);
	struct uffdio_range pages = {
		.start = (uintptr_t)address(range.first), .len = range.n * PAGE,
	};
	struct uffdio_register registration = {
		.range = pages, .mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = pages, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	if (actor->userfault >= 0 && pick(&actor->random, 2)) {
		log_step(actor, "close the userfaultfd");
		close(actor->userfault);
		actor->userfault = -1;
		return;
	}
	if (actor->userfault < 0)
		actor->userfault = open_userfault();
	if (actor->userfault < 0 || !range.n)
		return;
	log_step(actor, "userfaultfd: watch pages %u+%u", range.first, range.n);
	if (ioctl(actor->userfault, UFFDIO_REGISTER, &registration))
		return;
	if (pick(&actor->random, 2))
		ioctl(actor->userfault, UFFDIO_WRITEPROTECT, &protect);
	if (!pick(&actor->random, 3))
		ioctl(actor->userfault, UFFDIO_UNREGISTER, &pages);
}
