// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a layout to a live region.
 *
 * A library is judged when it is chosen, but it is its file now, at the end,
 * that ld.so will compare with the catalog: one that changed in between is
 * left out, as is one that the module does not accept.
 */
#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "populate.h"
#include "progress.h"

static void mount_msharefs(const char *mountpoint)
{
	int result = mshare_mount(mountpoint);

	if (result == -ENODEV ||
	    (result == -ENOENT && !strcmp(mountpoint, MSHARE_MOUNTPOINT)))
		errx(1, "%s: the module mshare is not loaded (modprobe mshare)",
		     mountpoint);
	if (result)
		fail(result, "%s: cannot mount msharefs", mountpoint);
}

static uint64_t total_text(const struct selection *selection)
{
	uint64_t total = 0;

	for (size_t i = 0; i < selection->count; i++)
		total += selection->libraries[i].elf.text_size;
	return total;
}

static int map_library(struct mshare_new *new, const struct library *library,
		       struct progress *progress)
{
	uint64_t offset = library->place.text_offset;

	for (unsigned int i = 0; i < library->elf.nsegments; i++) {
		const struct mshare_segment *segment = &library->elf.segments[i];
		int result = mshare_new_map(new, text_fd(library), segment,
					    offset);

		if (result)
			return result;
		offset += segment->size;
		progress_add(progress, segment->size);
	}
	return 0;
}

/* Errors of one file; all others are the region's. */
static bool is_about_file(int result)
{
	return result == -EACCES || result == -ERANGE || result == -EIO ||
	       result == -EINVAL;
}

static void forget(struct mshare_new *new, struct selection *selection,
		   size_t index, const char *reason)
{
	int result = mshare_new_forget(new, &selection->libraries[index].place);

	if (result)
		fail(result, "%s: cannot be taken out again",
		     selection->libraries[index].path);
	leave_out(selection, index, reason);
}

static void map_all(struct mshare_new *new, const struct options *options,
		    struct selection *selection)
{
	struct progress progress;
	char why[128];
	size_t i = 0;

	progress_begin(&progress, total_text(selection));
	while (i < selection->count) {
		const struct library *library = &selection->libraries[i];
		int result;

		if (options->verbose) {
			progress_clear(&progress);
			warnx("mapping %s", library->path);
		}
		result = map_library(new, library, &progress);
		if (!result) {
			i++;
			continue;
		}
		progress_clear(&progress);
		if (!is_about_file(result))
			fail(result, "%s: cannot be mapped", library->path);
		snprintf(why, sizeof(why), "the module does not take it: %s",
			 strerror(-result));
		forget(new, selection, i, why);
	}
	progress_clear(&progress);
}

/* Replaced, removed or written to: each of these changes the ctime. */
static bool is_other(int fd, const struct stat *before)
{
	struct stat now;

	return fstat(fd, &now) || now.st_size != before->st_size ||
	       now.st_ctim.tv_sec != before->st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != before->st_ctim.tv_nsec;
}

static bool has_changed(const struct library *library)
{
	return is_other(library->fd, &library->file) ||
	       (is_split(library) &&
		is_other(library->image.fd, &library->image.file));
}

static void forget_changed(struct mshare_new *new, struct selection *selection)
{
	size_t i = 0;

	while (i < selection->count) {
		if (has_changed(&selection->libraries[i]))
			forget(new, selection, i, "changed meanwhile");
		else
			i++;
	}
	if (!selection->count)
		errx(1, "no library is left: no region");
}

static void *build_catalog(const struct selection *selection,
			   const struct mshare_layout *layout, size_t *size)
{
	struct mshare_builder *builder = mshare_builder_new();
	void *bytes = NULL;
	int result = builder ? 0 : -ENOMEM;

	for (size_t i = 0; i < selection->count && !result; i++) {
		const struct library *library = &selection->libraries[i];

		result = mshare_builder_add(builder, &library->file,
					    &library->place, library->path);
	}
	if (!result)
		result = mshare_builder_finish(builder, layout, &bytes, size);
	if (result)
		fail(result, "no catalog");
	mshare_builder_free(builder);
	return bytes;
}

uint64_t populate(const struct options *options, struct selection *selection,
		  const struct mshare_layout *layout)
{
	struct mshare_new *new;
	uint64_t generation;
	void *catalog;
	size_t size;
	int result;

	mount_msharefs(options->mountpoint);
	result = mshare_new_create(options->mountpoint, options->name, layout,
				   &new);
	if (result)
		fail(result, "%s/%s: cannot make a region",
		     options->mountpoint, options->name);

	map_all(new, options, selection);
	forget_changed(new, selection);
	catalog = build_catalog(selection, layout, &size);
	result = mshare_new_seal(new, catalog, size, &generation);
	if (!result)
		result = mshare_new_publish(new);
	if (result)
		fail(result, "%s/%s: cannot make the region live",
		     options->mountpoint, options->name);
	free(catalog);
	mshare_new_close(new);
	return generation;
}
