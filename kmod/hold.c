// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that must not be freed before secondary MMUs were told.
 *
 * Invariant 12: foreign.c says why.  In a window that was linked in an mm with
 * a secondary MMU, an invalidation on the host's side takes a reference on
 * each page the host has in its range, before the core takes it from there.
 * A worker then zaps the range in every mm that maps the library, by which the
 * core tells all who listen to these, and drops the references.  It cannot be
 * done in the notifier itself: that runs with locks held for which one who
 * registers a notifier may wait, with the lock held that zapping needs.
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

struct mshare_held {
	struct list_head list;
	unsigned long nr;
	struct page *pages[(PAGE_SIZE - 3 * sizeof(long)) / sizeof(long)];
};

static_assert(sizeof(struct mshare_held) == PAGE_SIZE);

/**
 * mshare_hold_init() - make the workqueue secondary MMUs are told from
 */
int mshare_hold_init(void)
{
	tell_wq = alloc_workqueue("mshare_tell", WQ_UNBOUND, 0);
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

/* Not what a process has written: that is its own. */
static void tell_work(struct work_struct *work)
{
	struct mshare_hold *hold = container_of(work, struct mshare_hold, work);
	struct mshare_library *lib =
		container_of(hold, struct mshare_library, hold);
	LIST_HEAD(pages);

	spin_lock(&hold->lock);
	hold->telling = false;
	list_splice_init(&hold->pages, &pages);
	spin_unlock(&hold->lock);

	unmap_mapping_pages(lib->anchor->f_mapping, lib->pgoff,
			    lib->size >> PAGE_SHIFT, false);
	release(&pages);
	mshare_library_put_user(lib);
}

/**
 * mshare_hold_setup() - prepare a library to hold pages
 * @lib: a new library
 */
void mshare_hold_setup(struct mshare_library *lib)
{
	spin_lock_init(&lib->hold.lock);
	INIT_LIST_HEAD(&lib->hold.pages);
	INIT_WORK(&lib->hold.work, tell_work);
}

/* Keep pages until all are told, which is to be soon. */
static void keep(struct mshare_library *lib, struct list_head *pages)
{
	struct mshare_hold *hold = &lib->hold;

	spin_lock(&hold->lock);
	if (hold->telling || mshare_library_join_users(lib)) {
		list_splice_init(pages, &hold->pages);
		if (!hold->telling)
			queue_work(tell_wq, &hold->work);
		hold->telling = true;
	}
	spin_unlock(&hold->lock);
	release(pages);
}

/*
 * Take references on pages of a table until there is no room.  Without any room
 * they are never given back: lost, but not used by two.
 */
static unsigned long take(pte_t *pte, unsigned long nr, struct mshare_held *held)
{
	unsigned long i;

	for (i = 0; i < nr; i++) {
		pte_t entry = ptep_get(pte + i);

		if (held && held->nr == ARRAY_SIZE(held->pages))
			break;
		if (!pte_present(entry) || pte_special(entry))
			continue;
		get_page(pte_page(entry));
		if (held)
			held->pages[held->nr++] = pte_page(entry);
	}
	return i;
}

/*
 * The same for the table of an address.  The core cannot free it under RCU, nor
 * change it under its lock.
 */
static unsigned long take_at(struct mm_struct *host, unsigned long addr,
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
			nr = take((pte_t *)pmd_page_vaddr(pmd) + pte_index(addr),
				  nr, held);
		spin_unlock(lock);
	}
	rcu_read_unlock();
	return nr;
}

/**
 * mshare_hold() - keep what the host has in a range from being freed too early
 * @lib: the library
 * @start: address in the host
 * @end: address in the host, in the same window
 *
 * In an invalidation on the host's side.  Each page is held until the secondary
 * MMUs of all that map the library were told.
 */
void mshare_hold(struct mshare_library *lib, unsigned long start,
		 unsigned long end)
{
	struct mm_struct *host = lib->region->host;
	LIST_HEAD(pages);

	while (start < end) {
		struct mshare_held *held = kzalloc(sizeof(*held),
						   GFP_NOWAIT | __GFP_NOWARN);

		if (held)
			list_add(&held->list, &pages);
		else
			pr_warn_ratelimited("no memory to remember pages of a library by: they are lost\n");
		start += take_at(host, start, (end - start) >> PAGE_SHIFT,
				 held) << PAGE_SHIFT;
	}
	keep(lib, &pages);
}
