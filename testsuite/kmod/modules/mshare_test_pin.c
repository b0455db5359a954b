// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that pins user memory, for tests of mshare.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mshare_test_pin.h"

struct pins {
	int nr;
	struct page *pages[PIN_MAX];
};

static int do_pin(struct pins *pins, const void __user *arg)
{
	struct pin_range range;
	int n;

	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	if (pins->nr || !range.pages || range.pages > PIN_MAX)
		return -EINVAL;
	n = pin_user_pages_fast(range.addr, range.pages,
				range.longterm ? FOLL_LONGTERM : 0, pins->pages);
	if (n < 0)
		return n;
	if (n < range.pages) {
		unpin_user_pages(pins->pages, n);
		return -EFAULT;
	}
	pins->nr = n;
	return 0;
}

static int do_read(struct pins *pins, const void __user *arg)
{
	struct pin_read read;
	unsigned long left;
	void *from;

	if (copy_from_user(&read, arg, sizeof(read)))
		return -EFAULT;
	if (read.reserved || read.page >= pins->nr)
		return -EINVAL;
	from = kmap_local_page(pins->pages[read.page]);
	left = copy_to_user(u64_to_user_ptr(read.buffer), from, PAGE_SIZE);
	kunmap_local(from);
	return left ? -EFAULT : 0;
}

static long pin_ioctl(struct file *file, unsigned int cmd, unsigned long ptr)
{
	switch (cmd) {
	case PIN_PAGES:
		return do_pin(file->private_data, (void __user *)ptr);
	case PIN_READ:
		return do_read(file->private_data, (void __user *)ptr);
	default:
		return -ENOTTY;
	}
}

static int pin_open(struct inode *inode, struct file *file)
{
	file->private_data = kzalloc(sizeof(struct pins), GFP_KERNEL);
	return file->private_data ? 0 : -ENOMEM;
}

static int pin_release(struct inode *inode, struct file *file)
{
	struct pins *pins = file->private_data;

	unpin_user_pages(pins->pages, pins->nr);
	kfree(pins);
	return 0;
}

static const struct file_operations pin_fops = {
	.owner		= THIS_MODULE,
	.open		= pin_open,
	.release	= pin_release,
	.unlocked_ioctl	= pin_ioctl,
};

static struct miscdevice pin_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "mshare_test_pin",
	.fops	= &pin_fops,
	.mode	= 0600,
};

module_misc_device(pin_device);
MODULE_DESCRIPTION("A driver that pins memory, for the tests of mshare");
MODULE_LICENSE("GPL");
