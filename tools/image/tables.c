// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of 32-bit distances that no relocation tells of.
 *
 * Clang's relative lookup tables lie in read-only data and lead into the data;
 * hand-written jump tables may lie in the data and lead into the code.  Moving
 * the data would break both without a word.  Both are counted from their own
 * start, which the code or another table refers to.  So from each address that
 * is referred to, up to the next one, words are tried as distances: what hits
 * twice in a row, or twice in the first few, is taken for such a table.  That
 * refuses some innocent numbers, too.
 */
#include <string.h>

#include "code.h"
#include "steps.h"

/* In so many words at the beginning of a table, two hits are enough. */
#define HEAD_WORDS	16

/* Within so many bytes a constant of the data has its first pointer. */
#define CONSTANT_HEAD	64

static int32_t word_at(const unsigned char *bytes)
{
	int32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/** struct hits - what was found in one table so far */
struct hits {
	unsigned int in_head;
	unsigned int in_row;
};

/* Whether the table is condemned by its word @index */
static bool count_hit(struct hits *hits, size_t index, bool is_hit)
{
	hits->in_row = is_hit ? hits->in_row + 1 : 0;
	hits->in_head += is_hit && index < HEAD_WORDS;
	return hits->in_row == 2 || hits->in_head == 2;
}

/*
 * Whether a constant may begin at an address of the data: compilers make such
 * tables of constants only, and what is constant is data because pointers in
 * it are relocated.
 */
static bool is_constant(const struct image_source *source,
			const struct image_addresses *slots, uint64_t vaddr)
{
	size_t next;

	if (vaddr % 8 || !image_is_data(source, vaddr) ||
	    (source->constants.end && (vaddr < source->constants.start ||
				       vaddr >= source->constants.end)))
		return false;
	next = image_addresses_until(slots, vaddr - 1);
	return next < slots->count && slots->list[next] - vaddr < CONSTANT_HEAD;
}

/*
 * In a relative lookup table every entry leads to a constant, here or in the
 * text, from the first on: what does not is the table's end, or no table.  None
 * leads into the table itself: lists of ascending numbers, like ranges of
 * characters, do that long before a number is large enough to lead to data.
 */
static int check_read_only(const struct image_source *source, uint64_t start,
			   uint64_t end, const struct image_addresses *slots,
			   struct image_verdict *verdict)
{
	const unsigned char *bytes = image_at(source, start, end - start);
	uint64_t nearest = UINT64_MAX;
	unsigned int hits = 0;

	for (size_t i = 0; bytes && i < (end - start) / 4; i++) {
		/* Backwards: a very large one */
		uint64_t distance = (uint64_t)(int64_t)word_at(bytes + 4 * i);
		uint64_t target = start + distance;

		if (distance < nearest)
			nearest = distance;
		if (is_constant(source, slots, target))
			hits++;
		else if (!distance || !image_is_text(source, target))
			return 0;
		if (hits == 1 && nearest < 4 * (i + 1))
			return 0;
		if (hits == 2)
			return image_refuse(verdict, IMAGE_TABLE,
					    "distances to data at %#lx, counted from %#lx",
					    start + 4 * i, start);
	}
	return 0;
}

static bool is_function_part(const struct code *code, uint64_t vaddr)
{
	return vaddr - code->base < code->size &&
	       (code->flags[vaddr - code->base] & CODE_START);
}

/* @slot: the first of @slots that may lie in the table */
static int check_data(const struct code *code, uint64_t start, uint64_t end,
		      const struct image_addresses *slots, size_t slot,
		      struct image_verdict *verdict)
{
	const unsigned char *bytes = image_at(code->source, start, end - start);
	struct hits hits = { 0 };

	for (size_t i = 0; bytes && i < (end - start) / 4; i++) {
		uint64_t at = start + 4 * i;

		while (slot < slots->count && slots->list[slot] + 8 <= at)
			slot++;
		/* What is relocated is no distance. */
		if (slot < slots->count && slots->list[slot] < at + 4)
			continue;
		if (count_hit(&hits, i,
			      is_function_part(code, start + (uint64_t)(int64_t)
						     word_at(bytes + 4 * i))))
			return image_refuse(verdict, IMAGE_TABLE,
					    "distances to code at %#lx, counted from %#lx",
					    at, start);
	}
	return 0;
}

int image_check_tables(const struct image_source *source,
		       const struct code *code,
		       const struct image_addresses *anchors,
		       const struct image_addresses *slots,
		       const struct image_addresses *jumps,
		       struct image_verdict *verdict)
{
	size_t hint = 0;
	int err = 0;

	for (size_t i = 0; i < anchors->count && !err; i++) {
		uint64_t start = anchors->list[i];
		uint64_t end = image_section_end(source, start, &hint);

		if (i + 1 < anchors->count && anchors->list[i + 1] < end)
			end = anchors->list[i + 1];
		if (end <= start || code_is_covered(code, start) ||
		    image_addresses_have(jumps, start))
			continue;
		if (image_is_data(source, start))
			err = check_data(code, start, end, slots,
					 image_addresses_until(slots, start - 8),
					 verdict);
		else
			err = check_read_only(source, start, end, slots,
					      verdict);
	}
	return err;
}
