// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: linking the host's page of PTEs into a sharer's PMD, and taking the
 * link back.  The core kernel regards a linked table as the sharer's own, so
 * this is what keeps it true (numbers: the invariants of doc/architecture.md):
 *
 *  - (1) While anyone is attached to a table, only none -> present transitions and
 *    accessed bits happen in it.  (2) Whatever else is to change is announced
 *    by the host's mmu notifier, and every sharer is detached and flushed before
 *    the announcement returns (mshare_detach_host).
 *
 *  - (3) Whatever is to change in a sharer's range is announced by the sharer's
 *    mmu notifier, and this sharer is detached and flushed before that returns
 *    (mshare_detach_sharer).
 *
 *  - (4) Attaching is decided under window->lock, after both notifiers' sequences
 *    were found unchanged there.  An invalidation sets its sequence before it
 *    takes the first window lock, so that it either finds the link and takes
 *    it back, or is seen by the one who is about to make it.
 *
 *  - (11) A detach is not complete before its TLB flush is: flush.c.
 *
 *  - (12) Secondary MMUs that may have read a linked table through a sharer are
 *    told before a page that was in it is freed.  A link that is taken back from
 *    an mm that has one is marked, and counted in the window, until the mapping
 *    has gone.
 *
 *  - (5) A linked table is not counted in the sharer's page tables: the links are
 *    gone before the core kernel frees or counts any.
 *
 *  - (8) "Present" is never remembered: the host can lose a page of PTEs without
 *    any change of its VMAs, so attaching reads the host's PMD each time.
 */
#include <linux/cpumask.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <asm/pgalloc.h>

#include "compat.h"
#include "mshare.h"
#include "trace.h"

/* Links taken back in one go under a window's lock. */
#define DETACH_BATCH	64

/**
 * mshare_windows_alloc() - make the windows of a library, none of them live
 * @lib: the library, its first and nr_windows set
 *
 * Return: 0 or -ENOMEM.
 */
int mshare_windows_alloc(struct mshare_library *lib)
{
	unsigned int i;

	if (!zalloc_cpumask_var(&lib->flush.mask, GFP_KERNEL))
		return -ENOMEM;
	lib->windows = kvcalloc(lib->nr_windows, sizeof(*lib->windows),
				GFP_KERNEL);
	if (!lib->windows) {
		free_cpumask_var(lib->flush.mask);
		return -ENOMEM;
	}
	for (i = 0; i < lib->nr_windows; i++) {
		struct mshare_window *window = &lib->windows[i];

		spin_lock_init(&window->lock);
		mshare_lock_stat_add(&window->lock_stat);
		INIT_HLIST_HEAD(&window->links);
		if (!zalloc_cpumask_var(&window->pending, GFP_KERNEL))
			goto err;
	}
	return 0;

err:
	mshare_windows_free(lib);
	return -ENOMEM;
}

/**
 * mshare_windows_free() - free the windows of a library
 * @lib: a library without sharers; may have no windows
 */
void mshare_windows_free(struct mshare_library *lib)
{
	unsigned int i;

	if (!lib->windows)
		return;
	for (i = 0; i < lib->nr_windows; i++) {
		WARN_ON_ONCE(!hlist_empty(&lib->windows[i].links));
		free_cpumask_var(lib->windows[i].pending);
		mshare_lock_stat_del(&lib->windows[i].lock_stat);
	}
	free_cpumask_var(lib->flush.mask);
	kvfree(lib->windows);
	lib->windows = NULL;
}

/**
 * mshare_windows_set_live() - allow or forbid attaching to a library
 * @lib: the library
 * @live: true at the seal; false, for good, before the host loses mappings:
 *	the core kernel announces an unmap as over before it frees the tables
 */
void mshare_windows_set_live(struct mshare_library *lib, bool live)
{
	unsigned int i;

	for (i = 0; i < lib->nr_windows; i++) {
		mshare_window_lock(&lib->windows[i]);
		lib->windows[i].live = live;
		mshare_window_unlock(&lib->windows[i]);
	}
}

/* The sharer's address of a link's window. */
static unsigned long link_address(const struct mshare_link *link)
{
	const struct mshare_sharer *sharer = link->sharer;

	return sharer->start + (link - sharer->links) * MSHARE_WINDOW_SIZE;
}

static bool is_foreign(const struct mshare_link *link)
{
	unsigned long addr = link_address(link);

	return mshare_foreign_range(link->sharer->notifier.mm, addr,
				    addr + MSHARE_WINDOW_SIZE - 1);
}

/* Clear the PMD entry.  Only when that is marked it is asked who listens. */
static void unlink_locked(struct mshare_window *window, struct mshare_link *link,
			  enum mshare_counter cause)
{
	struct mm_struct *mm = link->sharer->notifier.mm;
	spinlock_t *ptl;

	ptl = pmd_lock(mm, link->pmd);
	pmd_clear(link->pmd);
	spin_unlock(ptl);
	hlist_del_init(&link->node);
	window->nr_links--;
	link->pmd = NULL;
	if (mshare_inject(MSHARE_COUNT_LINKS))
		mm_dec_nr_ptes(mm);

	mshare_flush_mark(window, mm);
	if (!link->foreign && is_foreign(link)) {
		link->foreign = true;
		window->foreign++;
	}

	atomic_long_dec(&link->sharer->library->attached);
	trace_mshare_detach(link, cause);
}

/* Detach all, in batches: the window's lock is never held for long. */
static void detach_all(struct mshare_library *lib, struct mshare_window *window,
		       enum mshare_counter cause, struct cpumask *mask)
{
	struct mshare_link *link;
	struct hlist_node *next;
	unsigned int n;

	mshare_window_lock(window);
	mshare_flush_announce(window);
	do {
		n = 0;
		hlist_for_each_entry_safe(link, next, &window->links, node) {
			if (n == DETACH_BATCH)
				break;
			unlink_locked(window, link, cause);
			n++;
		}
		mshare_count(lib->region, cause, n);
		if (n < DETACH_BATCH)
			break;
		mshare_window_unlock(window);
		mshare_window_lock(window);
	} while (true);
	mshare_flush_collect(window, mask, MSHARE_FORGET_PENDING_HOST);
	mshare_window_unlock(window);
}

/**
 * mshare_detach_host() - detach every sharer from some windows
 * @lib: the library
 * @first: first window, counted from the library's first
 * @last: last window
 * @cause: MSHARE_DETACHES_HOST_*
 *
 * The caller has made sure that nobody attaches meanwhile: by the notifier's
 * sequence, or by windows that are no longer live.  On return no CPU can reach
 * the tables through a sharer.
 */
void mshare_detach_host(struct mshare_library *lib, unsigned int first,
			unsigned int last, enum mshare_counter cause)
{
	struct cpumask *mask;
	unsigned int i;

	if (mshare_inject(MSHARE_SKIP_DETACH_HOST))
		return;
	mask = mshare_flush_begin(&lib->flush);
	for (i = first; i <= last; i++)
		detach_all(lib, &lib->windows[i], cause, mask);
	mshare_flush_finish(lib, first, last, &lib->flush, mask,
			    MSHARE_SKIP_FLUSH_HOST);
}

static void detach_one(struct mshare_link *link, struct mshare_change change,
		       struct cpumask *mask)
{
	struct mshare_region *region = link->sharer->library->region;
	struct mshare_window *window = mshare_window_of(link);
	bool attached;

	mshare_window_lock(window);
	mshare_flush_announce(window);
	attached = !hlist_unhashed(&link->node);
	if (change.uncover && !mshare_inject(MSHARE_SKIP_UNCOVER))
		link->covered = false;
	if (change.private && (attached || !change.only_linked) &&
	    !link->private) {
		link->private = !mshare_inject(MSHARE_SKIP_PRIVATE);
		mshare_count(region, change.private, 1);
		trace_mshare_private(link, change.private);
	}
	if (attached) {
		unlink_locked(window, link, change.cause);
		mshare_count(region, change.cause, 1);
	}
	mshare_flush_collect(window, mask, MSHARE_FORGET_PENDING_SHARER);
	mshare_window_unlock(window);
}

/**
 * mshare_detach_sharer() - detach one sharer from some windows
 * @sharer: the sharer
 * @first: first window, counted from the library's first
 * @last: last window
 * @change: what else becomes of the links, in the same moment
 *
 * On return no CPU and no secondary TLB can reach the host's tables through this
 * sharer, unless somebody attached it again.
 */
void mshare_detach_sharer(struct mshare_sharer *sharer, unsigned int first,
			  unsigned int last, struct mshare_change change)
{
	struct mshare_library *lib = sharer->library;
	struct cpumask *mask = mshare_flush_begin(&sharer->flush);
	unsigned int i;

	for (i = first; i <= last; i++)
		detach_one(&sharer->links[i], change, mask);
	mshare_flush_finish(lib, first, last, &sharer->flush, mask,
			    MSHARE_SKIP_FLUSH_SHARER);
	mshare_foreign_flush(sharer->notifier.mm,
			     sharer->start + first * MSHARE_WINDOW_SIZE,
			     sharer->start + (last + 1) * MSHARE_WINDOW_SIZE);
}

/**
 * mshare_make_private() - detach a link and never attach it again
 * @link: the link
 * @cause: MSHARE_PRIVATE_*
 *
 * Comes before any page is handed to the core kernel for this window: the
 * core would put it into whatever table the PMD points to, and that must not
 * be the host's, now or later.
 */
void mshare_make_private(struct mshare_link *link, enum mshare_counter cause)
{
	unsigned int i = link - link->sharer->links;

	mshare_detach_sharer(link->sharer, i, i, (struct mshare_change){
		.cause = MSHARE_DETACHES_FAULT, .private = cause,
	});
}

/**
 * mshare_uncover() - a VMA is split in a window: detach the link until its
 * coverage is computed again
 * @link: the link
 */
void mshare_uncover(struct mshare_link *link)
{
	unsigned int i = link - link->sharer->links;

	mshare_detach_sharer(link->sharer, i, i, (struct mshare_change){
		.cause = MSHARE_DETACHES_SPLIT, .uncover = true,
	});
}

/**
 * mshare_forget() - end what is kept up for a link whose mapping has gone
 * @link: the link, not attached
 */
void mshare_forget(struct mshare_link *link)
{
	struct mshare_window *window = mshare_window_of(link);

	mshare_window_lock(window);
	window->foreign -= link->foreign;
	link->foreign = false;
	mshare_window_unlock(window);
}

/**
 * mshare_pmd_at() - the PMD entry for an address
 * @mm: the mm
 * @addr: an address in a window
 *
 * Tables above the PMD stay as long as there are mappings: in the host, while
 * windows are live or have links; in a sharer, while mmap_lock is held.
 *
 * Return: the entry; if there is none, one that is not present.
 */
pmd_t mshare_pmd_at(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (!pgd_present(*pgd))
		return __pmd(0);
	p4d = p4d_offset(pgd, addr);
	if (!p4d_present(*p4d))
		return __pmd(0);
	pud = pud_offset(p4d, addr);
	if (!pud_present(*pud) || pud_leaf(*pud))
		return __pmd(0);
	return pmdp_get_lockless(pmd_offset(pud, addr));
}

static bool pte_present_in(pmd_t table, unsigned long addr)
{
	pte_t *pte = (pte_t *)pmd_page_vaddr(table) + pte_index(addr);

	return pte_present(ptep_get(pte));
}

static enum mshare_attach attach_locked(struct mshare_window *window,
					struct mshare_link *link,
					unsigned long host_addr, pmd_t *pmd)
{
	struct mshare_library *lib = link->sharer->library;
	struct mm_struct *mm = link->sharer->notifier.mm;
	enum mshare_attach ret = MSHARE_LINKED;
	pmd_t table;
	spinlock_t *ptl;

	if (!window->live && !mshare_inject(MSHARE_SKIP_LIVE))
		return MSHARE_NO_HOST;
	if (link->private)
		return MSHARE_OWN_TABLE;
	if (!link->covered)
		return MSHARE_UNCOVERED;
	table = mshare_pmd_at(lib->region->host, host_addr);
	if (!pmd_present(table))
		return MSHARE_ABSENT;
	if (pmd_leaf(table))
		return MSHARE_NO_HOST;
	if (!pte_present_in(table, host_addr))
		return MSHARE_ABSENT;
	if (!hlist_unhashed(&link->node))
		return MSHARE_LINKED_ALREADY;
	if (is_foreign(link) && !mshare_inject(MSHARE_LINK_FOREIGN))
		return MSHARE_FOREIGN;

	ptl = pmd_lock(mm, pmd);
	if (pmd_none(*pmd))
		pmd_populate(mm, pmd, pmd_pgtable(table));
	else
		ret = MSHARE_OWN_TABLE;
	spin_unlock(ptl);

	if (ret == MSHARE_LINKED) {
		link->pmd = pmd;
		hlist_add_head(&link->node, &window->links);
		window->nr_links++;
		window->attaches++;
		if (mshare_inject(MSHARE_COUNT_LINKS))
			mm_inc_nr_ptes(mm);
		atomic_long_inc(&lib->attached);
		mshare_count(lib->region, MSHARE_ATTACHES, 1);
		trace_mshare_attach(link);
	}
	return ret;
}

static bool changed(struct mmu_interval_notifier *notifier, unsigned long seq,
		    enum mshare_fault ignore)
{
	return mmu_interval_read_retry(notifier, seq) && !mshare_inject(ignore);
}

/**
 * mshare_attach() - link a window
 * @link: the sharer's link
 * @addr: the address in the sharer that faulted
 * @pmd: the sharer's PMD entry for it
 *
 * The caller holds the fault's lock and has checked the flags of its VMA.
 * Sleeps until invalidations that run on either side have ended.
 */
enum mshare_attach mshare_attach(struct mshare_link *link, unsigned long addr,
				 pmd_t *pmd)
{
	struct mshare_sharer *sharer = link->sharer;
	struct mshare_library *lib = sharer->library;
	struct mshare_window *window = mshare_window_of(link);
	unsigned long host_addr = addr - sharer->start + lib->region->start +
				  lib->first * MSHARE_WINDOW_SIZE;
	unsigned long host_seq, sharer_seq;
	enum mshare_attach ret;

	host_seq = mmu_interval_read_begin(&lib->notifier);
	sharer_seq = mmu_interval_read_begin(&sharer->notifier);
	mshare_inject_delay(MSHARE_DELAY_ATTACH);

	mshare_window_lock(window);
	if (changed(&lib->notifier, host_seq, MSHARE_IGNORE_SEQ_HOST) ||
	    changed(&sharer->notifier, sharer_seq, MSHARE_IGNORE_SEQ_SHARER))
		ret = MSHARE_AGAIN;
	else
		ret = attach_locked(window, link, host_addr, pmd);
	mshare_window_unlock(window);
	return ret;
}
