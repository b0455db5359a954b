// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of a region.  What each takes and gives is said in msharefs.h.
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "mshare.h"

/* What MSHAREFS_WINDOW_DUMP gives at once */
#define WINDOW_DUMP_MAX	1024U

/* May this caller change regions, by this descriptor? */
static int may_populate(struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return file->f_mode & FMODE_WRITE ? 0 : -EBADF;
}

/*
 * Take the region's lock if it may still be changed.  User memory is read
 * before and written after it is held: a page that is never served must not
 * keep the lock, which unlink and rename need, from everybody else.
 */
static int lock_unsealed(struct file *file)
{
	inode_lock(file_inode(file));
	if (!mshare_sealed(mshare_region_of(file)))
		return 0;
	inode_unlock(file_inode(file));
	return -EPERM;
}

static void unlock(struct file *file)
{
	inode_unlock(file_inode(file));
}

static int do_donate(struct file *file, const void __user *arg)
{
	struct mshare_donate donate;
	int ret = may_populate(file);

	if (ret)
		return ret;
	if (copy_from_user(&donate, arg, sizeof(donate)))
		return -EFAULT;
	if (donate.flags)
		return -EINVAL;
	ret = lock_unsealed(file);
	if (ret)
		return ret;
	ret = mshare_host_donate(mshare_region_of(file), donate.start);
	unlock(file);
	return ret;
}

static int check_create(const struct mshare_region *region,
			const struct mshare_create *create)
{
	u64 size = PAGE_ALIGN(create->size);

	if (create->reserved || !create->size || size < create->size ||
	    offset_in_page(create->region_offset) ||
	    offset_in_page(create->offset))
		return -EINVAL;
	if (create->prot != PROT_READ && create->prot != (PROT_READ | PROT_EXEC))
		return -EINVAL;
	if ((create->flags & ~MAP_POPULATE) != (MAP_SHARED | MAP_FIXED))
		return -EINVAL;
	if (create->region_offset < MSHARE_WINDOW_SIZE ||
	    create->region_offset > region->size ||
	    size > region->size - create->region_offset)
		return -ERANGE;
	return 0;
}

static int map_file(struct mshare_region *region, struct file *file,
		    const struct mshare_create *create)
{
	u64 size = PAGE_ALIGN(create->size);
	u64 file_size = PAGE_ALIGN(i_size_read(file_inode(file)));
	struct mshare_segment *segment;
	int ret;

	ret = mshare_text_accepts(file);
	if (ret)
		return ret;
	if (create->offset > file_size || size > file_size - create->offset)
		return -ERANGE;
	segment = kmalloc(sizeof(*segment), GFP_KERNEL);
	if (!segment)
		return -ENOMEM;
	segment->offset = create->region_offset;
	segment->size = size;
	segment->prot = create->prot;
	ret = mshare_library_map(region, file, segment,
				 create->offset >> PAGE_SHIFT, create->prot,
				 MAP_SHARED | (create->flags & MAP_POPULATE));
	if (ret)
		kfree(segment);
	return ret;
}

static int do_create_mapping(struct file *file, const void __user *arg)
{
	struct mshare_region *region = mshare_region_of(file);
	struct mshare_create create;
	struct file *mapped;
	int ret = may_populate(file);

	if (ret)
		return ret;
	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	mapped = fget(create.fd);
	ret = lock_unsealed(file);
	if (ret)
		goto out;
	ret = check_create(region, &create);
	if (!ret)
		ret = mshare_host_ready(region);
	if (!ret)
		ret = mapped ? map_file(region, mapped, &create) : -EBADF;
	unlock(file);
out:
	if (mapped)
		fput(mapped);
	return ret;
}

static int check_data(const struct mshare_region *region,
		      const struct mshare_data *data)
{
	if (data->reserved || !data->size || offset_in_page(data->size) ||
	    offset_in_page(data->offset) ||
	    !IS_ALIGNED(data->region_offset, MSHARE_WINDOW_SIZE))
		return -EINVAL;
	if (data->region_offset < MSHARE_WINDOW_SIZE ||
	    data->region_offset > region->size ||
	    data->size > region->size - data->region_offset)
		return -ERANGE;
	return 0;
}

static int do_set_data(struct file *file, const void __user *arg)
{
	struct mshare_region *region = mshare_region_of(file);
	struct mshare_data data;
	struct file *mapped;
	int ret = may_populate(file);

	if (ret)
		return ret;
	if (copy_from_user(&data, arg, sizeof(data)))
		return -EFAULT;
	mapped = fget(data.fd);
	ret = lock_unsealed(file);
	if (ret)
		goto out;
	ret = check_data(region, &data);
	if (!ret)
		ret = mapped ? mshare_zone_add(region, mapped, &data) : -EBADF;
	unlock(file);
out:
	if (mapped)
		fput(mapped);
	return ret;
}

static int unmap_library(struct mshare_region *region,
			 const struct mshare_unmap *unmap)
{
	struct mshare_library *lib = mshare_library_at(region,
						       unmap->region_offset);

	if (!lib)
		return -ENOENT;
	if (unmap->size && unmap->size != lib->size)
		return -EINVAL;
	if (mshare_sealed(region))
		mshare_library_retire(lib);
	else
		mshare_library_forget(lib);
	return 0;
}

static int do_unmap(struct file *file, const void __user *arg)
{
	struct mshare_region *region = mshare_region_of(file);
	struct mshare_unmap unmap;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&unmap, arg, sizeof(unmap)))
		return -EFAULT;
	inode_lock(file_inode(file));
	if (mshare_sealed(region) || (file->f_mode & FMODE_WRITE))
		ret = unmap_library(region, &unmap);
	else
		ret = -EBADF;
	unlock(file);
	return ret;
}

/* Not with the region's lock: processes may keep their mmap_lock for long. */
static int do_unshare(struct file *file, void __user *arg)
{
	struct mshare_region *region = mshare_region_of(file);
	struct mshare_unshare unshare;
	struct mshare_library *lib;
	int ret;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&unshare, arg, sizeof(unshare)))
		return -EFAULT;
	if (!mshare_sealed(region))
		return -EINVAL;
	lib = mshare_library_at(region, unshare.region_offset);
	if (!lib)
		return -ENOENT;
	ret = mshare_library_unshare(lib, &unshare);
	if (ret)
		return ret;
	return copy_to_user(arg, &unshare, sizeof(unshare)) ? -EFAULT : 0;
}

static int do_seal(struct file *file)
{
	int ret = may_populate(file);

	if (!ret)
		ret = lock_unsealed(file);
	if (ret)
		return ret;
	ret = mshare_region_seal(mshare_region_of(file));
	unlock(file);
	return ret;
}

static int do_stat(struct file *file, void __user *arg)
{
	struct mshare_stat stat;

	inode_lock_shared(file_inode(file));
	mshare_stat_fill(mshare_region_of(file), &stat);
	inode_unlock_shared(file_inode(file));
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static int do_library_stat(struct file *file, void __user *arg)
{
	struct mshare_library_stat stat;
	int ret;

	if (copy_from_user(&stat, arg, sizeof(stat)))
		return -EFAULT;
	inode_lock_shared(file_inode(file));
	ret = mshare_library_stat_fill(mshare_region_of(file), &stat);
	inode_unlock_shared(file_inode(file));
	if (ret)
		return ret;
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

static int do_process_stat(struct file *file, void __user *arg)
{
	struct mshare_process_stat stat;
	int ret;

	if (copy_from_user(&stat, arg, sizeof(stat)))
		return -EFAULT;
	if (stat.pid < 0 || stat.reserved)
		return -EINVAL;
	if (stat.pid && stat.pid != task_tgid_vnr(current) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	ret = mshare_process_stat_fill(mshare_region_of(file), &stat);
	if (ret)
		return ret;
	return copy_to_user(arg, &stat, sizeof(stat)) ? -EFAULT : 0;
}

/*
 * Who looks often enough sees when others run which part of a library: not for
 * everybody, as /proc/kpagecount is not.  What is filled in under the lock is
 * copied to the user after it.
 */
static int do_window_dump(struct file *file, void __user *arg)
{
	struct mshare_window_stat *windows;
	struct mshare_window_dump dump;
	int ret = 0;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&dump, arg, sizeof(dump)))
		return -EFAULT;
	if (dump.reserved || !dump.nr)
		return -EINVAL;
	dump.nr = min(dump.nr, WINDOW_DUMP_MAX);
	windows = kvmalloc_array(dump.nr, sizeof(*windows), GFP_KERNEL_ACCOUNT);
	if (!windows)
		return -ENOMEM;
	inode_lock_shared(file_inode(file));
	dump.nr = mshare_window_dump_fill(mshare_region_of(file), &dump.offset,
					  windows, dump.nr);
	inode_unlock_shared(file_inode(file));
	if (copy_to_user(u64_to_user_ptr(dump.windows), windows,
			 dump.nr * sizeof(*windows)) ||
	    copy_to_user(arg, &dump, sizeof(dump)))
		ret = -EFAULT;
	kvfree(windows);
	return ret;
}

/**
 * mshare_ioctl() - ->unlocked_ioctl of a region
 * @file: the region's file
 * @cmd: MSHAREFS_*
 * @ptr: address of its struct
 */
long mshare_ioctl(struct file *file, unsigned int cmd, unsigned long ptr)
{
	void __user *arg = (void __user *)ptr;

	switch (cmd) {
	case MSHAREFS_CREATE_MAPPING:
		return do_create_mapping(file, arg);
	case MSHAREFS_SET_DATA:
		return do_set_data(file, arg);
	case MSHAREFS_UNMAP:
		return do_unmap(file, arg);
	case MSHAREFS_DONATE:
		return do_donate(file, arg);
	case MSHAREFS_SEAL:
		return do_seal(file);
	case MSHAREFS_STAT:
		return do_stat(file, arg);
	case MSHAREFS_LIBRARY_STAT:
		return do_library_stat(file, arg);
	case MSHAREFS_PROCESS_STAT:
		return do_process_stat(file, arg);
	case MSHAREFS_UNSHARE:
		return do_unshare(file, arg);
	case MSHAREFS_WINDOW_DUMP:
		return do_window_dump(file, arg);
	default:
		return -ENOTTY;
	}
}
