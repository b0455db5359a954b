// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare drop, mshare destroy: what new processes shall no longer use
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "regions.h"
#include "verbs.h"

int drop_libraries(const struct request *request)
{
	struct mshare_region *region = require_region(request->mountpoint,
						      request->args[0]);
	struct mshare_library library;
	int status = 0;

	for (size_t i = 1; i < request->count; i++) {
		const char *path = request->args[i];
		int result;

		if (!find_library(region, path, &library)) {
			warnx("%s: not in region %s", path, request->args[0]);
			status = 1;
			continue;
		}
		result = mshare_region_drop(region, library.entry.text_offset);
		if (result) {
			warnx("%s: %s", path, strerror(-result));
			status = 1;
		}
	}
	mshare_region_close(region);
	return status;
}

int destroy_region(const struct request *request)
{
	struct mshare_region *region = require_region(request->mountpoint,
						      request->args[0]);
	int result;

	mshare_region_close(region);
	result = mshare_destroy(request->mountpoint, request->args[0]);
	if (result)
		fail(result, "%s", request->args[0]);
	return 0;
}
