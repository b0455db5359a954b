// SPDX-License-Identifier: GPL-2.0
/*
 * msharefs: regions as files of one flat directory.
 *
 * The catalog is the file's page cache, from MSHARE_CATALOG_OFFSET on; the
 * file's size is the region's.  Once the region is sealed neither changes.
 */
#include <linux/fs_context.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/statfs.h>
#include <linux/sysfs.h>
#include <linux/uio.h>

#include "compat.h"
#include "mshare.h"

#define MSHAREFS_MAGIC	0x6d736872	/* "mshr" */

/**
 * mshare_region_of() - the region an open file is
 * @file: a file of msharefs
 */
struct mshare_region *mshare_region_of(struct file *file)
{
	return file_inode(file)->i_private;
}

/*
 * A region that is not sealed, or whose name begins with a dot, goes with its
 * last descriptor.
 */
static bool is_transient(const struct dentry *dentry)
{
	return !mshare_sealed(d_inode(dentry)->i_private) ||
	       dentry->d_name.name[0] == '.';
}

static void remove_if_transient(struct dentry *dentry)
{
	struct mshare_region *region = d_inode(dentry)->i_private;
	struct dentry *parent = dget_parent(dentry);
	struct inode *dir = d_inode(parent);

	/* The directory's lock keeps the name as it is. */
	inode_lock_nested(dir, I_MUTEX_PARENT);
	if (simple_positive(dentry) && is_transient(dentry) &&
	    !atomic_read(&region->opens)) {
		simple_unlink(dir, dentry);
		d_drop(dentry);
		mshare_region_retire(region);
	}
	inode_unlock(dir);
	dput(parent);
}

static int msharefs_open(struct inode *inode, struct file *file)
{
	struct mshare_region *region = inode->i_private;

	atomic_inc(&region->opens);
	return 0;
}

static int msharefs_release(struct inode *inode, struct file *file)
{
	struct mshare_region *region = inode->i_private;

	if (atomic_dec_and_test(&region->opens))
		remove_if_transient(file->f_path.dentry);
	return 0;
}

static ssize_t read_info(struct mshare_region *region, struct kiocb *iocb,
			 struct iov_iter *to)
{
	struct mshare_info info;
	size_t n;

	mshare_info_fill(region, &info);
	n = copy_to_iter((char *)&info + iocb->ki_pos, sizeof(info) - iocb->ki_pos,
			 to);
	iocb->ki_pos += n;
	return n ?: -EFAULT;
}

static ssize_t msharefs_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct mshare_region *region = mshare_region_of(iocb->ki_filp);
	loff_t end = sizeof(struct mshare_info);

	if (!iov_iter_count(to))
		return 0;
	if (iocb->ki_pos < end)
		return read_info(region, iocb, to);
	/* Between the two, the page cache gives zeros. */
	if (region->catalog_size)
		end = MSHARE_CATALOG_OFFSET + region->catalog_size;
	if (iocb->ki_pos >= end)
		return 0;
	iov_iter_truncate(to, end - iocb->ki_pos);
	return generic_file_read_iter(iocb, to);
}

static ssize_t write_catalog(struct kiocb *iocb, struct iov_iter *from)
{
	struct mshare_region *region = mshare_region_of(iocb->ki_filp);
	loff_t end = iocb->ki_pos + iov_iter_count(from);
	ssize_t n;

	if (mshare_sealed(region))
		return -EPERM;
	if (iocb->ki_pos < MSHARE_CATALOG_OFFSET || end > MSHARE_WINDOW_SIZE ||
	    end > region->size)
		return -EFBIG;
	n = __generic_file_write_iter(iocb, from);
	if (n > 0)
		region->catalog_size =
			max_t(unsigned long, region->catalog_size,
			      iocb->ki_pos - MSHARE_CATALOG_OFFSET);
	return n;
}

static ssize_t msharefs_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t n;

	inode_lock(inode);
	n = generic_write_checks(iocb, from);
	if (n > 0)
		n = write_catalog(iocb, from);
	inode_unlock(inode);
	return n;
}

static long msharefs_fallocate(struct file *file, int mode, loff_t offset,
			       loff_t len)
{
	return mshare_sealed(mshare_region_of(file)) ? -EPERM : -EOPNOTSUPP;
}

static const struct file_operations msharefs_file_fops = {
	.owner		= THIS_MODULE,
	.open		= msharefs_open,
	.release	= msharefs_release,
	.llseek		= generic_file_llseek,
	.read_iter	= msharefs_read_iter,
	.write_iter	= msharefs_write_iter,
	.fallocate	= msharefs_fallocate,
	.mmap		= mshare_mmap,
	.get_unmapped_area = thp_get_unmapped_area,
	.unlocked_ioctl	= mshare_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.fsync		= noop_fsync,
};

static int set_size(struct inode *inode, loff_t size)
{
	struct mshare_region *region = inode->i_private;

	if (mshare_sealed(region))
		return -EPERM;
	if (region->state != MSHARE_EMPTY || region->catalog_size)
		return size == i_size_read(inode) ? 0 : -EBUSY;
	if (size % MSHARE_WINDOW_SIZE)
		return -EINVAL;
	if (size > MSHARE_REGION_MAX)
		return -EFBIG;
	region->size = size;
	i_size_write(inode, size);
	return 0;
}

static int msharefs_setattr(struct mnt_idmap *idmap, struct dentry *dentry,
			    struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	int ret = setattr_prepare(idmap, dentry, attr);

	if (ret)
		return ret;
	if (attr->ia_valid & ATTR_SIZE)
		ret = set_size(inode, attr->ia_size);
	if (ret)
		return ret;
	setattr_copy(idmap, inode, attr);
	return 0;
}

static const struct inode_operations msharefs_file_iops = {
	.getattr	= simple_getattr,
	.setattr	= msharefs_setattr,
};

static struct inode *new_inode_at(struct super_block *sb, struct inode *dir,
				  umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode_init_owner(&nop_mnt_idmap, inode, dir, mode);
	simple_inode_init_ts(inode);
	return inode;
}

static int msharefs_create(struct mnt_idmap *idmap, struct inode *dir,
			   struct dentry *dentry, umode_t mode, bool excl)
{
	struct mshare_region *region = mshare_region_alloc();
	struct inode *inode;

	if (!region)
		return -ENOMEM;
	inode = new_inode_at(dir->i_sb, dir, S_IFREG | (mode & 0777));
	if (!inode) {
		mshare_region_put(region);
		return -ENOMEM;
	}
	inode->i_private = region;
	inode->i_op = &msharefs_file_iops;
	inode->i_fop = &msharefs_file_fops;
	inode->i_mapping->a_ops = &ram_aops;
	mapping_set_gfp_mask(inode->i_mapping, GFP_HIGHUSER);
	mapping_set_unevictable(inode->i_mapping);

	d_instantiate(dentry, inode);
	dget(dentry);		/* stays until unlink */
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
	return 0;
}

static int msharefs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct mshare_region *region = d_inode(dentry)->i_private;
	int ret = simple_unlink(dir, dentry);

	if (!ret)
		mshare_region_retire(region);
	return ret;
}

/* A region that is renamed over another takes its place at once. */
static int msharefs_rename(struct mnt_idmap *idmap, struct inode *old_dir,
			   struct dentry *old_dentry, struct inode *new_dir,
			   struct dentry *new_dentry, unsigned int flags)
{
	struct inode *replaced = flags & RENAME_EXCHANGE ? NULL :
				 d_inode(new_dentry);
	struct mshare_region *region = replaced ? replaced->i_private : NULL;
	int ret = simple_rename(idmap, old_dir, old_dentry, new_dir, new_dentry,
				flags);

	if (!ret && region)
		mshare_region_retire(region);
	return ret;
}

static const struct inode_operations msharefs_dir_iops = {
	.lookup		= simple_lookup,
	.create		= msharefs_create,
	.unlink		= msharefs_unlink,
	.rename		= msharefs_rename,
};

static void msharefs_evict_inode(struct inode *inode)
{
	struct mshare_region *region = inode->i_private;

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	if (!region)
		return;
	mshare_region_retire(region);
	mshare_region_put(region);
}

static const struct super_operations msharefs_super_ops = {
	.statfs		= simple_statfs,
	.drop_inode	= generic_delete_inode,
	.evict_inode	= msharefs_evict_inode,
};

static int msharefs_fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct inode *root;

	sb->s_magic = MSHAREFS_MAGIC;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_time_gran = 1;
	/* No file system upon it: a region's mmap calls that of a data file. */
	sb->s_stack_depth = FILESYSTEM_MAX_STACK_DEPTH;
	sb->s_op = &msharefs_super_ops;

	root = new_inode_at(sb, NULL, S_IFDIR | 0755);
	if (!root)
		return -ENOMEM;
	root->i_op = &msharefs_dir_iops;
	root->i_fop = &simple_dir_operations;
	set_nlink(root, 2);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

/* One instance: the same regions wherever it is mounted. */
static int msharefs_get_tree(struct fs_context *fc)
{
	return get_tree_single(fc, msharefs_fill_super);
}

static const struct fs_context_operations msharefs_context_ops = {
	.get_tree	= msharefs_get_tree,
};

static int msharefs_init_fs_context(struct fs_context *fc)
{
	fc->ops = &msharefs_context_ops;
	return 0;
}

static struct file_system_type msharefs_type = {
	.owner		= THIS_MODULE,
	.name		= "msharefs",
	.init_fs_context = msharefs_init_fs_context,
	.kill_sb	= kill_litter_super,
};

/**
 * mshare_fs_init() - make msharefs and its mount point, /sys/fs/mshare
 */
int mshare_fs_init(void)
{
	int ret = sysfs_create_mount_point(fs_kobj, "mshare");

	if (ret)
		return ret;
	ret = register_filesystem(&msharefs_type);
	if (ret)
		sysfs_remove_mount_point(fs_kobj, "mshare");
	return ret;
}

/**
 * mshare_fs_exit() - remove them; no mount is left
 */
void mshare_fs_exit(void)
{
	unregister_filesystem(&msharefs_type);
	sysfs_remove_mount_point(fs_kobj, "mshare");
}
