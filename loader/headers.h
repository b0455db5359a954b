/* SPDX-License-Identifier: MIT */
/*
 * Images: is what the region has of a library what its file says?
 *
 * An image has the headers of its original, but for the addresses of the data
 * and for section headers, which no loader reads.  All of them are compared, so
 * that the original's are the only ones that a libc must know how to check.
 */
#ifndef MSHARE_HEADERS_H
#define MSHARE_HEADERS_H

#include <elf.h>
#include <stdint.h>

#include "placement.h"
#include "reason.h"

/**
 * mshare_image_phdr() - the program headers of an image
 * @text: its first byte in memory; it was accepted by mshare_image_check()
 */
static inline const Elf64_Phdr *mshare_image_phdr(uint64_t text)
{
	const Elf64_Ehdr *header = (const void *)(uintptr_t)text;

	return (const void *)(uintptr_t)(text + header->e_phoff);
}

/**
 * mshare_image_check() - are an image's headers those of its original?
 * @placement:	from mshare_place(), of a split library; its text is mapped
 * @header:	the original's ELF header
 * @phdr:	the original's program headers
 *
 * Only the first page of the text is read.
 *
 * Return: MSHARE_OK or MSHARE_OTHER_IMAGE.
 */
enum mshare_reason mshare_image_check(const struct mshare_placement *placement,
				      const Elf64_Ehdr *header,
				      const Elf64_Phdr *phdr);

/**
 * mshare_image_check_dynamic() - may an image be used as it is mapped?
 * @placement:	as for mshare_image_check(), which accepted the image; the data
 *		is mapped, too
 * @header:	the original's ELF header
 *
 * Return: MSHARE_OK; MSHARE_BAD_HEADERS: its dynamic section is not in its data;
 * MSHARE_TEXT_RELOCATIONS.
 */
enum mshare_reason
mshare_image_check_dynamic(const struct mshare_placement *placement,
			   const Elf64_Ehdr *header);

#endif /* MSHARE_HEADERS_H */
