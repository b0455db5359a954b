// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare windows: each window of a region
 */
#include <err.h>
#include <errno.h>

#include "fail.h"
#include "json.h"
#include "regions.h"
#include "table.h"
#include "verbs.h"

/* The path of the library whose text begins at @offset, "?" if not known. */
static const char *path_of(const struct mshare_region *region, uint64_t offset)
{
	struct mshare_library library;

	for (size_t i = 0; !mshare_region_entry(region, i, &library); i++)
		if (library.entry.text_offset == offset)
			return library.path;
	return "?";
}

static struct json_object *describe(const struct mshare_region *region,
				    const struct mshare_window_stat *window)
{
	struct json_object *object = json_object_new_object();

	json_set_number(object, "offset", window->offset);
	json_set_number(object, "address",
			mshare_region_info(region)->start + window->offset);
	json_set_string(object, "state",
			window->flags & MSHARE_WINDOW_LIVE ? "live" : "dead");
	json_set_number(object, "links", window->links);
	json_set_number(object, "attaches", window->attaches);
	json_set_number(object, "flushing", window->flushing);
	json_set_string(object, "path", path_of(region, window->library));
	return object;
}

static struct json_object *describe_all(const struct mshare_region *region,
					const char *name)
{
	struct json_object *array = json_object_new_array();
	struct mshare_window_stat windows[256];
	uint64_t offset = 0;
	int count;

	while ((count = mshare_region_windows(region, &offset, windows,
					      sizeof(windows) / sizeof(*windows))) > 0)
		for (int i = 0; i < count; i++)
			json_object_array_add(array,
					      describe(region, &windows[i]));
	if (count == -EPERM)
		errx(1, "%s: only root may see its windows", name);
	if (count)
		fail(count, "%s", name);
	return array;
}

int list_windows(const struct request *request)
{
	static const struct column columns[] = {
		{ "offset", "offset", COLUMN_ADDRESS },
		{ "address", "address", COLUMN_ADDRESS },
		{ "state", "state", COLUMN_TEXT },
		{ "links", "links", COLUMN_NUMBER },
		{ "attaches", "attaches", COLUMN_NUMBER },
		{ "flushing", "flushing", COLUMN_NUMBER },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};
	const char *name = request->count ? request->args[0] :
			   MSHARE_REGION_DEFAULT;
	struct mshare_region *region = require_region(request->mountpoint, name);
	struct json_object *list = json_object_new_object();
	struct json_object *windows = describe_all(region, name);

	json_set_string(list, "region", name);
	json_object_object_add(list, "windows", windows);
	mshare_region_close(region);
	if (request->json) {
		json_print(list);
		return 0;
	}
	table_print(windows, columns);
	json_object_put(list);
	return 0;
}
