/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images for a fake region: made in memory, one set for each run. */
#ifndef LDMSHARE_TEST_FAKE_SPLIT_H
#define LDMSHARE_TEST_FAKE_SPLIT_H

#include <sys/stat.h>

#include "image.h"

/**
 * struct fake_split - the image of a library
 * @place: where it goes in its group
 * @image: the image, read
 * @fd:    its file, without a name
 */
struct fake_split {
	struct image_place place;
	struct image_source image;
	int fd;
};

/**
 * fake_split() - make the image of a library
 * @split: receives it
 * @path:  the library
 * @fd:    open on it
 * @st:    of it
 *
 * Return: whether it can be split.
 */
bool fake_split(struct fake_split *split, const char *path, int fd,
		const struct stat *st);

#endif /* LDMSHARE_TEST_FAKE_SPLIT_H */
