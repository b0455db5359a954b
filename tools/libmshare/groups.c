// SPDX-License-Identifier: MIT
/*
 * Groups of images: what is in one, and whether that can be.
 *
 *	group	|   | text |text| | text |..data data data| |data..|
 *		    ^ lowest window       ^ data zone              ^ highest
 *
 * An image's place was decided when it was made.  Which images of a group are
 * used is decided here and now: only the windows from the first to the last of
 * these matter, not where in the group they are.
 */
#include <errno.h>

#include "groups.h"

int mshare_split_measure(const struct mshare_elf *elf, uint32_t group,
			 uint64_t offset, struct mshare_split *split)
{
	/* Text begins as far behind a window boundary as its alignment needs. */
	uint64_t head = elf->text_vaddr & (elf->align - 1);
	uint64_t distance = elf->data_vaddr - elf->text_vaddr;
	uint64_t size = elf->end_vaddr - elf->data_vaddr;

	if (group >= MSHARE_GROUPS_MAX || offset % MSHARE_WINDOW_SIZE ||
	    offset >= MSHARE_GIB || elf->text_size > MSHARE_GIB ||
	    distance > MSHARE_GIB || size > MSHARE_GIB)
		return -ERANGE;
	*split = (struct mshare_split) {
		.group = group,
		.text = {
			.start = offset,
			.end = mshare_round_up(offset + head + elf->text_size,
					       MSHARE_WINDOW_SIZE),
		},
		.data = {
			.start = offset + head + distance,
			.end = offset + head + distance + size,
		},
	};
	return split->text.end > MSHARE_GIB || split->data.end > MSHARE_GIB ?
		       -ERANGE : 0;
}

static bool overlap(const struct mshare_range *a, const struct mshare_range *b)
{
	return a->start < b->end && b->start < a->end;
}

static void widen(struct mshare_range *range, uint64_t start, uint64_t end)
{
	if (start < range->start)
		range->start = start;
	if (end > range->end)
		range->end = end;
}

static void widen_zone(struct mshare_range *zone, const struct mshare_range *data)
{
	widen(zone, mshare_round_down(data->start, MSHARE_WINDOW_SIZE),
	      mshare_round_up(data->end, MSHARE_WINDOW_SIZE));
}

bool mshare_split_agrees(const struct mshare_split *split,
			 const struct mshare_split *others, size_t count)
{
	struct mshare_range zone = RANGE_EMPTY;

	widen_zone(&zone, &split->data);
	for (size_t i = 0; i < count; i++) {
		if (others[i].group != split->group)
			continue;
		if (overlap(&others[i].text, &split->text) ||
		    overlap(&others[i].data, &split->data))
			return false;
		widen_zone(&zone, &others[i].data);
	}
	for (size_t i = 0; i < count; i++)
		if (others[i].group == split->group &&
		    overlap(&others[i].text, &zone))
			return false;
	return !overlap(&split->text, &zone);
}

bool measure_group(const struct mshare_place *places, size_t count,
		   uint32_t number, struct group *group)
{
	*group = (struct group) { RANGE_EMPTY, RANGE_EMPTY };
	for (size_t i = 0; i < count; i++) {
		const struct mshare_split *split = &places[i].split;

		if (places[i].placement != MSHARE_SPLIT ||
		    split->group != number)
			continue;
		widen(&group->windows, split->text.start, split->text.end);
		widen_zone(&group->zone, &split->data);
	}
	widen(&group->windows, group->zone.start, group->zone.end);
	return group->windows.start < group->windows.end;
}
