// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare stat: what a region does, and each library in it
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "fail.h"
#include "format.h"
#include "json.h"
#include "regions.h"
#include "table.h"
#include "verbs.h"

/* The catalog's entry for the text that begins at @offset, if it has one. */
static bool find_entry(const struct mshare_region *region, uint64_t offset,
		       struct mshare_library *library)
{
	for (size_t i = 0; !mshare_region_entry(region, i, library); i++)
		if (library->entry.text_offset == offset)
			return true;
	return false;
}

static struct json_object *describe_library(const struct mshare_region *region,
					    const struct mshare_library_stat *stat,
					    uint64_t *stale)
{
	struct json_object *object = json_object_new_object();
	struct mshare_library library;
	const char *path = "?", *state = "", *kind = "?";

	if (find_entry(region, stat->region_offset, &library)) {
		path = library.path;
		kind = mshare_placement_name(library.entry.placement);
		if (mshare_library_is_stale(&library)) {
			state = "stale";
			++*stale;
		}
	}
	if (stat->flags & MSHARE_LIBRARY_RETIRED)
		state = "retired";

	json_set_string(object, "path", path);
	json_set_string(object, "kind", kind);
	json_set_string(object, "state", state);
	json_set_number(object, "text_offset", stat->region_offset);
	json_set_number(object, "text_size", stat->size);
	json_set_number(object, "windows", stat->windows);
	json_set_number(object, "sharers", stat->sharers);
	json_set_number(object, "attached", stat->attached);
	return object;
}

static struct json_object *describe_libraries(const struct mshare_region *region,
					      const char *name, uint64_t *stale)
{
	struct json_object *array = json_object_new_array();
	struct mshare_library_stat stat = { 0 };
	int result;

	*stale = 0;
	while (!(result = mshare_region_library(region,
						stat.region_offset + stat.size,
						&stat)))
		json_object_array_add(array,
				      describe_library(region, &stat, stale));
	if (result != -ENOENT)
		fail(result, "%s", name);
	return array;
}

static struct json_object *describe_counters(const struct mshare_stat *stat)
{
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < MSHARE_NR_COUNTERS; i++)
		json_set_number(object, counters[i].name, stat->counters[i]);
	return object;
}

static struct json_object *describe(const struct mshare_region *region,
				    const char *name)
{
	const struct mshare_info *info = mshare_region_info(region);
	struct json_object *object = json_object_new_object();
	struct json_object *libraries;
	struct mshare_stat stat;
	uint64_t stale;
	int result = mshare_region_stat(region, &stat);

	if (result)
		fail(result, "%s", name);
	libraries = describe_libraries(region, name, &stale);
	json_set_string(object, "name", name);
	json_set_string(object, "state", region_state(region));
	json_set_number(object, "generation", info->generation);
	json_set_number(object, "start", info->start);
	json_set_number(object, "size", info->size);
	json_set_number(object, "catalog_size", info->catalog_size);
	json_set_number(object, "stale", stale);
	json_set_number(object, "libraries_mapped", stat.libraries);
	json_set_number(object, "windows", stat.windows);
	json_set_number(object, "data_size", stat.data_size);
	json_set_number(object, "host_pgtables", stat.host_pgtables);
	json_set_number(object, "sharers", stat.sharers);
	json_set_number(object, "attached", stat.attached);
	json_object_object_add(object, "counters", describe_counters(&stat));
	json_object_object_add(object, "libraries", libraries);
	return object;
}

/* Line by line: too much for one row. */
static void print_head(struct json_object *region)
{
	json_object_object_foreach(region, key, value) {
		if (json_object_is_type(value, json_type_array) ||
		    json_object_is_type(value, json_type_object))
			continue;
		printf("%-16s  ", key);
		if (!strcmp(key, "start"))
			printf("%#lx\n", json_object_get_uint64(value));
		else if (!strcmp(key, "size") || !strcmp(key, "catalog_size") ||
			 !strcmp(key, "data_size") || !strcmp(key, "host_pgtables"))
			puts(format_size(json_object_get_uint64(value)).text);
		else
			puts(json_object_get_string(value));
	}
	putchar('\n');
}

static void print_counters(struct json_object *region)
{
	struct json_object *values = json_object_object_get(region, "counters");

	for (size_t i = 0; i < MSHARE_NR_COUNTERS; i++)
		printf("%12s  %-20s  %s\n",
		       json_object_get_string(json_object_object_get(values,
						counters[i].name)),
		       counters[i].name, counters[i].meaning);
	putchar('\n');
}

static void print_region(struct json_object *region)
{
	static const struct column columns[] = {
		{ "text", "text_size", COLUMN_SIZE },
		{ "windows", "windows", COLUMN_NUMBER },
		{ "sharers", "sharers", COLUMN_NUMBER },
		{ "attached", "attached", COLUMN_NUMBER },
		{ "kind", "kind", COLUMN_TEXT },
		{ "state", "state", COLUMN_TEXT },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};

	print_head(region);
	print_counters(region);
	table_print(json_object_object_get(region, "libraries"), columns);
}

static struct json_object *describe_all(const struct request *request)
{
	struct json_object *array = json_object_new_array();
	struct mshare_region *region;
	struct names names;

	if (request->count) {
		region = require_region(request->mountpoint, request->args[0]);
		json_object_array_add(array, describe(region, request->args[0]));
		mshare_region_close(region);
		return array;
	}
	find_regions(request->mountpoint, &names);
	for (size_t i = 0; i < names.count; i++) {
		/* A new region may go before it is opened. */
		if (mshare_region_open(request->mountpoint, names.list[i],
				       &region))
			continue;
		json_object_array_add(array, describe(region, names.list[i]));
		mshare_region_close(region);
	}
	names_free(&names);
	return array;
}

int stat_regions(const struct request *request)
{
	struct json_object *stat = json_object_new_object();
	struct json_object *regions = describe_all(request);

	json_object_object_add(stat, "regions", regions);
	if (request->json) {
		json_print(stat);
		return 0;
	}
	for (size_t i = 0; i < json_object_array_length(regions); i++) {
		if (i)
			putchar('\n');
		print_region(json_object_array_get_idx(regions, i));
	}
	json_object_put(stat);
	return 0;
}
