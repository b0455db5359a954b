// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare unshare: libraries that shall be used as on a stock system from now
 * on, also in processes that run, of whatever generation their region is
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "processes.h"
#include "regions.h"
#include "table.h"
#include "verbs.h"

/**
 * struct effort - what has been done so far
 * @request:	the command line
 * @found:	for each argument, whether a region had it
 * @generations: of the regions that were seen
 * @count:	how many
 * @libraries:	a row for each library of each region
 * @processes:	a row for each process that was left with one
 * @status:	the program's exit status
 */
struct effort {
	const struct request *request;
	bool *found;
	uint64_t *generations;
	size_t count;
	struct json_object *libraries;
	struct json_object *processes;
	int status;
};

/** struct leftover - a library that some process still has from a region */
struct leftover {
	struct effort *effort;
	const struct mshare_region *region;
	const struct mshare_library *library;
	unsigned char *flags;
	size_t windows;
};

static void add_leftover(int pid, void *context)
{
	const struct leftover *leftover = context;
	const struct mshare_catalog_entry *entry = &leftover->library->entry;
	size_t first = entry->text_offset / MSHARE_WINDOW_SIZE;
	size_t last = (entry->text_offset + entry->text_size - 1) /
		      MSHARE_WINDOW_SIZE;
	struct json_object *row;
	char command[64];

	/* It may have gone. */
	if (mshare_region_process(leftover->region, pid, leftover->flags,
				  leftover->windows))
		return;
	while (first <= last && first < leftover->windows &&
	       !(leftover->flags[first] & MSHARE_WINDOW_MAPPED))
		first++;
	if (first > last)
		return;
	read_command(pid, command, sizeof(command));
	row = json_object_new_object();
	json_set_number(row, "pid", (uint64_t)pid);
	json_set_string(row, "command", command);
	json_set_string(row, "library", leftover->library->path);
	json_object_array_add(leftover->effort->processes, row);
}

static void list_leftovers(struct effort *effort,
			   const struct mshare_region *region,
			   const struct mshare_library *library)
{
	struct leftover leftover = {
		.effort = effort, .region = region, .library = library,
		.windows = mshare_region_info(region)->size / MSHARE_WINDOW_SIZE,
	};

	leftover.flags = malloc(leftover.windows + 1);
	if (!leftover.flags)
		err(1, NULL);
	for_each_process(add_leftover, &leftover);
	free(leftover.flags);
}

static void unshare_library(struct effort *effort,
			    const struct mshare_region *region,
			    const struct mshare_library *library)
{
	struct mshare_unshare unshare;
	struct json_object *row;
	int result = mshare_region_unshare(region, library->entry.text_offset,
					   &unshare);

	if (result) {
		warnx("%s: %s", library->path, strerror(-result));
		effort->status = 1;
		return;
	}
	row = json_object_new_object();
	json_set_string(row, "library", library->path);
	json_set_number(row, "generation",
			mshare_region_info(region)->generation);
	json_set_number(row, "replaced", unshare.replaced);
	json_set_number(row, "left", unshare.left);
	if (library->image)
		json_set_string(row, "image", library->image);
	json_object_array_add(effort->libraries, row);
	if (unshare.left)
		list_leftovers(effort, region, library);
}

/* Once for each generation: it is seen under many names and mappings. */
static bool is_new(struct effort *effort, uint64_t generation)
{
	for (size_t i = 0; i < effort->count; i++)
		if (effort->generations[i] == generation)
			return false;
	effort->generations = reallocarray(effort->generations,
					   effort->count + 1,
					   sizeof(*effort->generations));
	if (!effort->generations)
		err(1, NULL);
	effort->generations[effort->count++] = generation;
	return true;
}

static void unshare_in(struct effort *effort, struct mshare_region *region)
{
	const struct mshare_info *info = mshare_region_info(region);
	struct mshare_library library;

	if ((info->flags & MSHARE_SEALED) && is_new(effort, info->generation))
		for (size_t i = 0; i < effort->request->count; i++)
			if (find_library(region, effort->request->args[i],
					 &library)) {
				effort->found[i] = true;
				unshare_library(effort, region, &library);
			}
	mshare_region_close(region);
}

/* Regions that lost their name: by the pads their processes have. */
static void unshare_nameless(int pid, const char *line, void *context)
{
	struct effort *effort = context;
	const char *mountpoint = effort->request->mountpoint;
	const char *name = strchr(line, '/');
	struct mshare_region *region;
	char range[64];

	if (name && !strncmp(name, mountpoint, strlen(mountpoint)) &&
	    name[strlen(mountpoint)] == '/' && strstr(name, " (deleted)") &&
	    sscanf(line, "%63s", range) == 1 &&
	    !mshare_region_open_mapped(pid, range, &region))
		unshare_in(effort, region);
}

static const char *text(struct json_object *rows, size_t i, const char *key)
{
	struct json_object *row = json_object_array_get_idx(rows, i);

	return json_object_get_string(json_object_object_get(row, key));
}

/*
 * The kernel finds where to probe by the file that is mapped, and that is one
 * for who has the library from a region and another for who has not.
 */
static void print_images(struct json_object *rows)
{
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		size_t before = 0;

		/* Once, of however many generations it was. */
		while (strcmp(text(rows, before, "library"),
			      text(rows, i, "library")))
			before++;
		if (before == i && text(rows, i, "image"))
			printf("\n%s: probe its image, too, for processes that run already:\n%s\n",
			       text(rows, i, "library"), text(rows, i, "image"));
	}
}

static void print_all(const struct effort *effort)
{
	static const struct column libraries[] = {
		{ "generation", "generation", COLUMN_NUMBER },
		{ "replaced", "replaced", COLUMN_NUMBER },
		{ "left", "left", COLUMN_NUMBER },
		{ "library", "library", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	static const struct column processes[] = {
		{ "pid", "pid", COLUMN_NUMBER },
		{ "command", "command", COLUMN_TEXT },
		{ "library", "library", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};

	table_print(effort->libraries, libraries);
	print_images(effort->libraries);
	if (!json_object_array_length(effort->processes))
		return;
	puts("\nProbes do not fire in these processes:");
	table_print(effort->processes, processes);
}

int unshare_libraries(const struct request *request)
{
	struct effort effort = {
		.request = request,
		.found = calloc(request->count, sizeof(*effort.found)),
		.libraries = json_object_new_array(),
		.processes = json_object_new_array(),
	};
	struct json_object *all = json_object_new_object();
	struct mshare_region *region;
	struct names names;

	if (!effort.found)
		err(1, NULL);
	find_regions(request->mountpoint, &names);
	for (size_t i = 0; i < names.count; i++)
		if (!mshare_region_open(request->mountpoint, names.list[i],
					&region))
			unshare_in(&effort, region);
	names_free(&names);
	for_each_mapping(unshare_nameless, &effort);

	for (size_t i = 0; i < request->count; i++)
		if (!effort.found[i]) {
			warnx("%s: in no region", request->args[i]);
			effort.status = 1;
		}
	json_object_object_add(all, "libraries", effort.libraries);
	json_object_object_add(all, "processes", effort.processes);
	if (request->json) {
		json_print(all);
	} else {
		print_all(&effort);
		json_object_put(all);
	}
	free(effort.found);
	free(effort.generations);
	return effort.status;
}
