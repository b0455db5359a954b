/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mshare image can do.
 */
#ifndef IMAGE_VERBS_H
#define IMAGE_VERBS_H

#include <json-c/json.h>

#include "image.h"
#include "names.h"

/**
 * struct image_request - a command line
 * @directory: of the set of images
 * @overrides: list of reviewed exceptions
 * @all:       all libraries of ld.so's cache
 * @json:      for programs
 * @no_run:    verify without loading anything
 * @first:     build: files whose libraries are placed before those of others
 * @files:     libraries
 * @count:     how many
 */
struct image_request {
	const char *directory;
	const char *overrides;
	bool all;
	bool json;
	bool no_run;
	struct names first;
	const char **files;
	size_t count;
};

/* Each returns the program's exit status. */
int image_build(const struct image_request *request);
int image_list(const struct image_request *request);
int image_show(const struct image_request *request);
int image_verify_all(const struct image_request *request);
int image_why(const struct image_request *request);

/**
 * struct library - one library, looked at
 * @path:	resolved
 * @fd:		open for reading
 * @file:	fstat
 * @source:	what is in it
 * @references: from text to data
 * @verdict:	why it is not split
 * @kind:	what becomes of it
 */
struct library {
	char *path;
	int fd;
	struct stat file;
	struct image_source source;
	struct image_references references;
	struct image_verdict verdict;
	enum image_kind kind;
};

/**
 * library_open() - find and judge a library's file, before it is read
 * @path:    as it was given
 * @library: receives it; library_close() in any case
 *
 * Return: 0; a negative errno.  A library that is not trusted is refused.
 */
int library_open(const char *path, struct library *library);

/**
 * library_examine() - read and decide
 * @request: the command line
 * @library: of library_open(), refused or not
 *
 * Return: 0; a negative errno.
 */
int library_examine(const struct image_request *request,
		    struct library *library);

/**
 * library_close() - forget it
 * @library: the library
 */
void library_close(struct library *library);

/**
 * struct files - the files a command is about, each once
 * @paths: resolved, if they exist
 * @count: how many
 * @bytes: of all of them
 */
struct files {
	char **paths;
	size_t count;
	uint64_t bytes;
};

/**
 * files_find() - what was asked for
 * @request: the command line
 * @files:   receives them, sorted by path if they are all in the cache
 */
void files_find(const struct image_request *request, struct files *files);

/**
 * files_free() - forget them
 * @files: of files_find()
 */
void files_free(struct files *files);

/**
 * file_size() - bytes of a file, for the progress bar
 * @path: the file
 */
uint64_t file_size(const char *path);

/**
 * struct tally - how many libraries there are of each kind and reason
 */
struct tally {
	uint64_t kinds[IMAGE_REFUSED + 1];
	uint64_t reasons[IMAGE_REASONS];
	uint64_t text[IMAGE_REFUSED + 1];
};

/**
 * tally_add() - one more
 * @tally:  the tally
 * @kind:   what became of it
 * @reason: why
 * @text:   bytes of its text
 */
void tally_add(struct tally *tally, enum image_kind kind,
	       enum image_reason reason, uint64_t text);

/**
 * tally_describe() - for programs
 * @tally: the tally
 */
struct json_object *tally_describe(const struct tally *tally);

/**
 * tally_print() - for people, to standard output
 * @tally: the tally
 */
void tally_print(const struct tally *tally);

#endif /* IMAGE_VERBS_H */
