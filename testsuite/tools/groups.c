// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Layouts of made-up images in groups, with stock libraries beside them, many
 * at random: what groups.c and layout.c promise, whatever part of a set is
 * used and wherever in its group it is; and what ld.so makes of it.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"
#include "mshare.h"
#include "placement.h"
#include "report.h"

#define SEED		20261129
#define ROUNDS		400
#define LIBRARIES_MAX	400
#define GROUPS		3
#define WINDOWS		(MSHARE_GIB / MSHARE_WINDOW_SIZE)
#define LIBRARY		"/lib/x.so"
#define IMAGE		"/images/lib/x.so"
#define REGION_MAX	(16 * WINDOWS)

/** struct set - libraries of one layout */
struct set {
	struct mshare_elf elves[LIBRARIES_MAX];
	struct mshare_place places[LIBRARIES_MAX];
	struct mshare_split used[LIBRARIES_MAX];
	size_t count;
	size_t nused;
	struct mshare_layout layout;
};

static uint64_t pages(uint64_t limit)
{
	return ((uint64_t)rand() % limit + 1) * MSHARE_PAGE_SIZE;
}

static struct mshare_elf *new_elf(struct set *set, uint64_t align)
{
	struct mshare_elf *elf = &set->elves[set->count];

	*elf = (struct mshare_elf) {
		.align = align,
		.text_vaddr = rand() % 4 ? 0 : pages(1000),
		.text_size = pages(rand() % 8 ? 800 : 8000),
		.nsegments = 1,
	};
	elf->segments[0] = (struct mshare_segment) { .size = elf->text_size };
	return elf;
}

static struct mshare_place *add_place(struct set *set,
				      enum mshare_placement_kind placement)
{
	struct mshare_place *place = &set->places[set->count];

	*place = (struct mshare_place) {
		.elf = &set->elves[set->count], .placement = placement,
	};
	set->count++;
	return place;
}

static void add_stock(struct set *set, enum mshare_placement_kind placement)
{
	struct mshare_elf *elf = new_elf(set, MSHARE_PAGE_SIZE);

	elf->data_vaddr = elf->text_vaddr + elf->text_size;
	elf->end_vaddr = elf->data_vaddr + pages(rand() % 8 ? 100 : 5000);
	add_place(set, placement);
}

/* Texts from @text downwards, data from @data upwards; now and then a hole. */
static void add_split(struct set *set, uint32_t group, uint64_t *text,
		      uint64_t *data)
{
	struct mshare_elf *elf = new_elf(set, rand() % 9 ? MSHARE_PAGE_SIZE :
							   MSHARE_WINDOW_SIZE);
	uint64_t head = elf->text_vaddr & (elf->align - 1);
	uint64_t windows = mshare_round_up(head + elf->text_size,
					   MSHARE_WINDOW_SIZE);
	uint64_t size = pages(rand() % 8 ? 20 : 600);
	struct mshare_split split;

	if (*text < windows || MSHARE_GIB - *data < size)
		return;
	*text -= windows;
	elf->data_vaddr = *data - *text - head + elf->text_vaddr;
	elf->end_vaddr = elf->data_vaddr + size;
	*data += size;
	if (mshare_split_measure(elf, group, *text, &split) ||
	    !mshare_split_agrees(&split, set->used, set->nused)) {
		check(false, "what does not overlap agrees");
		return;
	}
	if (rand() % 5 == 0)
		return;
	set->used[set->nused++] = split;
	add_place(set, MSHARE_SPLIT)->split = split;
}

static void make_set(struct set *set, size_t split, size_t stock)
{
	uint64_t text[GROUPS], data[GROUPS];
	uint32_t groups = (uint32_t)rand() % GROUPS + 1;

	set->count = set->nused = 0;
	for (size_t i = 0; i < GROUPS; i++)
		text[i] = data[i] = (256 + (uint64_t)rand() % 200) *
				    MSHARE_WINDOW_SIZE;
	for (size_t i = 0; i < split; i++) {
		uint32_t group = (uint32_t)rand() % groups;

		/* Their numbers need not follow each other. */
		add_split(set, 2 * group + 1, &text[group], &data[group]);
	}
	for (size_t i = 0; i < stock; i++)
		add_stock(set, rand() % 2 ? MSHARE_PAIRED : MSHARE_RELOCATED);
}

/* ---- what must be true ------------------------------------------------- */

static uint64_t window(uint64_t offset)
{
	return offset / MSHARE_WINDOW_SIZE;
}

/* What each window of a region holds */
enum { FREE, CATALOG, TEXT, ZONE, PAIRED_DATA };

static bool take(unsigned char *windows, uint64_t start, uint64_t size, int what)
{
	bool was_free = true;

	for (uint64_t w = window(start); w <= window(start + size - 1); w++) {
		was_free &= w < REGION_MAX && windows[w] == FREE;
		if (w < REGION_MAX)
			windows[w] = (unsigned char)what;
	}
	return was_free;
}

static bool is_apart(const struct set *set)
{
	static unsigned char windows[REGION_MAX];
	bool apart = true;

	memset(windows, FREE, sizeof(windows));
	windows[0] = CATALOG;
	for (size_t i = 0; i < set->layout.nzones; i++) {
		const struct mshare_zone *zone = &set->layout.zones[i];

		apart &= zone->offset % MSHARE_WINDOW_SIZE == 0 &&
			 zone->size % MSHARE_WINDOW_SIZE == 0 &&
			 take(windows, zone->offset, zone->size, ZONE);
	}
	for (size_t i = 0; i < set->count; i++) {
		const struct mshare_place *place = &set->places[i];

		apart &= take(windows, place->text_offset, place->elf->text_size,
			      TEXT);
		if (place->placement == MSHARE_PAIRED)
			apart &= take(windows, place->data_offset,
				      place->data_size, PAIRED_DATA);
		apart &= place->claim_offset + place->claim_size <=
			 set->layout.size;
	}
	return apart;
}

/* Data in one zone, its group's or its own, as far from the text as it was. */
static bool is_well_placed(const struct set *set, const struct mshare_place *place)
{
	const struct mshare_elf *elf = place->elf;
	uint64_t base = set->layout.start + place->text_offset - elf->text_vaddr;
	unsigned int zones = 0;

	if (place->placement == MSHARE_PAIRED)
		return true;
	for (size_t i = 0; i < set->layout.nzones; i++) {
		const struct mshare_zone *zone = &set->layout.zones[i];

		zones += place->data_offset >= zone->offset &&
			 place->data_offset + place->data_size <=
				 zone->offset + zone->size;
	}
	return zones == 1 && base % elf->align == 0 &&
	       base + elf->data_vaddr == set->layout.start + place->data_offset &&
	       base + elf->end_vaddr == set->layout.start + place->data_offset +
					place->data_size &&
	       place->claim_offset == mshare_round_down(place->text_offset,
							MSHARE_WINDOW_SIZE) &&
	       place->claim_size == place->text_windows * MSHARE_WINDOW_SIZE &&
	       place->claim_size - elf->text_size < 2 * MSHARE_WINDOW_SIZE;
}

/* The distance between two images of a group is what it was in the group. */
static bool is_rigid(const struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct mshare_place *a = &set->places[i];
			const struct mshare_place *b = &set->places[j];

			if (a->placement == MSHARE_SPLIT &&
			    b->placement == MSHARE_SPLIT &&
			    a->split.group == b->split.group &&
			    a->claim_offset - b->claim_offset !=
				    a->split.text.start - b->split.text.start)
				return false;
		}
	return true;
}

static uint64_t gib_of(const struct set *set, uint64_t offset)
{
	return (set->layout.start + offset) / MSHARE_GIB;
}

/* All of a group in one aligned GiB, text and data */
static bool is_in_one_gib(const struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		for (size_t j = 0; j < set->count; j++) {
			const struct mshare_place *a = &set->places[i];
			const struct mshare_place *b = &set->places[j];

			if (a->placement == MSHARE_SPLIT &&
			    b->placement == MSHARE_SPLIT &&
			    a->split.group == b->split.group &&
			    gib_of(set, a->claim_offset) !=
				    gib_of(set, b->data_offset + b->data_size - 1))
				return false;
		}
	return true;
}

/* No more GiB than its size needs; one alone, if windows and gaps allow it. */
static bool is_compact(const struct set *set)
{
	const struct mshare_layout *layout = &set->layout;

	return layout->gibs == (layout->size + MSHARE_GIB - 1) / MSHARE_GIB &&
	       layout->gibs == gib_of(set, layout->size - 1) - gib_of(set, 0) + 1 &&
	       layout->start % MSHARE_WINDOW_SIZE == 0 &&
	       layout->start >= 0x7f8000000000 &&
	       layout->start + layout->size <= 0x7fe000000000;
}

static void test_layouts(void)
{
	unsigned long failed = 0, overlap = 0, misplaced = 0, bent = 0, torn = 0,
		      spread = 0, images = 0;
	static struct set set;

	for (int round = 0; round < ROUNDS; round++) {
		make_set(&set, (size_t)rand() % 250, (size_t)rand() % 30 + 1);
		failed += !!mshare_layout(set.places, set.count, 0, &set.layout);
		overlap += !is_apart(&set);
		for (size_t i = 0; i < set.count; i++)
			misplaced += !is_well_placed(&set, &set.places[i]);
		bent += !is_rigid(&set);
		torn += !is_in_one_gib(&set);
		spread += !is_compact(&set);
		images += set.nused;
	}
	check(images > ROUNDS, "layouts have images in them");
	check_eq(failed, 0, "a layout is found");
	check_eq(overlap, 0, "no window has two texts, or text and data; the first is free");
	check_eq(misplaced, 0, "data is in a zone of its group or its own, as far from the text as it was");
	check_eq(bent, 0, "images keep their distances");
	check_eq(torn, 0, "a group is in one aligned GiB");
	check_eq(spread, 0, "no more GiB than needed, inside the range");
}

static void test_one_gib(void)
{
	uint64_t text = 300 * MSHARE_WINDOW_SIZE, data = text, windows;
	static struct set set;

	set.count = set.nused = 0;
	while (set.nused < 50)
		add_split(&set, 0, &text, &data);
	while (set.count < 60)
		add_stock(&set, MSHARE_PAIRED);
	check(!mshare_layout(set.places, set.count, 0, &set.layout),
	      "one group and a few paired libraries");
	windows = window(set.layout.size);
	check(windows < WINDOWS && set.layout.gibs == 1, "are in one GiB");
	check(fabs(set.layout.entropy_bits -
		   log2(384.0 * (double)(WINDOWS - windows + 1))) < 1e-9,
	      "which they begin in at any window that leaves them there");
}

/* Where one begins decides where the next can: there are always addresses. */
static void test_large_groups(void)
{
	static struct set set;

	set.count = set.nused = 0;
	for (uint32_t group = 0; group < GROUPS; group++) {
		struct mshare_elf *elf = &set.elves[group];

		*elf = (struct mshare_elf) {
			.align = MSHARE_PAGE_SIZE,
			.text_size = 400 * MSHARE_WINDOW_SIZE,
			.data_vaddr = 410 * MSHARE_WINDOW_SIZE,
			.end_vaddr = 411 * MSHARE_WINDOW_SIZE,
		};
		mshare_split_measure(elf, group, 0,
				     &add_place(&set, MSHARE_SPLIT)->split);
	}
	check(!mshare_layout(set.places, set.count, 0, &set.layout),
	      "groups of most of a GiB have a layout");
	check(is_apart(&set) && is_in_one_gib(&set) && set.layout.gibs == GROUPS,
	      "each in a GiB of its own");
}

/* Libraries whose data is relocated: one more than there are zones for */
static void test_many_zones(void)
{
	static struct set set;

	set.count = set.nused = 0;
	while (set.count < MSHARE_ZONES_MAX)
		add_stock(&set, MSHARE_RELOCATED);
	check(!mshare_layout(set.places, set.count, 0, &set.layout) &&
	      set.layout.nzones == MSHARE_ZONES_MAX && is_apart(&set),
	      "as many zones as there can be");
	add_stock(&set, MSHARE_RELOCATED);
	check_eq(mshare_layout(set.places, set.count, 0, &set.layout), -EFBIG,
		 "and not one more");
}

/* ---- ld.so ------------------------------------------------------------- */

static bool is_found(const struct mshare_catalog *catalog, const struct set *set,
		     size_t i, const struct mshare_info *info)
{
	const struct mshare_elf *elf = set->places[i].elf;
	const struct mshare_segments segments = {
		.text_vaddr = elf->text_vaddr, .text_offset = elf->text_offset,
		.text_size = elf->text_size, .data_vaddr = elf->data_vaddr,
		.end_vaddr = elf->end_vaddr, .align = elf->align,
	};
	const struct mshare_catalog_entry *entry =
		mshare_catalog_find(catalog, 1, 1000 + i);
	struct mshare_placement placement;

	if (!entry)
		return false;
	return !strcmp(mshare_catalog_image(catalog, entry),
		       entry->placement == MSHARE_SPLIT ? IMAGE : "") &&
	       !strcmp(mshare_catalog_path(catalog, entry), LIBRARY) &&
	       entry->placement == set->places[i].placement &&
	       !mshare_place(&placement, entry, &segments, info) &&
	       placement.text == info->start + set->places[i].text_offset &&
	       placement.data == info->start + set->places[i].data_offset;
}

static void test_catalog(void)
{
	struct mshare_builder *builder = mshare_builder_new();
	struct mshare_catalog catalog;
	struct mshare_info info;
	unsigned long lost = 0;
	static struct set set;
	void *bytes = NULL;
	size_t size = 0;

	make_set(&set, 100, 20);
	mshare_layout(set.places, set.count, 0, &set.layout);
	for (size_t i = 0; i < set.count; i++) {
		struct stat st = { .st_dev = 1, .st_ino = 1000 + i };

		mshare_builder_add(builder, &st, &set.places[i], LIBRARY, IMAGE);
	}
	mshare_builder_finish(builder, &set.layout, &bytes, &size);
	info = (struct mshare_info) {
		.start = set.layout.start, .size = set.layout.size,
		.catalog_size = (uint32_t)size,
	};
	if (check(!mshare_catalog_check(&catalog, bytes, size, &info),
		  "ld.so accepts the catalog"))
		for (size_t i = 0; i < set.count; i++)
			lost += !is_found(&catalog, &set, i, &info);
	check_eq(lost, 0, "ld.so finds all, of each placement, where they are");
	free(bytes);
	mshare_builder_free(builder);
}

/* ---- what cannot be ---------------------------------------------------- */

#define MIB	(1UL << 20)

/* A split with one window of text and one page of data, and another one */
static bool agree(uint64_t text, uint64_t data, uint64_t other_text,
		  uint64_t other_data)
{
	const struct mshare_split one = {
		.text = { text, text + 2 * MIB }, .data = { data, data + 4096 },
	};
	const struct mshare_split other = {
		.text = { other_text, other_text + 2 * MIB },
		.data = { other_data, other_data + 4096 },
	};

	return mshare_split_agrees(&one, &other, 1);
}

static void test_hostile(void)
{
	const struct mshare_split zones[] = {
		{ .text = { 0, 2 * MIB }, .data = { 100 * MIB, 101 * MIB } },
		{ .text = { 2 * MIB, 4 * MIB }, .data = { 108 * MIB, 109 * MIB } },
	};
	const struct mshare_split between = {
		.text = { 104 * MIB, 106 * MIB }, .data = { 110 * MIB, 111 * MIB },
	};
	struct mshare_elf elf = {
		.align = 4096, .text_size = MIB, .data_vaddr = 512 * MIB,
		.end_vaddr = 513 * MIB,
	};
	struct mshare_split split;

	check(agree(0, 100 * MIB, 2 * MIB, 100 * MIB + 4096),
	      "neighbours agree");
	check(!agree(0, 100 * MIB, 0, 102 * MIB), "not two texts in one window");
	check(!agree(0, 100 * MIB, 2 * MIB, 100 * MIB), "nor two data in one page");
	check(!agree(100 * MIB, 102 * MIB, 0, 100 * MIB),
	      "nor one's text where the other's data is");
	check(!agree(0, 100 * MIB, 100 * MIB, 102 * MIB),
	      "nor the other way round");
	check(!agree(0, MIB, 4 * MIB, 6 * MIB), "nor data in its own text's window");
	check(!mshare_split_agrees(&between, zones, 2),
	      "nor text between the data of others");

	check_eq(mshare_split_measure(&elf, 0, 0, &split), 0, "an image in a group");
	check_eq(mshare_split_measure(&elf, MSHARE_GROUPS_MAX, 0, &split), -ERANGE,
		 "not in a group that cannot be");
	check_eq(mshare_split_measure(&elf, 0, 4096, &split), -ERANGE,
		 "not inside a window");
	check_eq(mshare_split_measure(&elf, 0, 512 * MIB, &split), -ERANGE,
		 "not with data behind its end");
	check_eq(mshare_split_measure(&elf, 0, -(2 * MIB), &split), -ERANGE,
		 "not at an absurd place");
	elf.end_vaddr = elf.data_vaddr + (1UL << 63);
	check_eq(mshare_split_measure(&elf, 0, 0, &split), -ERANGE,
		 "not of absurd size");
}

int main(void)
{
	srand(SEED);
	test_layouts();
	test_one_gib();
	test_large_groups();
	test_many_zones();
	test_catalog();
	test_hostile();
	return report_status();
}
