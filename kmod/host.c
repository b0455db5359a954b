// SPDX-License-Identifier: GPL-2.0
/*
 * The host mm: an address space without a process that owns a region's
 * mappings and page tables.
 *
 * Invariant 8.  It comes from a donor process that gives its mm and exits; we hold one of
 * its mm_users, so that exit_mmap() does not run.  Before the first mapping
 * all the donor had mapped is unmapped, and from then on only this module
 * adds mappings: a donor that was still alive could map writable memory into
 * a hole of a window and so give it to every sharer.
 *
 * mmap needs a task with that mm: a worker borrows it.  The host's mmap_lock
 * is thus never taken by a task that holds a sharer's.
 *
 * Invariant 10.  Each text is mapped twice, the second time outside the region ("shadow") and
 * faulted first: pages with a mapcount of 1 pass the core's checks for "mine
 * alone", and MADV_COLD or MADV_PAGEOUT by one sharer would hit everybody.
 * Best effort: reclaim may take one of the two away before the other.
 */
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/sched/coredump.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "mshare.h"
#include "trace.h"

/* Where the shadow is, unless the region is there. */
#define SHADOW_START	0x100000000UL

/**
 * mshare_host_donate() - make the caller's mm a region's host mm
 * @region: a region with a size and no host, its inode locked
 * @start: address the region shall have
 *
 * Return: 0, -EINVAL, -EEXIST or -EBUSY as struct mshare_donate says.
 */
int mshare_host_donate(struct mshare_region *region, unsigned long start)
{
	unsigned long size = region->size, shadow;
	struct mm_struct *mm = current->mm;

	if (region->state != MSHARE_EMPTY)
		return -EEXIST;
	/* The first 47 bits, also where there are more: as ld.so's mmap. */
	if (!size || !IS_ALIGNED(start, MSHARE_WINDOW_SIZE) || !start)
		return -EINVAL;
	if (start > DEFAULT_MAP_WINDOW || size > DEFAULT_MAP_WINDOW - start)
		return -EINVAL;
	shadow = start >= SHADOW_START + size ? SHADOW_START : start + size;
	if (size > DEFAULT_MAP_WINDOW - shadow)
		return -EINVAL;
	/* Flags every later mapping would have, as after mlockall(2). */
	if (mm->def_flags)
		return -EINVAL;
	/*
	 * Others may look at this mm just now (swapoff, a reader in /proc), or
	 * live in it: mshare_host_ready() waits for all of them.
	 */
	if (get_nr_threads(current) != 1)
		return -EBUSY;

	/* Sharing is by pages of PTEs: no huge page may take their place. */
	set_bit(MMF_DISABLE_THP, &mm->flags);
	mmget(mm);
	region->host = mm;
	region->start = start;
	region->shadow = shadow;
	region->state = MSHARE_DONATED;
	return 0;
}

static int purge(void *unused)
{
	if (mshare_inject(MSHARE_SKIP_PURGE))
		return 0;
	return vm_munmap(0, TASK_SIZE_MAX);
}

/**
 * mshare_host_ready() - make sure that the host mm is ours alone
 * @region: a region, its inode locked
 *
 * Return: 0; -ENXIO: no host mm; -EBUSY: the donor is still alive; -ENOMEM: it
 * fell to the OOM killer.
 */
int mshare_host_ready(struct mshare_region *region)
{
	int ret;

	if (region->state == MSHARE_EMPTY)
		return -ENXIO;
	if (region->state != MSHARE_DONATED)
		return 0;
	/*
	 * Asked until it is so once: then no task is left that could bring
	 * another, and those who look at all mms (reclaim, swapoff) hold ours
	 * just for a moment.
	 */
	if (atomic_read(&region->host->mm_users) != 1 &&
	    !mshare_inject(MSHARE_TRUST_DONOR))
		return -EBUSY;
	/*
	 * The OOM killer's reaper was in this mm, or comes seconds after the
	 * donor is gone: faults would all be SIGBUS.
	 */
	if (test_bit(MMF_OOM_REAP_QUEUED, &region->host->flags) ||
	    test_bit(MMF_UNSTABLE, &region->host->flags) ||
	    test_bit(MMF_OOM_SKIP, &region->host->flags))
		return -ENOMEM;
	ret = mshare_in_mm(region->host, purge, NULL);
	if (!ret)
		region->state = MSHARE_POPULATING;
	return ret;
}

/*
 * What a window may hold so that linking it gives a sharer nothing it must
 * not have: pages of a file, not writable by any means, known to rmap.
 */
static bool vma_is_linkable(const struct vm_area_struct *vma)
{
	return vma->vm_file && !vma->anon_vma &&
	       (vma->vm_flags & VM_MAYSHARE) &&
	       !(vma->vm_flags & (VM_WRITE | VM_MAYWRITE | VM_SHARED |
				  VM_PFNMAP | VM_MIXEDMAP | VM_IO | VM_HUGETLB |
				  VM_LOCKED | VM_UFFD_MISSING | VM_UFFD_WP |
				  VM_UFFD_MINOR));
}

struct map_args {
	struct mshare_library *lib;
	struct file *file;
	const struct mshare_segment *segment;
	pgoff_t pgoff;
	unsigned long prot;
	unsigned long flags;
};

static int map_at(const struct map_args *args, unsigned long addr)
{
	unsigned long ret = vm_mmap(args->file, addr, args->segment->size,
				    args->prot, args->flags | MAP_FIXED_NOREPLACE,
				    args->pgoff << PAGE_SHIFT);

	return IS_ERR_VALUE(ret) ? (int)ret : 0;
}

/* Check what became of the mapping, and remember the file it maps really. */
static int check_mapping(const struct map_args *args, unsigned long addr)
{
	struct mshare_library *lib = args->lib;
	struct vm_area_struct *vma;
	int ret = -EINVAL;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, addr);
	if (vma && vma->vm_start <= addr && vma_is_linkable(vma)) {
		if (!lib->real)
			lib->real = get_file(vma->vm_file);
		ret = 0;
	}
	mmap_read_unlock(current->mm);
	return ret;
}

static int map_both(void *arg)
{
	const struct map_args *args = arg;
	const struct mshare_region *region = args->lib->region;
	unsigned long addr = region->start + args->segment->offset;
	unsigned long shadow = region->shadow + args->segment->offset;
	int ret = 0;

	if (!mshare_inject(MSHARE_SKIP_SHADOW))
		ret = map_at(args, shadow);
	if (ret)
		return ret;
	ret = map_at(args, addr);
	if (ret)
		goto err_shadow;
	ret = check_mapping(args, addr);
	if (ret)
		goto err_addr;
	return 0;

err_addr:
	vm_munmap(addr, args->segment->size);
err_shadow:
	vm_munmap(shadow, args->segment->size);
	return ret;
}

/**
 * mshare_host_map() - map part of a file into the host, and its shadow
 * @lib: the library it becomes part of
 * @file: the file, accepted by mshare_text_accepts()
 * @segment: where in the region
 * @pgoff: page offset in the file
 * @prot: PROT_READ, or with PROT_EXEC
 * @flags: MAP_SHARED, or with MAP_POPULATE
 *
 * Return: 0, -EEXIST if something is mapped there, -EINVAL if the file's pages
 * cannot be shared, or what mmap gives.
 */
int mshare_host_map(struct mshare_library *lib, struct file *file,
		    const struct mshare_segment *segment, pgoff_t pgoff,
		    unsigned long prot, unsigned long flags)
{
	struct map_args args = {
		.lib = lib, .file = file, .segment = segment, .pgoff = pgoff,
		.prot = prot, .flags = flags,
	};

	return mshare_in_mm(lib->region->host, map_both, &args);
}

static enum mshare_counter cause_of(const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_CLEAR:
		return MSHARE_DETACHES_HOST_CLEAR;
	case MMU_NOTIFY_UNMAP:
		return MSHARE_DETACHES_HOST_UNMAP;
	default:
		return MSHARE_DETACHES_HOST_OTHER;
	}
}

/* Secondary MMUs that have read one of these windows will be told later. */
static void hold_foreign(struct mshare_library *lib, unsigned long start,
			 unsigned long end)
{
	unsigned long base = lib->region->start +
			     lib->first * MSHARE_WINDOW_SIZE;
	unsigned long next;

	for (; start < end; start = next) {
		unsigned int i = (start - base) / MSHARE_WINDOW_SIZE;

		next = min(round_down(start, MSHARE_WINDOW_SIZE) +
			   MSHARE_WINDOW_SIZE, end);
		if (READ_ONCE(lib->windows[i].foreign) &&
		    !mshare_inject(MSHARE_FREE_FOREIGN))
			mshare_hold(lib, i, start, next);
	}
}

static bool host_invalidate(struct mmu_interval_notifier *notifier,
			    const struct mmu_notifier_range *range,
			    unsigned long cur_seq)
{
	struct mshare_library *lib =
		container_of(notifier, struct mshare_library, notifier);
	unsigned long start = lib->region->start +
			      lib->first * MSHARE_WINDOW_SIZE;
	unsigned long end = start + lib->nr_windows * MSHARE_WINDOW_SIZE;
	bool frees_tables = range->event == MMU_NOTIFY_UNMAP;

	if (frees_tables && !mmu_notifier_range_blockable(range))
		return false;

	/* Once, before the first window's lock: see window.c. */
	if (!mshare_inject(MSHARE_FORGET_SEQ_HOST))
		mmu_interval_set_seq(notifier, cur_seq);
	mshare_detach_host(lib,
			   (max(range->start, start) - start) / MSHARE_WINDOW_SIZE,
			   (min(range->end, end) - 1 - start) / MSHARE_WINDOW_SIZE,
			   cause_of(range));
	hold_foreign(lib, max(range->start, start), min(range->end, end));
	mshare_inject_delay(MSHARE_DELAY_INVALIDATE);
	/* Walkers of a sharer's tables hold the page of PTEs by RCU. */
	if (frees_tables)
		synchronize_rcu();
	return true;
}

static const struct mmu_interval_notifier_ops host_notifier_ops = {
	.invalidate	= host_invalidate,
};

static int watch(void *arg)
{
	struct mshare_library *lib = arg;
	struct mshare_region *region = lib->region;

	return mmu_interval_notifier_insert(&lib->notifier, region->host,
			region->start + lib->first * MSHARE_WINDOW_SIZE,
			lib->nr_windows * MSHARE_WINDOW_SIZE,
			&host_notifier_ops);
}

/**
 * mshare_host_watch() - be told before anything changes in a library's tables
 * @lib: the library, with its windows
 *
 * In a worker, where no signal makes the registration fail.
 */
int mshare_host_watch(struct mshare_library *lib)
{
	return mshare_in_mm(lib->region->host, watch, lib);
}

static int check_windows(void *arg)
{
	struct mshare_library *lib = arg;
	unsigned long addr = lib->region->start + lib->first * MSHARE_WINDOW_SIZE;
	unsigned long end = addr + lib->nr_windows * MSHARE_WINDOW_SIZE;
	struct vm_area_struct *vma;
	int ret = 0;

	mmap_read_lock(current->mm);
	for (vma = find_vma(current->mm, addr); vma && vma->vm_start < end;
	     vma = find_vma(current->mm, vma->vm_end))
		if (!vma_is_linkable(vma))
			ret = -EINVAL;
	mmap_read_unlock(current->mm);
	return ret;
}

/**
 * mshare_host_check() - may the windows of a library be linked?
 * @lib: the library
 *
 * Asked once, by the seal: a sealed region's host VMAs never change except by
 * being dropped whole.
 *
 * Return: 0 or -EINVAL.
 */
int mshare_host_check(struct mshare_library *lib)
{
	return mshare_in_mm(lib->region->host, check_windows, lib);
}

static void unmap_both(const struct mshare_region *region,
		       const struct mshare_segment *segment)
{
	vm_munmap(region->start + segment->offset, segment->size);
	vm_munmap(region->shadow + segment->offset, segment->size);
}

static int unmap_one(void *arg)
{
	const struct map_args *args = arg;

	unmap_both(args->lib->region, args->segment);
	return 0;
}

/**
 * mshare_host_unmap() - undo mshare_host_map(), before the seal
 * @lib: the library
 * @segment: what was mapped
 */
void mshare_host_unmap(struct mshare_library *lib,
		       const struct mshare_segment *segment)
{
	struct map_args args = { .lib = lib, .segment = segment };

	mshare_in_mm(lib->region->host, unmap_one, &args);
}

/* In one go each: every unmap of a region waits for a grace period. */
static int unmap_all(void *arg)
{
	const struct mshare_library *lib = arg;
	const struct mshare_segment whole = {
		.offset = lib->first * MSHARE_WINDOW_SIZE,
		.size = lib->nr_windows * MSHARE_WINDOW_SIZE,
	};

	unmap_both(lib->region, &whole);
	return 0;
}

/**
 * mshare_host_drop() - unmap a library from the host
 * @lib: a library without sharers; if it has windows, they are dead after this
 */
void mshare_host_drop(struct mshare_library *lib)
{
	trace_mshare_drop(lib);
	if (lib->windows)
		mshare_windows_set_live(lib, false);
	mshare_in_mm(lib->region->host, unmap_all, lib);
}

/*
 * The shadow first, so that the page never has a mapcount of 1 for long.  Its
 * failure is no matter: the region's own fault tells the same.
 */
static int fault_both(struct mshare_region *region, unsigned long offset,
		      bool *unlocked)
{
	int ret;

	fixup_user_fault(region->host, region->shadow + offset, 0, unlocked);
	ret = fixup_user_fault(region->host, region->start + offset, 0, unlocked);
	if (!ret)
		mshare_count(region, MSHARE_FAULTS_HOST, 1);
	trace_mshare_host_fault(region, offset, ret);
	return ret;
}

/**
 * mshare_host_fault() - make the host fault a page in
 * @region: the region
 * @offset: region offset
 *
 * The caller holds no lock of any mm.
 *
 * Return: 0, or an error of fixup_user_fault(): -EFAULT when there is nothing
 * to be had at that address, or what is there is poisoned.
 */
int mshare_host_fault(struct mshare_region *region, unsigned long offset)
{
	bool unlocked = false;
	int ret;

	if (mmap_read_lock_killable(region->host))
		return -EINTR;
	ret = fault_both(region, offset, &unlocked);
	mmap_read_unlock(region->host);
	return ret;
}

/**
 * mshare_host_fault_nested() - the same for one who holds a sharer's mmap_lock
 * @region: the region
 * @offset: region offset
 *
 * Return: as above, or -EAGAIN where it would have to wait for the host's lock.
 */
int mshare_host_fault_nested(struct mshare_region *region, unsigned long offset)
{
	int ret;

	if (!mmap_read_trylock(region->host))
		return -EAGAIN;
	ret = fault_both(region, offset, NULL);
	mmap_read_unlock(region->host);
	return ret;
}
