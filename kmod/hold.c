// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that must not be freed before secondary MMUs were told.
 *
 * Invariant 12: foreign.c says why.  In a window that was linked in an mm with
 * a secondary MMU, an invalidation on the host's side takes a reference on
 * each page the host has in its range, before the core takes it from there.
 * A worker then zaps these windows in every mm that maps the library, by which
 * the core tells all who listen to these, and drops the references.  It cannot
 * be done in the notifier itself: that runs with locks held for which one who
 * registers a notifier may wait, with the lock held that zapping needs.
 *
 * That also keeps the page of PTEs, which some of them walk.  While there are
 * users, the host loses it only to a huge page made of the file's pages (as by
 * MADV_COLLAPSE): that takes these out of it first, and gives up as long as
 * somebody holds one.
 *
 * Reclaim waits for this worker to free what is held, so that its workqueue has
 * a thread of its own for when there is no memory for one.
 *
 * The worker is a user of the library meanwhile.  A library without users has
 * no sharer, and whoever listened to one has been told.
 */
#define pr_fmt(fmt) "mshare: " fmt

#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/slab.h>

#include "compat.h"
#include "mshare.h"

static struct workqueue_struct *tell_wq;

/**
 * struct mshare_held - some pages that are held
 * @list:	in hold->held
 * @nr:		how many
 * @pages:	each held once
 */
struct mshare_held {
	struct list_head list;
	unsigned long nr;
	struct page *pages[] __counted_by(nr);
};

/* Of order 0: reclaim may ask for it. */
#define HELD_PAGES	((PAGE_SIZE - sizeof(struct mshare_held)) / \
			 sizeof(struct page *))

/**
 * mshare_hold_init() - make the workqueue secondary MMUs are told from
 */
int mshare_hold_init(void)
{
	tell_wq = alloc_workqueue("mshare_tell", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return tell_wq ? 0 : -ENOMEM;
}

/**
 * mshare_hold_exit() - wait until all are told and free the workqueue
 */
void mshare_hold_exit(void)
{
	destroy_workqueue(tell_wq);
}

static void release(struct list_head *list)
{
	struct mshare_held *held, *next;
	unsigned long i;

	list_for_each_entry_safe(held, next, list, list) {
		for (i = 0; i < held->nr; i++)
			put_page(held->pages[i]);
		kfree(held);
	}
}

/* The pages of text between two windows, both included, in all mms. */
static void zap(struct mshare_library *lib, unsigned int first, unsigned int last)
{
	unsigned long start = (lib->first + first) * MSHARE_WINDOW_SIZE;
	unsigned long end = (lib->first + last + 1) * MSHARE_WINDOW_SIZE;

	start = max(start, lib->offset);
	end = min(end, lib->offset + lib->size);
	/* One page alone would look like one that is replaced: sharer.c. */
	if (end - start == PAGE_SIZE && start > lib->offset)
		start -= PAGE_SIZE;
	/* Not what a process has written: that is its own. */
	unmap_mapping_pages(lib->anchor->f_mapping,
			    lib->pgoff + ((start - lib->offset) >> PAGE_SHIFT),
			    (end - start) >> PAGE_SHIFT, false);
}

static void tell_work(struct work_struct *work)
{
	struct mshare_hold *hold = container_of(work, struct mshare_hold, work);
	struct mshare_library *lib =
		container_of(hold, struct mshare_library, hold);
	unsigned int first, last;
	LIST_HEAD(held);

	spin_lock(&hold->lock);
	hold->telling = false;
	first = hold->first;
	last = hold->last;
	list_splice_init(&hold->held, &held);
	spin_unlock(&hold->lock);

	zap(lib, first, last);
	release(&held);
	mshare_library_put_user(lib);
}

/**
 * mshare_hold_setup() - prepare a library to hold pages
 * @lib: a new library
 */
void mshare_hold_setup(struct mshare_library *lib)
{
	spin_lock_init(&lib->hold.lock);
	INIT_LIST_HEAD(&lib->hold.held);
	INIT_WORK(&lib->hold.work, tell_work);
}

/* Keep what is held of a window until all are told, which is to be soon. */
static void keep(struct mshare_library *lib, unsigned int window,
		 struct list_head *held)
{
	struct mshare_hold *hold = &lib->hold;

	spin_lock(&hold->lock);
	if (hold->telling) {
		hold->first = min(hold->first, window);
		hold->last = max(hold->last, window);
		list_splice_init(held, &hold->held);
	} else if (mshare_library_join_users(lib)) {
		hold->telling = true;
		hold->first = window;
		hold->last = window;
		list_splice_init(held, &hold->held);
		queue_work(tell_wq, &hold->work);
	}
	spin_unlock(&hold->lock);
	release(held);
}

/*
 * Take references on pages of a table.  Without memory to remember them by they
 * are never given back: lost, but not used by two.
 */
static void take(pte_t *pte, unsigned long nr, struct mshare_held *held)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		pte_t entry = ptep_get(pte + i);

		if (!pte_present(entry) || pte_special(entry))
			continue;
		get_page(pte_page(entry));
		if (held) {
			held->nr++;
			held->pages[held->nr - 1] = pte_page(entry);
		}
	}
}

/*
 * The same for the table of an address.  The core cannot free it under RCU, nor
 * change it under its lock.
 */
static void take_at(struct mm_struct *host, unsigned long addr,
		    unsigned long nr, struct mshare_held *held)
{
	spinlock_t *lock;
	pmd_t pmd;

	rcu_read_lock();
	pmd = mshare_pmd_at(host, addr);
	if (pmd_present(pmd) && !pmd_leaf(pmd)) {
		lock = pte_lockptr(host, &pmd);
		spin_lock(lock);
		if (pmd_val(pmd) == pmd_val(mshare_pmd_at(host, addr)))
			take((pte_t *)pmd_page_vaddr(pmd) + pte_index(addr), nr,
			     held);
		spin_unlock(lock);
	}
	rcu_read_unlock();
}

static struct mshare_held *alloc_held(unsigned long nr)
{
	struct mshare_held *held = kzalloc(struct_size(held, pages, nr),
					   GFP_NOWAIT | __GFP_NOWARN);

	if (!held)
		pr_warn_ratelimited("no memory to remember pages of a library by: they are lost\n");
	return held;
}

/**
 * mshare_hold() - keep what the host has in a range from being freed too early
 * @lib: the library
 * @window: one of its windows, counted from its first
 * @start: address in the host, in this window
 * @end: address in the host, behind the last page of it or before that
 *
 * In an invalidation on the host's side.  Each page is held until the secondary
 * MMUs of all that map the library were told.
 */
void mshare_hold(struct mshare_library *lib, unsigned int window,
		 unsigned long start, unsigned long end)
{
	struct mm_struct *host = lib->region->host;
	unsigned long nr;
	LIST_HEAD(list);

	for (; start < end; start += nr << PAGE_SHIFT) {
		struct mshare_held *held;

		nr = min((end - start) >> PAGE_SHIFT, HELD_PAGES);
		held = alloc_held(nr);
		if (held)
			list_add(&held->list, &list);
		take_at(host, start, nr, held);
	}
	keep(lib, window, &list);
}
