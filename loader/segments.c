/* SPDX-License-Identifier: MIT */
#include "segments.h"

#define IN_PAGE	(MSHARE_PAGE_SIZE - 1)

/*
 * No linked address and no file offset is beyond this: sums of a few of them
 * cannot overflow.
 */
#define SANE_MAX	(1ULL << 47)

static uint64_t page_down(uint64_t x)
{
	return x & ~IN_PAGE;
}

static uint64_t page_up(uint64_t x)
{
	return (x + IN_PAGE) & ~IN_PAGE;
}

static int is_sane(const Elf64_Phdr *ph)
{
	return ph->p_vaddr < SANE_MAX && ph->p_offset < SANE_MAX &&
	       ph->p_memsz < SANE_MAX && ph->p_filesz <= ph->p_memsz &&
	       !((ph->p_vaddr - ph->p_offset) & IN_PAGE) &&
	       !(ph->p_align & (ph->p_align - 1));
}

static enum mshare_reason add_text(struct mshare_segments *segments,
				   const Elf64_Phdr *ph)
{
	uint64_t start = page_down(ph->p_vaddr);
	uint64_t offset = page_down(ph->p_offset);
	uint64_t end = page_up(ph->p_vaddr + ph->p_memsz);

	if (ph->p_filesz != ph->p_memsz)
		return MSHARE_TEXT_ZERO_FILLED;
	if (segments->text_size == 0) {
		segments->text_vaddr = start;
		segments->text_offset = offset;
	}
	if (start != segments->text_vaddr + segments->text_size ||
	    offset != segments->text_offset + segments->text_size)
		return MSHARE_TEXT_SPLIT;
	segments->text_size = end - segments->text_vaddr;
	return MSHARE_OK;
}

static enum mshare_reason add_data(struct mshare_segments *segments,
				   const Elf64_Phdr *ph)
{
	if (segments->text_size == 0)
		return MSHARE_NO_TEXT;
	if (segments->end_vaddr)
		return MSHARE_TWO_DATA;
	if (ph->p_flags & PF_X)
		return MSHARE_EXECUTABLE_DATA;
	segments->data_vaddr = page_down(ph->p_vaddr);
	segments->bss_vaddr = page_up(ph->p_vaddr + ph->p_filesz);
	segments->end_vaddr = page_up(ph->p_vaddr + ph->p_memsz);
	if (ph->p_align > MSHARE_PAGE_SIZE)
		segments->data_align = ph->p_align;
	if (segments->data_vaddr <
	    segments->text_vaddr + segments->text_size)
		return MSHARE_SHARED_PAGE;
	return MSHARE_OK;
}

enum mshare_reason mshare_segments_read(struct mshare_segments *segments,
					const Elf64_Phdr *phdr, size_t phnum)
{
	const Elf64_Phdr *ph;
	enum mshare_reason reason;

	*segments = (struct mshare_segments){
		.align = MSHARE_PAGE_SIZE,
		.data_align = MSHARE_PAGE_SIZE,
	};
	for (ph = phdr; ph < phdr + phnum; ph++) {
		if (ph->p_type != PT_LOAD)
			continue;
		if (!is_sane(ph) || ph->p_memsz == 0)
			return MSHARE_BAD_HEADERS;
		if (ph->p_flags & PF_W)
			reason = add_data(segments, ph);
		else if (segments->end_vaddr)
			reason = MSHARE_DATA_NOT_LAST;
		else
			reason = add_text(segments, ph);
		if (reason)
			return reason;
		if (ph->p_align > segments->align)
			segments->align = ph->p_align;
	}
	if (segments->text_size == 0)
		return MSHARE_NO_TEXT;
	if (segments->end_vaddr == 0)
		return MSHARE_NO_DATA;
	return MSHARE_OK;
}

enum mshare_reason mshare_text_is_relocated(const Elf64_Dyn *dyn, size_t n)
{
	const Elf64_Dyn *end = dyn + n;

	for (; dyn < end && dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_TEXTREL ||
		    (dyn->d_tag == DT_FLAGS && dyn->d_un.d_val & DF_TEXTREL))
			return MSHARE_TEXT_RELOCATIONS;
	return MSHARE_OK;
}
