/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IMAGES_H
#define IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "image.h"

/**
 * struct images - a set of images, and what is used of it
 * @index: of the set; empty if there is none
 * @used:  where those used are in their groups
 * @count: how many
 */
struct images {
	struct image_index index;
	struct mshare_split *used;
	size_t count;
};

/**
 * struct taken - an image that is used
 * @path: of its file
 * @fd:   open for reading
 * @file: its fstat
 * @elf:  its shape
 * @split: where it is in its group
 */
struct taken {
	char *path;
	int fd;
	struct stat file;
	struct mshare_elf elf;
	struct mshare_split split;
};

/**
 * images_open() - look at a set
 * @images:    receives it
 * @directory: where it is, or NULL: none
 * @verbose:   say so if there is none
 *
 * A set that cannot be read is named on standard error, and is empty.
 */
void images_open(struct images *images, const char *directory, bool verbose);

/**
 * images_has() - whether there should be an image
 * @images: the set
 * @path:   of the library, resolved
 */
bool images_has(const struct images *images, const char *path);

/**
 * images_program() - the only program that loads a library
 * @images: the set
 * @path:   of the library, resolved
 *
 * Return: its path, valid as long as the set; NULL: it is not known, there are
 * more, or none.
 */
const char *images_program(const struct images *images, const char *path);

/**
 * images_take() - the image of a library, if it can be used
 * @images:   the set, which has one
 * @path:     of the library, resolved
 * @fd:       the library
 * @file:     its fstat
 * @taken:    receives the image
 * @why:      receives the reason if not
 * @why_size: bytes at @why
 */
bool images_take(struct images *images, const char *path, int fd,
		 const struct stat *file, struct taken *taken, char *why,
		 size_t why_size);

/**
 * images_relocates() - whether a library that has no image may have its data
 * relocated in advance
 * @images: the set
 * @path:   of the library, resolved
 * @fd:     the library
 * @file:   its fstat
 *
 * So it is if the set knows the very file, and every relocation that only
 * depends on its address can be applied.
 */
bool images_relocates(const struct images *images, const char *path, int fd,
		      const struct stat *file);

/**
 * images_close() - look away
 * @images: the set
 */
void images_close(struct images *images);

#endif /* IMAGES_H */
