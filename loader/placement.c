/* SPDX-License-Identifier: MIT */
#include "placement.h"

/* Does [offset, offset + size) lie in [start, end)?  Any numbers. */
static int lies_inside(uint64_t offset, uint64_t size, uint64_t start,
		       uint64_t end)
{
	return offset >= start && offset <= end && size <= end - offset;
}

/* In the region, behind its first window? */
static int is_in_region(uint64_t offset, uint64_t size,
			const struct mshare_info *info)
{
	return lies_inside(offset, size, MSHARE_WINDOW_SIZE, info->size);
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
 * found again from the text alone when the library is unmapped.
 */
static int claim_fits(const struct mshare_catalog_entry *entry,
		      const struct mshare_info *info)
{
	return is_paged(entry->text_offset) &&
	       entry->claim_offset == mshare_claim_start(entry->text_offset) &&
	       is_in_region(entry->claim_offset, entry->claim_size, info);
}

/* The claim ends with the library. */
static int paired_fits(const struct mshare_catalog_entry *entry,
		       const struct mshare_segments *segments)
{
	uint64_t head = entry->text_offset - entry->claim_offset;
	uint64_t span = segments->end_vaddr - segments->text_vaddr;

	return entry->claim_size == head + span && !entry->data_offset &&
	       !entry->data_size;
}

/* The claim ends with the text's windows, the data is somewhere behind it. */
static int zone_fits(const struct mshare_catalog_entry *entry,
		     const struct mshare_segments *segments,
		     const struct mshare_info *info)
{
	uint64_t head = entry->text_offset - entry->claim_offset;
	uint64_t claim_end = entry->claim_offset + entry->claim_size;

	return !entry->text_file_offset &&
	       entry->claim_size == mshare_claim_end(head + entry->text_size) &&
	       is_paged(entry->data_offset) &&
	       entry->data_size == segments->end_vaddr - segments->data_vaddr &&
	       lies_inside(entry->data_offset, entry->data_size, claim_end,
			   info->size);
}

/*
 * How far the data has moved: in an image, but for that, all is as in its
 * original.
 */
static uint64_t displacement(const struct mshare_catalog_entry *entry,
			     const struct mshare_segments *segments)
{
	if (entry->placement == MSHARE_PAIRED)
		return 0;
	return entry->data_offset - entry->text_offset -
	       (segments->data_vaddr - segments->text_vaddr);
}

static int fits(const struct mshare_catalog_entry *entry,
		const struct mshare_segments *segments,
		const struct mshare_info *info)
{
	if (!same_text(entry, segments) || !claim_fits(entry, info))
		return 0;
	switch (entry->placement) {
	case MSHARE_PAIRED:
		return paired_fits(entry, segments);
	case MSHARE_SPLIT:
		return zone_fits(entry, segments, info);
	case MSHARE_RELOCATED:
		return zone_fits(entry, segments, info) &&
		       !displacement(entry, segments);
	}
	return 0;
}

enum mshare_reason mshare_place(struct mshare_placement *placement,
				const struct mshare_catalog_entry *entry,
				const struct mshare_segments *segments,
				const struct mshare_info *info)
{
	uint64_t base, moved, data;

	if (!fits(entry, segments, info))
		return MSHARE_BAD_ENTRY;

	/* Wraps around when the library was linked high; so does its use. */
	base = info->start + entry->text_offset - segments->text_vaddr;
	moved = displacement(entry, segments);
	if (base & (segments->align - 1) || moved & (segments->data_align - 1))
		return MSHARE_MISALIGNED;
	data = base + moved + segments->data_vaddr;

	*placement = (struct mshare_placement){
		.claim = info->start + entry->claim_offset,
		.claim_size = entry->claim_size,
		.claim_offset = entry->claim_offset,
		.text = info->start + entry->text_offset,
		.text_size = entry->text_size,
		.text_offset = entry->text_offset,
		.base = base,
		.data = data,
		.bss = data + segments->bss_vaddr - segments->data_vaddr,
		.data_size = segments->end_vaddr - segments->data_vaddr,
		.data_offset = entry->data_offset,
		.moved = moved,
	};
	return MSHARE_OK;
}
