// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gaps: bytes of executable sections that nothing covers and nothing known
 * enters.  They are padding, or tables that hand-written code keeps beside
 * itself, or code that nobody knows.
 *
 * The gap rule: no code that could be in one refers to data.  An instruction
 * could begin at each byte.  It does not if what would run after it comes to
 * bytes that no processor takes, or branches out of the text.  How it goes on
 * behind a call is not known, as the call may not return; nor behind bytes that
 * only this decoder does not know, as they may be an instruction that is newer.
 */
#include <string.h>

#include "code.h"
#include "steps.h"

/* So many instructions in a row are not an accident. */
#define RUN_MAX	64

/* Of an instruction; of its second byte, or later */
#define INSTRUCTION_MAX	15
#define MODRM_MOD_RM	0xc7
#define MODRM_RIP	0x05

/** struct gap - offsets in the code */
struct gap {
	size_t start;
	size_t end;
};

/* What linkers and compilers put between functions */
static bool is_padding(const struct code *code, size_t start, size_t end)
{
	ZydisDecodedInstruction in;

	while (start < end) {
		const unsigned char *bytes = code->bytes + start;

		if (*bytes == 0x00 || *bytes == 0xcc) {
			start++;
			continue;
		}
		if (!instruction_decode(&code->decoder, bytes, end - start,
					&in) ||
		    !instruction_is_nop(&in, bytes))
			return false;
		start += in.length;
	}
	return true;
}

static bool decode_at(const struct code *code, size_t offset,
		      ZydisDecodedInstruction *in)
{
	return offset < code->size &&
	       instruction_decode(&code->decoder, code->bytes + offset,
				  code->size - offset, in);
}

static bool is_data_at(const struct code *code, uint64_t vaddr)
{
	return image_is_data(code->source, vaddr);
}

/*
 * An instruction that the decoder does not know: prefixes and opcode, then ModRM,
 * which says RIP-relative, then the displacement, and up to four bytes more.
 */
static bool unknown_would_reach_data(const struct code *code, size_t offset)
{
	static const unsigned char behind[] = { 0, 1, 2, 4 };
	int32_t displacement;

	if (instruction_is_impossible(code->bytes + offset, code->size - offset))
		return false;
	for (size_t at = offset + 2; at < offset + INSTRUCTION_MAX - 3 &&
				     at + 4 <= code->size; at++) {
		if ((code->bytes[at - 1] & MODRM_MOD_RM) != MODRM_RIP)
			continue;
		memcpy(&displacement, code->bytes + at, sizeof(displacement));
		for (size_t i = 0; i < sizeof(behind); i++)
			if (is_data_at(code, code->base + at + 4 + behind[i] +
					     (uint64_t)(int64_t)displacement))
				return true;
	}
	return false;
}

/* Whether the bytes at @offset, as an instruction, refer to data */
static bool would_reach_data(const struct code *code, size_t offset)
{
	ZydisDecodedInstruction in;

	if (!decode_at(code, offset, &in))
		return unknown_would_reach_data(code, offset);
	return instruction_is_rip_relative(&in) &&
	       is_data_at(code, instruction_target(&in, code->base + offset));
}

/* Whether it is not known what runs after it */
static bool may_not_return(const ZydisDecodedInstruction *in)
{
	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_XABORT:
		return true;
	default:
		return instruction_ends_flow(in);
	}
}

/* Whether the bytes at @offset can be run */
static bool could_run(const struct code *code, size_t offset)
{
	ZydisDecodedInstruction in;

	for (size_t i = 0; i < RUN_MAX; i++, offset += in.length) {
		/* It goes on in what is known to be code. */
		if (code_is_covered(code, code->base + offset))
			return true;
		if (!decode_at(code, offset, &in))
			return offset >= code->size ||
			       !instruction_is_impossible(code->bytes + offset,
							  code->size - offset);
		if (instruction_is_branch(&in) &&
		    !code_may_branch(code, instruction_target(&in,
							      code->base + offset)))
			return false;
		if (may_not_return(&in))
			return true;
	}
	return true;
}

/* The first gap at or behind @start: false if there is none. */
static bool next_gap(const struct code *code, size_t start, struct gap *gap)
{
	while (start < code->size && code_is_covered(code, code->base + start))
		start++;
	gap->start = start;
	while (start < code->size && !code_is_covered(code, code->base + start))
		start++;
	gap->end = start;
	return gap->start < gap->end;
}

static int check_gap(const struct code *code, const struct gap *gap)
{
	if (is_padding(code, gap->start, gap->end))
		return 0;
	for (size_t i = gap->start; i < gap->end; i++)
		if (would_reach_data(code, i) && could_run(code, i))
			return image_refuse(code->verdict, IMAGE_UNCOVERED,
					    "%zu bytes at %#lx may be code that refers to data (at %#lx)",
					    gap->end - gap->start,
					    code->base + gap->start,
					    code->base + i);
	return 0;
}

int code_check_gaps(const struct code *code, uint64_t *uncovered)
{
	struct gap gap = { 0 };
	int err = 0;

	*uncovered = 0;
	while (!err && next_gap(code, gap.end, &gap)) {
		*uncovered += gap.end - gap.start;
		err = check_gap(code, &gap);
	}
	return err;
}
