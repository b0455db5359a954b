/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <err.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fake-split.h"

/* The set that all images of this run belong to; it is never saved. */
static struct image_index set = { .lock = -1 };

static void remember(const char *path, const struct image_place *place)
{
	struct image_entry entry = {
		.path = (char *)path,
		.kind = IMAGE_SPLIT,
		.why = "-",
		.place = *place,
	};

	if (image_index_put(&set, &entry))
		errx(1, "%s: cannot be put into the index", path);
}

static void keep(struct fake_split *split, const struct image_file *file,
		 const char *path)
{
	struct image_verdict verdict;

	split->fd = memfd_create("image", MFD_CLOEXEC);
	if (split->fd < 0 ||
	    write(split->fd, file->bytes, file->size) != (ssize_t)file->size)
		err(1, "%s: writing its image", path);
	if (image_read(split->fd, &split->image, &verdict))
		errx(1, "%s: its image cannot be read", path);
}

bool fake_split(struct fake_split *split, const char *path, int fd,
		const struct stat *st)
{
	struct image_references references;
	struct image_identity identity;
	struct image_verdict verdict;
	struct image_source source;
	struct image_file file = { 0 };

	if (image_read(fd, &source, &verdict))
		return false;
	if (image_decide(&source, IMAGE_OVERRIDE_NONE, &references,
			 &verdict) != IMAGE_SPLIT)
		return false;
	image_identify(&source, st, path, &identity);
	if (image_index_place(&set, path, &source, &split->place) ||
	    image_compose(&source, &references, &split->place, &identity, &file,
			  &verdict))
		errx(1, "%s: no image can be made", path);
	remember(path, &split->place);
	keep(split, &file, path);
	free(file.bytes);
	image_references_free(&references);
	image_forget(&source);
	return true;
}
