// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decode machine code, and note what refers to data.
 *
 * What unwind tables or symbols cover is swept from its first byte to its last.
 * The rest is followed from where it is known to be entered: that decodes what
 * compilers' start files have without unwind tables.  What is still left is
 * padding, or nobody knows what: there, no four bytes may be a displacement
 * that would reach data (the gap rule).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"

/* x86's lock prefix: glibc jumps over it where there is only one thread. */
#define PREFIX_LOCK	0xf0

/* A lea this near its own target takes its own address. */
#define SELF_REACH	16

static int mark_area(struct code *code)
{
	const struct image_source *source = code->source;

	for (size_t i = 1; i < source->nshdr; i++) {
		const Elf64_Shdr *section = &source->shdr[i];

		if (!image_is_code_section(section) || !section->sh_size)
			continue;
		if (!image_is_code(source, section->sh_addr) ||
		    !image_is_code(source,
				   section->sh_addr + section->sh_size - 1))
			return image_refuse(code->verdict, IMAGE_DAMAGED,
					    "executable section %zu is not executable",
					    i);
		memset(code->flags + (section->sh_addr - code->base), CODE_AREA,
		       section->sh_size);
	}
	return 0;
}

int code_begin(struct code *code, const struct image_source *source,
	       struct image_sites *sites, struct image_addresses *anchors,
	       struct image_verdict *verdict)
{
	uint64_t start = UINT64_MAX, end = 0;
	const Elf64_Shdr *got = image_section(source, ".got.plt");

	*code = (struct code) {
		.source = source,
		.verdict = verdict,
		.sites = sites,
		.anchors = anchors,
		.got = source->pltgot ? source->pltgot : got ? got->sh_addr : 0,
	};
	for (size_t i = 1; i < source->nshdr; i++) {
		const Elf64_Shdr *section = &source->shdr[i];

		if (!image_is_code_section(section) || !section->sh_size)
			continue;
		if (section->sh_addr < start)
			start = section->sh_addr;
		if (section->sh_addr + section->sh_size > end)
			end = section->sh_addr + section->sh_size;
	}
	if (start >= end)
		return 0;
	if (!image_is_text(source, start) || !image_is_text(source, end - 1))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "an executable section outside of the text");
	code->base = start;
	code->size = end - start;
	/* All text has one distance between address and place in the file. */
	code->bytes = source->bytes + source->shape.text_offset +
		      (start - source->shape.text_vaddr);
	code->flags = calloc(code->size, 1);
	if (!code->flags)
		return -ENOMEM;
	ZydisDecoderInit(&code->decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&code->decoder, ZYDIS_DECODER_MODE_MINIMAL,
			       ZYAN_TRUE);
	return mark_area(code);
}

void code_end(struct code *code)
{
	free(code->flags);
	code->flags = NULL;
	image_addresses_free(&code->pending);
}

static bool is_rip_relative(const ZydisDecodedInstruction *in)
{
	return in->raw.modrm.offset && in->raw.modrm.mod == 0 &&
	       in->raw.modrm.rm == 5 && in->raw.disp.size == 32;
}

/* A displacement in an instruction at @pc refers to @target. */
static int note_target(struct code *code, const ZydisDecodedInstruction *in,
		       uint64_t pc, uint64_t target)
{
	const struct image_source *source = code->source;
	int err;

	if (in->mnemonic == ZYDIS_MNEMONIC_LEA) {
		if (target == code->got && code->got)
			return image_refuse(code->verdict, IMAGE_LARGE_MODEL,
					    "code at %#lx takes the GOT's address",
					    pc);
		if (target - pc + SELF_REACH < 2 * SELF_REACH)
			code->self_address = pc + in->length;
		err = image_addresses_add(code->anchors, target);
		if (err)
			return err;
	}
	switch (image_classify(source, target)) {
	case IMAGE_TO_TEXT:
		return 0;
	case IMAGE_TO_DATA:
		return image_sites_add(code->sites, &(struct image_site) {
			.place = pc + in->raw.disp.offset,
			.origin = pc + in->length,
			.target = target,
			.kind = IMAGE_SITE_CODE,
		});
	default:
		return image_refuse(code->verdict, IMAGE_TARGET,
				    "code at %#lx refers to %#lx, neither text nor data",
				    pc, target);
	}
}

int code_enter(struct code *code, uint64_t vaddr)
{
	unsigned char *flags, before;

	if (!code_is_area(code, vaddr))
		return 0;
	flags = &code->flags[vaddr - code->base];
	before = *flags;
	*flags |= CODE_TARGET;
	if (before & (CODE_TARGET | CODE_START | CODE_BODY))
		return 0;
	return image_addresses_add(&code->pending, vaddr);
}

static int note_branch(struct code *code, uint64_t pc, uint64_t target)
{
	if (code_is_area(code, target))
		return code_enter(code, target);
	/* A weak function that is not there is at address 0. */
	if (!target || image_is_text(code->source, target))
		return 0;
	/* Where nothing is, the image may have its data. */
	return image_refuse(code->verdict, IMAGE_UNDECODABLE,
			    "code at %#lx branches out of the text", pc);
}

/* The instruction at @pc, which ends at @limit or before. */
static int decode(struct code *code, uint64_t pc, uint64_t limit,
		  ZydisDecodedInstruction *in)
{
	unsigned char *flags = code->flags + (pc - code->base);
	int err = 0;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
		    &code->decoder, NULL, code->bytes + (pc - code->base),
		    limit - pc, in)))
		return image_refuse(code->verdict, IMAGE_UNDECODABLE,
				    "no instruction at %#lx", pc);
	for (size_t i = 0; i < in->length; i++) {
		if ((flags[i] & (CODE_AREA | CODE_START | CODE_BODY)) !=
		    CODE_AREA)
			return image_refuse(code->verdict, IMAGE_UNDECODABLE,
					    "the instruction at %#lx overlaps another or ends elsewhere",
					    pc);
		flags[i] |= i ? CODE_BODY : CODE_START;
	}
	code->instructions++;

	if (code->self_address == pc && in->raw.imm[0].size == 64)
		return image_refuse(code->verdict, IMAGE_LARGE_MODEL,
				    "code at %#lx counts from its own address",
				    pc);
	if (is_rip_relative(in))
		err = note_target(code, in, pc,
				  pc + in->length + (uint64_t)in->raw.disp.value);
	else if (in->raw.imm[0].is_relative)
		err = note_branch(code, pc,
				  pc + in->length + in->raw.imm[0].value.u);
	return err;
}

int code_sweep(struct code *code, uint64_t start, uint64_t end)
{
	ZydisDecodedInstruction in;
	int err = 0;

	if (start > end || start - code->base > code->size ||
	    end - code->base > code->size)
		return image_refuse(code->verdict, IMAGE_UNWIND,
				    "a function at %#lx outside of the code",
				    start);
	for (uint64_t pc = start; pc < end && !err; pc += in.length)
		err = decode(code, pc, end, &in);
	return err;
}

static bool ends_flow(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_RET:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_IRETQ:
	case ZYDIS_MNEMONIC_SYSRET:
		return true;
	default:
		return false;
	}
}

/* Decode from an entry until the flow ends or joins what is decoded. */
static int follow(struct code *code, uint64_t entry)
{
	ZydisDecodedInstruction in;
	uint64_t pc = entry;
	int err;

	do {
		if (!code_is_area(code, pc))
			return image_refuse(code->verdict, IMAGE_UNDECODABLE,
					    "code from %#lx runs out of its section",
					    entry);
		/* code_settle() looks at what is entered in the middle. */
		if (code->flags[pc - code->base] & (CODE_START | CODE_BODY))
			return 0;
		err = decode(code, pc, code->base + code->size, &in);
		if (err)
			return err;
		pc += in.length;
	} while (!ends_flow(in.mnemonic));
	return 0;
}

static bool skips_lock(const struct code *code, size_t offset)
{
	return offset && code->bytes[offset - 1] == PREFIX_LOCK &&
	       (code->flags[offset - 1] & CODE_START);
}

int code_settle(struct code *code)
{
	int err = 0;

	while (code->pending.count && !err)
		err = follow(code, code->pending.list[--code->pending.count]);
	for (size_t i = 0; i < code->size && !err; i++) {
		if ((code->flags[i] & (CODE_TARGET | CODE_BODY)) ==
			    (CODE_TARGET | CODE_BODY) &&
		    !skips_lock(code, i))
			err = image_refuse(code->verdict, IMAGE_UNDECODABLE,
					   "a branch into the middle of the instruction at %#lx",
					   code->base + i);
	}
	return err;
}

/* Older assemblers pad with moves of a register to itself. */
static bool is_register_nop(const unsigned char *bytes, size_t length)
{
	static const unsigned char forms[][4] = {
		{ 0x48, 0x89, 0xf6 }, { 0x48, 0x89, 0xff },
		{ 0x48, 0x8d, 0x76, 0x00 }, { 0x48, 0x8d, 0x7f, 0x00 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (length == 3 + (size_t)(forms[i][1] == 0x8d) &&
		    !memcmp(bytes, forms[i], length))
			return true;
	return false;
}

/* What linkers and compilers put between functions */
static bool is_padding(const struct code *code, size_t start, size_t end)
{
	ZydisDecodedInstruction in;

	while (start < end) {
		if (code->bytes[start] == 0x00 || code->bytes[start] == 0xcc) {
			start++;
			continue;
		}
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(
			    &code->decoder, NULL, code->bytes + start,
			    end - start, &in)) ||
		    (in.mnemonic != ZYDIS_MNEMONIC_NOP &&
		     !is_register_nop(code->bytes + start, in.length)))
			return false;
		start += in.length;
	}
	return true;
}

/* Behind a displacement come none to four bytes of the same instruction. */
static bool may_reach_data(const struct code *code, size_t offset)
{
	static const unsigned char behind[] = { 0, 1, 2, 4 };
	int32_t displacement;

	memcpy(&displacement, code->bytes + offset, sizeof(displacement));
	for (size_t i = 0; i < sizeof(behind); i++)
		if (image_is_data(code->source,
				  code->base + offset + 4 + behind[i] +
				  (uint64_t)(int64_t)displacement))
			return true;
	return false;
}

static int check_gap(struct code *code, size_t start, size_t end)
{
	if (is_padding(code, start, end))
		return 0;
	for (size_t i = start; i + 4 <= end; i++)
		if (may_reach_data(code, i))
			return image_refuse(code->verdict, IMAGE_UNCOVERED,
					    "%zu bytes at %#lx may be code that refers to data (at %#lx)",
					    end - start, code->base + start,
					    code->base + i);
	return 0;
}

int code_check_rest(struct code *code, uint64_t *uncovered)
{
	size_t start = 0, end;
	int err = 0;

	*uncovered = 0;
	for (; start < code->size && !err; start = end) {
		end = start + 1;
		if (code->flags[start] & (CODE_START | CODE_BODY))
			continue;
		while (end < code->size &&
		       !(code->flags[end] & (CODE_START | CODE_BODY)))
			end++;
		*uncovered += end - start;
		err = check_gap(code, start, end);
	}
	return err;
}
