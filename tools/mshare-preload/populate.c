// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a layout to a live region.
 *
 * A library is judged when it is chosen, but it is its file now, at the end,
 * that ld.so will compare with the catalog: one that changed in between is
 * left out, as is one that the module does not accept.
 *
 * Killed at any moment, this leaves the region that is live as it was, and
 * nothing of the new one but, if it has data zones, a file of data, which the
 * next run removes.
 */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data-file.h"
#include "fail.h"
#include "populate.h"
#include "progress.h"

/**
 * struct population - populate() at work
 * @options:   what was asked for
 * @selection: the libraries
 * @layout:    the region
 * @new:       the same, in the kernel
 * @data:      what is in its data zones, if it has any
 * @progress:  bytes of data written and of text read
 */
struct population {
	const struct options *options;
	struct selection *selection;
	const struct mshare_layout *layout;
	struct mshare_new *new;
	struct data_file data;
	struct progress progress;
};

/* The region goes with this process, its data does not.  @result: an errno, or 0 */
__attribute__((noreturn, format(printf, 3, 4)))
static void give_up(struct population *population, int result,
		    const char *format, ...)
{
	va_list args;

	progress_clear(&population->progress);
	if (population->layout->nzones)
		data_file_drop(&population->data);
	va_start(args, format);
	errno = -result;
	if (result)
		verr(1, format, args);
	verrx(1, format, args);
}

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

static uint64_t total_bytes(const struct selection *selection)
{
	uint64_t total = 0;

	for (size_t i = 0; i < selection->count; i++) {
		const struct library *library = &selection->libraries[i];

		total += library->elf.text_size;
		if (has_zone(library))
			total += library->place.data_size;
	}
	return total;
}

static void make_data(struct population *population)
{
	const struct options *options = population->options;
	struct data_kept kept;

	data_directory_open(&population->data.directory, options->data_dir);
	data_directory_clean(&population->data.directory, options->mountpoint,
			     &kept);
	data_file_make(&population->data, population->selection,
		       population->layout, &population->progress);
}

static int map_library(struct population *population,
		       const struct library *library)
{
	uint64_t offset = library->place.text_offset;

	for (unsigned int i = 0; i < library->elf.nsegments; i++) {
		const struct mshare_segment *segment = &library->elf.segments[i];
		int result = mshare_new_map(population->new, text_fd(library),
					    segment, offset);

		if (result)
			return result;
		offset += segment->size;
		progress_add(&population->progress, segment->size);
	}
	return 0;
}

/* Errors of one file; all others are the region's. */
static bool is_about_file(int result)
{
	return result == -EACCES || result == -ERANGE || result == -EIO ||
	       result == -EINVAL;
}

static void forget(struct population *population, size_t index,
		   const char *reason)
{
	struct library *library = &population->selection->libraries[index];
	int result = mshare_new_forget(population->new, &library->place);

	if (result)
		give_up(population, result, "%s: cannot be taken out again",
			library->path);
	leave_out(population->selection, index, reason);
}

static void map_all(struct population *population)
{
	struct selection *selection = population->selection;
	char why[128];
	size_t i = 0;

	while (i < selection->count) {
		const struct library *library = &selection->libraries[i];
		int result;

		if (population->options->verbose) {
			progress_clear(&population->progress);
			warnx("mapping %s", library->path);
		}
		result = map_library(population, library);
		if (!result) {
			i++;
			continue;
		}
		progress_clear(&population->progress);
		if (!is_about_file(result))
			give_up(population, result, "%s: cannot be mapped",
				library->path);
		snprintf(why, sizeof(why), "the module does not take it: %s",
			 strerror(-result));
		forget(population, i, why);
	}
	progress_clear(&population->progress);
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

static void forget_changed(struct population *population)
{
	struct selection *selection = population->selection;
	size_t i = 0;

	while (i < selection->count) {
		if (has_changed(&selection->libraries[i]))
			forget(population, i, "changed meanwhile");
		else
			i++;
	}
	if (!selection->count)
		give_up(population, 0, "no library is left: no region");
}

static void *build_catalog(struct population *population, size_t *size)
{
	const struct selection *selection = population->selection;
	struct mshare_builder *builder = mshare_builder_new();
	void *bytes = NULL;
	int result = builder ? 0 : -ENOMEM;

	for (size_t i = 0; i < selection->count && !result; i++) {
		const struct library *library = &selection->libraries[i];

		result = mshare_builder_add(builder, &library->file,
					    &library->place, library->path,
					    library->image.path);
	}
	if (!result)
		result = mshare_builder_finish(builder, population->layout,
					       &bytes, size);
	if (result)
		give_up(population, result, "no catalog");
	mshare_builder_free(builder);
	return bytes;
}

/* Between seal and publication, so that no live region lacks a file's name. */
static void make_live(struct population *population, struct outcome *outcome)
{
	const struct options *options = population->options;
	size_t size;
	void *catalog = build_catalog(population, &size);
	int result = mshare_new_seal(population->new, catalog, size,
				     &outcome->generation);

	if (!result && population->layout->nzones)
		result = data_file_keep(&population->data, outcome->generation);
	if (!result)
		result = mshare_new_publish(population->new);
	if (result)
		give_up(population, result, "%s/%s: cannot make the region live",
			options->mountpoint, options->name);
	free(catalog);
}

/* Whether this region has data or not: the one before may have had some. */
static void clean(struct population *population, struct outcome *outcome)
{
	const struct options *options = population->options;
	struct data_directory *directory = &population->data.directory;

	if (!population->layout->nzones &&
	    !data_directory_find(directory, options->data_dir))
		return;
	data_directory_clean(directory, options->mountpoint, &outcome->kept);
	data_directory_close(directory);
}

void populate(const struct options *options, struct selection *selection,
	      const struct mshare_layout *layout, struct outcome *outcome)
{
	struct population population = {
		.options = options, .selection = selection, .layout = layout,
	};
	int result;

	*outcome = (struct outcome) { 0 };
	mount_msharefs(options->mountpoint);
	progress_begin(&population.progress, total_bytes(selection));
	if (layout->nzones)
		make_data(&population);
	result = mshare_new_create(options->mountpoint, options->name, layout,
				   &population.new);
	if (result)
		give_up(&population, result, "%s/%s: cannot make a region",
			options->mountpoint, options->name);

	map_all(&population);
	result = data_file_set(&population.data, population.new, layout);
	if (result)
		give_up(&population, result, "%s/%s: the module does not take it",
			population.data.directory.path, population.data.name);
	forget_changed(&population);
	make_live(&population, outcome);
	clean(&population, outcome);
	mshare_new_close(population.new);
}
