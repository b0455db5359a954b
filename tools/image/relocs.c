// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dynamic relocations: each changes eight bytes of data, and is of a type
 * whose meaning is known.
 */
#include <string.h>

#include "steps.h"

bool image_relr_next(struct image_relr *walk, uint64_t *place)
{
	const uint64_t *entries = image_rows(walk->source, &walk->source->relr);

	for (;;) {
		while (walk->left) {
			bool hit = walk->bits & 1;

			*place = walk->place;
			walk->place += 8;
			walk->bits >>= 1;
			walk->left--;
			if (hit)
				return true;
		}
		if (walk->index == walk->source->relr.count)
			return false;
		walk->bits = entries[walk->index++];
		if (!(walk->bits & 1)) {
			*place = walk->bits;
			walk->place = *place + 8;
			return true;
		}
		walk->bits >>= 1;
		walk->left = 63;
	}
}

/** struct reading - image_read_relocations() at work */
struct reading {
	const struct image_source *source;
	struct image_addresses *targets;
	struct image_addresses *slots;
	struct image_verdict *verdict;
};

static int add(struct reading *reading, uint64_t place, bool has_target,
	       uint64_t target)
{
	const struct image_source *source = reading->source;
	int err;

	if (place < source->data_start || place > source->data_end - 8 ||
	    source->data_end - source->data_start < 8)
		return image_refuse(reading->verdict, IMAGE_DYNAMIC,
				    "a relocation of %#lx, which is not data",
				    place);
	err = image_addresses_add(reading->slots, place);
	if (err || !has_target)
		return err;
	if (image_classify(source, target) == IMAGE_TO_NEITHER)
		return image_refuse(reading->verdict, IMAGE_TARGET,
				    "the pointer at %#lx leads to %#lx, neither text nor data",
				    place, target);
	return image_addresses_add(reading->targets, target);
}

/* Loaders do not agree on what no symbol means, but for the module itself. */
static bool is_known(const struct image_source *source, uint64_t info)
{
	uint64_t symbol = ELF64_R_SYM(info);

	switch (ELF64_R_TYPE(info)) {
	case R_X86_64_DTPMOD64:
	case R_X86_64_DTPOFF64:
	case R_X86_64_TPOFF64:
	case R_X86_64_TLSDESC:
		return !symbol || symbol < source->dynsym.count;
	default:
		return symbol && symbol < source->dynsym.count;
	}
}

static int add_rela(struct reading *reading, const struct image_table *table)
{
	const Elf64_Rela *rela = image_rows(reading->source, table);
	int err = 0;

	for (size_t i = 0; i < table->count && !err; i++) {
		uint64_t addend = (uint64_t)rela[i].r_addend;

		switch (ELF64_R_TYPE(rela[i].r_info)) {
		case R_X86_64_NONE:
			break;
		case R_X86_64_RELATIVE:
		case R_X86_64_IRELATIVE:
			err = add(reading, rela[i].r_offset, true, addend);
			break;
		case R_X86_64_64:
		case R_X86_64_GLOB_DAT:
		case R_X86_64_JUMP_SLOT:
		case R_X86_64_DTPMOD64:
		case R_X86_64_DTPOFF64:
		case R_X86_64_TPOFF64:
		case R_X86_64_TLSDESC:
		case R_X86_64_SIZE64:
			if (is_known(reading->source, rela[i].r_info)) {
				err = add(reading, rela[i].r_offset, false, 0);
				break;
			}
			/* fall through */
		default:
			err = image_refuse(reading->verdict, IMAGE_DYNAMIC,
					   "relocation type %lu of %#lx is not known",
					   ELF64_R_TYPE(rela[i].r_info),
					   rela[i].r_offset);
		}
	}
	return err;
}

static int add_relr(struct reading *reading)
{
	struct image_relr walk = { .source = reading->source };
	uint64_t place, target;
	int err = 0;

	while (!err && image_relr_next(&walk, &place)) {
		const unsigned char *at = image_at(reading->source, place, 8);

		if (!at || place < reading->source->data_start)
			return image_refuse(reading->verdict, IMAGE_DYNAMIC,
					    "a relocation of %#lx, which is not data",
					    place);
		memcpy(&target, at, sizeof(target));
		err = add(reading, place, true, target);
	}
	return err;
}

int image_read_relocations(const struct image_source *source,
			   struct image_addresses *targets,
			   struct image_addresses *slots,
			   struct image_verdict *verdict)
{
	struct reading reading = {
		.source = source, .targets = targets, .slots = slots,
		.verdict = verdict,
	};
	int err = add_rela(&reading, &source->rela);

	if (!err)
		err = add_rela(&reading, &source->jmprel);
	if (!err)
		err = add_relr(&reading);
	if (err)
		return err;
	image_addresses_sort(slots);
	for (size_t i = 1; i < slots->count; i++)
		if (slots->list[i] - slots->list[i - 1] < 8)
			return image_refuse(verdict, IMAGE_DYNAMIC,
					    "%#lx is relocated twice",
					    slots->list[i]);
	return 0;
}
