// SPDX-License-Identifier: GPL-2.0
/*
 * Regions and their libraries: how they come together until the seal, and how
 * they go.
 *
 * A region lives while it has a name, an open descriptor or a mapping: its
 * inode and each text file of its libraries hold it.  When it loses its name it
 * retires: no new mappings, and the host lets go of each library as soon as
 * that has no user, and of data at once (data.c), so that nobody's disk blocks
 * or file system are held by a region nobody uses.  Libraries stay in
 * region->libraries, empty, until the region is freed: no lock is needed to
 * look one up.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "mshare.h"
#include "trace.h"

/* Drops of retired libraries. */
static struct workqueue_struct *drop_wq;

/* Of the last region that was sealed. */
static atomic64_t generation;

/**
 * mshare_region_init() - make the workqueue libraries are dropped from
 */
int mshare_region_init(void)
{
	drop_wq = alloc_workqueue("mshare_drop", WQ_UNBOUND, 0);
	return drop_wq ? 0 : -ENOMEM;
}

/**
 * mshare_region_exit() - wait for the last drop and free the workqueue
 */
void mshare_region_exit(void)
{
	destroy_workqueue(drop_wq);
}

/**
 * mshare_region_alloc() - make an empty region
 *
 * Return: the region, held once; or NULL.
 */
struct mshare_region *mshare_region_alloc(void)
{
	struct mshare_region *region = kzalloc(sizeof(*region), GFP_KERNEL);

	if (!region)
		return NULL;
	kref_init(&region->ref);
	xa_init(&region->libraries);
	INIT_LIST_HEAD(&region->zones);
	spin_lock_init(&region->users_lock);
	spin_lock_init(&region->snapshots_lock);
	INIT_LIST_HEAD(&region->snapshots);
	return region;
}

static void free_segments(struct mshare_library *lib)
{
	struct mshare_segment *segment, *next;

	list_for_each_entry_safe(segment, next, &lib->segments, list) {
		list_del(&segment->list);
		kfree(segment);
	}
}

/* Undo what the seal made: nobody maps the library. */
static void unprepare_library(struct mshare_library *lib)
{
	if (lib->notifier.ops) {
		mmu_interval_notifier_remove(&lib->notifier);
		lib->notifier.ops = NULL;
	}
	mshare_windows_free(lib);
	if (lib->anchor) {
		mshare_text_destroy(lib->anchor);
		lib->anchor = NULL;
	}
}

/* Let go of the library's file. */
static void release_file(struct mshare_library *lib)
{
	if (lib->real)
		fput(lib->real);
	if (lib->file)
		fput(lib->file);
	lib->real = NULL;
	lib->file = NULL;
}

static void free_library(struct mshare_library *lib)
{
	unprepare_library(lib);
	release_file(lib);
	free_segments(lib);
	kfree(lib);
}

static void region_release(struct kref *ref)
{
	struct mshare_region *region =
		container_of(ref, struct mshare_region, ref);
	struct mshare_library *lib;
	unsigned long index;

	mshare_snapshots_prune(region);
	WARN_ON_ONCE(!list_empty(&region->snapshots));
	xa_for_each(&region->libraries, index, lib)
		free_library(lib);
	xa_destroy(&region->libraries);
	mshare_zones_free(region);
	if (region->host)
		mmput_async(region->host);
	kfree(region);
}

/**
 * mshare_region_put() - drop a reference
 * @region: the region
 */
void mshare_region_put(struct mshare_region *region)
{
	kref_put(&region->ref, region_release);
}

/**
 * mshare_library_at() - the library whose text holds a region offset
 * @region: the region, sealed or its inode locked
 * @offset: region offset
 *
 * Return: the library, or NULL.
 */
struct mshare_library *mshare_library_at(struct mshare_region *region,
					 unsigned long offset)
{
	struct mshare_library *lib;
	unsigned long index;

	xa_for_each_range(&region->libraries, index, lib, 0,
			  offset / MSHARE_WINDOW_SIZE)
		if (offset >= lib->offset && offset - lib->offset < lib->size)
			return lib;
	return NULL;
}

static struct mshare_library *alloc_library(struct mshare_region *region,
					    struct file *file)
{
	struct mshare_library *lib = kzalloc(sizeof(*lib), GFP_KERNEL);

	if (!lib)
		return NULL;
	lib->region = region;
	lib->file = get_file(file);
	INIT_LIST_HEAD(&lib->segments);
	mshare_hold_setup(lib);
	return lib;
}

static unsigned long first_window(unsigned long offset)
{
	return offset / MSHARE_WINDOW_SIZE;
}

static unsigned long last_window(unsigned long offset, unsigned long size)
{
	return (offset + size - 1) / MSHARE_WINDOW_SIZE;
}

/**
 * mshare_library_in() - does a library have one of the windows of a range?
 * @region: the region, its inode locked
 * @offset: region offset of the range
 * @size: its bytes
 */
bool mshare_library_in(struct mshare_region *region, unsigned long offset,
		       unsigned long size)
{
	struct mshare_library *lib;
	unsigned long index;

	xa_for_each_range(&region->libraries, index, lib, 0,
			  last_window(offset, size))
		if (lib->first + lib->nr_windows > first_window(offset))
			return true;
	return false;
}

/*
 * Find the library a new mapping continues: the same file at the same
 * distance, in the same or a neighbouring window.
 *
 * Return: it, or NULL if there is none, or -EEXIST if another library is in
 * one of the windows, or the mapping would join two.
 */
static struct mshare_library *find_library(struct mshare_region *region,
					   struct file *file,
					   unsigned long offset,
					   unsigned long size, pgoff_t pgoff)
{
	unsigned long first = first_window(offset);
	unsigned long last = last_window(offset, size);
	struct mshare_library *lib, *found = NULL;
	unsigned long index;

	xa_for_each(&region->libraries, index, lib) {
		unsigned long lib_last = lib->first + lib->nr_windows - 1;
		bool same = file_inode(lib->file) == file_inode(file) &&
			    offset - (pgoff << PAGE_SHIFT) ==
			    lib->offset - (lib->pgoff << PAGE_SHIFT);

		if (first > lib_last + 1 || last + 1 < lib->first)
			continue;
		if (same && !found)
			found = lib;
		else if (same || (first <= lib_last && last >= lib->first))
			return ERR_PTR(-EEXIST);
	}
	return found;
}

/* Make a mapping part of its library's extent, and the library findable. */
static int extend_library(struct mshare_library *lib, unsigned long offset,
			  unsigned long size, pgoff_t pgoff)
{
	struct xarray *libraries = &lib->region->libraries;
	unsigned long start = offset, end = offset + size;
	unsigned long first;
	int ret;

	if (lib->size) {
		start = min(start, lib->offset);
		end = max(end, lib->offset + lib->size);
	}
	first = first_window(start);
	if (!lib->size || first != lib->first) {
		ret = xa_err(xa_store(libraries, first, lib, GFP_KERNEL));
		if (ret)
			return ret;
		if (lib->size)
			xa_erase(libraries, lib->first);
	}
	if (start == offset)
		lib->pgoff = pgoff;
	lib->offset = start;
	lib->size = end - start;
	lib->first = first;
	lib->nr_windows = last_window(start, end - start) - first + 1;
	return 0;
}

/**
 * mshare_library_map() - map part of a file into a region
 * @region: a region that is not sealed and has a host, its inode locked
 * @file: the file, accepted by mshare_text_accepts()
 * @segment: where in the region; owned by the library on success
 * @pgoff: page offset in the file
 * @prot: PROT_READ, or with PROT_EXEC
 * @flags: MAP_SHARED, or with MAP_POPULATE
 *
 * Return: 0; -EEXIST if another library, mapping or data is there; -EINVAL if the
 * file's pages cannot be shared; -ENOMEM; or what mmap gives.
 */
int mshare_library_map(struct mshare_region *region, struct file *file,
		       struct mshare_segment *segment, pgoff_t pgoff,
		       unsigned long prot, unsigned long flags)
{
	struct mshare_library *lib;
	int ret;

	if (mshare_zone_in(region, segment->offset, segment->size))
		return -EEXIST;
	lib = find_library(region, file, segment->offset, segment->size, pgoff);
	if (IS_ERR(lib))
		return PTR_ERR(lib);
	if (!lib)
		lib = alloc_library(region, file);
	if (!lib)
		return -ENOMEM;
	ret = mshare_host_map(lib, file, segment, pgoff, prot, flags);
	if (ret)
		goto err;
	ret = extend_library(lib, segment->offset, segment->size, pgoff);
	if (ret)
		goto err_unmap;
	list_add_tail(&segment->list, &lib->segments);
	return 0;

err_unmap:
	mshare_host_unmap(lib, segment);
err:
	if (!lib->size)
		free_library(lib);
	return ret;
}

/**
 * mshare_library_forget() - take a library out of a region not yet sealed
 * @lib: the library; its region's inode is locked
 */
void mshare_library_forget(struct mshare_library *lib)
{
	mshare_host_drop(lib);
	xa_erase(&lib->region->libraries, lib->first);
	free_library(lib);
}

static int prepare_library(struct mshare_library *lib)
{
	int ret;

	ret = mshare_host_check(lib);
	if (ret)
		return ret;
	ret = mshare_windows_alloc(lib);
	if (ret)
		return ret;
	lib->anchor = mshare_text_create(lib);
	if (IS_ERR(lib->anchor)) {
		ret = PTR_ERR(lib->anchor);
		lib->anchor = NULL;
		return ret;
	}
	ret = mshare_host_watch(lib);
	if (ret)
		lib->notifier.ops = NULL;
	return ret;
}

static void drop_work(struct work_struct *work);

/**
 * mshare_region_seal() - make a region complete
 * @region: the region, its inode locked
 *
 * Return: 0, -ENXIO, -EBUSY, -ENOMEM, or -EINVAL if the host holds something
 * that must not be linked; then the region is as it was.
 */
int mshare_region_seal(struct mshare_region *region)
{
	struct mshare_library *lib;
	unsigned long index;
	int ret;

	ret = mshare_host_ready(region);
	if (ret)
		return ret;
	xa_for_each(&region->libraries, index, lib) {
		INIT_WORK(&lib->drop, drop_work);
		ret = prepare_library(lib);
		if (ret)
			goto err;
	}
	xa_for_each(&region->libraries, index, lib)
		mshare_windows_set_live(lib, true);

	region->generation = atomic64_inc_return(&generation);
	/* Pairs with the acquire in mshare_sealed(). */
	smp_store_release(&region->state, MSHARE_STATE_SEALED);
	trace_mshare_seal(region);
	return 0;

err:
	xa_for_each(&region->libraries, index, lib)
		unprepare_library(lib);
	return ret;
}

/* A retired library without users: let the host go of it. */
static void drop_work(struct work_struct *work)
{
	struct mshare_library *lib =
		container_of(work, struct mshare_library, drop);
	struct mshare_region *region = lib->region;

	mshare_host_drop(lib);
	unprepare_library(lib);
	release_file(lib);
	mshare_region_put(region);
}

static void queue_drop(struct mshare_library *lib)
{
	if (mshare_inject(MSHARE_SKIP_DROP))
		return;
	kref_get(&lib->region->ref);
	queue_work(drop_wq, &lib->drop);
}

/**
 * mshare_library_get_user() - become a user of a library
 * @lib: a library of a sealed region
 *
 * Return: false if it is retired.
 */
bool mshare_library_get_user(struct mshare_library *lib)
{
	struct mshare_region *region = lib->region;
	bool ok;

	spin_lock(&region->users_lock);
	ok = !lib->retired;
	if (ok) {
		lib->users++;
		kref_get(&region->ref);
	}
	spin_unlock(&region->users_lock);
	return ok;
}

/**
 * mshare_library_join_users() - become one user more, of a retired one too
 * @lib: a library of a sealed region
 *
 * Return: false if it is being dropped.
 */
bool mshare_library_join_users(struct mshare_library *lib)
{
	struct mshare_region *region = lib->region;
	bool ok;

	spin_lock(&region->users_lock);
	ok = lib->users || !lib->retired;
	if (ok) {
		lib->users++;
		kref_get(&region->ref);
	}
	spin_unlock(&region->users_lock);
	return ok;
}

/**
 * mshare_library_put_user() - end that
 * @lib: the library
 */
void mshare_library_put_user(struct mshare_library *lib)
{
	struct mshare_region *region = lib->region;

	spin_lock(&region->users_lock);
	if (!--lib->users && lib->retired)
		queue_drop(lib);
	spin_unlock(&region->users_lock);
	mshare_region_put(region);
}

/**
 * mshare_library_retire() - no new users; gone when the last one is
 * @lib: a library of a sealed region
 *
 * Either this or the last mshare_library_put_user() queues the drop, once.
 */
void mshare_library_retire(struct mshare_library *lib)
{
	struct mshare_region *region = lib->region;

	spin_lock(&region->users_lock);
	if (!lib->retired) {
		lib->retired = true;
		trace_mshare_retire(lib);
		if (!lib->users)
			queue_drop(lib);
	}
	spin_unlock(&region->users_lock);
}

/**
 * mshare_region_retire() - the region has lost its name
 * @region: the region
 */
void mshare_region_retire(struct mshare_region *region)
{
	struct mshare_library *lib;
	unsigned long index;

	WRITE_ONCE(region->retired, true);
	mshare_zones_release(region);
	if (!mshare_sealed(region))
		return;
	xa_for_each(&region->libraries, index, lib)
		mshare_library_retire(lib);
}
