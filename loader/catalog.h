/* SPDX-License-Identifier: MIT */
/*
 * The catalog of a region: which library is where.
 *
 * Written by mshare-preload before the region is sealed, read by every ld.so.
 * It stands at MSHARE_CATALOG_OFFSET of the region and is mapped at that
 * offset from the region's start.  All numbers are in the machine's order:
 * a catalog never leaves the machine that made it.
 *
 *	header | buckets: uint32_t[nbuckets] | entries | strings
 *
 * The four parts follow each other without gaps (entries 8-aligned).  A bucket
 * holds the index + 1 of the first entry with that hash (0: none), an entry
 * the index + 1 of the next.  An entry only ever points to one of higher
 * index, so that a walk ends whatever the bytes are.
 */
#ifndef MSHARE_CATALOG_H
#define MSHARE_CATALOG_H

#include <stdint.h>

#define MSHARE_CATALOG_MAGIC	"mshrcat3"	/* 8 bytes, no NUL; the last is the version */

struct mshare_catalog_header {
	char	 magic[8];
	uint32_t size;		/* bytes of the whole catalog, this included */
	uint32_t nbuckets;	/* a power of two, at least 1 */
	uint32_t nentries;
	uint32_t strings_size;	/* bytes of NUL-terminated strings at the end */
	uint64_t region_start;	/* must equal mshare_info.start */
	uint64_t region_size;	/* must equal mshare_info.size */
};

/* mshare_catalog_entry.placement: how a library's data lies to its text */
enum mshare_placement_kind {
	MSHARE_PAIRED = 1,	/* stock library: data at its linked distance */
	MSHARE_SPLIT = 2,	/* image: its data is in a data zone */
	MSHARE_RELOCATED = 3,	/* stock library: its data at its linked distance,
				 * in a data zone */
};

struct mshare_catalog_entry {
	/*
	 * Identity of the library's file, the original of an image too, as
	 * fstat(2) gives it; all must be equal.
	 */
	uint64_t dev;
	uint64_t ino;
	uint64_t file_size;
	int64_t	 ctime_sec;
	uint32_t ctime_nsec;

	uint32_t placement;	/* enum mshare_placement_kind */

	/*
	 * The text: file bytes [text_file_offset, + text_size), of the image
	 * if it is split, stand at region offset text_offset.  All three are
	 * multiples of the page.  Text that has its data in a zone begins with
	 * its ELF header: text_file_offset is 0.
	 */
	uint64_t text_offset;
	uint64_t text_file_offset;
	uint64_t text_size;

	/*
	 * What the loader claims with the pad before it maps anything:
	 * claim_offset is the window boundary at or below text_offset.  The
	 * claim of a paired library ends with the page where its last segment
	 * ends in memory, that of others at the window boundary at or above
	 * the text's end: nothing else may get into its windows.
	 */
	uint64_t claim_offset;
	uint64_t claim_size;

	/*
	 * The data in a data zone, bss included, in whole pages, behind the
	 * claim: as far from the text as in the image, or in the library.
	 * Both are 0 if it is paired.
	 */
	uint64_t data_offset;
	uint64_t data_size;

	/*
	 * Offset into the strings, for people only.  Behind the path of a split
	 * library stands that of its image, for debuggers.
	 */
	uint32_t path;
	uint32_t next;		/* next entry in this bucket: index + 1, or 0 */
};

/**
 * mshare_catalog_hash() - the bucket a file belongs to
 * @dev: st_dev
 * @ino: st_ino
 * @nbuckets: a power of two
 */
static inline uint32_t mshare_catalog_hash(uint64_t dev, uint64_t ino,
					   uint32_t nbuckets)
{
	uint64_t h = (ino ^ (dev << 32) ^ dev) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(h >> 32) & (nbuckets - 1);
}

#endif /* MSHARE_CATALOG_H */
