// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where text and data go.
 *
 * How far the data is from the text is in the text, so it is decided when the
 * image is made and for all generations: each library of a set has its place in
 * a group, and keeps it when it is built again, unless it has grown out of it.
 * The region's base only moves whole groups.
 *
 * A group is one GiB: in a process, one page of the page-table level above the
 * windows'.  From its middle, texts lie downwards, each in windows of its own,
 * and data upwards, page by page, so that all of it shares few windows.  What is
 * used of a group has no gap, and the region's base can be any window from
 * which it does not leave its GiB.
 */
#include <errno.h>

#include "image.h"

static const struct image_entry *other(const struct image_index *index,
				       size_t i, uint32_t group,
				       const struct image_entry *self)
{
	const struct image_entry *entry = &index->entries[i];

	return entry != self && entry->kind == IMAGE_SPLIT &&
	       entry->place.group == group ? entry : NULL;
}

/*
 * The highest free windows; the search goes on below whatever is in the way.
 * Return: false if there are none.
 */
static bool find_text(const struct image_index *index,
		      const struct image_entry *self, struct image_place *place)
{
	uint64_t end = IMAGE_GROUP_MIDDLE;
	bool moved;

	do {
		moved = false;
		if (end < place->text_size)
			return false;
		place->text_offset = end - place->text_size;
		for (size_t i = 0; i < index->count; i++) {
			const struct image_entry *entry =
				other(index, i, place->group, self);

			if (entry && entry->place.text_offset < end &&
			    place->text_offset < entry->place.text_offset +
						 entry->place.text_size) {
				end = entry->place.text_offset;
				moved = true;
				break;
			}
		}
	} while (moved);
	return true;
}

static bool is_in_two_windows(const struct image_place *place)
{
	return place->data_offset / MSHARE_WINDOW_SIZE !=
	       (place->data_offset + place->data_size - 1) / MSHARE_WINDOW_SIZE;
}

/*
 * The lowest free pages that keep the data's alignment, when linked address 0
 * of its library is at @base of the group.  No data is in two windows that fits
 * into one: each costs a page of page tables.
 */
static bool find_data(const struct image_index *index,
		      const struct image_entry *self,
		      const struct image_source *source, uint64_t base,
		      struct image_place *place)
{
	/* The displacement is a multiple of the alignment. */
	uint64_t align = source->data_align;
	uint64_t phase = (base + source->shape.data_vaddr) & (align - 1);
	uint64_t start = IMAGE_GROUP_MIDDLE;
	bool moved;

	do {
		moved = false;
		place->data_offset = mshare_round_down(start, align) + phase;
		if (place->data_offset < start)
			place->data_offset += align;
		if (place->data_offset + place->data_size > IMAGE_GROUP_SIZE)
			return false;
		if (phase + place->data_size <= MSHARE_WINDOW_SIZE &&
		    is_in_two_windows(place)) {
			start = mshare_round_up(place->data_offset,
						MSHARE_WINDOW_SIZE);
			moved = true;
			continue;
		}
		for (size_t i = 0; i < index->count; i++) {
			const struct image_entry *entry =
				other(index, i, place->group, self);
			uint64_t end;

			if (!entry)
				continue;
			end = entry->place.data_offset + entry->place.data_size;
			if (place->data_offset < end &&
			    entry->place.data_offset <
				    place->data_offset + place->data_size) {
				start = end;
				moved = true;
				break;
			}
		}
	} while (moved);
	return true;
}

static uint32_t count_groups(const struct image_index *index)
{
	uint32_t groups = 0;

	for (size_t i = 0; i < index->count; i++)
		if (index->entries[i].kind == IMAGE_SPLIT &&
		    index->entries[i].place.group >= groups)
			groups = index->entries[i].place.group + 1;
	return groups;
}

/* A place that was large enough and is aligned as it must be */
static bool keeps(const struct image_entry *self,
		  const struct image_source *source,
		  const struct image_place *need)
{
	return self && self->kind == IMAGE_SPLIT &&
	       self->place.text_size >= need->text_size &&
	       self->place.data_size >= need->data_size &&
	       image_displacement(source, &self->place) %
			       (int64_t)source->data_align == 0;
}

int image_index_place(const struct image_index *index, const char *path,
		      const struct image_source *source,
		      struct image_place *place)
{
	const struct mshare_elf *shape = &source->shape;
	const struct image_entry *self = image_index_find(index, path);
	uint64_t head = shape->text_vaddr & (shape->align - 1);
	uint32_t groups = count_groups(index);

	*place = (struct image_place) {
		.text_size = mshare_round_up(head + shape->text_size,
					     MSHARE_WINDOW_SIZE),
		.data_size = shape->end_vaddr - shape->data_vaddr,
	};
	if (keeps(self, source, place)) {
		*place = self->place;
		return 0;
	}
	for (; place->group <= groups; place->group++)
		if (find_text(index, self, place) &&
		    find_data(index, self, source,
			      place->text_offset + head - shape->text_vaddr,
			      place))
			return 0;
	return -EFBIG;
}
