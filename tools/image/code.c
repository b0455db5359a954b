// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decode machine code, and note what refers to data.
 *
 * What unwind tables or symbols cover is swept from its first byte to its last.
 * The rest is followed from where it is known to be entered: that decodes what
 * compilers' start files have without unwind tables.  What is still left is
 * for gaps.c.
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
	instruction_decoder(&code->decoder);
	return mark_area(code);
}

void code_end(struct code *code)
{
	free(code->flags);
	code->flags = NULL;
	image_addresses_free(&code->pending);
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

/* Where nothing is, the image may have its data. */
bool code_may_branch(const struct code *code, uint64_t target)
{
	/* A weak function that is not there is at address 0. */
	return !target || image_is_text(code->source, target);
}

static int note_branch(struct code *code, uint64_t pc, uint64_t target)
{
	if (code_may_branch(code, target))
		return code_enter(code, target);
	return image_refuse(code->verdict, IMAGE_UNDECODABLE,
			    "code at %#lx branches out of the text", pc);
}

/* The instruction at @pc, which ends at @limit or before. */
static int decode(struct code *code, uint64_t pc, uint64_t limit,
		  ZydisDecodedInstruction *in)
{
	unsigned char *flags = code->flags + (pc - code->base);
	int err = 0;

	if (!instruction_decode(&code->decoder, code->bytes + (pc - code->base),
				limit - pc, in))
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
	if (instruction_is_rip_relative(in))
		err = note_target(code, in, pc, instruction_target(in, pc));
	else if (instruction_is_branch(in))
		err = note_branch(code, pc, instruction_target(in, pc));
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
	} while (!instruction_ends_flow(&in));
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
