/* SPDX-License-Identifier: MIT */
/* Where a catalogued library goes. */
#ifndef MSHARE_PLACEMENT_H
#define MSHARE_PLACEMENT_H

#include <stdint.h>

#include <linux/msharefs.h>

#include "catalog.h"
#include "reason.h"
#include "segments.h"

/* First address above everything a region may occupy: x86-64, four levels. */
#define MSHARE_ADDRESS_LIMIT	((1ULL << 47) - MSHARE_PAGE_SIZE)

/**
 * struct mshare_placement - addresses of one library, all in whole pages
 * @claim:	where the pad begins: the window boundary below the text
 * @claim_size:	bytes of the pad: to where a paired library ends in memory; if
 *		the data is in a zone, to the window boundary above the text
 * @claim_offset: place of the pad in the region
 * @text:	where the text begins
 * @text_size:	bytes of text
 * @text_offset: place of the text in the region
 * @base:	what is added to every linked address (l_addr)
 * @data:	where the data begins
 * @bss:	behind the last page of data that is not only bss
 * @data_size:	bytes of data, bss included
 * @data_offset: place of the data in the region; 0 if it is in the library's
 *		file
 * @moved:	how much further from the text the data is than in the
 *		library's file; 0 if it is not split
 */
struct mshare_placement {
	uint64_t claim;
	uint64_t claim_size;
	uint64_t claim_offset;
	uint64_t text;
	uint64_t text_size;
	uint64_t text_offset;
	uint64_t base;
	uint64_t data;
	uint64_t bss;
	uint64_t data_size;
	uint64_t data_offset;
	uint64_t moved;
};

/**
 * mshare_place() - work out the addresses of a library
 * @placement:	filled in if it can be placed
 * @entry:	what the catalog says of it; any bytes
 * @segments:	what its file says: the original, if it is split
 * @info:	the region; accepted by mshare_region_check_info()
 *
 * On success claim, text and data lie inside the region, behind its first
 * window, the text inside the claim, and the data behind the text: of a paired
 * library inside the claim, of others behind it.
 *
 * Return: MSHARE_OK, MSHARE_BAD_ENTRY or MSHARE_MISALIGNED.
 */
enum mshare_reason mshare_place(struct mshare_placement *placement,
				const struct mshare_catalog_entry *entry,
				const struct mshare_segments *segments,
				const struct mshare_info *info);

/**
 * mshare_claim_start() - where the claim of a placed library begins
 * @text: its first byte
 */
static inline uint64_t mshare_claim_start(uint64_t text)
{
	return text & ~(uint64_t)(MSHARE_WINDOW_SIZE - 1);
}

/**
 * mshare_claim_end() - where the claim of a library that is not paired ends
 * @text_end: where its text ends; an address or an offset
 */
static inline uint64_t mshare_claim_end(uint64_t text_end)
{
	return mshare_claim_start(text_end + MSHARE_WINDOW_SIZE - 1);
}

#endif /* MSHARE_PLACEMENT_H */
