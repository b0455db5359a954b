// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compare an image with its original, without a loader.
 *
 * The image is read as if it was any library: its references are found in its
 * own bytes, and its data is moved back with them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

static int check_shape(const struct image_source *original,
		       const struct image_source *image, int64_t by,
		       struct image_verdict *verdict)
{
	const struct mshare_elf *a = &original->shape, *b = &image->shape;

	if (a->text_vaddr != b->text_vaddr || a->text_offset != b->text_offset ||
	    a->text_size != b->text_size || a->nsegments != b->nsegments ||
	    memcmp(a->segments, b->segments, sizeof(a->segments)))
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "the image's text is not the original's");
	if (image->data_start - original->data_start != (uint64_t)by ||
	    image->data_end - original->data_end != (uint64_t)by ||
	    image->data_file_end - original->data_file_end != (uint64_t)by ||
	    image->data_offset != original->data_offset ||
	    by % (int64_t)original->data_align)
		return image_refuse(verdict, IMAGE_DAMAGED,
				    "the image's data is not where its note says");
	return 0;
}

static int check_references(const struct image_sites *original,
			    const struct image_sites *image, int64_t by,
			    struct image_verdict *verdict)
{
	for (size_t i = 0; i < original->count || i < image->count; i++) {
		const struct image_site *a = &original->list[i];
		const struct image_site *b = &image->list[i];
		/* Either it moves, or what it leads to does. */
		bool moves = i < original->count && a->kind == IMAGE_SITE_JUMP;
		uint64_t own = moves ? (uint64_t)by : 0;
		uint64_t its = moves ? 0 : (uint64_t)by;

		if (i == original->count || i == image->count ||
		    a->kind != b->kind || b->place - a->place != own ||
		    b->origin - a->origin != own)
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "reference %zu of %zu is missing, or one too many is there",
					    i, original->count);
		if (b->target - a->target != its)
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "the reference at %#lx leads to %#lx, in the image to %#lx",
					    a->place, a->target, b->target);
	}
	return 0;
}

static int compare_moved_back(const struct image_source *original,
			      const struct image_source *image,
			      const struct image_references *references,
			      int64_t by, struct image_verdict *verdict)
{
	size_t loaded = original->data_offset +
			(original->data_file_end - original->data_start);
	const Elf64_Ehdr *from = (const Elf64_Ehdr *)original->bytes;
	unsigned char *bytes = malloc(loaded);
	Elf64_Ehdr *to = (Elf64_Ehdr *)bytes;
	int err;

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, image->bytes, loaded);
	err = image_rewrite(image, references, -by, bytes, verdict);
	to->e_shoff = from->e_shoff;
	to->e_shnum = from->e_shnum;
	for (size_t i = 0; i < loaded && !err; i++)
		if (bytes[i] != original->bytes[i])
			err = image_refuse(verdict, IMAGE_DAMAGED,
					   "byte %#zx of the file differs", i);
	free(bytes);
	return err;
}

static int compare(const struct image_source *original,
		   const struct image_references *before,
		   const struct image_source *image,
		   const struct image_references *after,
		   const struct image_note *note, struct image_verdict *verdict)
{
	int64_t by = note->displacement;
	int err = check_shape(original, image, by, verdict);

	if (!err && by != image_displacement(original, &note->place))
		err = image_refuse(verdict, IMAGE_DAMAGED,
				   "the note contradicts itself");
	if (!err)
		err = check_references(&before->sites, &after->sites, by,
				       verdict);
	if (!err)
		err = compare_moved_back(original, image, after, by, verdict);
	return err;
}

int image_verify(const struct image_source *original,
		 const struct image_source *image,
		 const struct image_note *note,
		 struct image_references *references,
		 struct image_verdict *verdict)
{
	struct image_references after = { 0 };
	int err = image_find_references(original, false, references, verdict);

	if (!err)
		err = image_find_references(image, false, &after, verdict);
	if (!err)
		err = compare(original, references, image, &after, note,
			      verdict);
	image_references_free(&after);
	return err;
}

int image_check(const struct image_source *original,
		const struct image_references *references,
		const struct image_file *file, struct image_verdict *verdict)
{
	unsigned char *bytes = malloc(file->size);
	struct image_references after = { 0 };
	struct image_source image;
	struct image_note note;
	int err;

	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, file->bytes, file->size);
	err = image_read_bytes(bytes, file->size, &image, verdict);
	if (!err)
		err = image_read_note(&image, &note, verdict);
	if (!err)
		err = image_reread_references(&image, references,
					      note.displacement, &after,
					      verdict);
	if (!err)
		err = compare(original, references, &image, &after, &note,
			      verdict);
	image_references_free(&after);
	image_forget(&image);
	return err;
}
