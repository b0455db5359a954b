// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From paths to libraries: resolve, open, inspect, judge.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "format.h"
#include "selection.h"
#include "trust.h"

#define REASON_MAX	256

static void *check_memory(void *memory)
{
	if (!memory)
		err(1, NULL);
	return memory;
}

static void add_skipped(struct skipped **list, size_t *count, const char *path,
			const char *reason)
{
	*list = check_memory(reallocarray(*list, *count + 1, sizeof(**list)));
	(*list)[(*count)++] = (struct skipped) {
		.path = check_memory(strdup(path)),
		.reason = check_memory(strdup(reason)),
	};
}

static void free_skipped(struct skipped *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(list[i].path);
		free(list[i].reason);
	}
	free(list);
}

void skip(struct selection *selection, const char *path, const char *reason)
{
	add_skipped(&selection->skipped, &selection->nskipped, path, reason);
	warnx("%s: skipped: %s", path, reason);
}

static void close_library(struct library *library)
{
	if (library->fd >= 0)
		close(library->fd);
	if (library->image.fd >= 0)
		close(library->image.fd);
	free(library->image.path);
	free(library->program);
	free(library->path);
}

void leave_out(struct selection *selection, size_t index, const char *reason)
{
	struct library *library = &selection->libraries[index];

	skip(selection, library->path, reason);
	close_library(library);
	memmove(library, library + 1,
		(--selection->count - index) * sizeof(*library));
	/* A library's place refers to what was found out about it. */
	for (size_t i = index; i < selection->count; i++)
		selection->libraries[i].place.elf = &selection->libraries[i].elf;
}

static bool is_excluded(const struct options *options, const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < options->nexcludes; i++) {
		if (!fnmatch(options->excludes[i], path, 0) ||
		    (slash && !fnmatch(options->excludes[i], slash + 1, 0)))
			return true;
	}
	return false;
}

/* The same file may be found by several names: the first one counts. */
static bool is_seen(struct selection *selection, const struct stat *file)
{
	for (size_t i = 0; i < selection->nseen; i++)
		if (selection->seen[i].dev == file->st_dev &&
		    selection->seen[i].ino == file->st_ino)
			return true;
	selection->seen[selection->nseen++] = (struct file_id) {
		.dev = file->st_dev,
		.ino = file->st_ino,
	};
	return false;
}

/*
 * Only regular files are opened (a device might act on it); O_NONBLOCK in case
 * a pipe takes the file's place in between.
 */
static bool open_library(struct library *library, char *why)
{
	if (stat(library->path, &library->file)) {
		snprintf(why, REASON_MAX, "%s", strerror(errno));
		return false;
	}
	if (!S_ISREG(library->file.st_mode)) {
		snprintf(why, REASON_MAX, "not a regular file");
		return false;
	}
	library->fd = open(library->path,
			   O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (library->fd < 0 || fstat(library->fd, &library->file) ||
	    !S_ISREG(library->file.st_mode)) {
		snprintf(why, REASON_MAX, "%s", strerror(errno ? errno : EINVAL));
		return false;
	}
	return true;
}

static bool has_enough_text(const struct library *library, uint64_t min_text,
			    char *why)
{
	if (library->elf.text_size >= min_text)
		return true;
	snprintf(why, REASON_MAX, "%s of text, less than %s: not worth a page table of its own (--min-text)",
		 format_size(library->elf.text_size).text,
		 format_size(min_text).text);
	return false;
}

/* Whether the library's image can stand for it; one that cannot is named. */
static bool take_image(struct selection *selection, struct images *images,
		       struct library *library)
{
	char why[REASON_MAX];

	if (images_take(images, library->path, library->fd, &library->file,
			&library->image, why, sizeof(why))) {
		library->elf = library->image.elf;
		library->place.placement = MSHARE_SPLIT;
		return true;
	}
	add_skipped(&selection->unused, &selection->nunused, library->path, why);
	warnx("%s: image not used: %s", library->path, why);
	return false;
}

/* Whether the library is fit and worth it; @quiet: nobody wants to know why not. */
static bool judge_stock(struct library *library, const struct options *options,
			const struct candidate *candidate, char *why, bool *quiet)
{
	/* The bulk of a system's libraries: spare them the inspection. */
	*quiet = !candidate->named &&
		 (uint64_t)library->file.st_size < options->min_text;
	if (*quiet)
		return false;
	if (mshare_elf_inspect(library->fd, &library->elf, why, REASON_MAX))
		return false;
	if (!has_enough_text(library, options->min_text, why)) {
		*quiet = !candidate->named;
		return false;
	}
	return is_trusted(library->fd, &library->file, candidate->path,
			  library->path, why, REASON_MAX);
}

static bool judge(struct selection *selection, const struct options *options,
		  struct images *images, struct library *library,
		  const struct candidate *candidate, char *why, bool *quiet)
{
	if (!open_library(library, why))
		return false;
	if (!images_has(images, library->path))
		return judge_stock(library, options, candidate, why, quiet);
	/* Nor is what nobody may be given given as an image. */
	if (!is_trusted(library->fd, &library->file, candidate->path,
			library->path, why, REASON_MAX))
		return false;
	return take_image(selection, images, library) ||
	       judge_stock(library, options, candidate, why, quiet);
}

/* How a library lies that is no image. */
static void choose_placement(struct selection *selection,
			     const struct images *images,
			     struct library *library)
{
	if (selection->nrelocated == MSHARE_RELOCATED_MAX ||
	    !images_relocates(images, library->path, library->fd,
			      &library->file))
		return;
	library->place.placement = MSHARE_RELOCATED;
	selection->nrelocated++;
}

static void note_program(const struct images *images, struct library *library)
{
	const char *program = images_program(images, library->path);

	if (program)
		library->program = check_memory(strdup(program));
}

static void consider(struct selection *selection, const struct options *options,
		     struct images *images, const struct candidate *candidate)
{
	struct library library = {
		.path = realpath(candidate->path, NULL),
		.fd = -1,
		.image.fd = -1,
		.place.placement = MSHARE_PAIRED,
	};
	char why[REASON_MAX] = "";
	bool quiet = false;
	struct stat file;

	if (!library.path) {
		skip(selection, candidate->path, strerror(errno));
		return;
	}
	if (is_excluded(options, candidate->path) ||
	    is_excluded(options, library.path) ||
	    (!stat(library.path, &file) && is_seen(selection, &file))) {
		free(library.path);
		return;
	}
	if (judge(selection, options, images, &library, candidate, why,
		  &quiet)) {
		if (!is_split(&library))
			choose_placement(selection, images, &library);
		note_program(images, &library);
		selection->libraries[selection->count++] = library;
		return;
	}
	if (!quiet)
		skip(selection, candidate->path, why);
	close_library(&library);
}

/*
 * Small libraries, which most programs use, lie close together: where all do
 * not fit into one GiB, the fewest programs reach into a second one.
 */
static int by_text_size(const void *first, const void *second)
{
	const struct library *a = first, *b = second;

	if (a->elf.text_size != b->elf.text_size)
		return a->elf.text_size < b->elf.text_size ? -1 : 1;
	return strcmp(a->path, b->path);
}

/* Each library stays open; how many that are is the user's choice. */
static void raise_open_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void select_libraries(const struct options *options,
		      const struct candidates *candidates,
		      struct selection *selection)
{
	struct images images;

	*selection = (struct selection) { 0 };
	raise_open_files();
	selection->libraries = check_memory(calloc(candidates->count + 1,
						   sizeof(struct library)));
	selection->seen = check_memory(calloc(candidates->count + 1,
					      sizeof(struct file_id)));
	images_open(&images, options->images, options->verbose);
	for (size_t i = 0; i < candidates->count; i++)
		consider(selection, options, &images, &candidates->list[i]);
	images_close(&images);
	qsort(selection->libraries, selection->count, sizeof(struct library),
	      by_text_size);
}

void free_selection(struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++)
		close_library(&selection->libraries[i]);
	free_skipped(selection->skipped, selection->nskipped);
	free_skipped(selection->unused, selection->nunused);
	free(selection->libraries);
	free(selection->seen);
}
