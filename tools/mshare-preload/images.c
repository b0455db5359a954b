// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Images of libraries: whether one is of the very file that ld.so will find,
 * whole, and can lie in one region with the others.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "images.h"
#include "trust.h"

void images_open(struct images *images, const char *directory, bool verbose)
{
	int result;

	*images = (struct images) { .index.lock = -1 };
	if (!directory)
		return;
	result = image_index_open(directory, false, &images->index);
	if (result == -ENOMEM)
		err(1, NULL);
	if (result)
		warnx("%s/index: no image is used: %s", directory,
		      result == -EBADMSG ? "damaged, or of another version" :
					   strerror(-result));
	else if (verbose && !images->index.count)
		warnx("%s: no images", directory);
	if (result) {
		image_index_close(&images->index);
		images->index = (struct image_index) { .lock = -1 };
	}
	/* One for each at most. */
	images->used = calloc(images->index.count + 1, sizeof(*images->used));
	if (!images->used)
		err(1, NULL);
}

void images_close(struct images *images)
{
	image_index_close(&images->index);
	free(images->used);
}

bool images_has(const struct images *images, const char *path)
{
	const struct image_entry *entry = image_index_find(&images->index, path);

	return entry && entry->kind == IMAGE_SPLIT;
}

const char *images_program(const struct images *images, const char *path)
{
	const struct image_entry *entry = image_index_find(&images->index, path);

	return entry && entry->program[0] == '/' ? entry->program : NULL;
}

/** struct check - an image that is looked at */
struct check {
	const struct image_entry *entry;
	int original;
	struct taken *taken;
	struct image_source source;
	struct image_note note;
	char *why;
	size_t why_size;
};

static bool refuse(struct check *check, const char *why)
{
	snprintf(check->why, check->why_size, "%s", why);
	return false;
}

static bool is_current(const struct image_entry *entry, const struct stat *file)
{
	return entry->size == (uint64_t)file->st_size &&
	       entry->ctime_sec == file->st_ctim.tv_sec &&
	       entry->ctime_nsec == (uint32_t)file->st_ctim.tv_nsec;
}

static bool is_of_file(struct check *check, const struct stat *file)
{
	return is_current(check->entry, file) ||
	       refuse(check, "stale: the library has changed since it was made (mshare image build)");
}

/* As for a library: selection.c. */
static bool open_image(struct check *check)
{
	struct taken *taken = check->taken;

	taken->fd = open(taken->path, O_RDONLY | O_NONBLOCK | O_NOCTTY |
				      O_NOFOLLOW | O_CLOEXEC);
	if (taken->fd < 0 || fstat(taken->fd, &taken->file))
		return refuse(check, strerror(errno));
	if (!S_ISREG(taken->file.st_mode))
		return refuse(check, "not a regular file");
	return is_public(taken->fd, &taken->file, taken->path, taken->path,
			 check->why, check->why_size);
}

static bool read_image(struct check *check)
{
	struct image_verdict verdict = { 0 };
	int result = image_read(check->taken->fd, &check->source, &verdict);

	if (!result)
		result = image_read_note(&check->source, &check->note, &verdict);
	if (result)
		return refuse(check, result == -ENOEXEC ? verdict.why :
							  strerror(-result));
	check->taken->elf = check->source.shape;
	return true;
}

/* The build-id is text, and text is where it is in the original's file. */
static bool has_same_build_id(const struct check *check)
{
	const Elf64_Shdr *section = image_section(&check->source,
						  ".note.gnu.build-id");
	char bytes[2 * IMAGE_BUILD_ID_MAX];

	if (!section)
		return true;
	return section->sh_size <= sizeof(bytes) &&
	       pread(check->original, bytes, section->sh_size,
		     (off_t)section->sh_offset) == (ssize_t)section->sh_size &&
	       !memcmp(bytes, check->source.bytes + section->sh_offset,
		       section->sh_size);
}

static bool is_as_indexed(struct check *check)
{
	const struct image_identity *identity = &check->note.identity;
	const struct image_place *place = &check->note.place;
	const struct image_entry *entry = check->entry;

	if (strcmp(identity->path, entry->path) ||
	    identity->size != entry->size ||
	    identity->ctime_sec != entry->ctime_sec ||
	    identity->ctime_nsec != entry->ctime_nsec ||
	    !has_same_build_id(check))
		return refuse(check, "made of another file");
	if (place->group != entry->place.group ||
	    place->text_offset != entry->place.text_offset ||
	    place->text_size != entry->place.text_size ||
	    place->data_offset != entry->place.data_offset ||
	    place->data_size != entry->place.data_size)
		return refuse(check, "made for another place than the index has");
	return true;
}

static bool has_place(struct check *check, const struct images *images)
{
	const struct image_place *place = &check->note.place;
	struct mshare_split *split = &check->taken->split;

	/* ld.so reads the headers in the text that is mapped. */
	if (check->taken->elf.text_offset)
		return refuse(check, "without its headers in the text");
	if (mshare_split_measure(&check->taken->elf, place->group,
				 place->text_offset, split) ||
	    split->data.start != place->data_offset ||
	    split->text.end - split->text.start > place->text_size ||
	    split->data.end - split->data.start > place->data_size)
		return refuse(check, "not as large, or its data not as far away, as its place is");
	if (!mshare_split_agrees(split, images->used, images->count))
		return refuse(check, "its place is another image's too");
	return true;
}

bool images_take(struct images *images, const char *path, int fd,
		 const struct stat *file, struct taken *taken, char *why,
		 size_t why_size)
{
	struct check check = {
		.entry = image_index_find(&images->index, path),
		.original = fd, .taken = taken,
		.why = why, .why_size = why_size,
	};
	bool good;

	*taken = (struct taken) {
		.path = image_path(images->index.directory, path), .fd = -1,
	};
	if (!taken->path)
		err(1, NULL);
	good = is_of_file(&check, file) && open_image(&check) &&
	       read_image(&check) && is_as_indexed(&check) &&
	       has_place(&check, images);
	image_forget(&check.source);
	if (good) {
		images->used[images->count++] = taken->split;
		return true;
	}
	if (taken->fd >= 0)
		close(taken->fd);
	free(taken->path);
	*taken = (struct taken) { .fd = -1 };
	return false;
}

/* As good as any that a region can have */
#define SOME_BASE	0x7f8000000000UL

/* ld.so reads the headers in the text that is mapped: it must begin with them. */
static bool can_be_relocated(int fd)
{
	struct image_verdict verdict = { 0 };
	struct image_data data = { 0 };
	struct image_source source;
	int result = image_read(fd, &source, &verdict);

	if (!result && source.shape.text_offset)
		result = -ENOEXEC;
	if (!result)
		result = image_relocate(&source, SOME_BASE, &data);
	free(data.bytes);
	image_forget(&source);
	if (result == -ENOMEM)
		err(1, NULL);
	return !result;
}

bool images_relocates(const struct images *images, const char *path, int fd,
		      const struct stat *file)
{
	const struct image_entry *entry = image_index_find(&images->index, path);

	return entry && entry->kind == IMAGE_PAIRED && is_current(entry, file) &&
	       can_be_relocated(fd);
}
