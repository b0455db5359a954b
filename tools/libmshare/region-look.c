// SPDX-License-Identifier: MIT
/*
 * Regions that are there: what they hold (read), what they do (ioctl), how to
 * retire them.
 *
 * The catalog is read by ld.so's own code, which believes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lookup.h"
#include "mshare.h"

struct mshare_region {
	int fd;
	struct mshare_info info;
	void *bytes;
	struct mshare_catalog catalog;	/* of @bytes; no entries if not sealed */
};

static int read_info(struct mshare_region *region)
{
	ssize_t n = pread(region->fd, &region->info, sizeof(region->info), 0);

	if (n < 0)
		return -errno;
	return n == sizeof(region->info) ? 0 : -EBADMSG;
}

static int read_catalog(struct mshare_region *region)
{
	size_t size = region->info.catalog_size;
	size_t done = 0;

	if (size > MSHARE_CATALOG_MAX)
		return -EBADMSG;
	region->bytes = malloc(size);
	if (!region->bytes)
		return -ENOMEM;
	while (done < size) {
		ssize_t n = pread(region->fd, (char *)region->bytes + done,
				  size - done,
				  (off_t)(MSHARE_CATALOG_OFFSET + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -EBADMSG;
		if (n > 0)
			done += (size_t)n;
	}
	if (mshare_catalog_check(&region->catalog, region->bytes, size,
				 &region->info))
		return -EBADMSG;
	return 0;
}

static int open_region(int directory, const char *name, int flags,
		       struct mshare_region **opened)
{
	struct mshare_region *region = calloc(1, sizeof(*region));
	int err;

	if (!region)
		return -ENOMEM;
	region->fd = openat(directory, name, O_RDONLY | O_CLOEXEC | flags);
	err = region->fd < 0 ? -errno : read_info(region);
	if (!err && (region->info.flags & MSHARE_SEALED) &&
	    region->info.catalog_size)
		err = read_catalog(region);
	if (err) {
		mshare_region_close(region);
		return err;
	}
	*opened = region;
	return 0;
}

int mshare_region_open(const char *mountpoint, const char *name,
		       struct mshare_region **opened)
{
	int directory = open(mountpoint, O_DIRECTORY | O_PATH | O_CLOEXEC);
	int err;

	if (directory < 0)
		return -errno;
	err = open_region(directory, name, O_NOFOLLOW, opened);
	close(directory);
	return err;
}

int mshare_region_open_mapped(int pid, const char *range,
			      struct mshare_region **opened)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%s", pid, range);
	return open_region(AT_FDCWD, path, 0, opened);
}

const struct mshare_info *mshare_region_info(const struct mshare_region *region)
{
	return &region->info;
}

int mshare_region_stat(const struct mshare_region *region,
		       struct mshare_stat *stat)
{
	return ioctl(region->fd, MSHAREFS_STAT, stat) ? -errno : 0;
}

int mshare_region_library(const struct mshare_region *region, uint64_t offset,
			  struct mshare_library_stat *stat)
{
	memset(stat, 0, sizeof(*stat));
	stat->region_offset = offset;
	return ioctl(region->fd, MSHAREFS_LIBRARY_STAT, stat) ? -errno : 0;
}

int mshare_region_windows(const struct mshare_region *region, uint64_t *offset,
			  struct mshare_window_stat *windows, size_t count)
{
	struct mshare_window_dump dump = {
		.windows = (uintptr_t)windows,
		.offset = *offset,
		.nr = (uint32_t)count,
	};

	if (ioctl(region->fd, MSHAREFS_WINDOW_DUMP, &dump))
		return -errno;
	*offset = dump.offset;
	return (int)dump.nr;
}

int mshare_region_process(const struct mshare_region *region, int pid,
			  unsigned char *windows, size_t count)
{
	struct mshare_process_stat stat = {
		.windows = (uintptr_t)windows,
		.nr = (uint32_t)count,
		.pid = pid,
	};

	memset(windows, 0, count);
	return ioctl(region->fd, MSHAREFS_PROCESS_STAT, &stat) ? -errno : 0;
}

int mshare_region_drop(const struct mshare_region *region, uint64_t offset)
{
	struct mshare_unmap unmap = { .region_offset = offset };

	return ioctl(region->fd, MSHAREFS_UNMAP, &unmap) ? -errno : 0;
}

int mshare_region_unshare(const struct mshare_region *region, uint64_t offset,
			  struct mshare_unshare *unshare)
{
	*unshare = (struct mshare_unshare) { .region_offset = offset };
	return ioctl(region->fd, MSHAREFS_UNSHARE, unshare) ? -errno : 0;
}

int mshare_destroy(const char *mountpoint, const char *name)
{
	int directory = open(mountpoint, O_DIRECTORY | O_PATH | O_CLOEXEC);
	int err = 0;

	if (directory < 0)
		return -errno;
	if (unlinkat(directory, name, 0))
		err = -errno;
	close(directory);
	return err;
}

int mshare_region_entry(const struct mshare_region *region, size_t index,
			struct mshare_library *library)
{
	if (index >= region->catalog.nentries)
		return -ENOENT;
	library->entry = region->catalog.entries[index];
	library->path = mshare_catalog_path(&region->catalog, &library->entry);
	library->image = library->entry.placement == MSHARE_SPLIT ?
		mshare_catalog_image(&region->catalog, &library->entry) : NULL;
	return 0;
}

bool mshare_library_is_stale(const struct mshare_library *library)
{
	struct stat st;

	if (stat(library->path, &st))
		return true;

	const struct mshare_file now = {
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.ctime_sec = st.st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)st.st_ctim.tv_nsec,
	};
	return mshare_catalog_is_file(&library->entry, &now) != MSHARE_OK;
}

void mshare_region_close(struct mshare_region *region)
{
	if (!region)
		return;
	if (region->fd >= 0)
		close(region->fd);
	free(region->bytes);
	free(region);
}
