/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Faults on purpose: a debug build (MSHARE_INJECT) in which the module can be
 * told to break one of its own rules, so that a test shows that the test suite
 * sees it (testsuite/kmod/inject).  In every other build nothing of this is
 * left: each function here is empty.
 *
 * inject.c has the table of faults and describes the module parameters.
 */
#ifndef MSHARE_INJECT_H
#define MSHARE_INJECT_H

#include <linux/cpumask.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

struct mshare_sharer;

enum mshare_fault {
	MSHARE_SKIP_FLUSH_HOST,
	MSHARE_SKIP_DETACH_HOST,
	MSHARE_SKIP_FLUSH_SHARER,
	MSHARE_SKIP_DETACH_SHARER,
	MSHARE_SKIP_MPROTECT,
	MSHARE_IGNORE_SEQ_HOST,
	MSHARE_FORGET_SEQ_HOST,
	MSHARE_IGNORE_SEQ_SHARER,
	MSHARE_FORGET_SEQ_SHARER,
	MSHARE_COUNT_LINKS,
	MSHARE_SKIP_PRIVATE,
	MSHARE_SKIP_UNCOVER,
	MSHARE_COVER_GAPS,
	MSHARE_ATTACH_ANY,
	MSHARE_TRUST_DONOR,
	MSHARE_SKIP_PURGE,
	MSHARE_SKIP_LIVE,
	MSHARE_SKIP_DROP,
	MSHARE_SKIP_CHARGE,
	MSHARE_KEEP_SNAPSHOTS,
	MSHARE_SKIP_SHADOW,
	MSHARE_MIGRATABLE,
	MSHARE_FORGET_PENDING_HOST,
	MSHARE_FORGET_PENDING_SHARER,
	MSHARE_LINK_FOREIGN,
	MSHARE_FREE_FOREIGN,
	MSHARE_WRITE_DATA,
	MSHARE_KEEP_DATA,
	/* These break nothing: they let what is rare happen each time. */
	MSHARE_DELAY_ATTACH,
	MSHARE_DELAY_INVALIDATE,
	MSHARE_DELAY_FLUSH,
	MSHARE_DELAY_REGISTER,
	MSHARE_SHORT_UNSHARE,
	MSHARE_NR_FAULTS,
};

#ifdef MSHARE_INJECT

/**
 * struct mshare_lock_stat - how a window's lock was used
 * @list:	all there are
 * @taken:	times; this and the next two are changed by the lock's holder
 * @since:	cycles when it was taken last
 * @max_hold:	longest time it was held, in cycles
 * @contended:	times somebody had to wait for it
 */
struct mshare_lock_stat {
	struct list_head list;
	unsigned long taken;
	u64 since;
	u64 max_hold;
	atomic_long_t contended;
};

bool mshare_inject(enum mshare_fault fault);
void mshare_inject_delay(enum mshare_fault fault);
bool mshare_inject_alloc(void);
void mshare_expect_detached(struct mshare_sharer *sharer, unsigned int first,
			    unsigned int last, unsigned long seq);
void mshare_lock_stat_add(struct mshare_lock_stat *stat);
void mshare_lock_stat_del(struct mshare_lock_stat *stat);
void mshare_lock(spinlock_t *lock, struct mshare_lock_stat *stat);
void mshare_unlock(spinlock_t *lock, struct mshare_lock_stat *stat);

static inline void mshare_assert_unlocked(void)
{
	WARN_ON_ONCE(!preemptible());
}

/*
 * Each allocation of the module can fail, by its number.  These come after
 * the kernel's headers, in which they must mean what they always do.
 */
#define mshare_may_fail(alloc)	(mshare_inject_alloc() ? NULL : (alloc))

#undef kmalloc
#define kmalloc(...)	\
	mshare_may_fail(alloc_hooks(kmalloc_noprof(__VA_ARGS__)))
#undef kzalloc
#define kzalloc(...)	\
	mshare_may_fail(alloc_hooks(kzalloc_noprof(__VA_ARGS__)))
#undef kvcalloc
#define kvcalloc(...)	\
	mshare_may_fail(alloc_hooks(kvcalloc_noprof(__VA_ARGS__)))
#undef kvzalloc
#define kvzalloc(size, flags)	\
	mshare_may_fail(kvmalloc(size, (flags) | __GFP_ZERO))
#undef alloc_page
#define alloc_page(flags)	mshare_may_fail(alloc_pages(flags, 0))
#define zalloc_cpumask_var(mask, flags)	\
	(!mshare_inject_alloc() && zalloc_cpumask_var(mask, flags))

#else

struct mshare_lock_stat { };

static inline bool mshare_inject(enum mshare_fault fault)
{
	return false;
}

static inline void mshare_inject_delay(enum mshare_fault fault)
{
}

static inline void mshare_expect_detached(struct mshare_sharer *sharer,
					  unsigned int first, unsigned int last,
					  unsigned long seq)
{
}

static inline void mshare_lock_stat_add(struct mshare_lock_stat *stat)
{
}

static inline void mshare_lock_stat_del(struct mshare_lock_stat *stat)
{
}

static inline void mshare_lock(spinlock_t *lock, struct mshare_lock_stat *stat)
	__acquires(lock)
{
	spin_lock(lock);
}

static inline void mshare_unlock(spinlock_t *lock, struct mshare_lock_stat *stat)
	__releases(lock)
{
	spin_unlock(lock);
}

static inline void mshare_assert_unlocked(void)
{
}

#endif /* MSHARE_INJECT */

#endif /* MSHARE_INJECT_H */
