// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The data of libraries, relocated for the addresses they have in this
 * generation, and bound to each other: one file, of which the module gives
 * every process a private mapping.
 *
 *	byte x of a zone is byte x behind the zone's beginning in the file
 *
 * Where nobody's data is, and where all of a page is bss, the file has holes.
 *
 * Every process takes its pointers from here.  A page that could not be
 * written and was then dropped from memory would be a page of wrong ones: so
 * nobody gets the file before fsync(2) has said that all of it is on disk.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data-file.h"
#include "image.h"
#include "trust.h"
#include "write-all.h"

/** struct writing - data_file_make() at work */
struct writing {
	struct data_file *data;
	const struct mshare_layout *layout;
	struct progress *progress;
	struct image_binder *binder;
	int fd;
};

void data_file_drop(struct data_file *data)
{
	unlinkat(data->directory.fd, data->name, 0);
}

__attribute__((noreturn, format(printf, 2, 3)))
static void give_up(struct writing *writing, const char *format, ...)
{
	char why[512];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	progress_clear(writing->progress);
	data_file_drop(writing->data);
	errx(1, "%s/%s: the data of libraries cannot be kept there: %s (--data-dir, or --no-images)",
	     writing->data->directory.path, writing->data->name, why);
}

/* The module wants of it what we want of libraries: say it before it does. */
static void create(struct writing *writing)
{
	struct data_file *data = writing->data;
	char why[256], path[4096];
	struct stat st;

	data_name(&data->directory, 0, data->name);
	snprintf(path, sizeof(path), "%s/%s", data->directory.path, data->name);
	writing->fd = openat(data->directory.fd, data->name,
			     O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (writing->fd < 0 || fchmod(writing->fd, 0444) ||
	    fstat(writing->fd, &st))
		give_up(writing, "%s", strerror(errno));
	if (!is_public(writing->fd, &st, path, path, why, sizeof(why)))
		give_up(writing, "%s", why);
}

/* Where an offset of the region is in the file; all data is in a zone. */
static uint64_t file_offset(const struct mshare_layout *layout, uint64_t offset)
{
	uint64_t at = 0;

	for (size_t i = 0; i < layout->nzones; i++) {
		const struct mshare_zone *zone = &layout->zones[i];

		if (offset - zone->offset < zone->size)
			return at + offset - zone->offset;
		at += zone->size;
	}
	abort();
}

/* What ld.so will have as l_addr */
static uint64_t base_of(const struct writing *writing,
			const struct library *library)
{
	return writing->layout->start + library->place.text_offset -
	       library->elf.text_vaddr;
}

/* One that is not there any more does not matter: then it is any program. */
static void read_program(struct writing *writing, struct library *library)
{
	library->user = -1;
	if (library->program && has_zone(library))
		library->user = image_binder_add_program(writing->binder,
							 library->program);
}

/* Symbols of all libraries.  One that cannot be read will be left out. */
static void read_symbols(struct writing *writing, struct selection *selection)
{
	writing->binder = image_binder_new();
	for (size_t i = 0; i < selection->count && writing->binder; i++) {
		struct library *library = &selection->libraries[i];
		struct image_verdict verdict = { 0 };
		struct image_source source;

		library->symbols = image_read(text_fd(library), &source,
					      &verdict);
		if (!library->symbols)
			library->symbols = image_binder_add(
				writing->binder, &source,
				base_of(writing, library));
		image_forget(&source);
		if (library->symbols == -ENOMEM)
			give_up(writing, "%s", strerror(ENOMEM));
		read_program(writing, library);
	}
	if (!writing->binder)
		give_up(writing, "%s", strerror(ENOMEM));
}

/* Relocated, if the library is still what it was when it was chosen. */
static int relocate(const struct writing *writing, const struct library *library,
		    struct image_data *data)
{
	struct image_verdict verdict = { 0 };
	struct image_source source;
	int err = image_read(text_fd(library), &source, &verdict);

	if (!err)
		err = image_relocate(&source, base_of(writing, library), data);
	if (!err && (data->vaddr != library->elf.data_vaddr ||
		     data->size > library->place.data_size))
		err = -ENOEXEC;
	if (!err && library->symbols >= 0)
		err = image_bind(writing->binder, library->symbols,
				 library->user, &source, data);
	image_forget(&source);
	return err;
}

/* Return: false if the library cannot be used any more. */
static bool write_library(struct writing *writing, const struct library *library)
{
	const struct mshare_layout *layout = writing->layout;
	uint64_t offset = file_offset(layout, library->place.data_offset);
	struct image_data data = { 0 };
	int unfit = relocate(writing, library, &data);
	int err = unfit == -ENOMEM ? unfit : 0;

	if (!unfit)
		err = write_all(writing->fd, data.bytes, data.size, offset);
	free(data.bytes);
	if (err)
		give_up(writing, "%s", strerror(-err));
	return !unfit;
}

static void write_libraries(struct writing *writing, struct selection *selection)
{
	size_t i = 0;

	while (i < selection->count) {
		const struct library *library = &selection->libraries[i];

		if (has_zone(library) && !write_library(writing, library)) {
			progress_clear(writing->progress);
			leave_out(selection, i, "its data cannot be relocated");
			continue;
		}
		if (has_zone(library))
			progress_add(writing->progress, library->place.data_size);
		i++;
	}
}

/* From now on it is only read: the module takes none that can be written to. */
static void finish(struct writing *writing)
{
	struct data_file *data = writing->data;

	if (fsync(writing->fd) || close(writing->fd))
		give_up(writing, "%s", strerror(errno));
	data->fd = openat(data->directory.fd, data->name,
			  O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (data->fd < 0)
		give_up(writing, "%s", strerror(errno));
}

void data_file_make(struct data_file *data, struct selection *selection,
		    const struct mshare_layout *layout,
		    struct progress *progress)
{
	struct writing writing = {
		.data = data, .layout = layout, .progress = progress,
	};
	uint64_t size = 0;

	for (size_t i = 0; i < layout->nzones; i++)
		size += layout->zones[i].size;
	create(&writing);
	if (ftruncate(writing.fd, (off_t)size))
		give_up(&writing, "%s", strerror(errno));
	read_symbols(&writing, selection);
	write_libraries(&writing, selection);
	image_binder_free(writing.binder);
	finish(&writing);
}

int data_file_set(const struct data_file *data, struct mshare_new *new,
		  const struct mshare_layout *layout)
{
	uint64_t offset = 0;
	int err = 0;

	for (size_t i = 0; i < layout->nzones && !err; i++) {
		err = mshare_new_set_data(new, &layout->zones[i], data->fd,
					  offset);
		offset += layout->zones[i].size;
	}
	return err;
}

int data_file_keep(struct data_file *data, uint64_t generation)
{
	char name[DATA_NAME_MAX];

	data_name(&data->directory, generation, name);
	if (renameat(data->directory.fd, data->name, data->directory.fd, name))
		return -errno;
	strcpy(data->name, name);
	close(data->fd);
	data->fd = -1;
	return fsync(data->directory.fd) ? -errno : 0;
}
