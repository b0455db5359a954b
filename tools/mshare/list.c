// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare list: all regions, a line each
 */
#include "fail.h"
#include "json.h"
#include "regions.h"
#include "table.h"
#include "verbs.h"

static void count_libraries(struct json_object *object,
			    const struct mshare_region *region)
{
	uint64_t split = 0, relocated = 0, paired = 0, stale = 0;
	struct mshare_library library;

	for (size_t i = 0; !mshare_region_entry(region, i, &library); i++) {
		split += library.entry.placement == MSHARE_SPLIT;
		relocated += library.entry.placement == MSHARE_RELOCATED;
		paired += library.entry.placement == MSHARE_PAIRED;
		stale += mshare_library_is_stale(&library);
	}
	json_set_number(object, "split", split);
	json_set_number(object, "relocated", relocated);
	json_set_number(object, "paired", paired);
	json_set_number(object, "stale", stale);
}

static struct json_object *describe(const char *name,
				    const struct mshare_region *region)
{
	const struct mshare_info *info = mshare_region_info(region);
	struct json_object *object = json_object_new_object();
	struct mshare_stat stat;
	int result = mshare_region_stat(region, &stat);

	if (result)
		fail(result, "%s", name);
	json_set_string(object, "name", name);
	json_set_string(object, "state", region_state(region));
	json_set_number(object, "generation", info->generation);
	json_set_number(object, "start", info->start);
	json_set_number(object, "size", info->size);
	json_set_number(object, "libraries", stat.libraries);
	count_libraries(object, region);
	json_set_number(object, "windows", stat.windows);
	json_set_number(object, "sharers", stat.sharers);
	json_set_number(object, "attached", stat.attached);
	return object;
}

static struct json_object *describe_all(const char *mountpoint)
{
	struct json_object *array = json_object_new_array();
	struct mshare_region *region;
	struct names names;

	find_regions(mountpoint, &names);
	for (size_t i = 0; i < names.count; i++) {
		/* A new region may go before it is opened. */
		if (mshare_region_open(mountpoint, names.list[i], &region))
			continue;
		json_object_array_add(array, describe(names.list[i], region));
		mshare_region_close(region);
	}
	names_free(&names);
	return array;
}

int list_regions(const struct request *request)
{
	static const struct column columns[] = {
		{ "region", "name", COLUMN_TEXT },
		{ "state", "state", COLUMN_TEXT },
		{ "generation", "generation", COLUMN_NUMBER },
		{ "start", "start", COLUMN_ADDRESS },
		{ "size", "size", COLUMN_SIZE },
		{ "libraries", "libraries", COLUMN_NUMBER },
		{ "split", "split", COLUMN_NUMBER },
		{ "relocated", "relocated", COLUMN_NUMBER },
		{ "paired", "paired", COLUMN_NUMBER },
		{ "stale", "stale", COLUMN_NUMBER },
		{ "windows", "windows", COLUMN_NUMBER },
		{ "sharers", "sharers", COLUMN_NUMBER },
		{ "attached", "attached", COLUMN_NUMBER },
		{ NULL, NULL, COLUMN_TEXT }
	};
	struct json_object *list = json_object_new_object();
	struct json_object *regions = describe_all(request->mountpoint);

	json_object_object_add(list, "regions", regions);
	if (request->json) {
		json_print(list);
		return 0;
	}
	table_print(regions, columns);
	json_object_put(list);
	return 0;
}
