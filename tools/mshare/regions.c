// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "regions.h"

static void require_msharefs(const char *mountpoint)
{
	if (!mshare_is_mounted(mountpoint))
		errx(1, "%s: msharefs is not mounted: mshare-preload does that, once the module mshare is loaded",
		     mountpoint);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void find_regions(const char *mountpoint, struct names *names)
{
	struct dirent *entry;
	DIR *directory;

	require_msharefs(mountpoint);
	directory = opendir(mountpoint);
	if (!directory)
		err(1, "%s", mountpoint);
	*names = (struct names) { 0 };
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			names_add(names, entry->d_name);
	closedir(directory);
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), by_name);
}

struct mshare_region *require_region(const char *mountpoint, const char *name)
{
	struct mshare_region *region;
	int result;

	require_msharefs(mountpoint);
	if (strchr(name, '/'))
		errx(1, "%s: not a region's name", name);
	result = mshare_region_open(mountpoint, name, &region);
	if (result == -EBADMSG)
		errx(1, "%s/%s: not a region, or its catalog is damaged",
		     mountpoint, name);
	if (result)
		fail(result, "%s/%s", mountpoint, name);
	return region;
}

bool find_library(const struct mshare_region *region, const char *path,
		  struct mshare_library *library)
{
	char *resolved = realpath(path, NULL);
	bool found = false;

	for (size_t i = 0; !found && !mshare_region_entry(region, i, library); i++)
		found = !strcmp(library->path, path) ||
			(resolved && !strcmp(library->path, resolved));
	free(resolved);
	return found;
}

const char *region_state(const struct mshare_region *region)
{
	uint32_t flags = mshare_region_info(region)->flags;

	if (flags & MSHARE_RETIRED)
		return "retired";
	return flags & MSHARE_SEALED ? "live" : "new";
}
