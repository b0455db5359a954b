// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "made.h"

bool make_decision(struct made *made, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(made, 0, sizeof(*made));
	made->path = path;
	made->kind = -1;
	if (fd < 0)
		return false;
	if (!image_read(fd, &made->source, &made->verdict))
		made->kind = image_decide(&made->source, IMAGE_OVERRIDE_NONE,
					  &made->references,
					  &made->verdict);
	close(fd);
	return made->kind == IMAGE_SPLIT;
}

static bool read_again(struct made *made)
{
	int fd = open(made->image_path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 &&
		  !image_read(fd, &made->image, &made->verdict) &&
		  !image_read_note(&made->image, &made->note, &made->verdict);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool make_image(struct made *made, const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/');
	struct image_index index = { .lock = -1 };
	struct image_identity identity;
	struct image_file image = { 0 };
	struct stat st;
	bool ok;

	if (!make_decision(made, path) || stat(path, &st))
		return false;
	snprintf(made->image_path, sizeof(made->image_path), "%s/%s.%d",
		 directory, slash ? slash + 1 : path, (int)getpid());
	image_identify(&made->source, &st, path, &identity);
	ok = !image_index_place(&index, path, &made->source, &made->place) &&
	     !image_compose(&made->source, &made->references, &made->place,
			    &identity, &image, &made->verdict) &&
	     !image_write(&image, made->image_path) && read_again(made);
	free(image.bytes);
	return ok;
}

void unmake(struct made *made)
{
	if (*made->image_path)
		unlink(made->image_path);
	image_references_free(&made->references);
	image_forget(&made->source);
	image_forget(&made->image);
}
