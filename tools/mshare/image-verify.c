// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare image verify: compare images with the libraries they were made of
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "image-verbs.h"
#include "json.h"
#include "progress.h"
#include "table.h"

/* What the answer can be, for one library */
static const char *const answers[] = {
	"equal", "different", "equal, not run", "no image", "stale",
};

enum { EQUAL, DIFFERENT, NOT_RUN, NO_IMAGE, STALE, ANSWERS };

static bool is_stale(const struct library *library,
		     const struct image_identity *identity)
{
	return identity->size != (uint64_t)library->file.st_size ||
	       identity->ctime_sec != library->file.st_ctim.tv_sec ||
	       identity->ctime_nsec != (uint32_t)library->file.st_ctim.tv_nsec ||
	       identity->build_id_size != library->source.build_id_size ||
	       memcmp(identity->build_id, library->source.build_id,
		      identity->build_id_size);
}

static int run(struct library *library, const struct image_source *image,
	       const char *path)
{
	int result = image_run(&library->source, library->path, image, path,
			       &library->references, &library->verdict);

	switch (result) {
	case IMAGE_RUN_EQUAL:
		return EQUAL;
	case IMAGE_RUN_IMPOSSIBLE:
		return NOT_RUN;
	default:
		return result < 0 ? result : DIFFERENT;
	}
}

/* An answer, or a negative errno */
static int compare(const struct image_request *request, struct library *library,
		   int fd, const char *path)
{
	struct image_source image = { 0 };
	struct image_note note;
	int result = image_read(library->fd, &library->source,
				&library->verdict);

	if (!result)
		result = image_read(fd, &image, &library->verdict);
	if (!result)
		result = image_read_note(&image, &note, &library->verdict);
	if (!result && is_stale(library, &note.identity)) {
		image_forget(&image);
		return STALE;
	}
	if (!result)
		result = image_verify(&library->source, &image, &note,
				      &library->references, &library->verdict);
	if (!result)
		result = request->no_run ? NOT_RUN : run(library, &image, path);
	image_forget(&image);
	return result == -ENOEXEC ? DIFFERENT : result;
}

static int verify(const struct image_request *request, struct library *library)
{
	char *path = image_path(request->directory, library->path);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int result;

	if (fd < 0) {
		result = path && errno == ENOENT ? NO_IMAGE : -errno;
	} else {
		result = compare(request, library, fd, path);
		close(fd);
	}
	free(path);
	return result;
}

static void add_row(struct json_object *rows, const struct library *library,
		    int answer)
{
	struct json_object *row = json_object_new_object();

	json_set_string(row, "path", library->path);
	json_set_string(row, "result", answers[answer]);
	json_set_string(row, "why", library->verdict.why);
	json_object_array_add(rows, row);
}

static void print(struct json_object *rows, bool json)
{
	static const struct column columns[] = {
		{ "result", "result", COLUMN_TEXT },
		{ "library", "path", COLUMN_TEXT },
		{ "why", "why", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "libraries", rows);
	if (json) {
		json_print(object);
		return;
	}
	table_print(rows, columns);
	json_object_put(object);
}

int image_verify_all(const struct image_request *request)
{
	struct json_object *rows = json_object_new_array();
	struct progress progress;
	struct library library;
	struct files files;
	int status = 0, result;

	files_find(request, &files);
	progress_begin(&progress, files.bytes);
	for (size_t i = 0; i < files.count; i++) {
		result = library_open(files.paths[i], &library);
		if (!result)
			result = verify(request, &library);
		if (result < 0) {
			progress_clear(&progress);
			warnx("%s: %s", files.paths[i], strerror(-result));
			status = 1;
		} else {
			add_row(rows, &library, result);
			status |= result == DIFFERENT;
		}
		progress_add(&progress, file_size(files.paths[i]));
		library_close(&library);
	}
	progress_clear(&progress);
	files_free(&files);
	print(rows, request->json);
	return status;
}
