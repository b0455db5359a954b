/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of images have in common: a library, and an image of it.
 */
#ifndef LDMSHARE_TEST_MADE_H
#define LDMSHARE_TEST_MADE_H

#include <limits.h>

#include "image.h"

/**
 * struct made - a library and what was made of it
 * @path:	the library
 * @source:	read
 * @references:	what refers to its data
 * @verdict:	why it is not split
 * @kind:	what was decided; -1: it cannot be read
 * @place:	where it was put
 * @image:	the image, read again
 * @image_path:	its file
 * @note:	what it says of itself
 */
struct made {
	const char *path;
	struct image_source source;
	struct image_references references;
	struct image_verdict verdict;
	int kind;
	struct image_place place;
	struct image_source image;
	char image_path[PATH_MAX];
	struct image_note note;
};

/**
 * make_decision() - read a library and decide
 * @made: receives it
 * @path: the library
 *
 * Returns whether it can be split.
 */
bool make_decision(struct made *made, const char *path);

/**
 * make_image() - the same, and write its image and read it again
 * @made:      receives it
 * @path:      the library
 * @directory: where the image goes
 *
 * Returns whether all of this went well.
 */
bool make_image(struct made *made, const char *path, const char *directory);

/** unmake - remove the image's file, forget everything */
void unmake(struct made *made);

#endif /* LDMSHARE_TEST_MADE_H */
