// SPDX-License-Identifier: GPL-2.0
/*
 * Faults of sharers.
 *
 * The first fault in a window links it; then there are no faults on pages the
 * host has.  A fault that cannot be served so right now (the mm is no sharer
 * yet, coverage is unknown, the host must fault the page in) drops the fault's
 * lock, does what is missing and asks the core to try again.
 *
 * A fault that must not be served so (a write, a breakpoint, an unshare, a
 * foreign mapping in the window) makes the window private before any page is
 * returned: the core would fill it into whatever table the PMD points to, and
 * that must never be the host's (invariant 6).  The process gets a snapshot, a
 * copy of the page, charged to it and gone when it drops it (9).  Never the page
 * of the page cache: rmap would not find it here, and a truncation would leave
 * it mapped.
 */
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "mshare.h"

/* The region offset of a page of the library's file. */
static unsigned long text_offset(const struct mshare_library *lib, pgoff_t pgoff)
{
	return lib->offset + ((pgoff - lib->pgoff) << PAGE_SHIFT);
}

/* A gap between segments, which the host does not map, is SIGSEGV as ever. */
static bool host_maps(const struct mshare_library *lib, pgoff_t pgoff)
{
	unsigned long offset = text_offset(lib, pgoff);
	const struct mshare_segment *segment;

	list_for_each_entry(segment, &lib->segments, list)
		if (offset >= segment->offset &&
		    offset - segment->offset < segment->size)
			return true;
	return false;
}

/*
 * Past the end of the file a touch is SIGBUS as ever.  No page is handed out,
 * so the window can stay shared, and follows the file when that grows again.
 */
static bool past_end(const struct mshare_library *lib, pgoff_t pgoff)
{
	const struct inode *inode = lib->real->f_mapping->host;

	return pgoff >= DIV_ROUND_UP(i_size_read(inode), PAGE_SIZE);
}

static struct folio *cached_folio(const struct mshare_library *lib, pgoff_t pgoff)
{
	struct address_space *mapping = lib->real->f_mapping;
	struct page *page;

	if (past_end(lib, pgoff))
		return ERR_PTR(-EFAULT);
	if (mapping->a_ops->read_folio)
		return read_mapping_folio(mapping, pgoff, lib->real);
	page = shmem_read_mapping_page(mapping, pgoff);
	return IS_ERR(page) ? ERR_CAST(page) : page_folio(page);
}

/* x86-64 maps all memory.  Poison must not be consumed here, in the kernel. */
static int copy_page_contents(struct page *to, struct page *from)
{
	if (PageHWPoison(from) ||
	    copy_mc_to_kernel(page_address(to), page_address(from), PAGE_SIZE))
		return -EHWPOISON;
	return 0;
}

static struct page *copy_of(const struct mshare_library *lib, pgoff_t pgoff)
{
	struct folio *folio = cached_folio(lib, pgoff);
	struct page *page;
	int ret = -ENOMEM;

	if (IS_ERR(folio))
		return ERR_CAST(folio);
	page = alloc_page(mshare_inject(MSHARE_SKIP_CHARGE) ?
			  GFP_KERNEL : GFP_KERNEL_ACCOUNT);
	if (page)
		ret = copy_page_contents(page, folio_file_page(folio, pgoff));
	folio_put(folio);
	if (!ret)
		return page;
	if (page)
		put_page(page);
	return ERR_PTR(ret);
}

static vm_fault_t fault_of(int error)
{
	switch (error) {
	case -ENOMEM:
		return VM_FAULT_OOM;
	case -EHWPOISON:
		return VM_FAULT_HWPOISON;
	default:
		return VM_FAULT_SIGBUS;
	}
}

/**
 * mshare_snapshots_prune() - let go of snapshots that are out of their fault
 * @region: the region
 *
 * The core maps a page it got from ->fault and only then unlocks it.  Another
 * thread may zap it in between: somebody besides the PTE must hold it.  That
 * is this list, and it holds no page longer than until the next invalidation,
 * private fault or exit.
 */
void mshare_snapshots_prune(struct mshare_region *region)
{
	struct page *page, *next;
	LIST_HEAD(done);

	if (list_empty_careful(&region->snapshots) ||
	    mshare_inject(MSHARE_KEEP_SNAPSHOTS))
		return;
	spin_lock(&region->snapshots_lock);
	list_for_each_entry_safe(page, next, &region->snapshots, lru) {
		if (!trylock_page(page))
			continue;
		unlock_page(page);
		list_move(&page->lru, &done);
	}
	spin_unlock(&region->snapshots_lock);

	list_for_each_entry_safe(page, next, &done, lru) {
		list_del(&page->lru);
		put_page(page);
	}
}

static void snapshots_add(struct mshare_region *region, struct page *page)
{
	get_page(page);
	spin_lock(&region->snapshots_lock);
	list_add(&page->lru, &region->snapshots);
	spin_unlock(&region->snapshots_lock);
}

static vm_fault_t private_fault(struct vm_fault *vmf, struct mshare_library *lib)
{
	struct mshare_region *region = lib->region;
	struct page *page;

	page = copy_of(lib, vmf->pgoff);
	if (IS_ERR(page))
		return fault_of(PTR_ERR(page));

	mshare_count(region, MSHARE_FAULTS_PRIVATE, 1);
	mshare_snapshots_prune(region);
	lock_page(page);
	snapshots_add(region, page);
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static void cover(struct mshare_link *link)
{
	mshare_sharer_cover(link);
}

static void give_up_host(struct mshare_link *link)
{
	mshare_make_private(link, MSHARE_PRIVATE_HOST);
}

enum missing { MISSING_SHARER, MISSING_COVERAGE, MISSING_PTE };

/*
 * Drop the fault's lock, do what is missing, and have the fault tried again.
 * Meanwhile the VMA's file holds the library, and the caller of the fault
 * holds the mm.
 */
static vm_fault_t retry_after(struct vm_fault *vmf, enum missing missing)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr = vmf->address;
	struct mshare_library *lib = mshare_text_library(vma);
	unsigned long offset = text_offset(lib, vmf->pgoff);
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	file = get_file(vma->vm_file);
	release_fault_lock(vmf);
	switch (missing) {
	case MISSING_SHARER:
		mshare_sharer_register(mm, addr, file);
		break;
	case MISSING_COVERAGE:
		mshare_sharer_at(mm, addr, file, cover);
		break;
	case MISSING_PTE:
		/* Just truncated, or poisoned: the private path tells. */
		if (mshare_host_fault(lib->region, offset) == -EFAULT)
			mshare_sharer_at(mm, addr, file, give_up_host);
		break;
	}
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * A VMA that knows no sharer yet finds or makes one, for writes too, so that
 * the window can be marked.  If that failed once (a signal was pending, no
 * memory), or the lock cannot be dropped, the page is private.  That is safe
 * without a mark: a window is covered only by VMAs that know their sharer, so
 * this one is not attached, and mmap_lock is held, so nobody registers until
 * this fault has put its own table into the PMD.  A fault that holds just the
 * VMA's lock can always be tried again.
 */
static vm_fault_t unregistered_fault(struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_VMA_LOCK)
		return retry_after(vmf, MISSING_SHARER);
	if ((vmf->flags & FAULT_FLAG_ALLOW_RETRY) &&
	    !(vmf->flags & FAULT_FLAG_TRIED))
		return retry_after(vmf, MISSING_SHARER);
	return 0;
}

/*
 * Link the window, for a fault that is served by a linked table if possible.
 * Returns 0 if it is not, with the cause.
 */
static vm_fault_t attach_fault(struct vm_fault *vmf, struct mshare_library *lib,
			       struct mshare_link *link,
			       enum mshare_counter *cause)
{
	switch (mshare_attach(link, vmf->address, vmf->pmd)) {
	case MSHARE_LINKED:
		return VM_FAULT_NOPAGE;
	case MSHARE_LINKED_ALREADY:
	case MSHARE_AGAIN:
		mshare_count(lib->region, MSHARE_FAULTS_AGAIN, 1);
		return VM_FAULT_NOPAGE;
	case MSHARE_UNCOVERED:
		*cause = MSHARE_PRIVATE_UNCOVERED;
		if (vmf->flags & FAULT_FLAG_VMA_LOCK)
			return retry_after(vmf, MISSING_COVERAGE);
		return mshare_sharer_cover(link) ? VM_FAULT_NOPAGE : 0;
	case MSHARE_ABSENT:
		*cause = MSHARE_PRIVATE_HOST;
		if (vmf->flags & FAULT_FLAG_ALLOW_RETRY)
			return retry_after(vmf, MISSING_PTE);
		return mshare_host_fault_nested(lib->region,
						text_offset(lib, vmf->pgoff)) ?
		       0 : VM_FAULT_NOPAGE;
	case MSHARE_NO_HOST:
		*cause = MSHARE_PRIVATE_HOST;
		return 0;
	case MSHARE_FOREIGN:
		*cause = MSHARE_PRIVATE_FOREIGN;
		return 0;
	case MSHARE_OWN_TABLE:
		*cause = MSHARE_PRIVATE_OWN_TABLE;
		return 0;
	}
	return 0;
}

/* Link the window. Returns 0 if the fault is to be served privately. */
static vm_fault_t link_fault(struct vm_fault *vmf, struct mshare_library *lib)
{
	struct vm_area_struct *vma = vmf->vma;
	struct mshare_sharer *sharer;
	enum mshare_counter cause;
	struct mshare_link *link;
	vm_fault_t ret = 0;

	/* Moved by mremap() to where it cannot be linked. */
	if (!IS_ALIGNED(mshare_vma_start(vma, lib), MSHARE_WINDOW_SIZE))
		return 0;
	/* Pairs with the release in adopt() of sharer.c. */
	sharer = smp_load_acquire((struct mshare_sharer **)&vma->vm_private_data);
	if (!sharer)
		return unregistered_fault(vmf);

	link = &sharer->links[(vmf->address - sharer->start) /
			      MSHARE_WINDOW_SIZE];
	if (vmf->flags & (FAULT_FLAG_WRITE | FAULT_FLAG_UNSHARE))
		cause = MSHARE_PRIVATE_WRITE;
	else if (!mshare_vma_is_plain_text(vma))
		cause = MSHARE_PRIVATE_PROTECT;
	else
		ret = attach_fault(vmf, lib, link, &cause);
	if (!ret)
		mshare_make_private(link, cause);
	return ret;
}

/**
 * mshare_fault() - ->fault of a text VMA
 * @vmf: the fault
 */
vm_fault_t mshare_fault(struct vm_fault *vmf)
{
	struct mshare_library *lib = mshare_text_library(vmf->vma);
	vm_fault_t ret;

	if (!host_maps(lib, vmf->pgoff))
		return VM_FAULT_SIGSEGV;
	if (past_end(lib, vmf->pgoff))
		return VM_FAULT_SIGBUS;
	ret = link_fault(vmf, lib);
	return ret ?: private_fault(vmf, lib);
}

/**
 * mshare_huge_fault() - ->huge_fault of a text VMA
 * @vmf: the fault
 * @order: what the core would like to map
 *
 * Comes at an empty PMD, before the core allocates a page of PTEs in vain.
 */
vm_fault_t mshare_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct mshare_library *lib = mshare_text_library(vmf->vma);
	vm_fault_t ret;

	if (order != PMD_ORDER || !host_maps(lib, vmf->pgoff) ||
	    past_end(lib, vmf->pgoff))
		return VM_FAULT_FALLBACK;
	ret = link_fault(vmf, lib);
	return ret ?: VM_FAULT_FALLBACK;
}
