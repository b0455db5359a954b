/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine instruction: what its bytes say.
 */
#ifndef IMAGE_INSTRUCTION_H
#define IMAGE_INSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Zydis/Zydis.h>

/**
 * instruction_decoder() - a decoder of 64-bit code, lengths and fields only
 * @decoder: receives it
 */
void instruction_decoder(ZydisDecoder *decoder);

/**
 * instruction_decode() - the instruction at the head of some bytes
 * @decoder: of instruction_decoder()
 * @bytes:   the bytes
 * @size:    how many; the instruction must not be longer
 * @in:      receives it
 *
 * Return: false if it is none.
 */
bool instruction_decode(const ZydisDecoder *decoder, const unsigned char *bytes,
			size_t size, ZydisDecodedInstruction *in);

/**
 * instruction_ends_flow() - whether the next bytes are not run after it
 * @in: the instruction
 */
bool instruction_ends_flow(const ZydisDecodedInstruction *in);

/**
 * instruction_is_nop() - whether linkers and compilers pad with it
 * @in:	   the instruction
 * @bytes: its bytes
 */
bool instruction_is_nop(const ZydisDecodedInstruction *in,
			const unsigned char *bytes);

/**
 * instruction_is_impossible() - whether no processor takes it in 64-bit code
 * @bytes: what is no instruction to instruction_decode()
 * @size:  how many there are
 *
 * That is so of opcodes that 64-bit mode has taken out and given to nobody.  All
 * others may be of an instruction that is newer than the decoder.
 */
bool instruction_is_impossible(const unsigned char *bytes, size_t size);

/** instruction_is_rip_relative() - whether it refers to memory near itself */
static inline bool instruction_is_rip_relative(const ZydisDecodedInstruction *in)
{
	return in->raw.modrm.offset && in->raw.modrm.mod == 0 &&
	       in->raw.modrm.rm == 5 && in->raw.disp.size == 32;
}

/** instruction_is_branch() - whether it leads to an address near itself */
static inline bool instruction_is_branch(const ZydisDecodedInstruction *in)
{
	return in->raw.imm[0].is_relative;
}

/**
 * instruction_target() - the address it refers or leads to
 * @in: RIP-relative, or a branch
 * @pc: where it is
 */
static inline uint64_t instruction_target(const ZydisDecodedInstruction *in,
					  uint64_t pc)
{
	return pc + in->length + (instruction_is_rip_relative(in) ?
					  (uint64_t)in->raw.disp.value :
					  in->raw.imm[0].value.u);
}

#endif /* IMAGE_INSTRUCTION_H */
