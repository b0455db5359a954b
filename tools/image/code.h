/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's machine code, decoded: what each byte of it is.
 */
#ifndef IMAGE_CODE_H
#define IMAGE_CODE_H

#include "instruction.h"
#include "steps.h"

/* What is known of a byte of an executable section */
#define CODE_AREA	1	/* it is in an executable section */
#define CODE_START	2	/* an instruction begins here */
#define CODE_BODY	4	/* an instruction goes on here */
#define CODE_TARGET	8	/* a direct branch leads here */

/**
 * struct code - the executable sections of a library
 * @source:	  the library
 * @verdict:	  receives what is wrong with it
 * @decoder:	  Zydis
 * @bytes:	  from the first executable section to the last
 * @base:	  address of the first of @bytes
 * @size:	  how many
 * @flags:	  CODE_*, for each of @bytes
 * @got:	  where a large-model function would count from; 0: nowhere
 * @self_address: end of an instruction that took its own address
 * @pending:	  where branches lead that is not decoded yet
 * @sites:	  displacements that refer to data
 * @anchors:	  addresses in text and data that code takes with lea
 * @instructions: decoded
 */
struct code {
	const struct image_source *source;
	struct image_verdict *verdict;
	ZydisDecoder decoder;
	const unsigned char *bytes;
	uint64_t base;
	size_t size;
	unsigned char *flags;
	uint64_t got;
	uint64_t self_address;
	struct image_addresses pending;
	struct image_sites *sites;
	struct image_addresses *anchors;
	uint64_t instructions;
};

/**
 * code_begin() - nothing is decoded yet
 * @code:    receives it; code_end() in any case
 * @source:  the library
 * @sites:   receives what refers to data
 * @anchors: receives addresses that are taken
 * @verdict: receives what is wrong
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int code_begin(struct code *code, const struct image_source *source,
	       struct image_sites *sites, struct image_addresses *anchors,
	       struct image_verdict *verdict);

/**
 * code_end() - free it
 * @code: of code_begin()
 */
void code_end(struct code *code);

/**
 * code_is_area() - whether an address is in an executable section
 * @code:  the code
 * @vaddr: the address
 */
static inline bool code_is_area(const struct code *code, uint64_t vaddr)
{
	return vaddr - code->base < code->size &&
	       (code->flags[vaddr - code->base] & CODE_AREA);
}

/**
 * code_is_covered() - whether an address is in an instruction that was decoded
 * @code:  the code
 * @vaddr: the address
 */
static inline bool code_is_covered(const struct code *code, uint64_t vaddr)
{
	return vaddr - code->base < code->size &&
	       (code->flags[vaddr - code->base] & (CODE_START | CODE_BODY));
}

/**
 * code_sweep() - decode a range that is code from its first byte to its last
 * @code:  the code
 * @start: address
 * @end:   address behind it
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int code_sweep(struct code *code, uint64_t start, uint64_t end);

/**
 * code_enter() - an address is entered, if it is code at all
 * @code:  the code
 * @vaddr: the address
 *
 * Return: 0; -ENOMEM.
 */
int code_enter(struct code *code, uint64_t vaddr);

/**
 * code_settle() - follow what is entered and all direct branches, and check
 * that none leads into the middle of an instruction: a sweep that lost its
 * step would show so
 * @code: the code
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int code_settle(struct code *code);

/**
 * code_may_branch() - whether code may branch there
 * @code:   the code
 * @target: an address
 */
bool code_may_branch(const struct code *code, uint64_t target);

/* ---- gaps.c ------------------------------------------------------------ */

/**
 * code_check_gaps() - no code that could be in bytes that were not decoded
 * refers to data
 * @code:      the code; code_settle() has been called
 * @uncovered: receives how many such bytes there are
 *
 * Return: 0; -ENOEXEC.
 */
int code_check_gaps(const struct code *code, uint64_t *uncovered);

/* ---- jump-code.c ------------------------------------------------------- */

/**
 * struct jump - instructions that jump through a table
 * @pc:		  address of the first
 * @table:	  the address it takes, from which words are counted
 * @displacement: of the first word that is read if the index is 0, from there
 */
struct jump {
	uint64_t pc;
	uint64_t table;
	int64_t displacement;
};

/**
 * code_is_jump() - whether a reference to data begins a jump through a table
 * @code: the code; code_settle() has been called
 * @site: the reference
 * @jump: receives it
 */
bool code_is_jump(const struct code *code, const struct image_site *site,
		  struct jump *jump);

/* ---- jump-tables.c ----------------------------------------------------- */

/**
 * code_find_jump_tables() - find the jump tables in the data
 * @code:     the code; code_settle() has been called.  Its sites get each word
 *	      of a table
 * @unwind:   of image_cover()
 * @pointers: addresses that data refers to
 * @slots:    places that relocations fill, sorted
 * @tables:   receives where tables begin, sorted
 *
 * Return: 0; -ENOEXEC: there is something that may be more, or less, than a
 * table; -ENOMEM.
 */
int code_find_jump_tables(struct code *code, const struct image_unwind *unwind,
			  const struct image_addresses *pointers,
			  const struct image_addresses *slots,
			  struct image_addresses *tables);

#endif /* IMAGE_CODE_H */
