// SPDX-License-Identifier: GPL-2.0
/*
 * Taking a library out of sharing while processes run it.
 *
 * uprobes, and whatever else finds the users of a file by its i_mmap, do not
 * see sharers.  To unshare a library retires it, so that new processes load it
 * as if there was no region; takes all links back for good; and replaces each
 * text mapping by mappings of the library itself, segment by segment, as a
 * stock ld.so would have made them.
 *
 * A mapping is replaced only while nothing tells the two apart: it is as it was
 * mapped and has no page of its own (anon_vma).  That must not change between
 * the check and the replacement, and mmap takes and drops mmap_lock itself.
 * So the check is the ->get_unmapped_area of the file that is mapped: the core
 * calls it with mmap_lock held for writing, right before it replaces what is
 * there, without letting go of the lock, and gives up if it says so, before
 * anything is touched.  Then ->mmap puts the library in the place of that file.
 *
 * From where the core has unmapped the old mapping it must not fail.  What it
 * allocates there is a VMA and some nodes of a tree, of order 0 and in a
 * kthread: the OOM killer does not take it, no memory cgroup limits it, and
 * the allocator does not give up on it.  If the library's file system does not
 * let itself be mapped (it was shut down, say), ->mmap maps the text again.
 */
#include <linux/file.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/oom.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "mshare.h"

/*
 * Rounds through all mms.  A child that a round has missed was forked in it, so
 * that each round but the first looks at few; these are many generations.
 */
#define MAX_ROUNDS	64

/**
 * struct replacement - what replaces one library's text in one mm
 * @lib:	the library
 * @file:	whose ->mmap maps the library
 * @text:	a text file, to go back to
 * @kept:	the last ->mmap went back
 * @replaced:	mappings replaced
 * @left:	mappings of the text that are not
 */
struct replacement {
	struct mshare_library *lib;
	struct file *file;
	struct file *text;
	bool kept;
	unsigned int replaced;
	unsigned int left;
};

/* All that mmap, mprotect, madvise and the like can have made of it. */
static bool is_as_mapped(const struct vm_area_struct *vma)
{
	const unsigned long want = VM_READ | VM_EXEC | VM_MAYREAD |
				   VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND;

	return (vma->vm_flags & ~VM_SOFTDIRTY) == want && !vma->anon_vma &&
	       !vma_policy(vma);
}

static struct vm_area_struct *text_of(const struct mshare_library *lib,
				      unsigned long addr)
{
	struct vm_area_struct *vma = find_vma(current->mm, addr);

	while (vma && (vma->vm_ops != &mshare_text_vm_ops ||
		       mshare_text_library(vma) != lib))
		vma = find_vma(current->mm, vma->vm_end);
	return vma;
}

/* With mmap_lock held, from the check to the end of the replacement. */
static unsigned long check_area(struct file *file, unsigned long addr,
				unsigned long len, unsigned long pgoff,
				unsigned long flags)
{
	const struct replacement *replacement = file->private_data;
	struct vm_area_struct *vma;

	mmap_assert_write_locked(current->mm);
	if (check_stable_address_space(current->mm))
		return -EFAULT;
	vma = text_of(replacement->lib, addr);
	if (!vma || vma->vm_start > addr || vma->vm_end - addr < len ||
	    vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT) != pgoff ||
	    !is_as_mapped(vma) || current->mm->def_flags)
		return -EBUSY;
	return addr;
}

static int map_library(struct file *file, struct vm_area_struct *vma)
{
	struct replacement *replacement = file->private_data;
	struct file *library = replacement->lib->file;

	vma_set_file(vma, library);
	replacement->kept = call_mmap(library, vma);
	if (replacement->kept)
		mshare_become_text(vma, replacement->text);
	return 0;
}

static const struct file_operations replacement_fops = {
	.get_unmapped_area	= check_area,
	.mmap			= map_library,
};

static bool replace(struct replacement *replacement, unsigned long addr,
		    unsigned long size, unsigned long prot, pgoff_t pgoff)
{
	unsigned long ret = vm_mmap(replacement->file, addr, size, prot,
				    MAP_PRIVATE | MAP_FIXED,
				    pgoff << PAGE_SHIFT);

	return !IS_ERR_VALUE(ret) && !replacement->kept;
}

/* Replace what segments have of a range of text, the first at a time. */
static bool replace_segments(struct replacement *replacement,
			     unsigned long start, unsigned long end,
			     pgoff_t pgoff)
{
	const struct mshare_library *lib = replacement->lib;
	unsigned long offset = lib->offset + ((pgoff - lib->pgoff) << PAGE_SHIFT);
	const struct mshare_segment *segment;
	bool ok = true, any = false;

	list_for_each_entry(segment, &lib->segments, list) {
		unsigned long from = max(segment->offset, offset);
		unsigned long to = min(segment->offset + segment->size,
				       offset + (end - start));

		if (from >= to)
			continue;
		any = true;
		ok &= replace(replacement, start + (from - offset), to - from,
			      segment->prot,
			      pgoff + ((from - offset) >> PAGE_SHIFT));
	}
	/* A gap between segments stays: nothing can be read there. */
	return any && ok;
}

/* In a worker with the mm. */
static int replace_all(void *arg)
{
	struct replacement *replacement = arg;
	unsigned long start = 0, end;
	struct vm_area_struct *vma;
	pgoff_t pgoff;

	for (;;) {
		if (mmap_read_lock_killable(current->mm))
			return -EINTR;
		/* A fork that failed leaves its parent's VMAs in the tree. */
		if (check_stable_address_space(current->mm)) {
			mmap_read_unlock(current->mm);
			return 0;
		}
		vma = text_of(replacement->lib, start);
		if (vma) {
			start = vma->vm_start;
			end = vma->vm_end;
			pgoff = vma->vm_pgoff;
		}
		mmap_read_unlock(current->mm);
		if (!vma)
			return 0;
		if (replace_segments(replacement, start, end, pgoff))
			replacement->replaced++;
		else
			replacement->left++;
		start = end;
	}
}

/* In one mm.  The text file is one more user of the library. */
static int replace_in(struct mm_struct *mm, struct replacement *replacement)
{
	struct mshare_library *lib = replacement->lib;
	int ret;

	if (!mshare_library_join_users(lib))
		return 0;
	replacement->text = mshare_text_open(lib);
	if (IS_ERR(replacement->text)) {
		mshare_library_put_user(lib);
		return PTR_ERR(replacement->text);
	}
	replacement->file = mshare_text_file(lib, &replacement_fops,
					     replacement);
	if (IS_ERR(replacement->file)) {
		ret = PTR_ERR(replacement->file);
	} else {
		ret = mshare_in_mm(mm, replace_all, replacement);
		fput(replacement->file);
	}
	fput(replacement->text);
	return ret;
}

/*
 * The mms with a library, up to max; all counted.  They are only kept from
 * being freed: a process that exits meanwhile gives up its memory.
 */
static unsigned int grab_mms(struct mshare_library *lib,
			     struct mm_struct **mms, unsigned int max)
{
	struct address_space *mapping = lib->anchor->f_mapping;
	struct mm_struct *last = NULL;
	struct rb_node *node;
	unsigned int n = 0;

	i_mmap_lock_read(mapping);
	for (node = rb_first_cached(&mapping->i_mmap); node;
	     node = rb_next(node)) {
		struct mm_struct *mm = rb_entry(node, struct vm_area_struct,
						shared.rb)->vm_mm;

		if (mm == last)
			continue;
		last = mm;
		if (n < max) {
			mmgrab(mm);
			mms[n] = mm;
		}
		n++;
	}
	i_mmap_unlock_read(mapping);
	return n;
}

static void drop_mms(struct mm_struct **mms, unsigned int n)
{
	while (n--)
		mmdrop(mms[n]);
	kvfree(mms);
}

static int replace_each(struct mm_struct **mms, unsigned int n,
			struct replacement *replacement)
{
	int ret = 0;

	while (n-- && !ret) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (mmget_not_zero(mms[n])) {
			ret = replace_in(mms[n], replacement);
			mmput_async(mms[n]);
		}
		cond_resched();
	}
	return ret;
}

/*
 * Look at all mms once.  A child that is forked meanwhile has what its parent
 * had, and may have been seen before the parent's was replaced, or not at all;
 * so may those that come while the array is allocated.
 *
 * Return: 0: nothing more is to be found; -EAGAIN: there may be; an errno.
 */
static int replace_round(struct replacement *replacement)
{
	unsigned int max = grab_mms(replacement->lib, NULL, 0);
	unsigned int before = replacement->replaced, found;
	struct mm_struct **mms;
	int ret;

	if (max > 1 && mshare_inject(MSHARE_SHORT_UNSHARE))
		max = 1;
	mms = kvcalloc(max, sizeof(*mms), GFP_KERNEL);
	if (!mms)
		return -ENOMEM;
	found = grab_mms(replacement->lib, mms, max);
	replacement->left = 0;
	ret = replace_each(mms, min(found, max), replacement);
	drop_mms(mms, min(found, max));
	if (!ret && (found > max || replacement->replaced > before))
		return -EAGAIN;
	return ret;
}

/**
 * mshare_library_unshare() - take a library out of sharing
 * @lib: a library of a sealed region
 * @unshare: replaced and left are set
 *
 * The rounds are limited: somebody may fork for ever.
 *
 * Return: 0, -ENOMEM, -EINTR or -EAGAIN: the library is retired and no window
 * linked, but not all mappings were looked at.
 */
int mshare_library_unshare(struct mshare_library *lib,
			   struct mshare_unshare *unshare)
{
	struct replacement replacement = { .lib = lib };
	unsigned int rounds = MAX_ROUNDS;
	int ret;

	unshare->replaced = 0;
	unshare->left = 0;
	if (!mshare_library_join_users(lib))
		return 0;
	mshare_library_retire(lib);
	mshare_windows_set_live(lib, false);
	mshare_detach_host(lib, 0, lib->nr_windows - 1,
			   MSHARE_DETACHES_UNSHARE);
	do
		ret = replace_round(&replacement);
	while (ret == -EAGAIN && --rounds);
	mshare_library_put_user(lib);

	unshare->replaced = replacement.replaced;
	unshare->left = replacement.left;
	return ret;
}
