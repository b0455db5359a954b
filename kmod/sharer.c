// SPDX-License-Identifier: GPL-2.0
/*
 * Sharers: what an mm needs to attach a library's windows.
 *
 * An mm becomes a sharer at its first fault on a library, not at mmap or fork:
 * many children exec before they touch half of what they inherit, and
 * registering a notifier inside fork is not allowed.  It has one notifier for
 * each library, over the whole windows, pads included.
 *
 * Coverage (invariant 7): a window may be linked only if it is covered without a gap by
 * mappings, text or pad, of one region at one displacement: in a gap, somebody
 * else's mapping would be filled into the shared table.  It is computed with
 * mmap_lock held, kept as a flag of the link, and cleared whenever a part of
 * the window is unmapped, changed or split.  The fault path, which may hold
 * just one VMA's lock, only reads it.  A text VMA covers only if it knows the
 * sharer: what is done to it later must reach the sharer's links.
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat.h"
#include "mshare.h"

/**
 * mshare_vma_start() - where a library's first window is, judged by one VMA
 * @vma: a text VMA of the library
 * @lib: the library
 *
 * Return: the address, which is a window's only if the VMA can be linked.
 */
unsigned long mshare_vma_start(const struct vm_area_struct *vma,
			       const struct mshare_library *lib)
{
	unsigned long offset = lib->offset +
			       ((vma->vm_pgoff - lib->pgoff) << PAGE_SHIFT);

	return vma->vm_start - (offset - lib->first * MSHARE_WINDOW_SIZE);
}

/**
 * mshare_vma_is_plain_text() - is this text still as it was mapped?
 * @vma: a text VMA
 *
 * Exactly r-x, with no protection key and nothing of userfaultfd: the linked
 * PTEs grant no more than that.
 */
bool mshare_vma_is_plain_text(const struct vm_area_struct *vma)
{
	const unsigned long want = VM_READ | VM_EXEC;
	unsigned long care = VM_READ | VM_WRITE | VM_EXEC | VM_SHARED |
			     VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR;

#ifdef CONFIG_ARCH_HAS_PKEYS
	care |= VM_PKEY_BIT0 | VM_PKEY_BIT1 | VM_PKEY_BIT2 | VM_PKEY_BIT3;
#endif
	return (vma->vm_flags & care) == want ||
	       mshare_inject(MSHARE_ATTACH_ANY);
}

/* A linked table would let what a pad shall hide be read. */
static bool lies_over_text(const struct vm_area_struct *pad,
			   const struct mshare_library *lib)
{
	unsigned long start = pad->vm_pgoff << PAGE_SHIFT;
	unsigned long end = start + (pad->vm_end - pad->vm_start);

	return start < lib->offset + lib->size && end > lib->offset;
}

static bool vma_covers(const struct vm_area_struct *vma,
		       const struct mshare_sharer *sharer)
{
	struct mshare_library *lib = sharer->library;

	if (vma->vm_ops == &mshare_text_vm_ops)
		return vma->vm_private_data == sharer &&
		       mshare_vma_is_plain_text(vma);
	if (vma->vm_ops == &mshare_pad_vm_ops)
		return mshare_region_of(vma->vm_file) == lib->region &&
		       vma->vm_start - (vma->vm_pgoff << PAGE_SHIFT) ==
		       sharer->start - lib->first * MSHARE_WINDOW_SIZE &&
		       !(vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) &&
		       !lies_over_text(vma, lib);
	return false;
}

static bool window_is_covered(const struct mshare_sharer *sharer, unsigned int i)
{
	struct mm_struct *mm = sharer->notifier.mm;
	unsigned long addr = sharer->start + i * MSHARE_WINDOW_SIZE;
	unsigned long end = addr + MSHARE_WINDOW_SIZE;

	while (addr < end) {
		struct vm_area_struct *vma = find_vma(mm, addr);

		if (!vma || vma->vm_start > addr || !vma_covers(vma, sharer))
			return mshare_inject(MSHARE_COVER_GAPS);
		addr = vma->vm_end;
	}
	return true;
}

/*
 * With mmap_lock held no VMA changes, and what a munmap in its downgraded
 * phase still has to announce is out of the tree already: a flag set here is
 * never older than the notification that clears it.
 */
static bool compute_coverage(struct mshare_sharer *sharer, unsigned int i)
{
	struct mshare_link *link = &sharer->links[i];
	struct mshare_window *window = mshare_window_of(link);
	bool covered = window_is_covered(sharer, i);

	mmap_assert_locked(sharer->notifier.mm);
	mshare_window_lock(window);
	link->covered = covered;
	mshare_window_unlock(window);
	return covered;
}

static struct mshare_change change_for(const struct mmu_notifier_range *range)
{
	switch (range->event) {
	case MMU_NOTIFY_UNMAP:
		return (struct mshare_change){
			.cause = MSHARE_DETACHES_UNMAP, .uncover = true,
		};
	case MMU_NOTIFY_PROTECTION_VMA:
		return (struct mshare_change){
			.cause = MSHARE_DETACHES_PROTECT, .uncover = true,
			.private = MSHARE_PRIVATE_PROTECT,
		};
	case MMU_NOTIFY_PROTECTION_PAGE:
		return (struct mshare_change){ .cause = MSHARE_DETACHES_FORK };
	case MMU_NOTIFY_SOFT_DIRTY:
		return (struct mshare_change){ .cause = MSHARE_DETACHES_SOFT_DIRTY };
	case MMU_NOTIFY_RELEASE:
		return (struct mshare_change){ .cause = MSHARE_DETACHES_EXIT };
	case MMU_NOTIFY_CLEAR:
		/*
		 * One page of an attached window: most likely a fault is about
		 * to replace it.  FAULT_FLAG_UNSHARE comes this way, without
		 * asking us first; were the window linked again by the next
		 * read, a long-term pin would never end.  MADV_DONTNEED of one
		 * page, and rmap on its way through a forked child, look the
		 * same and cost this process the sharing of this window.
		 */
		return (struct mshare_change){
			.cause = MSHARE_DETACHES_CLEAR,
			.private = range->end - range->start == PAGE_SIZE ?
				   MSHARE_PRIVATE_REPLACED : 0,
			.only_linked = true,
		};
	default:
		return (struct mshare_change){ .cause = MSHARE_DETACHES_OTHER };
	}
}

static bool sharer_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct mshare_sharer *sharer =
		container_of(notifier, struct mshare_sharer, notifier);
	unsigned long start = sharer->start;
	unsigned long end = start +
			    sharer->library->nr_windows * MSHARE_WINDOW_SIZE;
	unsigned int first = (max(range->start, start) - start) /
			     MSHARE_WINDOW_SIZE;
	unsigned int last = (min(range->end, end) - 1 - start) /
			    MSHARE_WINDOW_SIZE;

	if (range->event == MMU_NOTIFY_PROTECTION_PAGE &&
	    mshare_inject(MSHARE_SKIP_DETACH_SHARER))
		return true;
	/* Once, before the first window's lock: see window.c. */
	if (!mshare_inject(MSHARE_FORGET_SEQ_SHARER))
		mmu_interval_set_seq(notifier, cur_seq);
	mshare_detach_sharer(sharer, first, last, change_for(range));
	mshare_inject_delay(MSHARE_DELAY_INVALIDATE);
	mshare_expect_detached(sharer, first, last, cur_seq);
	mshare_snapshots_prune(sharer->library->region);
	return true;
}

static const struct mmu_interval_notifier_ops sharer_notifier_ops = {
	.invalidate	= sharer_invalidate,
};

/**
 * mshare_sharer_owns() - is this one of our listeners?
 * @notifier: a listener to some mm
 */
bool mshare_sharer_owns(const struct mmu_interval_notifier *notifier)
{
	return notifier->ops == &sharer_notifier_ops;
}

static struct mshare_sharer *alloc_sharer(struct mshare_library *lib)
{
	struct mshare_sharer *sharer;
	unsigned int i;

	sharer = kvzalloc(struct_size(sharer, links, lib->nr_windows),
			  GFP_KERNEL_ACCOUNT);
	if (!sharer)
		return NULL;
	if (!zalloc_cpumask_var(&sharer->flush.mask, GFP_KERNEL_ACCOUNT)) {
		kvfree(sharer);
		return NULL;
	}
	sharer->library = lib;
	refcount_set(&sharer->vmas, 1);
	for (i = 0; i < lib->nr_windows; i++)
		sharer->links[i].sharer = sharer;
	return sharer;
}

static void free_sharer(struct mshare_sharer *sharer)
{
	free_cpumask_var(sharer->flush.mask);
	kvfree(sharer);
}

/* The text VMA at addr, if it still is the one whose fault we serve. */
static struct vm_area_struct *text_vma(struct mm_struct *mm, unsigned long addr,
				       struct file *file)
{
	struct vm_area_struct *vma = find_vma(mm, addr);

	if (!vma || vma->vm_start > addr || vma->vm_file != file ||
	    vma->vm_ops != &mshare_text_vm_ops)
		return NULL;
	return vma;
}

/* Walk the text VMAs of a library that belong to one displacement. */
static struct vm_area_struct *next_text(struct mm_struct *mm, unsigned long addr,
					struct mshare_library *lib,
					unsigned long start)
{
	unsigned long end = start + lib->nr_windows * MSHARE_WINDOW_SIZE;
	struct vm_area_struct *vma;

	for (vma = find_vma(mm, addr); vma && vma->vm_start < end;
	     vma = find_vma(mm, vma->vm_end))
		if (vma->vm_ops == &mshare_text_vm_ops &&
		    mshare_text_library(vma) == lib &&
		    mshare_vma_start(vma, lib) == start)
			return vma;
	return NULL;
}

static void adopt(struct mshare_sharer *sharer, struct vm_area_struct *vma)
{
	/* A fault that holds only the VMA's lock may be reading it. */
	smp_store_release((struct mshare_sharer **)&vma->vm_private_data, sharer);
}

/* The sharer that another VMA of the same text in this mm has already. */
static struct mshare_sharer *find_sharer(struct mm_struct *mm,
					 struct mshare_library *lib,
					 unsigned long start)
{
	struct vm_area_struct *vma;

	for (vma = next_text(mm, start, lib, start); vma;
	     vma = next_text(mm, vma->vm_end, lib, start))
		if (vma->vm_private_data)
			return vma->vm_private_data;
	return NULL;
}

/* Make a new sharer the one of all VMAs of its text; it holds one for free. */
static void adopt_all(struct mshare_sharer *sharer)
{
	struct mm_struct *mm = sharer->notifier.mm;
	unsigned long start = sharer->start;
	struct vm_area_struct *vma;
	unsigned int n = 0;

	for (vma = next_text(mm, start, sharer->library, start); vma;
	     vma = next_text(mm, vma->vm_end, sharer->library, start)) {
		adopt(sharer, vma);
		if (n++)
			refcount_inc(&sharer->vmas);
	}
}

/* Returns spare if it was used. */
static struct mshare_sharer *register_locked(struct vm_area_struct *vma,
					     struct mshare_sharer *spare)
{
	struct mshare_library *lib = spare->library;
	struct mm_struct *mm = vma->vm_mm;
	struct mshare_sharer *sharer;
	unsigned int i;

	spare->start = mshare_vma_start(vma, lib);
	if (!IS_ALIGNED(spare->start, MSHARE_WINDOW_SIZE))
		return NULL;
	sharer = find_sharer(mm, lib, spare->start);
	if (sharer) {
		refcount_inc(&sharer->vmas);
		adopt(sharer, vma);
		return sharer;
	}
	if (mmu_interval_notifier_insert_locked(&spare->notifier, mm,
						spare->start,
						lib->nr_windows * MSHARE_WINDOW_SIZE,
						&sharer_notifier_ops))
		return NULL;
	adopt_all(spare);
	for (i = 0; i < lib->nr_windows; i++)
		compute_coverage(spare, i);
	atomic_long_inc(&lib->sharers);
	mshare_count(lib->region, MSHARE_FAULTS_REGISTERED, 1);
	return spare;
}

/**
 * mshare_sharer_register() - make an mm a sharer of a library
 * @mm: the mm; the caller holds none of its locks
 * @addr: an address in a text VMA that can be linked
 * @file: that VMA's file, held by the caller
 *
 * Without effect if the VMA is gone, there is no memory, or a signal is
 * pending: then the next fault tries again or is served privately.
 */
void mshare_sharer_register(struct mm_struct *mm, unsigned long addr,
			    struct file *file)
{
	struct mshare_sharer *spare =
		alloc_sharer(file_inode(file)->i_private);
	struct mshare_sharer *used = NULL;
	struct vm_area_struct *vma;

	if (!spare)
		return;
	mshare_inject_delay(MSHARE_DELAY_REGISTER);
	if (!mmap_write_lock_killable(mm)) {
		vma = text_vma(mm, addr, file);
		if (vma && !vma->vm_private_data)
			used = register_locked(vma, spare);
		mmap_write_unlock(mm);
	}
	if (used != spare)
		free_sharer(spare);
}

/**
 * mshare_sharer_cover() - find out if a window may be linked
 * @link: a link of an mm whose mmap_lock is held
 *
 * A window that is not covered when it is needed becomes private.
 *
 * Return: true if it is covered.
 */
bool mshare_sharer_cover(struct mshare_link *link)
{
	struct mshare_sharer *sharer = link->sharer;
	bool covered = compute_coverage(sharer, link - sharer->links);

	mshare_count(sharer->library->region, MSHARE_FAULTS_COVERED, 1);
	if (!covered)
		mshare_make_private(link, MSHARE_PRIVATE_UNCOVERED);
	return covered;
}

/**
 * mshare_sharer_at() - do something to the link of a fault
 * @mm: the mm; the caller has dropped the fault's lock and holds none
 * @addr: the address that faulted
 * @file: the file of its VMA, held by the caller
 * @fn: called with mmap_lock held, if the mapping is still there
 */
void mshare_sharer_at(struct mm_struct *mm, unsigned long addr,
		      struct file *file, void (*fn)(struct mshare_link *link))
{
	struct mshare_sharer *sharer;
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(mm))
		return;
	vma = text_vma(mm, addr, file);
	sharer = vma ? vma->vm_private_data : NULL;
	if (sharer)
		fn(&sharer->links[(addr - sharer->start) / MSHARE_WINDOW_SIZE]);
	mmap_read_unlock(mm);
}

/**
 * mshare_sharer_open() - ->open of a text VMA: split, moved or forked
 * @vma: the new VMA, not in use yet
 *
 * A part at the same place in the same mm is the same sharer's; others
 * register at their own first fault.
 */
void mshare_sharer_open(struct vm_area_struct *vma)
{
	struct mshare_sharer *sharer = vma->vm_private_data;

	if (!sharer)
		return;
	if (sharer->notifier.mm == vma->vm_mm &&
	    mshare_vma_start(vma, sharer->library) == sharer->start)
		refcount_inc(&sharer->vmas);
	else
		vma->vm_private_data = NULL;
}

/**
 * mshare_sharer_close() - ->close of a text VMA
 * @vma: the VMA
 *
 * The core announces an unmap before it comes here, so that no link is left.
 */
void mshare_sharer_close(struct vm_area_struct *vma)
{
	struct mshare_sharer *sharer = vma->vm_private_data;
	struct mshare_library *lib;
	unsigned int i;

	if (!sharer)
		return;
	vma->vm_private_data = NULL;
	if (!refcount_dec_and_test(&sharer->vmas))
		return;

	lib = sharer->library;
	mmu_interval_notifier_remove(&sharer->notifier);
	for (i = 0; i < lib->nr_windows; i++) {
		if (WARN_ON_ONCE(!hlist_unhashed(&sharer->links[i].node)))
			mshare_uncover(&sharer->links[i]);
		mshare_forget(&sharer->links[i]);
	}
	mshare_snapshots_prune(lib->region);
	atomic_long_dec(&lib->sharers);
	free_sharer(sharer);
}
