// SPDX-License-Identifier: GPL-2.0
/*
 * mmap of a region: pads, texts, data and the catalog.
 */
#include <linux/file.h>
#include <linux/personality.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "mshare.h"
#include "trace.h"

/* Split by munmap, mprotect, madvise...: the window's halves may now differ. */
static int text_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct mshare_sharer *sharer = vma->vm_private_data;

	if (sharer && !IS_ALIGNED(addr, MSHARE_WINDOW_SIZE))
		mshare_uncover(&sharer->links[(addr - sharer->start) /
					      MSHARE_WINDOW_SIZE]);
	return 0;
}

/*
 * After an application's mprotect() a window is never linked again.  The
 * notifier alone would not do: it is silent about a GiB without a page of PMDs.
 */
static int text_mprotect(struct vm_area_struct *vma, unsigned long start,
			 unsigned long end, unsigned long newflags)
{
	struct mshare_sharer *sharer = vma->vm_private_data;

	if (sharer && ((vma->vm_flags ^ newflags) & ~VM_SOFTDIRTY) &&
	    !mshare_inject(MSHARE_SKIP_MPROTECT))
		mshare_detach_sharer(sharer,
				     (start - sharer->start) / MSHARE_WINDOW_SIZE,
				     (end - 1 - sharer->start) / MSHARE_WINDOW_SIZE,
				     (struct mshare_change){
					.cause = MSHARE_DETACHES_PROTECT,
					.private = MSHARE_PRIVATE_PROTECT,
				     });
	return 0;
}

/*
 * Must be there, or each fault is tried again under mmap_lock.  It cannot
 * sleep and so cannot link.
 */
static vm_fault_t text_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	return 0;
}

const struct vm_operations_struct mshare_text_vm_ops = {
	.open		= mshare_sharer_open,
	.close		= mshare_sharer_close,
	.may_split	= text_may_split,
	.mprotect	= text_mprotect,
	.fault		= mshare_fault,
	.huge_fault	= mshare_huge_fault,
	.map_pages	= text_map_pages,
};

/* Touching a pad is SIGSEGV, its VMA being PROT_NONE; this is what is left. */
static vm_fault_t pad_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

const struct vm_operations_struct mshare_pad_vm_ops = {
	.fault		= pad_fault,
};

/* Load the library as if there was no region. */
static int refuse(struct mshare_region *region, enum mshare_counter cause)
{
	mshare_count(region, cause, 1);
	trace_mshare_refuse(region, cause);
	return -EAGAIN;
}

/*
 * Processes that asked for what a region cannot give them load their libraries
 * as if there was none: locked memory (a linked window has no page of its own
 * to lock), readable meaning executable, a limit on address space, which pads
 * would use up, and a secondary MMU, which would not hear of the host.
 */
static int check_process(struct mshare_region *region,
			 const struct vm_area_struct *vma)
{
	const struct mm_struct *mm = vma->vm_mm;

	if ((vma->vm_flags & VM_LOCKED) || (mm->def_flags & VM_LOCKED) ||
	    mm->locked_vm)
		return refuse(region, MSHARE_REFUSALS_LOCKED);
	if (current->personality & READ_IMPLIES_EXEC)
		return refuse(region, MSHARE_REFUSALS_EXEC);
	if (rlimit(RLIMIT_AS) != RLIM_INFINITY)
		return refuse(region, MSHARE_REFUSALS_LIMIT);
	if (mshare_foreign_mm(mm))
		return refuse(region, MSHARE_REFUSALS_FOREIGN);
	return 0;
}

static int map_pad(struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &mshare_pad_vm_ops;
	return 0;
}

/**
 * mshare_become_text() - make a VMA in the making one of a library's text
 * @vma: the VMA, whose vm_pgoff is the library's
 * @text: from mshare_text_open()
 *
 * VM_DONTEXPAND makes the VMA one that the core does not lock, merge, collapse
 * into huge pages or walk for aging.  Never VM_PFNMAP or VM_MIXEDMAP: fork
 * would copy the shared PTEs.
 */
void mshare_become_text(struct vm_area_struct *vma, struct file *text)
{
	vma_set_file(vma, text);
	vm_flags_set(vma, VM_DONTEXPAND);
	vma->vm_ops = &mshare_text_vm_ops;
	vma->vm_private_data = NULL;
}

static int map_text(struct mshare_region *region, struct vm_area_struct *vma)
{
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;
	unsigned long size = vma->vm_end - vma->vm_start;
	struct mshare_library *lib = mshare_library_at(region, offset);
	struct file *text;

	/* A mapping that can never be linked would only hoard private pages. */
	if (!lib || lib->offset != offset || lib->size != size ||
	    (vma->vm_start ^ offset) & (MSHARE_WINDOW_SIZE - 1))
		return -EINVAL;
	if (!mshare_library_get_user(lib))
		return refuse(region, MSHARE_REFUSALS_RETIRED);
	text = mshare_text_open(lib);
	if (IS_ERR(text)) {
		mshare_library_put_user(lib);
		return PTR_ERR(text);
	}
	mshare_become_text(vma, text);
	fput(text);
	vma->vm_pgoff = lib->pgoff;
	return 0;
}

static int map_catalog(struct mshare_region *region, struct file *file,
		       struct vm_area_struct *vma)
{
	unsigned long start = vma->vm_pgoff << PAGE_SHIFT;
	unsigned long size = vma->vm_end - vma->vm_start;
	unsigned long end = MSHARE_CATALOG_OFFSET +
			    PAGE_ALIGN(region->catalog_size);

	if (start < MSHARE_CATALOG_OFFSET || start >= end || size > end - start)
		return -EINVAL;
	/* Grown or merged, it would fill the file with pages nobody frees. */
	vm_flags_set(vma, VM_DONTEXPAND);
	return generic_file_mmap(file, vma);
}

static int map_data(struct mshare_region *region, struct vm_area_struct *vma)
{
	int ret = mshare_zone_map(region, vma);

	if (ret == -EAGAIN)
		return refuse(region, MSHARE_REFUSALS_RETIRED);
	if (!ret)
		mshare_count(region, MSHARE_DATA_MAPPINGS, 1);
	return ret;
}

/**
 * mshare_mmap() - ->mmap of a region; msharefs.h says what it takes and gives
 * @file: the region's file
 * @vma: the mapping
 */
int mshare_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct mshare_region *region = mshare_region_of(file);
	unsigned long prot = vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC);
	int ret;

	if (vma->vm_flags & VM_MAYSHARE)
		return -EACCES;
	if ((prot & VM_WRITE) && prot != (VM_READ | VM_WRITE))
		return -EACCES;
	if (!mshare_sealed(region))
		return refuse(region, MSHARE_REFUSALS_UNSEALED);
	if (READ_ONCE(region->retired))
		return refuse(region, MSHARE_REFUSALS_RETIRED);
	if (prot == VM_READ)
		return map_catalog(region, file, vma);
	if (prot & VM_WRITE)
		return map_data(region, vma);
	if (prot && prot != (VM_READ | VM_EXEC))
		return -EINVAL;
	if ((vma->vm_pgoff << PAGE_SHIFT) + (vma->vm_end - vma->vm_start) >
	    region->size)
		return -EINVAL;
	ret = check_process(region, vma);
	if (ret)
		return ret;
	return prot ? map_text(region, vma) : map_pad(vma);
}
