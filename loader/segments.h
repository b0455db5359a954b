/* SPDX-License-Identifier: MIT */
/* What placing a library needs to know of its program headers. */
#ifndef MSHARE_SEGMENTS_H
#define MSHARE_SEGMENTS_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "reason.h"

#define MSHARE_PAGE_SIZE	4096UL

/**
 * struct mshare_segments - a library's text and data, in whole pages
 * @text_vaddr:	linked address of the text
 * @text_offset: where in the file the text is
 * @text_size:	bytes of text: everything below the data
 * @data_vaddr:	linked address of the data
 * @bss_vaddr:	linked address behind the last page that the file fills
 * @end_vaddr:	linked address where the data ends in memory
 * @align:	largest alignment that any segment asks for
 * @data_align:	alignment that the data asks for
 */
struct mshare_segments {
	uint64_t text_vaddr;
	uint64_t text_offset;
	uint64_t text_size;
	uint64_t data_vaddr;
	uint64_t bss_vaddr;
	uint64_t end_vaddr;
	uint64_t align;
	uint64_t data_align;
};

/**
 * mshare_segments_read() - can a region hold this library, and which part?
 * @segments:	filled in if so
 * @phdr:	program headers, as they are in the file
 * @phnum:	how many
 *
 * The library must be text, read-only or executable, all at one distance from
 * its place in the file and without a hole, followed by one writable segment.
 * Relocations of the text are seen later: mshare_text_is_relocated().
 *
 * Return: MSHARE_OK, or what is wrong with it.
 */
enum mshare_reason mshare_segments_read(struct mshare_segments *segments,
					const Elf64_Phdr *phdr, size_t phnum);

/**
 * mshare_text_is_relocated() - does a library write to its own text?
 * @dyn:	its dynamic section
 * @n:		entries in it
 *
 * Return: MSHARE_OK or MSHARE_TEXT_RELOCATIONS.
 */
enum mshare_reason mshare_text_is_relocated(const Elf64_Dyn *dyn, size_t n);

#endif /* MSHARE_SEGMENTS_H */
