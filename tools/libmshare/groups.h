/* SPDX-License-Identifier: MIT */
#ifndef GROUPS_H
#define GROUPS_H

#include "mshare.h"

/* Whatever is added becomes all of it. */
#define RANGE_EMPTY	(struct mshare_range) { UINT64_MAX, 0 }

/**
 * struct group - what those images of a group that are used take of it
 * @windows: from the first to the last
 * @zone:    those of them from the first to the last data
 */
struct group {
	struct mshare_range windows;
	struct mshare_range zone;
};

/**
 * measure_group() - find out what a group needs
 * @places: libraries of any placement and group
 * @count:  how many
 * @number: which group
 * @group:  receives it
 *
 * Return: whether any image of it is used.
 */
bool measure_group(const struct mshare_place *places, size_t count,
		   uint32_t number, struct group *group);

#endif /* GROUPS_H */
