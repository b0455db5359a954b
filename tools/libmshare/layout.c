// SPDX-License-Identifier: MIT
/*
 * Where each library goes, and where the region goes.
 *
 *	window	|  catalog  |  ....text  |   text   |data...  | ..text |data
 *		^ start      ^ claim of one library        ^   ^ claim of the next
 *
 * What is kept here:
 *   - the first window is the catalog's;
 *   - no two libraries share a window, and no library's text shares one with
 *     its data: what is free in the text's windows is at their head, so that
 *     the data, which each process has for itself, begins at a boundary.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <sys/random.h>

#include "mshare.h"

/*
 * Where regions may be: in the PGD slot of the stack (so that they need no
 * PUD page of their own), below all stacks (random within 16 GiB below
 * 0x7ffffffff000) and below everything that programs run without address
 * randomisation have.
 */
#define RANGE_START	0x7f8000000000UL
#define RANGE_END	0x7fe000000000UL
#define USER_END	0x7ffffffff000UL

/*
 * Choose the library's address so that a window begins between the end of
 * its text and its data.  The address of a library (what ld.so adds to the
 * linked ones) keeps the alignment of its segments, so data begins
 * @shift = data_vaddr % align above the boundary: at the boundary itself, for
 * all that are aligned to a page.  mshare_elf_inspect() saw to it that the
 * text ends at or below data_vaddr - shift.
 */
static uint64_t place_one(struct mshare_place *place, uint64_t offset)
{
	const struct mshare_elf *elf = place->elf;
	uint64_t shift = elf->data_vaddr & (elf->align - 1);
	uint64_t head = elf->data_vaddr - shift - elf->text_vaddr;
	uint64_t boundary = offset + mshare_round_up(head, MSHARE_WINDOW_SIZE);
	uint64_t text_end, claim_end;

	place->text_offset = boundary - head;
	text_end = place->text_offset + elf->text_size;
	claim_end = boundary + shift + elf->end_vaddr - elf->data_vaddr;

	place->claim_offset = mshare_round_down(place->text_offset,
						MSHARE_WINDOW_SIZE);
	place->claim_size = claim_end - place->claim_offset;
	place->text_windows = (mshare_round_up(text_end, MSHARE_WINDOW_SIZE) -
			       place->claim_offset) / MSHARE_WINDOW_SIZE;
	return mshare_round_up(claim_end, MSHARE_WINDOW_SIZE);
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

/*
 * Any window boundary from which the region touches no more aligned GiB than
 * it must: each costs a process that uses it one page-table page.
 */
static int draw_start(struct mshare_layout *layout)
{
	uint64_t gibs = mshare_round_up(layout->size, MSHARE_GIB) / MSHARE_GIB;
	uint64_t available = (RANGE_END - RANGE_START) / MSHARE_GIB;
	uint64_t slots, slack, choice;
	int err;

	if (gibs > available)
		return -EFBIG;
	slots = available - gibs + 1;
	slack = (gibs * MSHARE_GIB - layout->size) / MSHARE_WINDOW_SIZE + 1;
	err = random_below(slots * slack, &choice);
	if (err)
		return err;

	layout->start = RANGE_START + choice / slack * MSHARE_GIB +
			choice % slack * MSHARE_WINDOW_SIZE;
	layout->entropy_bits = log2((double)(slots * slack));
	return 0;
}

int mshare_layout(struct mshare_place *places, size_t count, uint64_t base,
		  struct mshare_layout *layout)
{
	uint64_t offset = MSHARE_WINDOW_SIZE;
	uint64_t last;
	int err;

	for (size_t i = 0; i < count; i++) {
		offset = place_one(&places[i], offset);
		if (offset > RANGE_END - RANGE_START)
			return -EFBIG;
	}
	layout->size = offset;

	if (base) {
		if (base % MSHARE_WINDOW_SIZE || base >= USER_END ||
		    layout->size > USER_END - base)
			return -EINVAL;
		layout->start = base;
		layout->entropy_bits = 0;
	} else {
		err = draw_start(layout);
		if (err)
			return err;
	}
	last = layout->start + layout->size - 1;
	layout->gibs = (unsigned int)(last / MSHARE_GIB -
				      layout->start / MSHARE_GIB + 1);
	return 0;
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
