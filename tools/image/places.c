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
#include <stdlib.h>

#include "image.h"

static int by_start(const void *a, const void *b)
{
	const struct image_span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/**
 * struct taken - what others have of a group, in ascending order
 * @text: windows
 * @data: pages
 * @count: of each
 */
struct taken {
	struct image_span *text;
	struct image_span *data;
	size_t count;
};

static void add_taken(struct taken *taken, const struct image_place *place)
{
	taken->text[taken->count] = (struct image_span) {
		place->text_offset, place->text_offset + place->text_size,
	};
	taken->data[taken->count++] = (struct image_span) {
		place->data_offset, place->data_offset + place->data_size,
	};
}

static int find_taken(const struct image_index *index,
		      const struct image_entry *self, uint32_t group,
		      struct taken *taken)
{
	*taken = (struct taken) {
		.text = calloc(index->count + 1, sizeof(*taken->text)),
		.data = calloc(index->count + 1, sizeof(*taken->data)),
	};
	if (!taken->text || !taken->data)
		return -ENOMEM;
	for (size_t i = 0; i < index->count; i++) {
		const struct image_entry *entry = &index->entries[i];

		if (entry != self && entry->kind == IMAGE_SPLIT &&
		    entry->place.group == group)
			add_taken(taken, &entry->place);
	}
	qsort(taken->text, taken->count, sizeof(*taken->text), by_start);
	qsort(taken->data, taken->count, sizeof(*taken->data), by_start);
	return 0;
}

static void free_taken(struct taken *taken)
{
	free(taken->text);
	free(taken->data);
}

/*
 * The highest free windows.
 * Return: false if there are none.
 */
static bool find_text(const struct taken *taken, struct image_place *place)
{
	uint64_t end = IMAGE_GROUP_MIDDLE;

	for (size_t i = taken->count; i-- > 0;) {
		const struct image_span *text = &taken->text[i];

		if (text->end <= end && end - text->end >= place->text_size)
			break;
		if (text->start < end)
			end = text->start;
	}
	if (end < place->text_size)
		return false;
	place->text_offset = end - place->text_size;
	return true;
}

/*
 * Where data fits from an address on, to be aligned with a phase.  No data is in
 * two windows that fits into one: each costs a page of page tables.
 */
static uint64_t fit_data(uint64_t start, uint64_t size, uint64_t align,
			 uint64_t phase)
{
	uint64_t at = mshare_round_down(start, align) + phase;

	if (at < start)
		at += align;
	if (phase + size > MSHARE_WINDOW_SIZE ||
	    at / MSHARE_WINDOW_SIZE == (at + size - 1) / MSHARE_WINDOW_SIZE)
		return at;
	return fit_data(mshare_round_up(at, MSHARE_WINDOW_SIZE), size, align,
			phase);
}

/*
 * The lowest free pages that keep the data's alignment, when linked address 0
 * of its library is at @base of the group.
 */
static bool find_data(const struct taken *taken,
		      const struct image_source *source, uint64_t base,
		      struct image_place *place)
{
	/* The displacement is a multiple of the alignment. */
	uint64_t align = source->data_align;
	uint64_t phase = (base + source->shape.data_vaddr) & (align - 1);
	uint64_t size = place->data_size;
	uint64_t at = fit_data(IMAGE_GROUP_MIDDLE, size, align, phase);

	for (size_t i = 0; i < taken->count; i++) {
		const struct image_span *data = &taken->data[i];

		if (at + size <= data->start)
			break;
		if (at < data->end)
			at = fit_data(data->end, size, align, phase);
	}
	place->data_offset = at;
	return at + size <= IMAGE_GROUP_SIZE;
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
		struct taken taken;
		int err = find_taken(index, self, place->group, &taken);
		bool found = !err && find_text(&taken, place) &&
			     find_data(&taken, source,
				       place->text_offset + head -
					       shape->text_vaddr,
				       place);

		free_taken(&taken);
		if (err || found)
			return err;
	}
	return -EFBIG;
}
