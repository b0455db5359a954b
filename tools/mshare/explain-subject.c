// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The process that mshare explain looks at: its mappings, its region.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"

#define DELETED	" (deleted)"

static bool parse_mapping(char *line, struct mapping *mapping)
{
	int path = 0;
	size_t length;

	*mapping = (struct mapping) { 0 };
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n",
		   &mapping->start, &mapping->end, mapping->perms,
		   &mapping->ino, &path) != 4 || !path)
		return false;
	mapping->path = strdup(line + path);
	if (!mapping->path)
		err(1, NULL);
	length = strlen(mapping->path);
	if (length > strlen(DELETED) &&
	    !strcmp(mapping->path + length - strlen(DELETED), DELETED)) {
		mapping->path[length - strlen(DELETED)] = '\0';
		mapping->deleted = true;
	}
	return true;
}

static int read_mappings(struct subject *subject)
{
	char path[64], line[PATH_MAX + 256];
	struct mapping mapping;
	int result = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", subject->pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), maps)) {
		if (!parse_mapping(line, &mapping))
			continue;
		subject->mappings = reallocarray(subject->mappings,
						 subject->count + 1,
						 sizeof(mapping));
		if (!subject->mappings)
			err(1, NULL);
		subject->mappings[subject->count++] = mapping;
	}
	if (ferror(maps))
		result = -errno;
	fclose(maps);
	/* Who has no address space has an empty file. */
	return !result && !subject->count ? -ESRCH : result;
}

static bool is_of_region(const struct mapping *mapping, const char *mountpoint)
{
	size_t length = strlen(mountpoint);

	return !strncmp(mapping->path, mountpoint, length) &&
	       mapping->path[length] == '/';
}

/* By one of its pads: all it has mapped is of one generation. */
static int open_mapped(struct subject *subject, const char *mountpoint)
{
	char range[64];

	for (size_t i = 0; i < subject->count; i++) {
		const struct mapping *mapping = &subject->mappings[i];

		if (!is_of_region(mapping, mountpoint))
			continue;
		subject->sharer = true;
		snprintf(range, sizeof(range), "%" PRIx64 "-%" PRIx64,
			 mapping->start, mapping->end);
		return mshare_region_open_mapped(subject->pid, range,
						 &subject->region);
	}
	return 0;
}

static double time_of(const struct timespec *time)
{
	return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

static int find_region(struct subject *subject, const char *mountpoint)
{
	int result = open_mapped(subject, mountpoint);
	struct mshare_region *live = NULL;
	char path[PATH_MAX];
	struct stat file;

	if (result)
		return result;
	snprintf(path, sizeof(path), "%s/%s", mountpoint, MSHARE_REGION_DEFAULT);
	if (!mshare_is_mounted(mountpoint) || stat(path, &file) ||
	    mshare_region_open(mountpoint, MSHARE_REGION_DEFAULT, &live))
		return 0;
	subject->born = time_of(&file.st_ctim);
	if (!subject->sharer) {
		subject->region = live;
		subject->live = true;
		return 0;
	}
	subject->live = mshare_region_info(subject->region)->generation ==
			mshare_region_info(live)->generation;
	mshare_region_close(live);
	return 0;
}

static int read_windows(struct subject *subject)
{
	if (!subject->region)
		return 0;
	subject->windows = mshare_region_info(subject->region)->size /
			   MSHARE_WINDOW_SIZE;
	subject->flags = malloc(subject->windows + 1);
	if (!subject->flags)
		err(1, NULL);
	return mshare_region_process(subject->region, subject->pid,
				     subject->flags, subject->windows);
}

int subject_open(struct subject *subject, const char *mountpoint, int pid)
{
	int result;

	*subject = (struct subject) { .pid = pid, .index.lock = -1 };
	result = read_mappings(subject);
	if (!result)
		result = find_region(subject, mountpoint);
	if (!result)
		result = read_windows(subject);
	if (result)
		return result;
	/* A set that cannot be read is one that nobody can use. */
	if (image_index_open(IMAGE_DIRECTORY, false, &subject->index)) {
		image_index_close(&subject->index);
		subject->index = (struct image_index) { .lock = -1 };
	}
	explain_nothing(subject);
	return 0;
}

void subject_close(struct subject *subject)
{
	for (size_t i = 0; i < subject->count; i++)
		free(subject->mappings[i].path);
	free(subject->mappings);
	free(subject->flags);
	mshare_region_close(subject->region);
	image_index_close(&subject->index);
}

bool subject_entry(const struct subject *subject, uint64_t address,
		   struct mshare_library *library)
{
	const struct mshare_catalog_entry *entry = &library->entry;
	const struct mshare_info *info;
	uint64_t offset;

	if (!subject->region)
		return false;
	info = mshare_region_info(subject->region);
	/* Below the region it is beyond its end, too. */
	offset = address - info->start;
	if (offset >= info->size)
		return false;
	for (size_t i = 0; !mshare_region_entry(subject->region, i, library); i++)
		if (offset - entry->claim_offset < entry->claim_size ||
		    offset - entry->data_offset < entry->data_size)
			return true;
	return false;
}
