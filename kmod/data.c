// SPDX-License-Identifier: GPL-2.0
/*
 * Data zones: parts of a region that files give the data for.
 *
 * The data of an image is relocated once for all, for the address its region
 * has, and is worth nothing with the text of another region.  So a process gets
 * both by one descriptor: text from the libraries, data from the zones.
 *
 * What a process maps of a zone is the zone's file itself, by the file's own
 * ->mmap, as if the process had opened it: nothing of it is linked, and the
 * mapping is no affair of this module any more.
 *
 * Invariant 13.  As long as a region gives out a zone, nobody can write to its
 * file: all processes find in it what the region was sealed with.  When the
 * region retires it gives out none, and lets go of all.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hugetlb.h>
#include <linux/slab.h>

#include "compat.h"
#include "mshare.h"

/* One that comes from anybody but root might be another one tomorrow. */
static int accepts(struct file *file)
{
	struct inode *inode = file_inode(file);
	int ret = mshare_text_accepts(file);

	if (ret)
		return ret;
	if (!uid_eq(inode->i_uid, GLOBAL_ROOT_UID) || (inode->i_mode & 0022))
		return -EACCES;
	/* A region's would call us again, and again. */
	if (!file->f_op->mmap || file->f_op->mmap == mshare_mmap ||
	    is_file_hugepages(file))
		return -EINVAL;
	return 0;
}

static bool is_beyond(struct file *file, const struct mshare_data *data)
{
	u64 size = i_size_read(file_inode(file));

	return data->offset > size || data->size > size - data->offset;
}

/* Make a zone the region's, if nobody may write to its file. */
static int enter(struct mshare_region *region, struct mshare_zone *zone,
		 struct file *file, const struct mshare_data *data)
{
	int ret = deny_write_access(file);

	if (ret)
		return ret;
	/* Now that nobody can cut it any more. */
	if (is_beyond(file, data)) {
		allow_write_access(file);
		return -ERANGE;
	}
	if (mshare_inject(MSHARE_WRITE_DATA))
		allow_write_access(file);
	zone->file = get_file(file);
	spin_lock(&region->users_lock);
	list_add_tail(&zone->list, &region->zones);
	spin_unlock(&region->users_lock);
	return 0;
}

/**
 * mshare_zone_add() - give a part of a region data
 * @region: a region that is not sealed, its inode locked
 * @file: the file
 * @data: where, inside the region and behind its first window
 *
 * Return: 0, or an error as struct mshare_data says.
 */
int mshare_zone_add(struct mshare_region *region, struct file *file,
		    const struct mshare_data *data)
{
	struct mshare_zone *zone;
	int ret;

	/* Only then is the region's size what it will be. */
	if (region->state == MSHARE_EMPTY)
		return -ENXIO;
	ret = accepts(file);
	if (ret)
		return ret;
	if (mshare_library_in(region, data->region_offset, data->size) ||
	    mshare_zone_in(region, data->region_offset, data->size))
		return -EEXIST;
	zone = kmalloc(sizeof(*zone), GFP_KERNEL);
	if (!zone)
		return -ENOMEM;
	zone->offset = data->region_offset;
	zone->size = data->size;
	zone->pgoff = data->offset >> PAGE_SHIFT;
	ret = enter(region, zone, file, data);
	if (ret)
		kfree(zone);
	return ret;
}

/**
 * mshare_zone_in() - does a zone have one of the windows of a range?
 * @region: the region, its inode locked
 * @offset: region offset of the range
 * @size: its bytes
 */
bool mshare_zone_in(const struct mshare_region *region, unsigned long offset,
		    unsigned long size)
{
	const struct mshare_zone *zone;

	list_for_each_entry(zone, &region->zones, list)
		if (round_down(offset, MSHARE_WINDOW_SIZE) <
		    zone->offset + zone->size &&
		    zone->offset < offset + size)
			return true;
	return false;
}

/* The zone that a range lies in, of a sealed region. */
static struct mshare_zone *zone_of(struct mshare_region *region,
				   unsigned long offset, unsigned long size)
{
	struct mshare_zone *zone;

	list_for_each_entry(zone, &region->zones, list)
		if (offset >= zone->offset && size <= zone->size &&
		    offset - zone->offset <= zone->size - size)
			return zone;
	return NULL;
}

/* The file of a zone, held; NULL if the region has let go of it. */
static struct file *get_zone_file(struct mshare_region *region,
				  const struct mshare_zone *zone)
{
	struct file *file;

	spin_lock(&region->users_lock);
	file = zone->file;
	if (file)
		get_file(file);
	spin_unlock(&region->users_lock);
	return file;
}

/**
 * mshare_zone_map() - make a VMA in the making a mapping of a zone's file
 * @region: a sealed region
 * @vma: the VMA, private, readable and writable
 *
 * Return: 0; -EINVAL: not inside one zone; -EAGAIN: retired; or what the file's
 * own ->mmap gives.
 */
int mshare_zone_map(struct mshare_region *region, struct vm_area_struct *vma)
{
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;
	unsigned long size = vma->vm_end - vma->vm_start;
	struct mshare_zone *zone = zone_of(region, offset, size);
	struct file *file;
	int ret;

	if (!zone)
		return -EINVAL;
	file = get_zone_file(region, zone);
	if (!file)
		return -EAGAIN;
	/* If it fails, the core lets go of what the VMA then has. */
	vma_set_file(vma, file);
	vma->vm_pgoff = zone->pgoff + ((offset - zone->offset) >> PAGE_SHIFT);
	ret = call_mmap(file, vma);
	fput(file);
	return ret;
}

static void release_files(struct mshare_region *region)
{
	struct mshare_zone *zone;

	spin_lock(&region->users_lock);
	list_for_each_entry(zone, &region->zones, list) {
		if (!zone->file)
			continue;
		allow_write_access(zone->file);
		fput(zone->file);
		zone->file = NULL;
	}
	spin_unlock(&region->users_lock);
}

/**
 * mshare_zones_release() - let go of the files of all zones
 * @region: a region that has lost its name
 */
void mshare_zones_release(struct mshare_region *region)
{
	if (!mshare_inject(MSHARE_KEEP_DATA))
		release_files(region);
}

/**
 * mshare_zones_free() - free all zones of a region
 * @region: a region that is being freed
 */
void mshare_zones_free(struct mshare_region *region)
{
	struct mshare_zone *zone, *next;

	/* A region without a name can still be given some. */
	release_files(region);
	list_for_each_entry_safe(zone, next, &region->zones, list)
		kfree(zone);
}
