// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare image build: make the images of libraries that have none, or whose
 * file is another one by now
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "format.h"
#include "image-order.h"
#include "image-verbs.h"
#include "json.h"
#include "progress.h"

/**
 * struct work - what image_build() has done
 * @request: the command line
 * @index:   of the set
 * @tally:   all libraries, of the set or not
 * @built:   images written
 * @bytes:   of them
 * @current: libraries that have not changed
 * @failed:  libraries that could not be read, images that could not be written
 */
struct work {
	const struct image_request *request;
	struct image_index index;
	struct tally tally;
	uint64_t built;
	uint64_t bytes;
	uint64_t current;
	uint64_t failed;
};

static bool is_current(const struct work *work, const struct library *library)
{
	const struct image_entry *entry = image_index_find(&work->index,
							   library->path);
	bool exists;
	char *path;

	if (!entry || entry->size != (uint64_t)library->file.st_size ||
	    entry->ctime_sec != library->file.st_ctim.tv_sec ||
	    entry->ctime_nsec != (uint32_t)library->file.st_ctim.tv_nsec)
		return false;
	if (entry->kind != IMAGE_SPLIT)
		return true;
	path = image_path(work->index.directory, library->path);
	exists = path && !access(path, R_OK);
	free(path);
	return exists;
}

static int write_image(struct work *work, const struct library *library,
		       const struct image_file *image)
{
	char *path = image_path(work->index.directory, library->path);
	int result = path ? image_write(image, path) : -ENOMEM;

	free(path);
	if (result)
		return result;
	work->built++;
	work->bytes += image->size;
	return 0;
}

/* An image that is too far from its data is none: the library stays as it is. */
static int make_image(struct work *work, struct library *library,
		      struct image_entry *entry)
{
	struct image_file image = { 0 };
	struct image_identity identity;
	int result = image_index_place(&work->index, library->path,
				       &library->source, &entry->place);

	if (result == -EFBIG)
		result = image_refuse(&library->verdict, IMAGE_TOO_FAR,
				      "larger than a group of images");
	image_identify(&library->source, &library->file, library->path,
		       &identity);
	if (!result)
		result = image_compose(&library->source, &library->references,
				       &entry->place, &identity, &image,
				       &library->verdict);
	if (!result)
		result = image_check(&library->source, &library->references,
				     &image, &library->verdict);
	if (!result)
		result = write_image(work, library, &image);
	free(image.bytes);
	if (result == -ENOEXEC) {
		library->kind = IMAGE_REFUSED;
		entry->place = (struct image_place) { 0 };
		result = 0;
	}
	return result;
}

static void remove_image(const struct work *work, const struct library *library)
{
	char *path = image_path(work->index.directory, library->path);

	if (path)
		unlink(path);
	free(path);
}

/* @program: the only one that loads it, or NULL */
static int build_one(struct work *work, struct library *library, char *program)
{
	struct image_entry entry = {
		.path = library->path,
		.program = program,
		.size = (uint64_t)library->file.st_size,
		.ctime_sec = library->file.st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)library->file.st_ctim.tv_nsec,
	};
	int result = library_examine(work->request, library);

	if (!result && library->kind == IMAGE_SPLIT)
		result = make_image(work, library, &entry);
	if (result)
		return result;
	if (library->kind != IMAGE_SPLIT)
		remove_image(work, library);
	entry.kind = library->kind;
	entry.reason = library->verdict.reason;
	entry.why = library->verdict.why;
	return image_index_put(&work->index, &entry);
}

/* The library is as it was; who uses it may have changed. */
static int keep(struct work *work, const struct library *library, char *program)
{
	const struct image_entry *old = image_index_find(&work->index,
							 library->path);
	struct image_entry entry = *old;

	work->current++;
	tally_add(&work->tally, entry.kind, entry.reason, 0);
	entry.program = program;
	return image_index_put(&work->index, &entry);
}

static void build(struct work *work, const struct used_library *used)
{
	char *program = used->users == 1 ? used->user : NULL;
	struct library library;
	int result = library_open(used->path, &library);
	bool current = !result && is_current(work, &library);

	if (!result)
		result = current ? keep(work, &library, program) :
				   build_one(work, &library, program);
	if (result) {
		warnx("%s: %s", used->path, strerror(-result));
		work->failed++;
	} else if (!current) {
		tally_add(&work->tally, library.kind, library.verdict.reason,
			  library.source.shape.text_size);
	}
	library_close(&library);
}

static void report(const struct work *work, bool json)
{
	struct json_object *object;

	if (!json) {
		printf("%lu images built, %s; %lu libraries are as they were\n",
		       work->built, format_size(work->bytes).text,
		       work->current);
		tally_print(&work->tally);
		return;
	}
	object = json_object_new_object();
	json_set_number(object, "built", work->built);
	json_set_number(object, "bytes", work->bytes);
	json_set_number(object, "current", work->current);
	json_set_number(object, "failed", work->failed);
	json_object_object_add(object, "summary", tally_describe(&work->tally));
	json_print(object);
}

/*
 * The scripts that gdb loads with a library look for the rest of themselves in
 * /usr/share, on a way that begins at the library's file.
 */
static int link_share(const char *directory)
{
	char *path = image_path(directory, "/usr/share");
	int result = path ? image_make_directories(path) : -ENOMEM;

	if (!result && symlink("/usr/share", path) && errno != EEXIST)
		result = -errno;
	free(path);
	return result;
}

int image_build(const struct image_request *request)
{
	struct work work = { .request = request };
	struct progress progress;
	struct used_library **libraries;
	struct files files;
	struct users users;
	int result = image_index_open(request->directory, true, &work.index);

	if (result == -EBADMSG)
		errx(1, "%s/index: damaged, or of another version: remove %s to begin anew",
		     request->directory, request->directory);
	if (result)
		fail(result, "%s", request->directory);
	files_find(request, &files);
	users_find(files.paths, files.count, &request->first, &users);
	libraries = order_by_use(&users);
	progress_begin(&progress, files.bytes);
	for (size_t i = 0; i < users.count; i++) {
		build(&work, libraries[i]);
		progress_add(&progress, file_size(libraries[i]->path));
	}
	progress_clear(&progress);
	free(libraries);
	users_free(&users);
	files_free(&files);
	result = link_share(request->directory);
	if (result)
		fail(result, "%s/tree", request->directory);
	result = image_index_save(&work.index);
	if (result)
		fail(result, "%s/index", request->directory);
	image_index_close(&work.index);
	report(&work, request->json);
	return work.failed ? 1 : 0;
}
