// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One machine instruction: what its bytes say.
 */
#include <string.h>

#include "instruction.h"

void instruction_decoder(ZydisDecoder *decoder)
{
	ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
}

/*
 * What Zydis 4.0 does not know: VIA PadLock's rep xsha384 and rep xsha512, as
 * GnuTLS has them.  They have no operands.
 */
static bool is_padlock(const unsigned char *bytes, size_t size)
{
	return size >= 4 && !memcmp(bytes, "\xf3\x0f\xa6", 3) &&
	       (bytes[3] == 0xd8 || bytes[3] == 0xe0);
}

bool instruction_decode(const ZydisDecoder *decoder, const unsigned char *bytes,
			size_t size, ZydisDecodedInstruction *in)
{
	if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, NULL, bytes,
						       size, in)))
		return true;
	if (!is_padlock(bytes, size))
		return false;
	*in = (ZydisDecodedInstruction) { .length = 4 };
	return true;
}

bool instruction_ends_flow(const ZydisDecodedInstruction *in)
{
	switch (in->mnemonic) {
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

bool instruction_is_nop(const ZydisDecodedInstruction *in,
			const unsigned char *bytes)
{
	return in->mnemonic == ZYDIS_MNEMONIC_NOP ||
	       is_register_nop(bytes, in->length);
}

static bool is_prefix(unsigned char byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return byte >= 0x40 && byte <= 0x4f;	/* REX */
	}
}

/*
 * Intel, Software Developer's Manual, volume 2, table A-2: "i64".  Not those
 * that became prefixes: 0x62 (EVEX), 0xc4 and 0xc5 (VEX), 0xd5 (REX2).
 */
bool instruction_is_impossible(const unsigned char *bytes, size_t size)
{
	static const unsigned char opcodes[] = {
		0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37,
		0x3f, 0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xea,
	};

	while (size && is_prefix(*bytes)) {
		bytes++;
		size--;
	}
	return size && memchr(opcodes, *bytes, sizeof(opcodes));
}
