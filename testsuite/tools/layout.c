// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Layouts and catalogs of made-up paired libraries, many at random: what layout.c and
 * catalog-build.c promise, and that ld.so's own code finds each library where
 * it was put.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "mshare.h"
#include "placement.h"
#include "report.h"

#define SEED		20250611
#define ROUNDS		300
#define LIBRARIES_MAX	200
#define MIB		(1UL << 20)

/** struct set - libraries of one layout */
struct set {
	struct mshare_elf elves[LIBRARIES_MAX];
	struct mshare_place places[LIBRARIES_MAX];
	size_t count;
	struct mshare_layout layout;
};

static uint64_t pages(uint64_t limit)
{
	return ((uint64_t)rand() % limit + 1) * MSHARE_PAGE_SIZE;
}

/* A shape as a linker makes it: the data a little or one alignment further. */
static void make_elf(struct mshare_elf *elf)
{
	static const uint64_t aligns[] = { 4096, 4096, 4096, 65536,
					   MSHARE_WINDOW_SIZE };
	uint64_t text_end;

	memset(elf, 0, sizeof(*elf));
	elf->align = aligns[rand() % 5];
	elf->text_vaddr = rand() % 4 ? 0 : (uint64_t)rand() % 1000 * elf->align;
	elf->text_size = pages(rand() % 8 ? 2000 : 20000);
	text_end = elf->text_vaddr + elf->text_size;
	elf->data_vaddr = rand() % 2 ? text_end : text_end + elf->align;
	if (mshare_round_down(elf->data_vaddr, elf->align) < text_end)
		elf->data_vaddr = mshare_round_up(text_end, elf->align);
	elf->end_vaddr = elf->data_vaddr + pages(rand() % 8 ? 100 : 5000);
	elf->nsegments = 1;
	elf->segments[0] = (struct mshare_segment) { .size = elf->text_size };
}

static void make_set(struct set *set, size_t count)
{
	memset(set, 0, sizeof(*set));
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		make_elf(&set->elves[i]);
		set->places[i].elf = &set->elves[i];
		set->places[i].placement = MSHARE_PAIRED;
	}
}

static uint64_t window(uint64_t offset)
{
	return offset / MSHARE_WINDOW_SIZE;
}

/* Text in whole windows of its own; data from the next boundary on. */
static bool is_well_placed(const struct set *set, size_t i)
{
	const struct mshare_place *place = &set->places[i];
	const struct mshare_elf *elf = place->elf;
	uint64_t text_end = place->text_offset + elf->text_size;
	uint64_t data = place->text_offset + elf->data_vaddr - elf->text_vaddr;
	uint64_t end = place->claim_offset + place->claim_size;
	uint64_t base = set->layout.start + place->text_offset - elf->text_vaddr;

	return window(text_end - 1) < window(data) &&
	       data % MSHARE_WINDOW_SIZE < elf->align &&
	       place->claim_offset == mshare_round_down(place->text_offset,
							MSHARE_WINDOW_SIZE) &&
	       end == data + elf->end_vaddr - elf->data_vaddr &&
	       place->text_windows == window(text_end - 1) -
				      window(place->text_offset) + 1 &&
	       base % elf->align == 0;
}

static bool is_apart(const struct set *set)
{
	uint64_t free_from = 1;		/* the first window is the catalog's */

	for (size_t i = 0; i < set->count; i++) {
		const struct mshare_place *place = &set->places[i];

		if (window(place->claim_offset) < free_from)
			return false;
		free_from = window(place->claim_offset + place->claim_size - 1) + 1;
	}
	return free_from * MSHARE_WINDOW_SIZE == set->layout.size;
}

static bool is_compact(const struct mshare_layout *layout)
{
	uint64_t first = layout->start / MSHARE_GIB;
	uint64_t last = (layout->start + layout->size - 1) / MSHARE_GIB;

	return layout->gibs == last - first + 1 &&
	       layout->gibs == (layout->size + MSHARE_GIB - 1) / MSHARE_GIB &&
	       layout->start % MSHARE_WINDOW_SIZE == 0 &&
	       layout->start >= 0x7f8000000000 &&
	       layout->start + layout->size <= 0x7fe000000000;
}

static void test_layouts(void)
{
	unsigned long failed = 0, misplaced = 0, overlap = 0, spread = 0;
	static struct set set;

	for (int round = 0; round < ROUNDS; round++) {
		make_set(&set, (size_t)rand() % LIBRARIES_MAX + 1);
		failed += !!mshare_layout(set.places, set.count, 0, &set.layout);
		for (size_t i = 0; i < set.count; i++)
			misplaced += !is_well_placed(&set, i);
		overlap += !is_apart(&set);
		spread += !is_compact(&set.layout);
	}
	check_eq(failed, 0, "a layout is found");
	check_eq(misplaced, 0, "text has windows of its own, data begins behind a boundary");
	check_eq(overlap, 0, "no two libraries share a window, the first is free");
	check_eq(spread, 0, "no more GiB than needed, inside the range");
}

static struct stat identity(size_t i)
{
	return (struct stat) {
		.st_dev = 0xfd00 + i % 3, .st_ino = 1000 + i * i,
		.st_size = (off_t)(4096 * i),
		.st_ctim = { .tv_sec = 1700000000 + (long)i, .tv_nsec = (long)i },
	};
}

static bool is_found(const struct mshare_catalog *catalog, const struct set *set,
		     size_t i, const struct mshare_info *info)
{
	const struct mshare_elf *elf = set->places[i].elf;
	const struct mshare_segments segments = {
		.text_vaddr = elf->text_vaddr, .text_offset = elf->text_offset,
		.text_size = elf->text_size, .data_vaddr = elf->data_vaddr,
		.end_vaddr = elf->end_vaddr, .align = elf->align,
	};
	struct stat st = identity(i);
	const struct mshare_file file = {
		.dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t)st.st_size,
		.ctime_sec = st.st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)st.st_ctim.tv_nsec,
	};
	const struct mshare_catalog_entry *entry =
		mshare_catalog_find(catalog, st.st_dev, st.st_ino);
	struct mshare_placement placement;
	char path[32];

	snprintf(path, sizeof(path), "/lib/%zu.so", i);
	return entry && !mshare_catalog_is_file(entry, &file) &&
	       !strcmp(mshare_catalog_path(catalog, entry), path) &&
	       !mshare_place(&placement, entry, &segments, info) &&
	       placement.text == info->start + set->places[i].text_offset &&
	       placement.data == placement.text + elf->data_vaddr - elf->text_vaddr;
}

static void test_catalog(size_t count)
{
	struct mshare_builder *builder = mshare_builder_new();
	struct mshare_info info = { 0 };
	struct mshare_catalog catalog;
	unsigned long lost = 0;
	static struct set set;
	void *bytes = NULL;
	size_t size = 0;
	char path[32];

	make_set(&set, count);
	mshare_layout(set.places, count, 0, &set.layout);
	for (size_t i = 0; i < count; i++) {
		struct stat st = identity(i);

		snprintf(path, sizeof(path), "/lib/%zu.so", i);
		mshare_builder_add(builder, &st, &set.places[i], path, NULL);
	}
	check_eq(mshare_builder_finish(builder, &set.layout, &bytes, &size), 0,
		 "catalog of %zu: is built", count);
	info = (struct mshare_info) {
		.start = set.layout.start, .size = set.layout.size,
		.catalog_size = (uint32_t)size,
	};
	if (check(!mshare_catalog_check(&catalog, bytes, size, &info),
		  "catalog of %zu: ld.so accepts it", count)) {
		for (size_t i = 0; i < count; i++)
			lost += !is_found(&catalog, &set, i, &info);
		check_eq(lost, 0, "catalog of %zu: ld.so finds all, where they are",
			 count);
		check(!mshare_catalog_find(&catalog, 1, 1),
		      "catalog of %zu: and no other", count);
	}
	free(bytes);
	mshare_builder_free(builder);
}

static void test_bases(void)
{
	static struct set set;
	struct mshare_layout other;

	make_set(&set, 10);
	check_eq(mshare_layout(set.places, 10, 0x7f9000000000, &set.layout), 0,
		 "a base can be given");
	check(set.layout.start == 0x7f9000000000 && !set.layout.entropy_bits,
	      "it is used, and is no entropy");
	check_eq(mshare_layout(set.places, 10, 0x7f9000001000, &set.layout),
		 -EINVAL, "not one inside a window");
	check_eq(mshare_layout(set.places, 10, 0x7fffffe00000, &set.layout),
		 -EINVAL, "not one without room above it");
	for (size_t i = 0; i < 10; i++)
		set.elves[i].end_vaddr += 64UL << 30;
	check_eq(mshare_layout(set.places, 10, 0, &set.layout), -EFBIG,
		 "too much is refused");

	make_set(&set, 10);
	mshare_layout(set.places, 10, 0, &set.layout);
	mshare_layout(set.places, 10, 0, &other);
	check(set.layout.start != other.start, "two draws differ");
	check(set.layout.size == other.size, "but not in size");
	/* 384 GiB, and the free windows of one of them. */
	check(fabs(set.layout.entropy_bits -
		   log2(384.0 * (double)(512 - set.layout.size /
					 MSHARE_WINDOW_SIZE + 1))) < 1e-9,
	      "entropy counts the addresses drawn from");
}

static void test_probability(void)
{
	check(mshare_collision_probability(1UL << 40, 28) == 1,
	      "a TiB of 1 TiB collides always");
	check(mshare_collision_probability(256 * MIB, 28) == ldexp(1, -12),
	      "256 MiB of 1 TiB collide once in 4096");
	check(mshare_collision_probability(256 * MIB, 32) == ldexp(1, -16),
	      "more random bits, fewer collisions");
}

int main(void)
{
	srand(SEED);
	test_layouts();
	test_catalog(0);
	test_catalog(1);
	test_catalog(LIBRARIES_MAX);
	test_bases();
	test_probability();
	return report_status();
}
