// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jump tables in the data: 32-bit distances to code, counted from the table's
 * start, which no relocation tells of.  libgmp's hand-written code has them.
 *
 * One is known by the instructions that jump through it, one behind the other,
 *
 *	lea table(%rip), %base;  movslq disp(%base,%index,4), %word;
 *	add %word, %base or add %base, %word;  jmp *%sum
 *
 * if nothing else refers to it.  It ends where a word is relocated, where the
 * next such table begins, or with its section.  Each of its words leads to an
 * instruction, or is zero: then it is not used, or pads.
 */
#include <string.h>

#include "code.h"

/* Fields of ModRM and SIB with a meaning of their own */
#define MOD_REGISTER	3
#define RM_SIB		4
#define INDEX_NONE	4
#define BASE_NONE	5	/* with mod 0 */
#define SCALE_4		2

#define OPCODE_INDIRECT	0xff
#define REG_JMP		4

/* lea disp(%rip), %reg, with a REX prefix */
#define LEA_LENGTH	7

/* ---- the instructions -------------------------------------------------- */

/** struct step - one of the instructions, and its registers */
struct step {
	ZydisDecodedInstruction in;
	unsigned int reg;	/* ModRM.reg */
	unsigned int rm;	/* ModRM.rm */
	unsigned int base;	/* SIB.base */
	unsigned int index;	/* SIB.index */
};

/* Return: false if it has other prefixes, which can mean anything. */
static bool has_only_rex(const ZydisDecodedInstruction *in)
{
	for (size_t i = 0; i < in->raw.prefix_count; i++)
		if ((in->raw.prefixes[i].value & 0xf0) != 0x40)
			return false;
	return true;
}

static bool read_step(const struct code *code, uint64_t *pc, struct step *step)
{
	const ZydisDecodedInstruction *in = &step->in;
	size_t at = *pc - code->base;

	if (!code_is_area(code, *pc) || !(code->flags[at] & CODE_START) ||
	    !instruction_decode(&code->decoder, code->bytes + at,
				code->size - at, &step->in) ||
	    !has_only_rex(in))
		return false;
	step->reg = in->raw.modrm.reg | (unsigned int)in->raw.rex.R << 3;
	step->rm = in->raw.modrm.rm | (unsigned int)in->raw.rex.B << 3;
	step->base = in->raw.sib.base | (unsigned int)in->raw.rex.B << 3;
	step->index = in->raw.sib.index | (unsigned int)in->raw.rex.X << 3;
	*pc += in->length;
	return true;
}

/* The instruction at @*pc, if only the one before it leads there */
static bool read_next(const struct code *code, uint64_t *pc, struct step *step)
{
	return code_is_area(code, *pc) &&
	       !(code->flags[*pc - code->base] & CODE_TARGET) &&
	       read_step(code, pc, step);
}

static bool is_load(const struct step *step, unsigned int base)
{
	const ZydisDecodedInstruction *in = &step->in;

	return in->mnemonic == ZYDIS_MNEMONIC_MOVSXD && in->raw.rex.W &&
	       in->raw.modrm.mod != MOD_REGISTER &&
	       in->raw.modrm.rm == RM_SIB && in->raw.sib.scale == SCALE_4 &&
	       !(in->raw.modrm.mod == 0 && in->raw.sib.base == BASE_NONE) &&
	       step->index != INDEX_NONE && step->base == base &&
	       step->index != base && step->reg != base;
}

/* Return: the register with the sum; -1: it is no such addition. */
static int sum_of(const struct step *step, unsigned int base, unsigned int word)
{
	const ZydisDecodedInstruction *in = &step->in;
	bool to_rm = in->opcode == 0x01, to_reg = in->opcode == 0x03;

	if (in->mnemonic != ZYDIS_MNEMONIC_ADD || !in->raw.rex.W ||
	    in->raw.modrm.mod != MOD_REGISTER || (!to_rm && !to_reg) ||
	    !((step->rm == base && step->reg == word) ||
	      (step->rm == word && step->reg == base)))
		return -1;
	return (int)(to_rm ? step->rm : step->reg);
}

static bool is_jump_to(const struct step *step, int sum)
{
	const ZydisDecodedInstruction *in = &step->in;

	return in->opcode == OPCODE_INDIRECT &&
	       in->mnemonic == ZYDIS_MNEMONIC_JMP &&
	       in->raw.modrm.mod == MOD_REGISTER &&
	       in->raw.modrm.reg == REG_JMP && (int)step->rm == sum;
}

/* Whether the instruction that has @site begins such a jump */
static bool is_jump(const struct code *code, const struct image_site *site)
{
	uint64_t pc = site->origin - LEA_LENGTH;
	struct step step;
	unsigned int base, word;
	int sum;

	if (site->kind != IMAGE_SITE_CODE || !read_step(code, &pc, &step) ||
	    step.in.mnemonic != ZYDIS_MNEMONIC_LEA || !step.in.raw.rex.W ||
	    pc != site->origin)
		return false;
	base = step.reg;
	if (!read_next(code, &pc, &step) || !is_load(&step, base))
		return false;
	word = step.reg;
	if (!read_next(code, &pc, &step))
		return false;
	sum = sum_of(&step, base, word);
	return sum >= 0 && read_next(code, &pc, &step) && is_jump_to(&step, sum);
}

/* ---- the tables -------------------------------------------------------- */

/**
 * struct search - code_find_jumps() at work
 * @code:   the code
 * @slots:  places that relocations fill
 * @jumps:  receives where tables begin
 * @others: addresses that something else refers to
 */
struct search {
	struct code *code;
	const struct image_addresses *slots;
	struct image_addresses *jumps;
	struct image_addresses others;
};

static int add_symbols(struct search *search)
{
	const struct image_source *source = search->code->source;
	const Elf64_Sym *symbols = image_rows(source, &source->dynsym);
	int err = 0;

	for (size_t i = 0; i < source->dynsym.count && !err; i++)
		if (symbols[i].st_shndx != SHN_UNDEF)
			err = image_addresses_add(&search->others,
						  symbols[i].st_value);
	return err;
}

/* Everything that is referred to: as a table, or otherwise */
static int sort_targets(struct search *search,
			const struct image_addresses *pointers)
{
	const struct image_sites *sites = search->code->sites;
	int err = image_addresses_copy(&search->others, pointers);

	for (size_t i = 0; i < sites->count && !err; i++) {
		const struct image_site *site = &sites->list[i];

		err = image_addresses_add(is_jump(search->code, site) ?
						  search->jumps :
						  &search->others,
					  site->target);
	}
	if (!err)
		err = add_symbols(search);
	image_addresses_unique(search->jumps);
	image_addresses_unique(&search->others);
	return err;
}

/* The first of a list above an address, or @end */
static uint64_t next_above(const struct image_addresses *list, uint64_t vaddr,
			   uint64_t end)
{
	size_t next = image_addresses_until(list, vaddr);

	return next < list->count && list->list[next] < end ?
		       list->list[next] : end;
}

/* Return: behind the table's last word; @start: it cannot be told. */
static uint64_t table_end(const struct search *search, uint64_t start)
{
	const struct image_addresses *slots = search->slots;
	size_t below = image_addresses_until(slots, start), hint = 0;
	uint64_t end = image_section_end(search->code->source, start, &hint);

	if (start % 4 || (below && slots->list[below - 1] + 8 > start) ||
	    next_above(&search->others, start - 1, start + 1) == start)
		return start;
	end = next_above(slots, start, end);
	end = next_above(search->jumps, start, end);
	return next_above(&search->others, start, end) < end ? start : end;
}

static int refuse(const struct search *search, uint64_t start)
{
	return image_refuse(search->code->verdict, IMAGE_TABLE,
			    "distances to code at %#lx whose end cannot be told",
			    start);
}

static int add_words(const struct search *search, uint64_t start, uint64_t end)
{
	const struct code *code = search->code;
	const unsigned char *bytes = image_at(code->source, start, end - start);
	bool found = false;
	int err = 0;

	for (size_t at = 0; bytes && at + 4 <= end - start && !err; at += 4) {
		int32_t word;
		uint64_t target;

		memcpy(&word, bytes + at, sizeof(word));
		target = start + (uint64_t)(int64_t)word;
		if (!word)
			continue;
		if (!code_is_area(code, target) ||
		    !(code->flags[target - code->base] & CODE_START))
			return refuse(search, start);
		found = true;
		err = image_sites_add(code->sites, &(struct image_site) {
			.place = start + at,
			.origin = start,
			.target = target,
			.kind = IMAGE_SITE_JUMP,
		});
	}
	return err ? err : found ? 0 : refuse(search, start);
}

int code_find_jumps(struct code *code, const struct image_addresses *pointers,
		    const struct image_addresses *slots,
		    struct image_addresses *jumps)
{
	struct search search = { .code = code, .slots = slots, .jumps = jumps };
	int err = sort_targets(&search, pointers);

	for (size_t i = 0; i < jumps->count && !err; i++)
		err = add_words(&search, jumps->list[i],
				table_end(&search, jumps->list[i]));
	image_addresses_free(&search.others);
	return err;
}
