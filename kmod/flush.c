// SPDX-License-Identifier: GPL-2.0
/*
 * TLB flushes of windows that links were taken back from.
 *
 * Invariant 11.  A detach is not complete before its flush is, and no lock is
 * held while that is waited for.  Until then the window keeps the CPUs in
 * ->pending; whoever invalidates the window meanwhile, on either side, flushes
 * these too before it returns, even if it finds no link.
 *
 * An invalidation begins, announces its flush to each window, marks there what
 * it takes back, collects what is pending, and finishes with no lock held.
 */
#include <linux/cpumask.h>
#include <linux/smp.h>
#include <asm/tlbflush.h>

#include "compat.h"
#include "mshare.h"

static void flush_local(void *unused)
{
	__flush_tlb_all();
}

/*
 * Everything is flushed, global entries and all address spaces: the caches of
 * paging structures must lose the table too, on lazy CPUs as well.
 */
static void flush_cpus(struct mshare_region *region, const struct cpumask *mask,
		       enum mshare_fault skip)
{
	mshare_assert_unlocked();
	if (cpumask_empty(mask))
		return;
	mshare_inject_delay(MSHARE_DELAY_FLUSH);
	if (mshare_inject(skip))
		return;
	mshare_count(region, MSHARE_FLUSHES, 1);
	mshare_count(region, MSHARE_FLUSHED_CPUS, cpumask_weight(mask));
	on_each_cpu_mask(mask, flush_local, NULL, true);
}

static void complete_flush(struct mshare_window *window)
{
	mshare_window_lock(window);
	if (!--window->flushing)
		cpumask_clear(window->pending);
	mshare_window_unlock(window);
}

/**
 * mshare_flush_begin() - begin an invalidation of many windows
 * @flush: the notifier's
 *
 * Return: the preallocated mask, empty; or NULL if it is in use.
 */
struct cpumask *mshare_flush_begin(struct mshare_flush *flush)
{
	if (test_and_set_bit_lock(0, &flush->busy))
		return NULL;
	cpumask_clear(flush->mask);
	return flush->mask;
}

/**
 * mshare_flush_announce() - from now on a window's pending CPUs are ours, too
 * @window: the window, locked
 */
void mshare_flush_announce(struct mshare_window *window)
{
	lockdep_assert_held(&window->lock);
	window->flushing++;
}

/**
 * mshare_flush_mark() - an mm's PMD entry for a window was cleared
 * @window: the window, locked, its flush announced
 * @mm: the mm
 *
 * The CPUs that may have cached the entry become pending; one that is not in
 * mm_cpumask() now finds the raised tlb_gen when it next switches to this mm.
 * Raising it also orders the cleared entry before the reading of the mask,
 * against switch_mm() on the other side, and before the question who else
 * listens, against one who begins to and then reads the table.
 */
void mshare_flush_mark(struct mshare_window *window, struct mm_struct *mm)
{
	lockdep_assert_held(&window->lock);
	atomic64_inc_return(&mm->context.tlb_gen);
	cpumask_or(window->pending, window->pending, mm_cpumask(mm));
}

/**
 * mshare_flush_collect() - add a window's pending CPUs to those of all
 * @window: the window, locked, its flush announced
 * @mask: from mshare_flush_begin()
 * @forget: the fault not to, where another's flush is pending
 */
void mshare_flush_collect(struct mshare_window *window, struct cpumask *mask,
			  enum mshare_fault forget)
{
	lockdep_assert_held(&window->lock);
	if (window->flushing > 1 && mshare_inject(forget))
		return;
	if (mask)
		cpumask_or(mask, mask, window->pending);
}

/**
 * mshare_flush_finish() - flush, and end what mshare_flush_begin() began
 * @lib: the library
 * @first: first window whose flush was announced, counted from its first
 * @last: last window
 * @flush: the notifier's
 * @mask: from mshare_flush_begin(); NULL: window by window, whose own mask only
 *	grows until its flushes are complete
 * @skip: the fault not to
 */
void mshare_flush_finish(struct mshare_library *lib, unsigned int first,
			 unsigned int last, struct mshare_flush *flush,
			 struct cpumask *mask, enum mshare_fault skip)
{
	unsigned int i;

	if (mask)
		flush_cpus(lib->region, mask, skip);
	else
		for (i = first; i <= last; i++)
			flush_cpus(lib->region, lib->windows[i].pending, skip);
	for (i = first; i <= last; i++)
		complete_flush(&lib->windows[i]);
	if (mask)
		clear_bit_unlock(0, &flush->busy);
}
