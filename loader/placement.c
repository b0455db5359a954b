/* SPDX-License-Identifier: MIT */
#include "placement.h"

/* Does [offset, offset + size) lie in [start, end)?  Any numbers. */
static int lies_inside(uint64_t offset, uint64_t size, uint64_t start,
		       uint64_t end)
{
	return offset >= start && offset <= end && size <= end - offset;
}

static int is_paged(uint64_t x)
{
	return x % MSHARE_PAGE_SIZE == 0;
}

/* The text that the catalog describes must be the text the file has. */
static int same_text(const struct mshare_catalog_entry *entry,
		     const struct mshare_segments *segments)
{
	return entry->text_file_offset == segments->text_offset &&
	       entry->text_size == segments->text_size;
}

/*
 * The claim begins at the window boundary below the text, so that it can be
 * found again from the text alone when the library is unmapped, and it ends
 * with the library.
 */
static int claim_fits(const struct mshare_catalog_entry *entry,
		      const struct mshare_segments *segments,
		      const struct mshare_info *info)
{
	uint64_t head = entry->text_offset - entry->claim_offset;
	uint64_t span = segments->end_vaddr - segments->text_vaddr;

	return is_paged(entry->text_offset) &&
	       entry->claim_offset == mshare_claim_start(entry->text_offset) &&
	       entry->claim_size == head + span &&
	       lies_inside(entry->claim_offset, entry->claim_size,
			   MSHARE_WINDOW_SIZE, info->size);
}

enum mshare_reason mshare_place(struct mshare_placement *placement,
				const struct mshare_catalog_entry *entry,
				const struct mshare_segments *segments,
				const struct mshare_info *info)
{
	uint64_t base;

	if (entry->placement != MSHARE_PAIRED || !same_text(entry, segments) ||
	    !claim_fits(entry, segments, info))
		return MSHARE_BAD_ENTRY;

	/* Wraps around when the library was linked high; so does its use. */
	base = info->start + entry->text_offset - segments->text_vaddr;
	if (base & (segments->align - 1))
		return MSHARE_MISALIGNED;

	*placement = (struct mshare_placement){
		.claim = info->start + entry->claim_offset,
		.claim_size = entry->claim_size,
		.claim_offset = entry->claim_offset,
		.text = info->start + entry->text_offset,
		.text_size = entry->text_size,
		.text_offset = entry->text_offset,
		.base = base,
		.data = base + segments->data_vaddr,
	};
	return MSHARE_OK;
}
