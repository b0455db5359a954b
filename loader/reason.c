/* SPDX-License-Identifier: MIT */
#include "reason.h"

const char *mshare_reason_string(enum mshare_reason reason)
{
	switch (reason) {
	case MSHARE_OK:
		return "nothing speaks against it";
	case MSHARE_NO_REGION:
		return "there is no region";
	case MSHARE_UNREADABLE:
		return "the region cannot be read";
	case MSHARE_NOT_TRUSTED:
		return "the region is not a read-only regular file of root";
	case MSHARE_NOT_SEALED:
		return "the region is not sealed";
	case MSHARE_IS_RETIRED:
		return "the region is retired";
	case MSHARE_BAD_INFO:
		return "the region describes itself wrongly";
	case MSHARE_OTHER_GENERATION:
		return "the region is not the one this process began with";
	case MSHARE_CATALOG_UNMAPPABLE:
		return "the catalog's address is taken";
	case MSHARE_BAD_CATALOG:
		return "the catalog is damaged";
	case MSHARE_NOT_LISTED:
		return "not in the catalog";
	case MSHARE_FILE_CHANGED:
		return "the file has changed since the catalog was written";
	case MSHARE_BAD_ENTRY:
		return "the catalog contradicts the file or itself";
	case MSHARE_BAD_HEADERS:
		return "its program headers are wrong";
	case MSHARE_NO_TEXT:
		return "it does not begin with text";
	case MSHARE_NO_DATA:
		return "it has no data";
	case MSHARE_TWO_DATA:
		return "it has more than one writable segment";
	case MSHARE_DATA_NOT_LAST:
		return "it has text above its data";
	case MSHARE_EXECUTABLE_DATA:
		return "its data is executable";
	case MSHARE_TEXT_SPLIT:
		return "its text is not one piece of the file";
	case MSHARE_TEXT_ZERO_FILLED:
		return "its text ends beyond its file";
	case MSHARE_SHARED_PAGE:
		return "text and data share a page";
	case MSHARE_TEXT_RELOCATIONS:
		return "it relocates its text";
	case MSHARE_MISALIGNED:
		return "its agreed address does not suit its alignment";
	case MSHARE_OTHER_IMAGE:
		return "its image is not one of this file";
	case MSHARE_NO_MEMORY:
		return "there is no memory for its image's path";
	case MSHARE_RANGE_TAKEN:
		return "its addresses are taken";
	case MSHARE_PAD_REFUSED:
		return "the region refused the pad";
	case MSHARE_TEXT_REFUSED:
		return "the region refused the text";
	case MSHARE_DATA_REFUSED:
		return "its data could not be mapped";
	}
	return "unknown";
}
