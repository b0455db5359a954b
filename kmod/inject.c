// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on purpose, in a build that is for tests only (see inject.h).
 * Parameters, in /sys/module/mshare/parameters:
 *
 *	inject		names of faults, separated by commas: these are armed;
 *			nothing: none is.  EINVAL: there is no such fault.  Two
 *			disarm themselves: see mshare_expect_detached()
 *	faults		the table below: name, invariants, what is broken
 *	hits		how often an armed fault has done what it says
 *	caught		how often a check of the module's own saw a fault that
 *			would have done harm, and undid it
 *	fail_alloc	the module's allocation of this number from now on, the
 *			next being 1, fails; reads how many are left to go
 *	lock_stats	for each window, in the order they were made: how often
 *			its lock was taken, how often somebody had to wait for
 *			it, the longest time it was held in cycles; a write
 *			sets all to 0
 *
 * A fault is made so that the kernel survives it: tests look for what it does
 * to a program, and stop at the first thing they see.
 */
#include <linux/delay.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/timex.h>

#include "compat.h"
#include "mshare.h"

static const struct {
	const char *name;
	const char *invariants;	/* of doc/architecture.md, "-": none */
	const char *what;
} faults[MSHARE_NR_FAULTS] = {
	[MSHARE_SKIP_FLUSH_HOST] = { "skip_flush_host", "2",
		"no TLB flush for what changes in the host" },
	[MSHARE_SKIP_DETACH_HOST] = { "skip_detach_host", "1,2",
		"links stay while something changes in the host" },
	[MSHARE_SKIP_FLUSH_SHARER] = { "skip_flush_sharer", "3",
		"no TLB flush for what changes in a sharer" },
	[MSHARE_SKIP_DETACH_SHARER] = { "skip_detach_sharer", "3",
		"links stay when a sharer forks" },
	[MSHARE_SKIP_MPROTECT] = { "skip_mprotect", "3",
		"mprotect where the notifier is silent is not noticed" },
	[MSHARE_IGNORE_SEQ_HOST] = { "ignore_seq_host", "4",
		"attaching does not look if the host's sequence changed" },
	[MSHARE_FORGET_SEQ_HOST] = { "forget_seq_host", "4",
		"the host's side does not set its sequence" },
	[MSHARE_IGNORE_SEQ_SHARER] = { "ignore_seq_sharer", "4",
		"attaching does not look if the sharer's sequence changed" },
	[MSHARE_FORGET_SEQ_SHARER] = { "forget_seq_sharer", "4",
		"the sharer's side does not set its sequence" },
	[MSHARE_COUNT_LINKS] = { "count_links", "5",
		"a linked table is counted in the sharer's page tables" },
	[MSHARE_SKIP_PRIVATE] = { "skip_private", "6",
		"a page is given to a process whose window may be linked again" },
	[MSHARE_SKIP_UNCOVER] = { "skip_uncover", "7",
		"a window with a hole is still taken for covered" },
	[MSHARE_COVER_GAPS] = { "cover_gaps", "7",
		"coverage is computed without looking at the mappings" },
	[MSHARE_ATTACH_ANY] = { "attach_any", "7",
		"text of any protection may be linked" },
	[MSHARE_TRUST_DONOR] = { "trust_donor", "8",
		"a host mm is used while its donor lives" },
	[MSHARE_SKIP_PURGE] = { "skip_purge", "8",
		"what the donor had mapped stays in the host" },
	[MSHARE_SKIP_LIVE] = { "skip_live", "8",
		"windows of a library that was taken out of sharing are linked" },
	[MSHARE_SKIP_DROP] = { "skip_drop", "8",
		"a retired library that nobody uses stays mapped in the host" },
	[MSHARE_SKIP_CHARGE] = { "skip_charge", "9",
		"pages copied for one process are charged to nobody" },
	[MSHARE_KEEP_SNAPSHOTS] = { "keep_snapshots", "9",
		"pages copied for one process are not given back" },
	[MSHARE_SKIP_SHADOW] = { "skip_shadow", "10",
		"the host maps each text once" },
	[MSHARE_MIGRATABLE] = { "migratable", "10",
		"a sharer may move the shared pages" },
	[MSHARE_FORGET_PENDING_HOST] = { "forget_pending_host", "11",
		"a change in the host does not wait for another's unfinished flush" },
	[MSHARE_FORGET_PENDING_SHARER] = { "forget_pending_sharer", "11",
		"a change in a sharer does not wait for another's unfinished flush" },
	[MSHARE_LINK_FOREIGN] = { "link_foreign", "12",
		"windows are linked where a secondary MMU listens" },
	[MSHARE_FREE_FOREIGN] = { "free_foreign", "12",
		"pages that a secondary MMU may use are not held until it is told" },
	[MSHARE_WRITE_DATA] = { "write_data", "13",
		"the file of a data zone may be written" },
	[MSHARE_KEEP_DATA] = { "keep_data", "13",
		"a retired region keeps the files of its data zones" },
	[MSHARE_DELAY_ATTACH] = { "delay_attach", "-",
		"time passes between an attach's look at the sequences and its lock" },
	[MSHARE_DELAY_INVALIDATE] = { "delay_invalidate", "-",
		"time passes between a detach and what it was for" },
	[MSHARE_DELAY_FLUSH] = { "delay_flush", "-",
		"time passes between unlocking a window and its flush" },
	[MSHARE_DELAY_REGISTER] = { "delay_register", "-",
		"time passes before an mm is registered as a sharer" },
	[MSHARE_SHORT_UNSHARE] = { "short_unshare", "-",
		"a round of unsharing has room for one process" },
};

static const unsigned int delay_ms[MSHARE_NR_FAULTS] = {
	[MSHARE_DELAY_ATTACH] = 40,
	[MSHARE_DELAY_INVALIDATE] = 160,
	[MSHARE_DELAY_FLUSH] = 160,
	[MSHARE_DELAY_REGISTER] = 20,
};

static DECLARE_BITMAP(armed, MSHARE_NR_FAULTS);
static atomic_t hits;
static atomic_t caught;
static atomic_t fail_alloc;

/* Every window's, newest last. */
static LIST_HEAD(lock_stats);
static DEFINE_MUTEX(lock_stats_mutex);

/**
 * mshare_inject() - shall this fault happen now?
 * @fault: asked only where it would make a difference: it counts as a hit
 */
bool mshare_inject(enum mshare_fault fault)
{
	if (!test_bit(fault, armed))
		return false;
	atomic_inc(&hits);
	return true;
}

/**
 * mshare_inject_delay() - let time pass here, if that is armed
 * @fault: a MSHARE_DELAY_*; the caller may sleep
 */
void mshare_inject_delay(enum mshare_fault fault)
{
	if (mshare_inject(fault))
		msleep(delay_ms[fault]);
}

/**
 * mshare_inject_alloc() - shall this allocation fail?
 */
bool mshare_inject_alloc(void)
{
	return atomic_add_unless(&fail_alloc, -1, 0) && !atomic_read(&fail_alloc);
}

static bool any_attached(struct mshare_sharer *sharer, unsigned int first,
			 unsigned int last)
{
	bool any = false;
	unsigned int i;

	for (i = first; i <= last; i++) {
		struct mshare_link *link = &sharer->links[i];
		struct mshare_window *window = mshare_window_of(link);

		mshare_window_lock(window);
		any |= !hlist_unhashed(&link->node);
		mshare_window_unlock(window);
	}
	return any;
}

/**
 * mshare_expect_detached() - nobody attached during an invalidation
 * @sharer: a sharer whose notifier is about to return
 * @first: first window that was detached
 * @last: last window
 * @seq: the sequence it was called with
 *
 * If a link was made meanwhile, the kernel would now zap the host's entries on
 * the sharer's account, which cannot be undone.  So it is taken back, and the
 * faults that allow it are armed no more.
 */
void mshare_expect_detached(struct mshare_sharer *sharer, unsigned int first,
			    unsigned int last, unsigned long seq)
{
	clear_bit(MSHARE_IGNORE_SEQ_SHARER, armed);
	clear_bit(MSHARE_FORGET_SEQ_SHARER, armed);
	mmu_interval_set_seq(&sharer->notifier, seq);
	if (!any_attached(sharer, first, last))
		return;
	atomic_inc(&caught);
	mshare_detach_sharer(sharer, first, last, (struct mshare_change){
				     .cause = MSHARE_DETACHES_OTHER });
}

static int find_fault(const char *name)
{
	int i;

	for (i = 0; i < MSHARE_NR_FAULTS; i++)
		if (!strcmp(name, faults[i].name))
			return i;
	return -EINVAL;
}

static int set_inject(const char *value, const struct kernel_param *param)
{
	DECLARE_BITMAP(wanted, MSHARE_NR_FAULTS) = {};
	char *copy, *rest, *name;
	int ret = 0;

	copy = kstrdup(value, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	rest = strim(copy);
	while (ret >= 0 && (name = strsep(&rest, ","))) {
		if (!*name)
			continue;
		ret = find_fault(name);
		if (ret >= 0)
			__set_bit(ret, wanted);
	}
	if (ret >= 0)
		bitmap_copy(armed, wanted, MSHARE_NR_FAULTS);
	kfree(copy);
	return min(ret, 0);
}

static int get_inject(char *buffer, const struct kernel_param *param)
{
	int i, n = 0;

	for_each_set_bit(i, armed, MSHARE_NR_FAULTS)
		n += sysfs_emit_at(buffer, n, "%s%s", n ? "," : "",
				   faults[i].name);
	return n + sysfs_emit_at(buffer, n, "\n");
}

static const struct kernel_param_ops inject_ops = {
	.set	= set_inject,
	.get	= get_inject,
};
module_param_cb(inject, &inject_ops, NULL, 0644);

static int get_faults(char *buffer, const struct kernel_param *param)
{
	int i, n = 0;

	for (i = 0; i < MSHARE_NR_FAULTS; i++)
		n += sysfs_emit_at(buffer, n, "%s %s %s\n", faults[i].name,
				   faults[i].invariants, faults[i].what);
	return n;
}

static const struct kernel_param_ops faults_ops = {
	.get	= get_faults,
};
module_param_cb(faults, &faults_ops, NULL, 0444);

static int set_count(const char *value, const struct kernel_param *param)
{
	int n, ret = kstrtoint(value, 0, &n);

	if (ret)
		return ret;
	atomic_set(param->arg, n);
	return 0;
}

static int get_count(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%d\n", atomic_read(param->arg));
}

static const struct kernel_param_ops count_ops = {
	.set	= set_count,
	.get	= get_count,
};
module_param_cb(hits, &count_ops, &hits, 0644);
module_param_cb(caught, &count_ops, &caught, 0644);
module_param_cb(fail_alloc, &count_ops, &fail_alloc, 0644);

/**
 * mshare_lock_stat_add() - begin to watch a window's lock
 * @stat: zeroed
 */
void mshare_lock_stat_add(struct mshare_lock_stat *stat)
{
	mutex_lock(&lock_stats_mutex);
	list_add_tail(&stat->list, &lock_stats);
	mutex_unlock(&lock_stats_mutex);
}

/**
 * mshare_lock_stat_del() - end that
 * @stat: what mshare_lock_stat_add() was given, or zeroed
 */
void mshare_lock_stat_del(struct mshare_lock_stat *stat)
{
	mutex_lock(&lock_stats_mutex);
	if (stat->list.next)
		list_del(&stat->list);
	mutex_unlock(&lock_stats_mutex);
}

/**
 * mshare_lock() - spin_lock() that is counted
 * @lock: the lock
 * @stat: where it is counted
 */
void mshare_lock(spinlock_t *lock, struct mshare_lock_stat *stat)
	__acquires(lock)
{
	if (!spin_trylock(lock)) {
		atomic_long_inc(&stat->contended);
		spin_lock(lock);
	}
	stat->taken++;
	stat->since = get_cycles();
}

/**
 * mshare_unlock() - the end of mshare_lock()
 * @lock: the lock
 * @stat: where it is counted
 */
void mshare_unlock(spinlock_t *lock, struct mshare_lock_stat *stat)
	__releases(lock)
{
	u64 held = get_cycles() - stat->since;

	stat->max_hold = max(stat->max_hold, held);
	spin_unlock(lock);
}

static int get_lock_stats(char *buffer, const struct kernel_param *param)
{
	struct mshare_lock_stat *stat;
	int n = 0;

	mutex_lock(&lock_stats_mutex);
	list_for_each_entry(stat, &lock_stats, list)
		n += sysfs_emit_at(buffer, n, "%lu %lu %llu\n", stat->taken,
				   atomic_long_read(&stat->contended),
				   stat->max_hold);
	mutex_unlock(&lock_stats_mutex);
	return n;
}

/* While nobody uses the locks. */
static int reset_lock_stats(const char *value, const struct kernel_param *param)
{
	struct mshare_lock_stat *stat;

	mutex_lock(&lock_stats_mutex);
	list_for_each_entry(stat, &lock_stats, list) {
		stat->taken = 0;
		stat->max_hold = 0;
		atomic_long_set(&stat->contended, 0);
	}
	mutex_unlock(&lock_stats_mutex);
	return 0;
}

static const struct kernel_param_ops lock_stats_ops = {
	.set	= reset_lock_stats,
	.get	= get_lock_stats,
};
module_param_cb(lock_stats, &lock_stats_ops, NULL, 0644);
