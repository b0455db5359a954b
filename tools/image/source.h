/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library in memory, and what is said of one that cannot be used: what all
 * steps of tools/image work on.
 */
#ifndef IMAGE_SOURCE_H
#define IMAGE_SOURCE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mshare.h"

#define IMAGE_FILE_MAX		(4UL << 30)
#define IMAGE_BUILD_ID_MAX	64

/* ---- verdicts ---------------------------------------------------------- */

/**
 * enum image_reason - why a library is not split; image_reason_name() has the
 * words, doc/images.md what is behind each
 */
enum image_reason {
	IMAGE_PROVEN,
	/* Nothing can be made of these. */
	IMAGE_NOT_SHAREABLE,	/* no library, or of a shape that ld.so maps as stock */
	IMAGE_DAMAGED,		/* contradicts itself */
	IMAGE_NOT_TRUSTED,	/* not everybody may have it, or it checks itself */
	IMAGE_LOADER,		/* the kernel maps it */
	/* These stay as they are: not proven. */
	IMAGE_DYNAMIC,		/* dynamic tags or relocations nobody knows */
	IMAGE_UNWIND,		/* unwind tables of an unknown form */
	IMAGE_UNDECODABLE,	/* what should be code is not, or jumps into itself */
	IMAGE_UNCOVERED,	/* bytes that may be code and may refer to data */
	IMAGE_TARGET,		/* a reference to neither text nor data */
	IMAGE_LARGE_MODEL,	/* code that computes addresses from the GOT's */
	IMAGE_TABLE,		/* what looks like distances between text and data */
	IMAGE_TOO_FAR,		/* larger than what a displacement or a group spans */
	IMAGE_OVERRIDDEN,	/* the reviewed list says so */
	IMAGE_REASONS
};

/**
 * struct image_verdict - what was decided of one library
 * @reason: why it is not split; IMAGE_PROVEN: it can be
 * @why:    one sentence with the place, no newline
 */
struct image_verdict {
	enum image_reason reason;
	char why[256];
};

/**
 * image_reason_name() - a reason in one word
 * @reason: the reason
 */
const char *image_reason_name(enum image_reason reason);

/**
 * image_refuse() - state a verdict
 * @verdict: receives it
 * @reason:  the reason
 * @format:  the sentence
 *
 * Return: -ENOEXEC.
 */
__attribute__((format(printf, 3, 4)))
int image_refuse(struct image_verdict *verdict, enum image_reason reason,
		 const char *format, ...);

/* ---- a library that was read ------------------------------------------- */

/**
 * struct image_table - an array in the file that is there and aligned
 * @at:	   address
 * @offset: where in the file
 * @count: entries
 */
struct image_table {
	uint64_t at;
	uint64_t offset;
	size_t count;
};

/**
 * struct image_span - a range of addresses
 * @start: the first
 * @end:   behind the last
 */
struct image_span {
	uint64_t start;
	uint64_t end;
};

/**
 * struct image_source - a library in memory, all its tables checked
 * @bytes:	the file
 * @size:	bytes of it
 * @shape:	what ld.so maps as text and data
 * @phdr:	program headers
 * @nphdr:	how many
 * @shdr:	section headers
 * @nshdr:	how many
 * @shstrndx:	section of their names
 * @text_end:	address behind the last byte of text
 * @data_offset: where the data is in the file
 * @data_start:	address of the first byte of data
 * @data_file_end: address behind the last that is in the file
 * @data_end:	address behind the last byte of bss
 * @data_align:	alignment of the data's segment
 * @unwind:	tables that no program refers to: .eh_frame, .gcc_except_table
 * @constants:	data that only relocations change (.data.rel.ro); 0: unknown
 * @dynamic:	dynamic section, up to DT_NULL
 * @dynsym:	dynamic symbols
 * @rela:	relocations, DT_RELA
 * @jmprel:	relocations, DT_JMPREL
 * @relr:	packed relative relocations, DT_RELR
 * @init:	DT_INIT, or 0
 * @fini:	DT_FINI, or 0
 * @pltgot:	DT_PLTGOT, or 0
 * @binds_now:	no function is bound lazily
 * @soname:	DT_SONAME, or ""
 * @build_id:	NT_GNU_BUILD_ID
 * @build_id_size: bytes of it, 0: none
 */
struct image_source {
	unsigned char *bytes;
	size_t size;
	struct mshare_elf shape;
	Elf64_Phdr *phdr;
	size_t nphdr;
	Elf64_Shdr *shdr;
	size_t nshdr;
	size_t shstrndx;
	uint64_t text_end;
	uint64_t data_offset;
	uint64_t data_start;
	uint64_t data_file_end;
	uint64_t data_end;
	uint64_t data_align;
	struct image_span unwind[2];
	struct image_span constants;
	struct image_table dynamic;
	struct image_table dynsym;
	struct image_table rela;
	struct image_table jmprel;
	struct image_table relr;
	uint64_t init;
	uint64_t fini;
	uint64_t pltgot;
	bool binds_now;
	const char *soname;
	unsigned char build_id[IMAGE_BUILD_ID_MAX];
	size_t build_id_size;
};

/**
 * image_read() - read a library
 * @fd:		the file
 * @source:	receives it; image_forget() in any case
 * @verdict:	receives the reason if it cannot be used
 *
 * Return: 0; -ENOEXEC; read(2)'s error; -ENOMEM.
 */
int image_read(int fd, struct image_source *source,
	       struct image_verdict *verdict);

/**
 * image_read_bytes() - the same of a file that is in memory
 * @bytes:	its bytes, of malloc(); they belong to @source from now on
 * @size:	how many
 * @source:	receives it; image_forget() in any case
 * @verdict:	receives the reason if it cannot be used
 *
 * Return: 0; -ENOEXEC; -ENOMEM.
 */
int image_read_bytes(unsigned char *bytes, size_t size,
		     struct image_source *source,
		     struct image_verdict *verdict);

/**
 * image_forget() - free a library that was read
 * @source: the library
 */
void image_forget(struct image_source *source);

/**
 * image_at() - bytes of the file by their address
 * @source: the library
 * @vaddr:  address
 * @size:   how many
 *
 * Return: the bytes; NULL if the file does not have them all.
 */
unsigned char *image_at(const struct image_source *source, uint64_t vaddr,
			uint64_t size);

/**
 * image_section_name() - what a section is called
 * @source: the library
 * @index:  which
 *
 * Return: its name; "" if it has none.
 */
const char *image_section_name(const struct image_source *source, size_t index);

/**
 * image_section() - a section of what is loaded, by its name
 * @source: the library
 * @name:   which
 *
 * Return: its header; NULL.
 */
const Elf64_Shdr *image_section(const struct image_source *source,
				const char *name);

/**
 * image_is_text() - whether an address is one of text
 * @source: the library
 * @vaddr:  the address
 */
static inline bool image_is_text(const struct image_source *source,
				 uint64_t vaddr)
{
	return vaddr >= source->shape.text_vaddr && vaddr < source->text_end;
}

/**
 * image_is_data() - whether an address moves with the data
 * @source: the library
 * @vaddr:  the address; just behind the data counts as well (_end)
 */
static inline bool image_is_data(const struct image_source *source,
				 uint64_t vaddr)
{
	return vaddr >= source->data_start && vaddr <= source->data_end;
}

/**
 * image_is_code() - whether an address is in an executable segment
 * @source: the library
 * @vaddr:  the address
 */
bool image_is_code(const struct image_source *source, uint64_t vaddr);

#endif /* IMAGE_SOURCE_H */
