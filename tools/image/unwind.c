// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * .eh_frame: which bytes are functions, which of its own refer to data.
 *
 * Only the forms that compilers use for x86-64 are known: distances of 32 bits
 * from where they stand.  Any other is a reason to refuse.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

#define PCREL_SDATA4	(DW_EH_PE_pcrel | DW_EH_PE_sdata4)

uint64_t image_take(struct image_cursor *cursor, size_t size)
{
	uint64_t value = 0;

	if ((size_t)(cursor->end - cursor->at) < size) {
		cursor->bad = true;
		return 0;
	}
	memcpy(&value, cursor->at, size);
	cursor->at += size;
	cursor->vaddr += size;
	return value;
}

int64_t image_take_signed(struct image_cursor *cursor, size_t size)
{
	unsigned int shift = 64 - 8 * (unsigned int)size;

	return (int64_t)(image_take(cursor, size) << shift) >> shift;
}

uint64_t image_take_uleb(struct image_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint64_t byte = image_take(cursor, 1);

		value |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	cursor->bad = true;
	return 0;
}

int64_t image_take_sleb(struct image_cursor *cursor)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint64_t byte = image_take(cursor, 1);

		value |= (byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if ((byte & 0x40) && shift + 7 < 64)
			value |= UINT64_MAX << (shift + 7);
		return (int64_t)value;
	}
	cursor->bad = true;
	return 0;
}

/** struct cie - what functions have in common */
struct cie {
	size_t offset;
	unsigned char lsda;		/* encoding of a function's LSDA */
	bool has_augmentation;
};

/** struct frame - .eh_frame while it is read */
struct frame {
	const struct image_source *source;
	const Elf64_Shdr *section;
	const unsigned char *bytes;
	struct image_unwind *unwind;
	struct image_sites *sites;
	struct image_verdict *verdict;
	struct cie *cies;
	size_t ncies;
	size_t cies_room;
};

static int refuse(const struct frame *frame, size_t offset, const char *what)
{
	return image_refuse(frame->verdict, IMAGE_UNWIND,
			    "%s at %#lx in .eh_frame", what,
			    frame->section->sh_addr + offset);
}

static int note_personality(struct frame *frame, struct image_cursor *cursor,
			    size_t offset)
{
	unsigned char encoding = (unsigned char)image_take(cursor, 1);
	uint64_t place = cursor->vaddr;
	uint64_t target = place + (uint64_t)image_take_signed(cursor, 4);

	if (cursor->bad || (encoding & ~DW_EH_PE_indirect) != PCREL_SDATA4)
		return refuse(frame, offset, "a personality of unknown form");
	switch (image_classify(frame->source, target)) {
	case IMAGE_TO_TEXT:
		return 0;
	case IMAGE_TO_DATA:
		return image_sites_add(frame->sites, &(struct image_site) {
			.place = place, .origin = place, .target = target,
			.kind = IMAGE_SITE_UNWIND,
		});
	default:
		return refuse(frame, offset, "a personality that is nowhere");
	}
}

/* @cursor: behind the augmentation string, at its data. */
static int read_augmentation(struct frame *frame, struct image_cursor *cursor,
			     const char *letters, struct cie *cie)
{
	int err = 0;

	image_take_uleb(cursor);
	for (letters++; *letters && !err; letters++) {
		switch (*letters) {
		case 'L':
			cie->lsda = (unsigned char)image_take(cursor, 1);
			break;
		case 'R':
			if (image_take(cursor, 1) != PCREL_SDATA4)
				err = refuse(frame, cie->offset,
					     "functions given in an unknown form");
			break;
		case 'P':
			err = note_personality(frame, cursor, cie->offset);
			break;
		case 'S':
			break;
		default:
			err = refuse(frame, cie->offset,
				     "an unknown augmentation");
		}
	}
	return err;
}

static int read_cie(struct frame *frame, struct image_cursor *cursor,
		    struct cie *cie)
{
	uint64_t version = image_take(cursor, 1);
	const char *letters = (const char *)cursor->at;
	int err = 0;

	if (!memchr(letters, '\0', (size_t)(cursor->end - cursor->at)) ||
	    (version != 1 && version != 3))
		return refuse(frame, cie->offset, "an unknown CIE");
	cursor->vaddr += strlen(letters) + 1;
	cursor->at += strlen(letters) + 1;
	image_take_uleb(cursor);		/* code alignment */
	image_take_sleb(cursor);		/* data alignment */
	if (version == 1)			/* return address */
		image_take(cursor, 1);
	else
		image_take_uleb(cursor);
	/* Without "R", functions are given by absolute addresses. */
	if (letters[0] != 'z' || !strchr(letters, 'R'))
		return refuse(frame, cie->offset, "an unknown CIE");
	cie->has_augmentation = true;
	err = read_augmentation(frame, cursor, letters, cie);
	if (!err && cursor->bad)
		err = refuse(frame, cie->offset, "a damaged CIE");
	return err;
}

static int add_cie(struct frame *frame, struct image_cursor *cursor,
		   size_t offset)
{
	struct cie cie = { .offset = offset, .lsda = DW_EH_PE_omit };
	int err = read_cie(frame, cursor, &cie);

	if (err)
		return err;
	if (frame->ncies == frame->cies_room) {
		size_t room = 2 * frame->cies_room + 16;
		struct cie *cies = reallocarray(frame->cies, room, sizeof(cie));

		if (!cies)
			return -ENOMEM;
		frame->cies = cies;
		frame->cies_room = room;
	}
	frame->cies[frame->ncies++] = cie;
	return 0;
}

static int by_offset(const void *key, const void *element)
{
	size_t offset = *(const size_t *)key;
	const struct cie *cie = element;

	return offset < cie->offset ? -1 : offset > cie->offset;
}

static int add_lsda(struct frame *frame, const struct cie *cie,
		    struct image_cursor *cursor, size_t offset)
{
	uint64_t place;
	int64_t distance;

	if (cie->lsda == DW_EH_PE_omit)
		return 0;
	image_take_uleb(cursor);
	place = cursor->vaddr;
	distance = image_take_signed(cursor, 4);
	if (cursor->bad || cie->lsda != PCREL_SDATA4)
		return refuse(frame, offset, "an LSDA of unknown form");
	if (!distance)
		return 0;
	return image_addresses_add(&frame->unwind->lsdas,
				   place + (uint64_t)distance);
}

static int add_function(struct frame *frame, struct image_cursor *cursor,
			size_t offset, size_t cie_offset)
{
	const struct cie *cie = !frame->ncies ? NULL :
		bsearch(&cie_offset, frame->cies, frame->ncies, sizeof(*cie),
			by_offset);
	uint64_t place = cursor->vaddr;
	uint64_t start = place + (uint64_t)image_take_signed(cursor, 4);
	uint64_t size = image_take(cursor, 4);
	int err;

	if (!cie || cursor->bad)
		return refuse(frame, offset, "a function without a CIE");
	err = image_addresses_add(&frame->unwind->starts, start);
	if (!err)
		err = image_addresses_add(&frame->unwind->ends, start + size);
	if (!err)
		err = add_lsda(frame, cie, cursor, offset);
	return err;
}

/* The entry at @offset; its length has been read. */
static int read_entry(struct frame *frame, size_t offset, size_t length)
{
	struct image_cursor cursor = {
		.at = frame->bytes + offset + 4,
		.end = frame->bytes + offset + 4 + length,
		.vaddr = frame->section->sh_addr + offset + 4,
	};
	uint64_t id = image_take(&cursor, 4);

	if (!id)
		return add_cie(frame, &cursor, offset);
	return add_function(frame, &cursor, offset, offset + 4 - id);
}

static int read_entries(struct frame *frame)
{
	size_t size = frame->section->sh_size, offset = 0;
	uint32_t length;
	int err = 0;

	while (!err && size - offset >= 4) {
		memcpy(&length, frame->bytes + offset, sizeof(length));
		/* An end of one input file's table, or of all. */
		if (!length) {
			offset += 4;
			continue;
		}
		if (length < 4 || length > size - offset - 4)
			return refuse(frame, offset, "an entry of absurd length");
		err = read_entry(frame, offset, length);
		offset += 4 + (size_t)length;
	}
	return err;
}

int image_read_unwind(const struct image_source *source,
		      struct image_unwind *unwind, struct image_sites *sites,
		      struct image_verdict *verdict)
{
	const Elf64_Shdr *section = image_section(source, ".eh_frame");
	struct frame frame = {
		.source = source, .section = section, .unwind = unwind,
		.sites = sites, .verdict = verdict,
	};
	int err;

	*unwind = (struct image_unwind) { 0 };
	if (!section || section->sh_type == SHT_NOBITS || !section->sh_size)
		return 0;
	if (!image_is_text(source, section->sh_addr))
		return image_refuse(verdict, IMAGE_UNWIND,
				    "unwind tables in writable memory");
	frame.bytes = source->bytes + section->sh_offset;
	err = read_entries(&frame);
	free(frame.cies);
	return err;
}

void image_unwind_free(struct image_unwind *unwind)
{
	image_addresses_free(&unwind->starts);
	image_addresses_free(&unwind->ends);
	image_addresses_free(&unwind->lsdas);
}
