// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where images go: no two in one place, each within reach, and a library that
 * is built again stays where it was.
 *
 *	placed DIRECTORY LIBRARY...
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "made.h"
#include "report.h"

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool clash(const struct image_place *a, const struct image_place *b)
{
	return a->group == b->group &&
	       (overlap(a->text_offset, a->text_size, b->text_offset, b->text_size) ||
		overlap(a->data_offset, a->data_size, b->data_offset, b->data_size) ||
		overlap(a->text_offset, a->text_size, b->data_offset, b->data_size) ||
		overlap(a->data_offset, a->data_size, b->text_offset, b->text_size));
}

static bool is_same(const struct image_place *a, const struct image_place *b)
{
	return a->group == b->group && a->text_offset == b->text_offset &&
	       a->text_size == b->text_size &&
	       a->data_offset == b->data_offset &&
	       a->data_size == b->data_size;
}

static bool is_sound(const struct image_place *place)
{
	return place->text_offset % MSHARE_WINDOW_SIZE == 0 &&
	       place->text_size % MSHARE_WINDOW_SIZE == 0 &&
	       place->text_offset + place->text_size <= IMAGE_GROUP_MIDDLE &&
	       place->data_offset % MSHARE_PAGE_SIZE == 0 &&
	       place->data_offset >= IMAGE_GROUP_MIDDLE &&
	       place->data_offset + place->data_size <= IMAGE_GROUP_SIZE;
}

/* Libraries as they could be: the shape is all that counts here. */
static void make_up(struct image_source *source, unsigned int i)
{
	uint64_t text = (1 + 37 * i % 11 * 700) * MSHARE_PAGE_SIZE;
	uint64_t data = (1 + i % 40) * MSHARE_PAGE_SIZE;

	*source = (struct image_source) {
		.shape = {
			.text_size = text,
			.data_vaddr = text + MSHARE_PAGE_SIZE,
			.end_vaddr = text + MSHARE_PAGE_SIZE + data,
			.align = i % 50 ? MSHARE_PAGE_SIZE : MSHARE_WINDOW_SIZE,
		},
	};
	source->data_align = source->shape.align;
}

static int put(struct image_index *index, unsigned int i,
	       const struct image_source *source, struct image_place *place)
{
	struct image_entry entry = { .kind = IMAGE_SPLIT };
	char path[32];
	int err;

	snprintf(path, sizeof(path), "/lib/lib%u.so", i);
	err = image_index_place(index, path, source, place);
	if (err)
		return err;
	entry.path = path;
	entry.place = *place;
	return image_index_put(index, &entry);
}

#define LIBRARIES	900

/* Bytes of windows that are nobody's, between the texts of a group */
static uint64_t gaps(const struct image_index *index, uint32_t group)
{
	uint64_t start = IMAGE_GROUP_MIDDLE, used = 0;

	for (size_t i = 0; i < index->count; i++) {
		const struct image_place *place = &index->entries[i].place;

		if (place->group != group)
			continue;
		used += place->text_size;
		if (place->text_offset < start)
			start = place->text_offset;
	}
	return IMAGE_GROUP_MIDDLE - start - used;
}

/* Its data begins where its alignment says, wherever windows do. */
static bool is_aligned_to_pages(const struct image_entry *entry)
{
	return strtoul(entry->path + strlen("/lib/lib"), NULL, 10) % 50;
}

static bool is_in_two_windows(const struct image_place *place)
{
	uint64_t last = place->data_offset + place->data_size - 1;

	return place->data_offset / MSHARE_WINDOW_SIZE !=
	       last / MSHARE_WINDOW_SIZE;
}

static void check_places(const struct image_index *index)
{
	size_t clashes = 0, unsound = 0, torn = 0, groups = 0;

	for (size_t i = 0; i < index->count; i++) {
		const struct image_place *place = &index->entries[i].place;

		unsound += !is_sound(place);
		torn += is_aligned_to_pages(&index->entries[i]) &&
			is_in_two_windows(place);
		if (place->group >= groups)
			groups = place->group + 1;
		for (size_t j = 0; j < i; j++)
			clashes += clash(place, &index->entries[j].place);
	}
	check_eq(index->count, LIBRARIES, "many libraries have a place");
	check_eq(clashes, 0, "no two have the same");
	check_eq(unsound, 0, "text in windows, data in pages, within its group");
	check_eq(torn, 0, "no data is in two windows that fits into one");
	check(groups > 1, "there is more than one group");
	check_eq(gaps(index, 0), 0, "no window lies idle between texts");
}

static void check_misaligned(struct image_index *index)
{
	struct image_source source;
	struct image_place place;
	size_t wrong = 0;

	for (unsigned int i = 0; i < LIBRARIES; i++) {
		make_up(&source, i);
		put(index, i, &source, &place);
		wrong += image_displacement(&source, &place) %
			 (int64_t)source.data_align != 0;
	}
	check_eq(wrong, 0, "data moves by a multiple of its alignment");
}

static void check_stable(struct image_index *index)
{
	struct image_source source;
	struct image_place before, after, grown;

	make_up(&source, 7);
	put(index, 7, &source, &before);
	put(index, 7, &source, &after);
	check(is_same(&before, &after),
	      "a library that is built again stays where it was");
	source.shape.end_vaddr += 100 * MSHARE_PAGE_SIZE;
	put(index, 7, &source, &grown);
	check(!is_same(&before, &grown) && is_sound(&grown),
	      "one that has grown out of its place gets another");
	source.shape.text_size = 2 * IMAGE_GROUP_SIZE;
	check_eq(image_index_place(index, "/lib/huge.so", &source, &after),
		 -EFBIG, "one that is larger than a group gets none");
}

static void check_saved(struct image_index *index, const char *directory)
{
	struct image_index saved;
	char path[PATH_MAX];
	bool equal;

	index->directory = strdup(directory);
	check_eq(image_index_save(index), 0, "the index is saved");
	check_eq(image_index_open(directory, false, &saved), 0, "and read");
	equal = saved.count == index->count;
	for (size_t i = 0; i < saved.count && equal; i++)
		equal = !strcmp(saved.entries[i].path, index->entries[i].path) &&
			is_same(&saved.entries[i].place,
				&index->entries[i].place);
	check(equal, "with the same places");
	image_index_close(&saved);
	snprintf(path, sizeof(path), "%s/index", directory);
	check(!chmod(path, 0644) && !truncate(path, 100) &&
	      image_index_open(directory, false, &saved) == -EBADMSG,
	      "a damaged one is refused");
	image_index_close(&saved);
	unlink(path);
}

/* The same input gives the same bytes. */
static void check_deterministic(const char *path, const char *directory)
{
	struct made first, second;
	const char *slash = strrchr(path, '/');
	bool ok;

	ok = make_image(&first, path, directory);
	ok = make_image(&second, path, directory) && ok;
	check(ok && first.image.size == second.image.size &&
	      !memcmp(first.image.bytes, second.image.bytes, first.image.size),
	      "%s: the image is the same each time", slash ? slash + 1 : path);
	unmake(&first);
	unmake(&second);
}

int main(int argc, char **argv)
{
	struct image_index index = { .lock = -1 };

	check_misaligned(&index);
	check_places(&index);
	check_stable(&index);
	check_saved(&index, argc > 1 ? argv[1] : ".");
	image_index_close(&index);
	for (int i = 2; i < argc; i++)
		check_deterministic(argv[i], argv[1]);
	return report_status();
}
