// SPDX-License-Identifier: GPL-2.0
/*
 * A secondary MMU for tests: see mshare_test_notifier.h.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mshare_test_notifier.h"

/**
 * struct listener - one open of the device
 * @lock:	all below, in invalidations
 * @kind:	enum notifier_kind, -1: not registered
 * @range:	for NOTIFIER_RANGE and NOTIFIER_FLUSH
 * @interval:	for NOTIFIER_INTERVAL
 * @page:	the page it remembers
 * @addr:	its address
 * @word:	what the page begins with
 * @stat:	what is told
 */
struct listener {
	spinlock_t lock;
	int kind;
	struct mmu_notifier range;
	struct mmu_interval_notifier interval;
	struct page *page;
	unsigned long addr;
	u64 word;
	struct notifier_stat stat;
};

static u64 first_word(struct page *page)
{
	u64 *words = kmap_local_page(page), word = READ_ONCE(*words);

	kunmap_local(words);
	return word;
}

static bool is_gone(const struct listener *listener)
{
	return !page_ref_count(listener->page) ||
	       first_word(listener->page) != listener->word;
}

/* As a device that drops what it has of a range. */
static void tell(struct listener *listener, unsigned long start,
		 unsigned long end)
{
	spin_lock(&listener->lock);
	if (listener->page && listener->addr >= start && listener->addr < end) {
		listener->stat.told++;
		listener->stat.freed += is_gone(listener);
		listener->page = NULL;
	}
	spin_unlock(&listener->lock);
}

static int range_start(struct mmu_notifier *notifier,
		       const struct mmu_notifier_range *range)
{
	tell(container_of(notifier, struct listener, range), range->start,
	     range->end);
	return 0;
}

static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	tell(container_of(notifier, struct listener, range), 0, ULONG_MAX);
}

static const struct mmu_notifier_ops range_ops = {
	.invalidate_range_start	= range_start,
	.release		= release,
};

static void flush(struct mmu_notifier *notifier, struct mm_struct *mm,
		  unsigned long start, unsigned long end)
{
	tell(container_of(notifier, struct listener, range), start, end);
}

static const struct mmu_notifier_ops flush_ops = {
	.arch_invalidate_secondary_tlbs	= flush,
	.release			= release,
};

static bool invalidate(struct mmu_interval_notifier *notifier,
		       const struct mmu_notifier_range *range,
		       unsigned long seq)
{
	mmu_interval_set_seq(notifier, seq);
	tell(container_of(notifier, struct listener, interval), range->start,
	     range->end);
	return true;
}

static const struct mmu_interval_notifier_ops interval_ops = {
	.invalidate	= invalidate,
};

static int do_register(struct listener *listener, void __user *arg)
{
	struct notifier_register how;
	int ret;

	if (copy_from_user(&how, arg, sizeof(how)))
		return -EFAULT;
	if (listener->kind >= 0)
		return -EBUSY;
	switch (how.kind) {
	case NOTIFIER_RANGE:
	case NOTIFIER_FLUSH:
		listener->range.ops = how.kind == NOTIFIER_RANGE ? &range_ops :
								   &flush_ops;
		ret = mmu_notifier_register(&listener->range, current->mm);
		break;
	case NOTIFIER_INTERVAL:
		ret = mmu_interval_notifier_insert(&listener->interval,
						   current->mm, how.start,
						   how.size, &interval_ops);
		break;
	default:
		return -EINVAL;
	}
	if (!ret)
		listener->kind = how.kind;
	return ret;
}

static int do_keep(struct listener *listener, void __user *arg)
{
	struct page *page;
	u64 addr;

	if (copy_from_user(&addr, arg, sizeof(addr)))
		return -EFAULT;
	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return -EFAULT;
	spin_lock(&listener->lock);
	listener->page = page;
	listener->addr = addr;
	listener->word = first_word(page);
	spin_unlock(&listener->lock);
	put_page(page);
	return 0;
}

static int do_stat(struct listener *listener, void __user *arg)
{
	struct notifier_stat stat;

	spin_lock(&listener->lock);
	stat = listener->stat;
	stat.lost = listener->page && is_gone(listener);
	spin_unlock(&listener->lock);
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static long notifier_ioctl(struct file *file, unsigned int cmd,
			   unsigned long ptr)
{
	void __user *arg = (void __user *)ptr;

	switch (cmd) {
	case NOTIFIER_REGISTER:
		return do_register(file->private_data, arg);
	case NOTIFIER_KEEP:
		return do_keep(file->private_data, arg);
	case NOTIFIER_STAT:
		return do_stat(file->private_data, arg);
	default:
		return -ENOTTY;
	}
}

static int notifier_open(struct inode *inode, struct file *file)
{
	struct listener *listener = kzalloc(sizeof(*listener), GFP_KERNEL);

	if (!listener)
		return -ENOMEM;
	spin_lock_init(&listener->lock);
	listener->kind = -1;
	file->private_data = listener;
	return 0;
}

static int notifier_release(struct inode *inode, struct file *file)
{
	struct listener *listener = file->private_data;

	if (listener->kind == NOTIFIER_INTERVAL)
		mmu_interval_notifier_remove(&listener->interval);
	else if (listener->kind >= 0)
		mmu_notifier_unregister(&listener->range, listener->range.mm);
	kfree(listener);
	return 0;
}

static const struct file_operations notifier_fops = {
	.owner		= THIS_MODULE,
	.open		= notifier_open,
	.release	= notifier_release,
	.unlocked_ioctl	= notifier_ioctl,
};

static struct miscdevice notifier_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "mshare_test_notifier",
	.fops	= &notifier_fops,
	.mode	= 0600,
};

module_misc_device(notifier_device);
MODULE_DESCRIPTION("A secondary MMU for the tests of mshare");
MODULE_LICENSE("GPL");
