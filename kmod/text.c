// SPDX-License-Identifier: GPL-2.0
/*
 * The file behind a text mapping.
 *
 * A sharer's VMA must name the library in /proc/PID/maps, in core dumps and to
 * perf, but must not be in the library's i_mmap: rmap would walk the sharer's
 * PMD into the host's table and unmap shared PTEs on the sharer's account.  So
 * each library gets an internal inode without page cache, and a text VMA's
 * file is a backing file: the user's path is the library's, the real one this
 * inode's.
 *
 * The inode belongs to root and is nobody's to write, and its pages come from
 * ZONE_DMA, if there were any: that makes the VMA not migratable (10), so that
 * move_pages(), mbind() and NUMA balancing by one sharer leave everybody's
 * pages where they are.
 */
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>

#include "compat.h"
#include "mshare.h"

#define MSHARE_TEXT_MAGIC	0x6d736874	/* "msht" */

/* Mounted while there are libraries, and holds the module so long. */
static struct vfsmount *text_mnt;
static int text_pins;

/* The path a core dump's NT_FILE note gives: the library's. */
static char *text_dname(struct dentry *dentry, char *buffer, int buflen)
{
	struct mshare_library *lib = d_inode(dentry)->i_private;

	return d_path(&lib->file->f_path, buffer, buflen);
}

static const struct dentry_operations text_dentry_ops = {
	.d_dname	= text_dname,
};

static int text_release(struct inode *inode, struct file *file)
{
	/* The anchor is not a user. */
	if (file->f_mode & FMODE_BACKING)
		mshare_library_put_user(inode->i_private);
	return 0;
}

static const struct file_operations text_fops = {
	.release	= text_release,
};

static int text_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, MSHARE_TEXT_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->dops = &text_dentry_ops;
	return 0;
}

static struct file_system_type text_fs_type = {
	.owner		= THIS_MODULE,
	.name		= "mshare_text",
	.init_fs_context = text_init_fs_context,
	.kill_sb	= kill_anon_super,
};

static bool on_noexec_mount(const struct path *path)
{
	return (path->mnt->mnt_flags & MNT_NOEXEC) ||
	       (path->mnt->mnt_sb->s_iflags & SB_I_NOEXEC);
}

/* Can everyone traverse all directories from the root down to this file? */
static bool path_is_public(const struct path *file)
{
	struct path path = *file;
	bool public = true;

	path_get(&path);
	while (public) {
		struct dentry *parent;

		if (path.dentry == path.mnt->mnt_root) {
			if (!follow_up(&path))
				break;
			continue;
		}
		parent = dget_parent(path.dentry);
		public = d_inode(parent)->i_mode & 0001;
		dput(path.dentry);
		path.dentry = parent;
	}
	path_put(&path);
	return public;
}

/**
 * mshare_text_accepts() - may this file's pages be given to every process?
 * @file: the file
 *
 * A region must not give anybody what file permissions or noexec deny.
 *
 * Return: 0; -EACCES if not; -EINVAL if the file cannot be shared at all.
 */
int mshare_text_accepts(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (!S_ISREG(inode->i_mode) || !(inode->i_mode & 0004))
		return -EACCES;
	if (!(file->f_mode & FMODE_READ) || (file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (on_noexec_mount(&file->f_path) || !path_is_public(&file->f_path))
		return -EACCES;
	if (IS_DAX(inode))
		return -EINVAL;
	return 0;
}

static struct inode *text_inode(struct mshare_library *lib)
{
	struct inode *inode = alloc_anon_inode(text_mnt->mnt_sb);

	if (IS_ERR(inode))
		return inode;
	inode->i_mode = S_IFREG | 0444;
	inode->i_uid = GLOBAL_ROOT_UID;
	inode->i_gid = GLOBAL_ROOT_GID;
	inode->i_fop = &text_fops;
	inode->i_private = lib;
	i_size_write(inode, i_size_read(file_inode(lib->file)));
	if (!mshare_inject(MSHARE_MIGRATABLE))
		mapping_set_gfp_mask(inode->i_mapping, GFP_KERNEL | __GFP_DMA);
	return inode;
}

/**
 * mshare_text_create() - make the internal inode of a library
 * @lib: the library
 *
 * Return: its anchor, a file that keeps it, to be given back to
 * mshare_text_destroy(); or an error.
 */
struct file *mshare_text_create(struct mshare_library *lib)
{
	struct inode *inode;
	struct file *anchor;
	int ret;

	ret = simple_pin_fs(&text_fs_type, &text_mnt, &text_pins);
	if (ret)
		return ERR_PTR(ret);
	inode = text_inode(lib);
	if (IS_ERR(inode)) {
		anchor = ERR_CAST(inode);
		goto err_mnt;
	}
	anchor = alloc_file_pseudo(inode, text_mnt, "mshare", O_RDONLY,
				   &text_fops);
	if (IS_ERR(anchor))
		goto err_inode;
	return anchor;

err_inode:
	iput(inode);
err_mnt:
	simple_release_fs(&text_mnt, &text_pins);
	return anchor;
}

/**
 * mshare_text_destroy() - let go of the internal inode of a library
 * @anchor: what mshare_text_create() gave
 */
void mshare_text_destroy(struct file *anchor)
{
	fput(anchor);
	simple_release_fs(&text_mnt, &text_pins);
}

/**
 * mshare_text_open() - the file for one text mapping
 * @lib: a library whose user the caller is: the file's release ends that
 *
 * Return: the file, or an error, and the caller is a user still.
 */
struct file *mshare_text_open(struct mshare_library *lib)
{
	return mshare_backing_file_open(lib->file, O_RDONLY | O_LARGEFILE,
					&lib->anchor->f_path,
					lib->anchor->f_cred);
}

/**
 * mshare_text_file() - another file of a library's internal inode
 * @lib: a library with an anchor
 * @fops: what it does
 * @data: its private_data
 *
 * Return: the file, or an error.
 */
struct file *mshare_text_file(struct mshare_library *lib,
			      const struct file_operations *fops, void *data)
{
	struct inode *inode = file_inode(lib->anchor);
	struct file *file;

	ihold(inode);
	file = alloc_file_pseudo(inode, lib->anchor->f_path.mnt, "mshare",
				 O_RDONLY, fops);
	if (IS_ERR(file))
		iput(inode);
	else
		file->private_data = data;
	return file;
}

/**
 * mshare_text_library() - the library a text VMA maps
 * @vma: a VMA with mshare_text_vm_ops
 */
struct mshare_library *mshare_text_library(const struct vm_area_struct *vma)
{
	return file_inode(vma->vm_file)->i_private;
}
