/* SPDX-License-Identifier: MIT */
/* Is this file a region that may be used? */
#ifndef MSHARE_REGION_H
#define MSHARE_REGION_H

#include <linux/msharefs.h>

#include "lookup.h"
#include "reason.h"

/* The name of the live region. */
#define MSHARE_LIVE_REGION	"/sys/fs/mshare/system"

/**
 * mshare_region_check_file() - may its contents be believed?
 * @file: the region's file
 *
 * Only root can have written what a regular file of root without any write
 * permission holds.
 *
 * Return: MSHARE_OK or MSHARE_NOT_TRUSTED.
 */
enum mshare_reason mshare_region_check_file(const struct mshare_file *file);

/**
 * mshare_region_check_info() - can it be used, and are its sizes sane?
 * @info: what was read from the region
 * @file: the region's file
 *
 * On success [start, start + size) is a range of user addresses in whole
 * windows, and the catalog lies inside the first window and inside the file.
 *
 * Return: MSHARE_OK, MSHARE_NOT_SEALED, MSHARE_IS_RETIRED or MSHARE_BAD_INFO.
 */
enum mshare_reason mshare_region_check_info(const struct mshare_info *info,
					    const struct mshare_file *file);

#endif /* MSHARE_REGION_H */
