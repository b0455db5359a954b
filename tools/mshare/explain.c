// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare explain: what a process shares of each library, and why not more
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "json.h"
#include "processes.h"
#include "table.h"
#include "verbs.h"

static uint64_t count_windows(const struct subject *subject,
			      const struct mshare_library *library,
			      unsigned char flag)
{
	size_t first = library->entry.text_offset / MSHARE_WINDOW_SIZE;
	size_t last = (library->entry.text_offset + library->entry.text_size -
		       1) / MSHARE_WINDOW_SIZE;
	uint64_t count = 0;

	for (size_t i = first; i <= last && i < subject->windows; i++)
		count += !flag || (subject->flags[i] & flag);
	return count;
}

static const char *kind_of(const struct mshare_library *library)
{
	return mshare_placement_name(library->entry.placement);
}

static struct json_object *describe_shared(const struct subject *subject,
					   const struct mshare_library *library,
					   const struct tables *tables)
{
	struct json_object *object = json_object_new_object();
	uint64_t private = count_windows(subject, library,
					 MSHARE_WINDOW_PRIVATE);
	char why[EXPLANATION_MAX];

	explain_shared(subject, library, private, why);
	json_set_string(object, "path", library->path);
	json_set_string(object, "kind", kind_of(library));
	json_set_number(object, "windows", count_windows(subject, library, 0));
	json_set_number(object, "attached",
			count_windows(subject, library,
				      MSHARE_WINDOW_ATTACHED));
	json_set_number(object, "private", private);
	json_set_number(object, "tables",
			tables_used_by(tables, library->path));
	json_set_string(object, "why", why);
	return object;
}

static struct json_object *describe_stock(const struct subject *subject,
					  const struct mapping *mapping,
					  const struct tables *tables)
{
	struct json_object *object = json_object_new_object();
	char why[EXPLANATION_MAX];

	explain_stock(subject, mapping, why);
	json_set_string(object, "path", mapping->path);
	json_set_string(object, "kind", "stock");
	json_set_number(object, "windows", 0);
	json_set_number(object, "attached", 0);
	json_set_number(object, "private", 0);
	json_set_number(object, "tables",
			tables_used_by(tables, mapping->path));
	json_set_string(object, "why", why);
	return object;
}

static bool is_library(const char *path)
{
	const char *slash = strrchr(path, '/');

	return *path == '/' && strstr(slash, ".so");
}

/* Its text lies between pads of the region, where the catalog has it. */
static bool is_shared(const struct subject *subject,
		      const struct mapping *mapping,
		      struct mshare_library *library)
{
	return subject->sharer &&
	       subject_entry(subject, mapping->start, library) &&
	       count_windows(subject, library, MSHARE_WINDOW_MAPPED);
}

static bool is_text(struct json_object *row, const char *key, const char *text)
{
	return !strcmp(json_object_get_string(json_object_object_get(row, key)),
		       text);
}

static bool has_row(struct json_object *rows, const char *path, const char *kind)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (is_text(row, "path", path) && is_text(row, "kind", kind))
			return true;
	}
	return false;
}

static void add_library(struct json_object *rows, const struct subject *subject,
			const struct mapping *mapping,
			const struct tables *tables)
{
	struct mshare_library library;

	if (is_shared(subject, mapping, &library)) {
		if (!has_row(rows, library.path, kind_of(&library)))
			json_object_array_add(rows,
					      describe_shared(subject, &library,
							      tables));
	} else if (!has_row(rows, mapping->path, "stock")) {
		json_object_array_add(rows, describe_stock(subject, mapping,
							   tables));
	}
}

/*
 * Each library once, by its text; twice, if it is loaded twice and only one is
 * shared.  The program itself is none.
 */
static struct json_object *describe_libraries(const struct subject *subject,
					      const struct tables *tables)
{
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < subject->count; i++)
		if (subject->mappings[i].perms[2] == 'x' &&
		    is_library(subject->mappings[i].path))
			add_library(rows, subject, &subject->mappings[i],
				    tables);
	return rows;
}

static struct json_object *describe_table(const struct table *table)
{
	struct json_object *object = json_object_new_object();
	struct json_object *users = json_object_new_array();

	json_set_number(object, "address", table->address);
	json_set_number(object, "pages", table->pages);
	for (size_t i = 0; i < table->count; i++)
		json_object_array_add(users,
				      json_object_new_string(table->users[i]));
	json_object_object_add(object, "of", users);
	return object;
}

static struct json_object *describe_tables(const struct tables *tables)
{
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < tables->count; i++)
		json_object_array_add(rows, describe_table(&tables->list[i]));
	return rows;
}

static struct json_object *describe(const struct subject *subject,
				    const struct tables *tables)
{
	struct json_object *object = json_object_new_object();
	char command[64];

	read_command(subject->pid, command, sizeof(command));
	json_set_number(object, "pid", (uint64_t)subject->pid);
	json_set_string(object, "command", command);
	json_set_number(object, "generation", subject->sharer ?
			mshare_region_info(subject->region)->generation : 0);
	json_set_string(object, "why", subject->nothing);
	json_object_object_add(object, "libraries",
			       describe_libraries(subject, tables));
	json_object_object_add(object, "tables", describe_tables(tables));
	return object;
}

/* ---- for people -------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void print_tables(struct json_object *rows)
{
	printf("\n%zu page tables of its own (4 KiB each), for pages of\n",
	       json_object_array_length(rows));
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		struct json_object *users = json_object_object_get(row, "of");

		printf("%#14" PRIx64 " %4" PRIu64 " ",
		       json_object_get_uint64(json_object_object_get(row, "address")),
		       json_object_get_uint64(json_object_object_get(row, "pages")));
		for (size_t user = 0; user < json_object_array_length(users); user++)
			printf(" %s", base_name(json_object_get_string(
					json_object_array_get_idx(users, user))));
		putchar('\n');
	}
}

static void print_all(struct json_object *object)
{
	static const struct column columns[] = {
		{ "kind", "kind", COLUMN_TEXT },
		{ "windows", "windows", COLUMN_NUMBER },
		{ "attached", "attached", COLUMN_NUMBER },
		{ "private", "private", COLUMN_NUMBER },
		{ "tables", "tables", COLUMN_NUMBER },
		{ "library", "path", COLUMN_TEXT },
		{ "why", "why", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	const char *why =
		json_object_get_string(json_object_object_get(object, "why"));

	if (*why)
		printf("Shares nothing: %s\n\n", why);
	table_print(json_object_object_get(object, "libraries"), columns);
	print_tables(json_object_object_get(object, "tables"));
}

static struct json_object *explain(const char *mountpoint, int pid)
{
	struct subject subject;
	struct tables tables = { 0 };
	struct json_object *object = NULL;
	int result = subject_open(&subject, mountpoint, pid);

	if (!result)
		result = tables_find(&subject, &tables);
	if (!result)
		object = describe(&subject, &tables);
	tables_free(&tables);
	subject_close(&subject);
	if (result == -EPERM || result == -EACCES)
		errx(1, "process %d: only root may ask", pid);
	if (result)
		errx(1, "process %d: %s", pid, strerror(-result));
	return object;
}

int explain_process(const struct request *request)
{
	int pid = process_number(request->args[0]);
	struct json_object *object;

	if (pid < 0)
		errx(2, "%s: not a process id", request->args[0]);
	object = explain(request->mountpoint, pid);
	if (request->json) {
		json_print(object);
		return 0;
	}
	print_all(object);
	json_object_put(object);
	return 0;
}
