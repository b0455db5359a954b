// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions that jump through a table of 32-bit distances, which are counted
 * from the table's own address:
 *
 *	lea table(%rip), %base;  movslq disp(%base,%index,4), %word;
 *	add %word, %base or add %base, %word;  jmp *%sum
 *
 * one behind the other, and nothing leads into their middle.
 */
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

/* The instruction at @*pc, which then is the address of the next */
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

bool code_is_jump(const struct code *code, const struct image_site *site,
		  struct jump *jump)
{
	uint64_t pc = site->origin - LEA_LENGTH;
	struct step step;
	unsigned int base, word;
	int sum;

	*jump = (struct jump) { .pc = pc, .table = site->target };
	if (site->kind != IMAGE_SITE_CODE || !read_step(code, &pc, &step) ||
	    step.in.mnemonic != ZYDIS_MNEMONIC_LEA || !step.in.raw.rex.W ||
	    pc != site->origin)
		return false;
	base = step.reg;
	if (!read_next(code, &pc, &step) || !is_load(&step, base))
		return false;
	jump->displacement = step.in.raw.disp.value;
	word = step.reg;
	if (!read_next(code, &pc, &step))
		return false;
	sum = sum_of(&step, base, word);
	return sum >= 0 && read_next(code, &pc, &step) && is_jump_to(&step, sum);
}
