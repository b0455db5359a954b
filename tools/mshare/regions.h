/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef REGIONS_H
#define REGIONS_H

#include "mshare.h"
#include "names.h"

/**
 * find_regions() - all regions that have a name, temporary ones included
 * @mountpoint: where msharefs is
 * @names:	receives them, sorted; names_free()
 *
 * Ends the program if msharefs is not mounted there.
 */
void find_regions(const char *mountpoint, struct names *names);

/**
 * require_region() - open a region, or end the program
 * @mountpoint: where msharefs is
 * @name:	which
 */
struct mshare_region *require_region(const char *mountpoint, const char *name);

/**
 * find_library() - a library of a region's catalog
 * @region:	the region
 * @path:	its path, or a link to it
 * @library:	receives it
 */
bool find_library(const struct mshare_region *region, const char *path,
		  struct mshare_library *library);

/**
 * region_state() - "live", "retired" or, not sealed yet, "new"
 * @region: the region
 */
const char *region_state(const struct mshare_region *region);

#endif /* REGIONS_H */
