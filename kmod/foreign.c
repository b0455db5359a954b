// SPDX-License-Identifier: GPL-2.0
/*
 * Who else listens to a sharer's mm: secondary MMUs.
 *
 * KVM, IOMMUs (SVA), RDMA (ODP) and drivers that use HMM keep page tables of
 * their own, without holding the pages in them: the mmu notifiers of the mm
 * tell them what to drop.  A change on the host's side is announced to the
 * host's mm alone; a secondary MMU that has read a page of the host through a
 * link would go on using it when it is somebody else's.  So (invariant 12):
 *
 *  - An mm that has one gets no link: mmap is refused, or the window private.
 *  - One may come to an mm that has links already.  When a link to such an mm
 *    is taken back, for whatever reason, it is marked, until the mapping is
 *    gone.  From then on no page leaves the host in that window before the
 *    secondary MMUs were told: hold.c.
 *  - A secondary TLB that reads the mm's own tables is flushed when a link is
 *    taken back because of the sharer, which is also how it is told.
 *
 * The core keeps who listens to itself.  What is read here is the beginning of
 * its struct mmu_notifier_subscriptions as it is in 6.12; the module is not
 * loaded into a kernel where a trial shows something else.
 */
#define pr_fmt(fmt) "mshare: " fmt

#include <linux/init.h>
#include <linux/interval_tree.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>

#include "compat.h"
#include "mshare.h"

/* As in mm/mmu_notifier.c. */
struct subscriptions {
	struct hlist_head list;
	bool has_itree;
	spinlock_t lock;
	unsigned long invalidate_seq;
	unsigned long active_invalidate_ranges;
	struct rb_root_cached itree;
};

/* Never freed while the mm is held. */
static struct subscriptions *subscriptions_of(const struct mm_struct *mm)
{
	/* Pairs with the release in __mmu_notifier_register(). */
	return (void *)smp_load_acquire(&mm->notifier_subscriptions);
}

/**
 * mshare_foreign_mm() - does a secondary MMU listen to all of an mm?
 * @mm: the mm, held
 */
bool mshare_foreign_mm(const struct mm_struct *mm)
{
	const struct subscriptions *subs = subscriptions_of(mm);

	return subs && !hlist_empty(&subs->list);
}

/**
 * mshare_foreign_range() - does a secondary MMU listen to a range?
 * @mm: the mm of a sharer
 * @start: first byte
 * @last: last byte
 *
 * Listeners that wait for the end of an invalidation to become part of the
 * tree are not seen, and read nothing before they are.
 */
bool mshare_foreign_range(const struct mm_struct *mm, unsigned long start,
			  unsigned long last)
{
	struct subscriptions *subs = subscriptions_of(mm);
	struct interval_tree_node *node;
	bool found = false;

	if (!hlist_empty(&subs->list))
		return true;
	spin_lock(&subs->lock);
	for (node = interval_tree_iter_first(&subs->itree, start, last);
	     node && !found; node = interval_tree_iter_next(node, start, last))
		found = !mshare_sharer_owns(container_of(node,
				struct mmu_interval_notifier, interval_tree));
	spin_unlock(&subs->lock);
	return found;
}

/**
 * mshare_foreign_flush() - flush secondary TLBs that read an mm's own tables
 * @mm: the mm of a sharer
 * @start: first byte of what was linked
 * @end: behind its last byte
 *
 * The core does so when it clears an entry, and here it finds none to clear; or
 * tells nobody, as when it puts a page where none was.  It calls these with a
 * page table's lock held, so that they do not sleep.
 */
void mshare_foreign_flush(struct mm_struct *mm, unsigned long start,
			  unsigned long end)
{
	struct subscriptions *subs = subscriptions_of(mm);
	struct mmu_notifier *notifier;

	if (hlist_empty(&subs->list))
		return;
	/* Nobody leaves the list, and so is freed, while this is held. */
	spin_lock(&subs->lock);
	hlist_for_each_entry(notifier, &subs->list, hlist) {
		const struct mmu_notifier_ops *ops = notifier->ops;

		if (ops->arch_invalidate_secondary_tlbs)
			ops->arch_invalidate_secondary_tlbs(notifier, mm,
							    start, end);
	}
	spin_unlock(&subs->lock);
}

static bool trial_invalidate(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *range,
			     unsigned long cur_seq)
{
	mmu_interval_set_seq(notifier, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops trial_interval_ops = {
	.invalidate	= trial_invalidate,
};

static const struct mmu_notifier_ops trial_ops = {};

/*
 * Is each field where it is read?  Nothing is mapped at address 0, so that
 * nothing changes meanwhile, and no interval begins before that one.
 */
static bool __init
fields_are_there(const struct mmu_notifier *notifier,
		 struct mmu_interval_notifier *interval)
{
	const struct subscriptions *subs = subscriptions_of(notifier->mm);

	if (subs->list.first != &notifier->hlist || !subs->has_itree ||
	    subs->itree.rb_leftmost != &interval->interval_tree.rb)
		return false;
	/* Ends an invalidation that ran when the interval was inserted. */
	mmu_interval_read_begin(interval);
	return READ_ONCE(subs->invalidate_seq) == interval->invalidate_seq + 1;
}

static int __init try_fields(const struct mmu_notifier *notifier)
{
	struct mmu_interval_notifier interval;
	int ret;

	ret = mmu_interval_notifier_insert(&interval, notifier->mm, 0,
					   PAGE_SIZE, &trial_interval_ops);
	if (ret)
		return ret;
	if (!fields_are_there(notifier, &interval)) {
		pr_err("this kernel keeps its mmu notifiers in another way than the Linux 6.12 this was made for: not loaded\n");
		ret = -ENODEV;
	}
	mmu_interval_notifier_remove(&interval);
	return ret;
}

/**
 * mshare_foreign_init() - make sure that listeners can be seen in this kernel
 *
 * In the process that loads the module, with its mm.
 *
 * Return: 0; -ENODEV, and a line in the log, if they cannot; -ENOMEM; -EINTR.
 */
int __init mshare_foreign_init(void)
{
	struct mmu_notifier notifier = { .ops = &trial_ops };
	struct mm_struct *mm = current->mm;
	int ret;

	ret = mmu_notifier_register(&notifier, mm);
	if (ret)
		return ret;
	ret = try_fields(&notifier);
	mmu_notifier_unregister(&notifier, mm);
	return ret;
}
