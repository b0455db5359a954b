/* SPDX-License-Identifier: MIT */
#include "headers.h"

#include "segments.h"

static int same_header(const Elf64_Ehdr *header, const Elf64_Ehdr *image)
{
	Elf64_Ehdr expected = *header;

	expected.e_shoff = image->e_shoff;
	expected.e_shnum = image->e_shnum;
	expected.e_shstrndx = image->e_shstrndx;
	return !__builtin_memcmp(&expected, image, sizeof(expected));
}

/* The end counts as data: an empty segment may lie there. */
static int is_data(const struct mshare_placement *placement, uint64_t vaddr)
{
	uint64_t data = placement->data - placement->base - placement->moved;

	return vaddr - data <= placement->data_size;
}

static int same_segment(const struct mshare_placement *placement,
			const Elf64_Phdr *phdr, const Elf64_Phdr *image)
{
	Elf64_Phdr expected = *phdr;

	if (is_data(placement, phdr->p_vaddr))
		expected.p_vaddr += placement->moved;
	expected.p_paddr = image->p_paddr;
	return !__builtin_memcmp(&expected, image, sizeof(expected));
}

static int is_in_first_page(const Elf64_Ehdr *header)
{
	uint64_t size = (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);

	return header->e_phoff % _Alignof(Elf64_Phdr) == 0 &&
	       header->e_phoff <= MSHARE_PAGE_SIZE &&
	       size <= MSHARE_PAGE_SIZE - header->e_phoff;
}

enum mshare_reason mshare_image_check(const struct mshare_placement *placement,
				      const Elf64_Ehdr *header,
				      const Elf64_Phdr *phdr)
{
	const Elf64_Ehdr *image = (const void *)(uintptr_t)placement->text;
	const Elf64_Phdr *image_phdr;

	if (!is_in_first_page(header) || !same_header(header, image))
		return MSHARE_OTHER_IMAGE;
	image_phdr = mshare_image_phdr(placement->text);
	for (int i = 0; i < header->e_phnum; i++)
		if (!same_segment(placement, &phdr[i], &image_phdr[i]))
			return MSHARE_OTHER_IMAGE;
	return MSHARE_OK;
}

enum mshare_reason
mshare_image_check_dynamic(const struct mshare_placement *placement,
			   const Elf64_Ehdr *header)
{
	const Elf64_Phdr *first = mshare_image_phdr(placement->text);
	const Elf64_Phdr *ph = first + header->e_phnum;
	uint64_t address;

	/* If there are two, the last is used. */
	do {
		if (ph == first)
			return MSHARE_BAD_HEADERS;
		ph--;
	} while (ph->p_type != PT_DYNAMIC);
	address = placement->base + ph->p_vaddr;
	if (address % _Alignof(Elf64_Dyn) || address < placement->data ||
	    address - placement->data > placement->data_size ||
	    ph->p_memsz > placement->data_size - (address - placement->data))
		return MSHARE_BAD_HEADERS;
	return mshare_text_is_relocated((const void *)(uintptr_t)address,
					ph->p_memsz / sizeof(Elf64_Dyn));
}
