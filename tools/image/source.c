// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A library in memory: what is at an address, what a section is.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "steps.h"

int image_refuse(struct image_verdict *verdict, enum image_reason reason,
		 const char *format, ...)
{
	va_list args;

	verdict->reason = reason;
	va_start(args, format);
	vsnprintf(verdict->why, sizeof(verdict->why), format, args);
	va_end(args);
	return -ENOEXEC;
}

unsigned char *image_at(const struct image_source *source, uint64_t vaddr,
			uint64_t size)
{
	for (size_t i = 0; i < source->nphdr; i++) {
		const Elf64_Phdr *ph = &source->phdr[i];

		if (ph->p_type == PT_LOAD && vaddr >= ph->p_vaddr &&
		    vaddr - ph->p_vaddr < ph->p_filesz &&
		    size <= ph->p_filesz - (vaddr - ph->p_vaddr))
			return source->bytes + ph->p_offset +
			       (vaddr - ph->p_vaddr);
	}
	return NULL;
}

bool image_is_code(const struct image_source *source, uint64_t vaddr)
{
	for (size_t i = 0; i < source->nphdr; i++) {
		const Elf64_Phdr *ph = &source->phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) &&
		    vaddr >= ph->p_vaddr && vaddr - ph->p_vaddr < ph->p_filesz)
			return true;
	}
	return false;
}

const char *image_section_name(const struct image_source *source, size_t index)
{
	const Elf64_Shdr *names = &source->shdr[source->shstrndx];
	uint64_t name = source->shdr[index].sh_name;

	/* check_sections() saw that the last name ends. */
	if (name >= names->sh_size)
		return "";
	return (const char *)source->bytes + names->sh_offset + name;
}

const Elf64_Shdr *image_section(const struct image_source *source,
				const char *name)
{
	for (size_t i = 1; i < source->nshdr; i++)
		if ((source->shdr[i].sh_flags & SHF_ALLOC) &&
		    !strcmp(image_section_name(source, i), name))
			return &source->shdr[i];
	return NULL;
}

uint64_t image_section_end(const struct image_source *source, uint64_t vaddr,
			   size_t *hint)
{
	for (size_t n = 1; n <= source->nshdr; n++) {
		size_t i = (*hint + n) % source->nshdr;
		const Elf64_Shdr *section = &source->shdr[i];

		if ((section->sh_flags & SHF_ALLOC) &&
		    section->sh_type == SHT_PROGBITS &&
		    vaddr - section->sh_addr < section->sh_size) {
			*hint = i ? i - 1 : 0;
			return section->sh_addr + section->sh_size;
		}
	}
	return vaddr;
}

enum image_referent image_classify(const struct image_source *source,
				   uint64_t vaddr)
{
	for (size_t i = 0; i < 2; i++)
		if (vaddr > source->unwind[i].start &&
		    vaddr < source->unwind[i].end)
			return IMAGE_TO_NEITHER;
	/* Where they meet, an end of the one is a start of the other. */
	if (image_is_data(source, vaddr))
		return vaddr == source->text_end ? IMAGE_TO_NEITHER :
						   IMAGE_TO_DATA;
	if (image_is_text(source, vaddr) || vaddr == source->text_end)
		return IMAGE_TO_TEXT;
	return IMAGE_TO_NEITHER;
}

int image_check_table(const struct image_source *source, uint64_t vaddr,
		      uint64_t bytes, size_t entry, const char *what,
		      struct image_table *table, struct image_verdict *verdict)
{
	const unsigned char *at = image_at(source, vaddr, bytes);
	size_t offset = at ? (size_t)(at - source->bytes) : 0;

	*table = (struct image_table) { 0 };
	if (!bytes)
		return 0;
	if (!at)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "%s at %#lx is not in the file", what, vaddr);
	if (bytes % entry || offset % 8 || vaddr % 8)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "%s at %#lx is misaligned", what, vaddr);
	*table = (struct image_table) {
		.at = vaddr, .offset = offset, .count = bytes / entry,
	};
	return 0;
}
