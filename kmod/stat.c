// SPDX-License-Identifier: GPL-2.0
/*
 * What a region tells about itself.
 */
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "mshare.h"

/**
 * mshare_info_fill() - what read(2) gives at offset 0
 * @region: the region
 * @info: all of it is set
 */
void mshare_info_fill(struct mshare_region *region, struct mshare_info *info)
{
	bool sealed = mshare_sealed(region);

	*info = (struct mshare_info){
		.start = region->start,
		.size = region->size,
		.generation = sealed ? region->generation : 0,
		.catalog_size = region->catalog_size,
		.flags = (sealed ? MSHARE_SEALED : 0) |
			 (READ_ONCE(region->retired) ? MSHARE_RETIRED : 0),
	};
}

/**
 * mshare_stat_fill() - MSHAREFS_STAT
 * @region: the region, its inode locked
 * @stat: all of it is set
 */
void mshare_stat_fill(struct mshare_region *region, struct mshare_stat *stat)
{
	struct mshare_library *lib;
	struct mshare_zone *zone;
	unsigned long index;
	unsigned int i;

	*stat = (struct mshare_stat){ .nr_counters = MSHARE_NR_COUNTERS };
	for (i = 0; i < MSHARE_NR_COUNTERS; i++)
		stat->counters[i] = atomic_long_read(&region->counters[i]);
	if (region->host)
		stat->host_pgtables = mm_pgtables_bytes(region->host);
	xa_for_each(&region->libraries, index, lib) {
		stat->libraries++;
		stat->windows += lib->nr_windows;
		stat->sharers += atomic_long_read(&lib->sharers);
		stat->attached += atomic_long_read(&lib->attached);
	}
	list_for_each_entry(zone, &region->zones, list)
		stat->data_size += zone->size;
}

/**
 * mshare_library_stat_fill() - MSHAREFS_LIBRARY_STAT
 * @region: the region, its inode locked
 * @stat: region_offset is read, then all of it is set
 *
 * Return: 0, or -ENOENT.
 */
int mshare_library_stat_fill(struct mshare_region *region,
			     struct mshare_library_stat *stat)
{
	unsigned long offset = stat->region_offset;
	struct mshare_library *lib;
	unsigned long index;

	xa_for_each(&region->libraries, index, lib) {
		if (lib->offset + lib->size <= offset)
			continue;
		*stat = (struct mshare_library_stat){
			.region_offset = lib->offset,
			.size = lib->size,
			.windows = lib->nr_windows,
			.sharers = atomic_long_read(&lib->sharers),
			.attached = atomic_long_read(&lib->attached),
			.flags = READ_ONCE(lib->retired) ?
				 MSHARE_LIBRARY_RETIRED : 0,
		};
		return 0;
	}
	return -ENOENT;
}

static struct mm_struct *mm_of_pid(pid_t nr)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *pid;

	if (!nr)
		return get_task_mm(current);
	pid = find_get_pid(nr);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return NULL;
	mm = get_task_mm(task);
	put_task_struct(task);
	return mm;
}

/* Is there a page of PTEs?  One text window may lie in two of the process. */
static bool has_table(struct mm_struct *mm, unsigned long first,
		      unsigned long last)
{
	return pmd_present(mshare_pmd_at(mm, first)) ||
	       pmd_present(mshare_pmd_at(mm, last));
}

/*
 * A link does not tell all: fork copies private pages, and with them tables,
 * into an mm that is no sharer yet, or moved text was never to be one.
 */
static u8 text_flags(const struct vm_area_struct *vma, unsigned int i,
		     unsigned long first, unsigned long last)
{
	struct mshare_sharer *sharer = vma->vm_private_data;
	struct mshare_window *window;
	u8 flags = 0;

	if (!sharer)
		return has_table(vma->vm_mm, first, last) ?
		       MSHARE_WINDOW_PRIVATE : 0;
	window = &sharer->library->windows[i];
	mshare_window_lock(window);
	if (!hlist_unhashed(&sharer->links[i].node))
		flags = MSHARE_WINDOW_ATTACHED;
	else if (sharer->links[i].private || has_table(vma->vm_mm, first, last))
		flags = MSHARE_WINDOW_PRIVATE;
	mshare_window_unlock(window);
	return flags;
}

/* The windows one text VMA reaches. */
static void vma_windows(const struct vm_area_struct *vma, u8 *windows)
{
	struct mshare_library *lib = mshare_text_library(vma);
	unsigned long start = mshare_vma_start(vma, lib);
	unsigned long i = (vma->vm_start - start) / MSHARE_WINDOW_SIZE;
	unsigned long first = vma->vm_start, end;

	for (; first < vma->vm_end && i < lib->nr_windows; i++, first = end) {
		end = min(start + (i + 1) * MSHARE_WINDOW_SIZE, vma->vm_end);
		windows[lib->first + i] |= MSHARE_WINDOW_MAPPED |
					   text_flags(vma, i, first, end - 1);
	}
}

static int mm_windows(struct mm_struct *mm, struct mshare_region *region,
		      u8 *windows)
{
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	for (vma = find_vma(mm, 0); vma; vma = find_vma(mm, vma->vm_end))
		if (vma->vm_ops == &mshare_text_vm_ops &&
		    mshare_text_library(vma)->region == region)
			vma_windows(vma, windows);
	mmap_read_unlock(mm);
	return 0;
}

/**
 * mshare_process_stat_fill() - MSHAREFS_PROCESS_STAT
 * @region: the region
 * @stat: pid, nr and windows are read; nr and attached are set
 *
 * Return: 0, -ESRCH, -EFAULT, -ENOMEM or -EINTR.
 */
int mshare_process_stat_fill(struct mshare_region *region,
			     struct mshare_process_stat *stat)
{
	unsigned long nr = region->size / MSHARE_WINDOW_SIZE, i;
	struct mm_struct *mm;
	u8 *windows;
	int ret;

	mm = mm_of_pid(stat->pid);
	if (!mm)
		return -ESRCH;
	windows = kvzalloc(nr ?: 1, GFP_KERNEL_ACCOUNT);
	ret = windows ? mm_windows(mm, region, windows) : -ENOMEM;
	mmput(mm);
	if (ret)
		goto out;

	stat->attached = 0;
	for (i = 0; i < nr; i++)
		stat->attached += !!(windows[i] & MSHARE_WINDOW_ATTACHED);
	if (stat->windows &&
	    copy_to_user(u64_to_user_ptr(stat->windows), windows,
			 min_t(unsigned long, stat->nr, nr)))
		ret = -EFAULT;
	stat->nr = nr;
out:
	kvfree(windows);
	return ret;
}

static void window_stat(struct mshare_library *lib, unsigned int i,
			struct mshare_window_stat *stat)
{
	struct mshare_window *window = &lib->windows[i];

	*stat = (struct mshare_window_stat){
		.offset = (lib->first + i) * MSHARE_WINDOW_SIZE,
		.library = lib->offset,
	};
	mshare_window_lock(window);
	stat->attaches = window->attaches;
	stat->links = window->nr_links;
	stat->flushing = window->flushing;
	stat->flags = window->live ? MSHARE_WINDOW_LIVE : 0;
	mshare_window_unlock(window);
}

/**
 * mshare_window_dump_fill() - MSHAREFS_WINDOW_DUMP
 * @region: the region, its inode locked
 * @offset: where to begin; set to where to go on
 * @windows: filled in
 * @nr: room there
 *
 * Return: how many are filled in.
 */
unsigned int mshare_window_dump_fill(struct mshare_region *region, u64 *offset,
				     struct mshare_window_stat *windows,
				     unsigned int nr)
{
	u64 next = *offset / MSHARE_WINDOW_SIZE +
		   !IS_ALIGNED(*offset, MSHARE_WINDOW_SIZE);
	struct mshare_library *lib;
	unsigned int i, n = 0;
	unsigned long index;

	if (!mshare_sealed(region))
		return 0;
	xa_for_each(&region->libraries, index, lib) {
		/* A user keeps the windows. */
		if (lib->first + lib->nr_windows <= next ||
		    !mshare_library_join_users(lib))
			continue;
		i = max_t(u64, next, lib->first) - lib->first;
		for (; i < lib->nr_windows && n < nr; i++)
			window_stat(lib, i, &windows[n++]);
		mshare_library_put_user(lib);
		if (n == nr)
			break;
	}
	if (n)
		*offset = windows[n - 1].offset + MSHARE_WINDOW_SIZE;
	return n;
}
