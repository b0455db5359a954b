/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELECTION_H
#define SELECTION_H

#include <stddef.h>
#include <sys/stat.h>

#include "candidates.h"
#include "images.h"
#include "mshare.h"
#include "options.h"

/**
 * struct library - one that was chosen
 * @path:  resolved
 * @fd:	   open until the region is live: keeps device and inode its own
 * @file:  what it was when it was chosen
 * @image: used in its place, if its path is not NULL
 * @elf:   the shape of what is used
 * @place: where that goes; its placement is chosen with the library
 * @program: the only one that loads it, or NULL
 * @symbols: its number in an image_binder, or a negative errno
 * @user: @program's, the same
 */
struct library {
	char *path;
	int fd;
	struct stat file;
	struct taken image;
	struct mshare_elf elf;
	struct mshare_place place;
	char *program;
	int symbols;
	int user;
};

/** struct file_id - what makes two paths the same file */
struct file_id {
	dev_t dev;
	ino_t ino;
};

/**
 * struct skipped - one that was left out, or whose image was
 * @path:   as it was found
 * @reason: why
 */
struct skipped {
	char *path;
	char *reason;
};

/**
 * struct selection - the outcome
 * @libraries:	those chosen
 * @count:	how many
 * @skipped:	those left out, of which the user was told
 * @nskipped:	how many
 * @unused:	those whose image is not used though there is one
 * @nunused:	how many
 * @nrelocated:	how many of @libraries are relocated
 * @seen:	device and inode of every file considered so far
 * @nseen:	how many
 */
struct selection {
	struct library *libraries;
	size_t count;
	struct skipped *skipped;
	size_t nskipped;
	struct skipped *unused;
	size_t nunused;
	size_t nrelocated;
	struct file_id *seen;
	size_t nseen;
};

/**
 * select_libraries() - choose those worth sharing and fit to be shared
 * @options:	what was asked for
 * @candidates:	paths
 * @selection:	receives those chosen, smallest text first, and those not
 *
 * A library that has an image of its present file is split, whatever its size.
 * Others are relocated, if the set of images knows their present file, or paired.
 *
 * Each path left out is named on standard error with the reason, except those
 * of ld.so's cache that are merely too small; so is each image.
 */
void select_libraries(const struct options *options,
		      const struct candidates *candidates,
		      struct selection *selection);

/**
 * is_split() - whether a library's image is used
 * @library: the library
 */
static inline bool is_split(const struct library *library)
{
	return library->place.placement == MSHARE_SPLIT;
}

/**
 * has_zone() - whether a library's data is in a data zone, relocated
 * @library: the library
 */
static inline bool has_zone(const struct library *library)
{
	return library->place.placement != MSHARE_PAIRED;
}

/**
 * text_fd() - the file whose text a region has of a library
 * @library: the library
 */
static inline int text_fd(const struct library *library)
{
	return is_split(library) ? library->image.fd : library->fd;
}

/**
 * skip() - note that a path was left out, and say so
 * @selection: where
 * @path:      which
 * @reason:    why
 */
void skip(struct selection *selection, const char *path, const char *reason);

/**
 * leave_out() - take a chosen library out again, and say so
 * @selection: from where
 * @index:     which
 * @reason:    why
 */
void leave_out(struct selection *selection, size_t index, const char *reason);

/**
 * free_selection() - forget and close all
 * @selection: from select_libraries()
 */
void free_selection(struct selection *selection);

#endif /* SELECTION_H */
