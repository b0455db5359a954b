// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare image why, list, show: what is, or would be, made of libraries
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "image-verbs.h"
#include "json.h"
#include "progress.h"
#include "table.h"

static struct json_object *describe(const struct library *library)
{
	const struct image_source *source = &library->source;
	struct json_object *object = json_object_new_object();

	json_set_string(object, "path", library->path);
	json_set_string(object, "kind", image_kind_name(library->kind));
	json_set_string(object, "reason",
			image_reason_name(library->verdict.reason));
	json_set_string(object, "why", library->verdict.why);
	json_set_number(object, "text", source->shape.text_size);
	json_set_number(object, "data", source->data_end - source->data_start);
	json_set_number(object, "instructions",
			library->references.instructions);
	json_set_number(object, "references", library->references.sites.count);
	json_set_number(object, "uncovered", library->references.uncovered);
	return object;
}

static void print_libraries(struct json_object *libraries,
			    const struct tally *tally, bool json)
{
	static const struct column columns[] = {
		{ "kind", "kind", COLUMN_TEXT },
		{ "reason", "reason", COLUMN_TEXT },
		{ "text", "text", COLUMN_SIZE },
		{ "references", "references", COLUMN_NUMBER },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "libraries", libraries);
	json_object_object_add(object, "summary", tally_describe(tally));
	if (json) {
		json_print(object);
		return;
	}
	table_print(libraries, columns);
	putchar('\n');
	for (size_t i = 0; i < json_object_array_length(libraries); i++) {
		struct json_object *row = json_object_array_get_idx(libraries, i);
		const char *why =
			json_object_get_string(json_object_object_get(row, "why"));

		if (*why)
			printf("%s: %s\n",
			       json_object_get_string(
				       json_object_object_get(row, "path")),
			       why);
	}
	tally_print(tally);
	json_object_put(object);
}

int image_why(const struct image_request *request)
{
	struct json_object *libraries = json_object_new_array();
	struct tally tally = { 0 };
	struct progress progress;
	struct library library;
	struct files files;
	int status = 0, result;

	files_find(request, &files);
	progress_begin(&progress, files.bytes);
	for (size_t i = 0; i < files.count; i++) {
		result = library_open(files.paths[i], &library);
		if (!result)
			result = library_examine(request, &library);
		if (result) {
			progress_clear(&progress);
			warnx("%s: %s", files.paths[i], strerror(-result));
			status = 1;
		} else {
			json_object_array_add(libraries, describe(&library));
			tally_add(&tally, library.kind, library.verdict.reason,
				  library.source.shape.text_size);
		}
		progress_add(&progress, (uint64_t)library.file.st_size);
		library_close(&library);
	}
	progress_clear(&progress);
	files_free(&files);
	print_libraries(libraries, &tally, request->json);
	return status;
}

/* ---- list -------------------------------------------------------------- */

static const char *state_of(const struct image_entry *entry)
{
	struct stat st;

	if (stat(entry->path, &st))
		return "gone";
	return (uint64_t)st.st_size == entry->size &&
	       st.st_ctim.tv_sec == entry->ctime_sec &&
	       (uint32_t)st.st_ctim.tv_nsec == entry->ctime_nsec ? "" : "stale";
}

static struct json_object *describe_entry(const struct image_entry *entry)
{
	struct json_object *object = json_object_new_object();

	json_set_string(object, "path", entry->path);
	json_set_string(object, "kind", image_kind_name(entry->kind));
	json_set_string(object, "reason", image_reason_name(entry->reason));
	json_set_string(object, "why", entry->why);
	json_set_string(object, "program", entry->program);
	json_set_string(object, "state", state_of(entry));
	json_set_number(object, "group", entry->place.group);
	json_set_number(object, "text_offset", entry->place.text_offset);
	json_set_number(object, "text_windows",
			entry->place.text_size / MSHARE_WINDOW_SIZE);
	json_set_number(object, "data_offset", entry->place.data_offset);
	json_set_number(object, "data_size", entry->place.data_size);
	return object;
}

int image_list(const struct image_request *request)
{
	static const struct column columns[] = {
		{ "kind", "kind", COLUMN_TEXT },
		{ "reason", "reason", COLUMN_TEXT },
		{ "state", "state", COLUMN_TEXT },
		{ "group", "group", COLUMN_NUMBER },
		{ "text at", "text_offset", COLUMN_ADDRESS },
		{ "windows", "text_windows", COLUMN_NUMBER },
		{ "data at", "data_offset", COLUMN_ADDRESS },
		{ "data", "data_size", COLUMN_SIZE },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *object = json_object_new_object();
	struct json_object *libraries = json_object_new_array();
	struct image_index index;
	int result = image_index_open(request->directory, false, &index);

	if (result)
		fail(result, "%s/index", request->directory);
	for (size_t i = 0; i < index.count; i++)
		json_object_array_add(libraries,
				      describe_entry(&index.entries[i]));
	image_index_close(&index);
	json_object_object_add(object, "libraries", libraries);
	if (request->json) {
		json_print(object);
		return 0;
	}
	table_print(libraries, columns);
	json_object_put(object);
	return 0;
}

/* ---- show -------------------------------------------------------------- */

static void set_build_id(struct json_object *object,
			 const struct image_identity *identity)
{
	char text[2 * IMAGE_BUILD_ID_MAX + 1] = "";

	for (size_t i = 0; i < identity->build_id_size; i++)
		snprintf(text + 2 * i, 3, "%02x", identity->build_id[i]);
	json_set_string(object, "build_id", text);
}

static struct json_object *describe_image(const char *path,
					  const struct image_note *note)
{
	struct json_object *object = json_object_new_object();
	const struct image_identity *identity = &note->identity;

	json_set_string(object, "image", path);
	json_set_string(object, "original", identity->path);
	json_set_number(object, "original_size", identity->size);
	json_object_object_add(object, "original_ctime",
			       json_object_new_int64(identity->ctime_sec));
	set_build_id(object, identity);
	json_set_number(object, "group", note->place.group);
	json_set_number(object, "text_offset", note->place.text_offset);
	json_set_number(object, "text_size", note->place.text_size);
	json_set_number(object, "data_offset", note->place.data_offset);
	json_set_number(object, "data_size", note->place.data_size);
	json_object_object_add(object, "displacement",
			       json_object_new_int64(note->displacement));
	json_set_number(object, "code_references",
			note->sites[IMAGE_SITE_CODE]);
	json_set_number(object, "unwind_references",
			note->sites[IMAGE_SITE_UNWIND]);
	json_set_number(object, "exception_references",
			note->sites[IMAGE_SITE_LSDA]);
	json_set_number(object, "jump_references",
			note->sites[IMAGE_SITE_JUMP]);
	return object;
}

/* FILE is an image; if it is none, its image in the set is meant. */
static int show(const struct image_request *request, const char *file,
		struct json_object *images)
{
	struct image_verdict verdict = { 0 };
	struct image_source source;
	struct image_note note;
	char *path = strdup(file), *resolved = realpath(file, NULL);
	int result = -errno;

	for (int attempt = 0; resolved && attempt < 2; attempt++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		result = fd < 0 ? -errno : image_read(fd, &source, &verdict);
		if (!result)
			result = image_read_note(&source, &note, &verdict);
		if (!result)
			json_object_array_add(images,
					      describe_image(path, &note));
		if (fd >= 0) {
			image_forget(&source);
			close(fd);
		}
		if (result != -ENOEXEC || attempt)
			break;
		free(path);
		path = image_path(request->directory, resolved);
	}
	if (result)
		warnx("%s: %s", path, result == -ENOEXEC ? verdict.why :
							   strerror(-result));
	free(path);
	free(resolved);
	return result ? 1 : 0;
}

static void print_images(struct json_object *images)
{
	for (size_t i = 0; i < json_object_array_length(images); i++) {
		json_object_object_foreach(json_object_array_get_idx(images, i),
					   key, value)
			printf("%-20s  %s\n", key,
			       json_object_get_string(value));
		putchar('\n');
	}
}

int image_show(const struct image_request *request)
{
	struct json_object *object = json_object_new_object();
	struct json_object *images = json_object_new_array();
	struct files files;
	int status = 0;

	files_find(request, &files);
	for (size_t i = 0; i < files.count; i++)
		status |= show(request, files.paths[i], images);
	files_free(&files);
	json_object_object_add(object, "images", images);
	if (request->json) {
		json_print(object);
		return status;
	}
	print_images(images);
	json_object_put(object);
	return status;
}
