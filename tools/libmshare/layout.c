// SPDX-License-Identifier: MIT
/*
 * Where each library goes, and where the region goes.
 *
 *	catalog | group of images | stock | stock | ... | next group | ...
 *
 *	stock	|  ....text  |   text   |data...  |
 *		 claim of one that is paired: all
 *		 of one that is relocated: text, with the data in a zone of its own
 *
 * What is kept here:
 *   - the first window is the catalog's;
 *   - no two libraries share a window of text, and no library's text shares
 *     one with data.  What is free in the text's windows of a stock library
 *     is at their head, so that the data, which each process has for itself,
 *     begins at a boundary;
 *   - a group of images lies inside one aligned GiB, its libraries as far from
 *     each other as it says.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/random.h>

#include "groups.h"

/*
 * Where regions may be: in the PGD slot of the stack (so that they need no
 * PUD page of their own), below all stacks (random within 16 GiB below
 * 0x7ffffffff000) and below everything that programs run without address
 * randomisation have.
 */
#define RANGE_START	0x7f8000000000UL
#define RANGE_END	0x7fe000000000UL
#define USER_END	0x7ffffffff000UL

/**
 * struct arrangement - a region that is being laid out
 * @places:  all libraries
 * @count:   how many
 * @layout:  the region
 * @groups:  where each group of images is in it
 * @ngroups: how many
 */
struct arrangement {
	struct mshare_place *places;
	size_t count;
	struct mshare_layout *layout;
	struct mshare_range groups[MSHARE_GROUPS_MAX];
	size_t ngroups;
};

/*
 * Choose the library's address so that a window begins between the end of
 * its text and its data.  The address of a library (what ld.so adds to the
 * linked ones) keeps the alignment of its segments, so data begins
 * @shift = data_vaddr % align above the boundary: at the boundary itself, for
 * all that are aligned to a page.  mshare_elf_inspect() saw to it that the
 * text ends at or below data_vaddr - shift.
 */
static void place_stock(struct mshare_place *place, uint64_t offset)
{
	const struct mshare_elf *elf = place->elf;
	uint64_t shift = elf->data_vaddr & (elf->align - 1);
	uint64_t head = elf->data_vaddr - shift - elf->text_vaddr;
	uint64_t boundary = offset + mshare_round_up(head, MSHARE_WINDOW_SIZE);
	uint64_t text_end = boundary - head + elf->text_size;

	place->text_offset = boundary - head;
	place->data_offset = boundary + shift;
	place->data_size = elf->end_vaddr - elf->data_vaddr;
	place->claim_offset = mshare_round_down(place->text_offset,
						MSHARE_WINDOW_SIZE);
	place->text_windows = (mshare_round_up(text_end, MSHARE_WINDOW_SIZE) -
			       place->claim_offset) / MSHARE_WINDOW_SIZE;
	place->claim_size = place->placement == MSHARE_RELOCATED ?
				    place->text_windows * MSHARE_WINDOW_SIZE :
				    place->data_offset + place->data_size -
					    place->claim_offset;
}

static int add_zone(struct mshare_layout *layout, uint64_t start, uint64_t end)
{
	if (layout->nzones == MSHARE_ZONES_MAX)
		return -EFBIG;
	layout->zones[layout->nzones++] = (struct mshare_zone) {
		.offset = start, .size = end - start,
	};
	return 0;
}

static int place_all_stock(struct arrangement *at)
{
	struct mshare_layout *layout = at->layout;
	int err = 0;

	for (size_t i = 0; i < at->count && !err; i++) {
		struct mshare_place *place = &at->places[i];

		if (place->placement == MSHARE_SPLIT)
			continue;
		place_stock(place, layout->size);
		layout->size = mshare_round_up(place->data_offset +
					       place->data_size,
					       MSHARE_WINDOW_SIZE);
		if (layout->size > RANGE_END - RANGE_START)
			err = -EFBIG;
		else if (place->placement == MSHARE_RELOCATED)
			err = add_zone(layout,
				       mshare_round_down(place->data_offset,
							 MSHARE_WINDOW_SIZE),
				       layout->size);
	}
	return err;
}

/* @frame: what is added to offsets in the group; it may be below the region. */
static void place_split(struct mshare_place *place, uint64_t frame)
{
	const struct mshare_elf *elf = place->elf;
	const struct mshare_split *split = &place->split;

	place->claim_offset = frame + split->text.start;
	place->claim_size = split->text.end - split->text.start;
	place->text_windows = place->claim_size / MSHARE_WINDOW_SIZE;
	place->data_offset = frame + split->data.start;
	place->data_size = split->data.end - split->data.start;
	place->text_offset = place->data_offset -
			     (elf->data_vaddr - elf->text_vaddr);
}

/* A group that would reach into another GiB begins with that one. */
static int place_group(struct arrangement *at, uint32_t number)
{
	struct mshare_layout *layout = at->layout;
	uint64_t size, offset = layout->size;
	struct group group;

	if (!measure_group(at->places, at->count, number, &group))
		return 0;
	size = group.windows.end - group.windows.start;
	if (offset / MSHARE_GIB != (offset + size - 1) / MSHARE_GIB)
		offset = mshare_round_up(offset, MSHARE_GIB);

	for (size_t i = 0; i < at->count; i++)
		if (at->places[i].placement == MSHARE_SPLIT &&
		    at->places[i].split.group == number)
			place_split(&at->places[i],
				    offset - group.windows.start);
	at->groups[at->ngroups++] = (struct mshare_range) { offset, offset + size };
	layout->size = offset + size;
	offset -= group.windows.start;
	return add_zone(layout, offset + group.zone.start,
			offset + group.zone.end);
}

/*
 * The first group has what most programs use: with the catalog and, if they
 * fit, the stock libraries in one GiB.
 */
static int arrange(struct arrangement *at)
{
	uint32_t number = 0;
	int err = 0;

	at->layout->size = MSHARE_WINDOW_SIZE;
	at->layout->nzones = 0;
	while (number < MSHARE_GROUPS_MAX && !at->ngroups && !err)
		err = place_group(at, number++);
	if (!err)
		err = place_all_stock(at);
	while (number < MSHARE_GROUPS_MAX && !err)
		err = place_group(at, number++);
	return at->layout->size > RANGE_END - RANGE_START ? -EFBIG : err;
}

static int random_below(uint64_t limit, uint64_t *value)
{
	uint64_t unfair = -limit % limit;	/* 2^64 mod limit */

	do {
		if (getrandom(value, sizeof(*value), 0) != sizeof(*value))
			return -errno;
	} while (*value < unfair);
	*value %= limit;
	return 0;
}

static bool is_compact(const struct arrangement *at, uint64_t gibs,
		       uint64_t phase)
{
	if (phase + at->layout->size > gibs * MSHARE_GIB)
		return false;
	for (size_t i = 0; i < at->ngroups; i++)
		if ((phase + at->groups[i].start) / MSHARE_GIB !=
		    (phase + at->groups[i].end - 1) / MSHARE_GIB)
			return false;
	return true;
}

/*
 * Any window boundary from which the region touches no more aligned GiB than
 * it must, and each group only one: each costs a process that uses it one
 * page-table page.  They are @phases, the same in each GiB; the start of a GiB
 * is always one.
 */
static int draw_start(const struct arrangement *at)
{
	struct mshare_layout *layout = at->layout;
	uint64_t gibs = mshare_round_up(layout->size, MSHARE_GIB) / MSHARE_GIB;
	uint64_t available = (RANGE_END - RANGE_START) / MSHARE_GIB;
	uint64_t phases[MSHARE_GIB / MSHARE_WINDOW_SIZE];
	uint64_t count = 0, slots, choice;
	int err;

	if (gibs > available)
		return -EFBIG;
	for (uint64_t phase = 0; phase < MSHARE_GIB; phase += MSHARE_WINDOW_SIZE)
		if (is_compact(at, gibs, phase))
			phases[count++] = phase;
	slots = (available - gibs + 1) * count;
	err = random_below(slots, &choice);
	if (err)
		return err;

	layout->start = RANGE_START + choice / count * MSHARE_GIB +
			phases[choice % count];
	layout->entropy_bits = log2((double)slots);
	return 0;
}

int mshare_layout(struct mshare_place *places, size_t count, uint64_t base,
		  struct mshare_layout *layout)
{
	struct arrangement at = {
		.places = places, .count = count, .layout = layout,
	};
	uint64_t last;
	int err = arrange(&at);

	if (err)
		return err;
	if (base) {
		if (base % MSHARE_WINDOW_SIZE || base >= USER_END ||
		    layout->size > USER_END - base)
			return -EINVAL;
		layout->start = base;
		layout->entropy_bits = 0;
	} else {
		err = draw_start(&at);
		if (err)
			return err;
	}
	last = layout->start + layout->size - 1;
	layout->gibs = (unsigned int)(last / MSHARE_GIB -
				      layout->start / MSHARE_GIB + 1);
	return 0;
}

const char *mshare_placement_name(uint32_t placement)
{
	switch (placement) {
	case MSHARE_PAIRED:
		return "paired";
	case MSHARE_SPLIT:
		return "split";
	case MSHARE_RELOCATED:
		return "relocated";
	}
	return "?";
}

unsigned int mshare_mmap_random_bits(bool *known)
{
	FILE *file = fopen("/proc/sys/vm/mmap_rnd_bits", "re");
	unsigned int bits;

	*known = file && fscanf(file, "%u", &bits) == 1 && bits < 48;
	if (file)
		fclose(file);
	return *known ? bits : 28;	/* CONFIG_ARCH_MMAP_RND_BITS */
}

/*
 * Linux' mmap_base() (arch/x86/mm/mmap.c) puts the top of a process's
 * mappings at TASK_SIZE - gap - rnd, rnd uniform over 2^bits pages: 1 TiB with
 * the default of 28 bits.  Mappings grow down from there.  A process that has
 * F bytes mapped when it asks for a range of S bytes is in its way if the top
 * falls into the S + F bytes from the range's start: (S + F) / 2^(12 + bits).
 * We give the part that the layout decides, F = 0.  A collision costs that
 * process the sharing of that library, nothing else.
 */
double mshare_collision_probability(uint64_t size, unsigned int bits)
{
	double spread = ldexp((double)MSHARE_PAGE_SIZE, (int)bits);
	double probability = (double)size / spread;

	return probability < 1 ? probability : 1;
}
