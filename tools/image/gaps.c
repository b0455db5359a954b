// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gaps: bytes of executable sections that nothing covers and nothing known
 * enters.  They are padding, or tables that hand-written code keeps beside
 * itself, or code that nobody knows.
 *
 * If nothing refers to a gap, neither as code nor as data, what it begins with
 * is taken for functions that are not used, and swept like other code.  That
 * does no harm if it is never run, and if it is, in a way that was not seen, it
 * is right.
 *
 * For all others, the gap rule: no code that could be in it refers to data.  An
 * instruction could begin at each byte.  It does not if what would run after it
 * comes to bytes that are no instruction, or branches out of the text; how it
 * goes on behind a call is not known, as the call may not return.
 */
#include "code.h"
#include "steps.h"

/* So many instructions in a row are not an accident. */
#define RUN_MAX	64

/** struct gap - offsets in the code */
struct gap {
	size_t start;
	size_t end;
};

static bool is_covered(const struct code *code, size_t offset)
{
	return code->flags[offset] & (CODE_START | CODE_BODY);
}

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

/* Whether the bytes at @offset, as an instruction, refer to data */
static bool would_reach_data(const struct code *code, size_t offset)
{
	ZydisDecodedInstruction in;

	return decode_at(code, offset, &in) &&
	       instruction_is_rip_relative(&in) &&
	       image_is_data(code->source,
			     instruction_target(&in, code->base + offset));
}

/* Whether the bytes at @offset can be run */
static bool could_run(const struct code *code, size_t offset)
{
	ZydisDecodedInstruction in;

	for (size_t i = 0; i < RUN_MAX; i++, offset += in.length) {
		/* It goes on in what is known to be code. */
		if (offset < code->size && is_covered(code, offset))
			return true;
		if (!decode_at(code, offset, &in))
			return false;
		if (instruction_is_branch(&in) &&
		    !code_may_branch(code, instruction_target(&in,
							      code->base + offset)))
			return false;
		if (instruction_ends_flow(&in) ||
		    in.mnemonic == ZYDIS_MNEMONIC_CALL)
			return true;
	}
	return true;
}

/* The first gap at or behind @start: false if there is none. */
static bool next_gap(const struct code *code, size_t start, struct gap *gap)
{
	while (start < code->size && is_covered(code, start))
		start++;
	gap->start = start;
	while (start < code->size && !is_covered(code, start))
		start++;
	gap->end = start;
	return gap->start < gap->end;
}

static bool is_referred_to(const struct code *code, const struct gap *gap)
{
	for (size_t i = gap->start; i < gap->end; i++)
		if (code->flags[i] & CODE_REFERENCE)
			return true;
	return false;
}

/*
 * Where the instructions end that are at the head of a gap: behind the last one
 * that does not run on.  Signatures of authors may follow.
 */
static size_t end_of_code(const struct code *code, const struct gap *gap)
{
	ZydisDecodedInstruction in;
	size_t end = gap->start;

	for (size_t at = gap->start; at < gap->end; at += in.length) {
		if (!(code->flags[at] & CODE_AREA) ||
		    !instruction_decode(&code->decoder, code->bytes + at,
					gap->end - at, &in))
			break;
		if (instruction_ends_flow(&in))
			end = at + in.length;
	}
	return end;
}

int code_sweep_gaps(struct code *code)
{
	struct gap gap = { 0 };
	int err = 0;

	while (!err && next_gap(code, gap.end, &gap))
		if (!is_padding(code, gap.start, gap.end) &&
		    !is_referred_to(code, &gap))
			err = code_sweep(code, code->base + gap.start,
					 code->base + end_of_code(code, &gap));
	return err ? err : code_settle(code);
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
