/* SPDX-License-Identifier: MIT */
#include "region.h"

#include "placement.h"

/* st_mode, as the kernel defines it */
#define MODE_TYPE	0170000U
#define MODE_REGULAR	0100000U
#define MODE_WRITE	0000222U

enum mshare_reason mshare_region_check_file(const struct mshare_file *file)
{
	if ((file->mode & MODE_TYPE) != MODE_REGULAR ||
	    file->mode & MODE_WRITE || file->uid != 0)
		return MSHARE_NOT_TRUSTED;
	return MSHARE_OK;
}

static int is_windows(uint64_t x)
{
	return x != 0 && x % MSHARE_WINDOW_SIZE == 0;
}

enum mshare_reason mshare_region_check_info(const struct mshare_info *info,
					    const struct mshare_file *file)
{
	if (!(info->flags & MSHARE_SEALED))
		return MSHARE_NOT_SEALED;
	if (info->flags & MSHARE_RETIRED)
		return MSHARE_IS_RETIRED;
	if (info->generation == 0 || !is_windows(info->start) ||
	    !is_windows(info->size) || info->start >= MSHARE_ADDRESS_LIMIT ||
	    info->size > MSHARE_ADDRESS_LIMIT - info->start)
		return MSHARE_BAD_INFO;

	/* Reading a mapping beyond the file's end is a signal. */
	if (info->catalog_size < sizeof(struct mshare_catalog_header) ||
	    info->catalog_size > MSHARE_CATALOG_MAX ||
	    MSHARE_CATALOG_OFFSET + info->catalog_size > file->size)
		return MSHARE_BAD_INFO;
	return MSHARE_OK;
}
