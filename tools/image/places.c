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
 * windows'.  Texts lie from its second window (the first is the catalog's)
 * upwards, each in windows of its own; data from its end downwards, page by
 * page, so that all of it shares few windows.
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

/* The lowest free windows; the search goes on behind whatever is in the way. */
static uint64_t find_text(const struct image_index *index, uint32_t group,
			  const struct image_entry *self, uint64_t size)
{
	uint64_t offset = MSHARE_WINDOW_SIZE;
	bool moved;

	do {
		moved = false;
		for (size_t i = 0; i < index->count; i++) {
			const struct image_entry *entry = other(index, i, group,
								self);

			if (entry &&
			    entry->place.text_offset < offset + size &&
			    offset < entry->place.text_offset +
				     entry->place.text_size) {
				offset = entry->place.text_offset +
					 entry->place.text_size;
				moved = true;
			}
		}
	} while (moved);
	return offset;
}

/*
 * The highest free pages below which the data's alignment holds, when its text
 * is at @text.
 */
static uint64_t find_data(const struct image_index *index, uint32_t group,
			  const struct image_entry *self,
			  const struct image_source *source, uint64_t text,
			  uint64_t size)
{
	/* The displacement is a multiple of the alignment. */
	uint64_t phase = (text - source->shape.text_vaddr +
			  source->shape.data_vaddr) & (source->data_align - 1);
	uint64_t end = IMAGE_GROUP_SIZE, offset;
	bool moved;

	do {
		moved = false;
		if (end < size + source->data_align)
			return 0;
		offset = mshare_round_down(end - size - phase,
					   source->data_align) + phase;
		for (size_t i = 0; i < index->count; i++) {
			const struct image_entry *entry = other(index, i, group,
								self);

			if (entry &&
			    entry->place.data_offset < offset + size &&
			    offset < entry->place.data_offset +
				     entry->place.data_size) {
				end = entry->place.data_offset;
				moved = true;
			}
		}
	} while (moved);
	return offset;
}

static bool fits(const struct image_index *index,
		 const struct image_entry *self, const struct image_place *place)
{
	uint64_t text_end = place->text_offset + place->text_size;

	if (!place->data_offset || text_end > place->data_offset)
		return false;
	for (size_t i = 0; i < index->count; i++) {
		const struct image_entry *entry = other(index, i, place->group,
							self);

		if (entry && (text_end > entry->place.data_offset ||
			      place->data_offset < entry->place.text_offset +
						   entry->place.text_size))
			return false;
	}
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
	for (; place->group <= groups; place->group++) {
		place->text_offset = find_text(index, place->group, self,
					       place->text_size);
		place->data_offset = find_data(index, place->group, self, source,
					       place->text_offset + head,
					       place->data_size);
		if (fits(index, self, place))
			return 0;
	}
	return -EFBIG;
}
