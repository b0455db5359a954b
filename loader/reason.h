/* SPDX-License-Identifier: MIT */
/*
 * Why a library is not placed.
 *
 * None of these is an error: the library is loaded as on a stock system.
 * LD_MSHARE=verbose prints the text.
 */
#ifndef MSHARE_REASON_H
#define MSHARE_REASON_H

enum mshare_reason {
	MSHARE_OK = 0,

	/* the region as a file */
	MSHARE_NO_REGION,
	MSHARE_UNREADABLE,
	MSHARE_NOT_TRUSTED,

	/* what the region says of itself */
	MSHARE_NOT_SEALED,
	MSHARE_IS_RETIRED,
	MSHARE_BAD_INFO,
	MSHARE_OTHER_GENERATION,

	/* its catalog */
	MSHARE_CATALOG_UNMAPPABLE,
	MSHARE_BAD_CATALOG,
	MSHARE_NOT_LISTED,
	MSHARE_FILE_CHANGED,
	MSHARE_BAD_ENTRY,

	/* the library */
	MSHARE_BAD_HEADERS,
	MSHARE_NO_TEXT,
	MSHARE_NO_DATA,
	MSHARE_TWO_DATA,
	MSHARE_DATA_NOT_LAST,
	MSHARE_EXECUTABLE_DATA,
	MSHARE_TEXT_SPLIT,
	MSHARE_TEXT_ZERO_FILLED,
	MSHARE_SHARED_PAGE,
	MSHARE_TEXT_RELOCATIONS,
	MSHARE_MISALIGNED,
	MSHARE_OTHER_IMAGE,
	MSHARE_NO_MEMORY,

	/* the address space */
	MSHARE_RANGE_TAKEN,
	MSHARE_PAD_REFUSED,
	MSHARE_TEXT_REFUSED,
	MSHARE_DATA_REFUSED,
};

/**
 * mshare_reason_string() - a reason in words, for people
 * @reason: any value
 */
const char *mshare_reason_string(enum mshare_reason reason);

#endif /* MSHARE_REASON_H */
