// SPDX-License-Identifier: MIT
/*
 * Making a region: create, donate, map, set data, write the catalog, seal,
 * publish.
 *
 * Nothing here needs undoing.  Until it is published the region's name begins
 * with a dot, and msharefs drops such a region with its last descriptor:
 * whenever and however this process dies, the kernel cleans up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "donor.h"
#include "mshare.h"
#include "write-all.h"

#define BUSY_WAIT_MS	30000

struct mshare_new {
	int directory;
	int fd;
	const char *name;
	char temporary[64];
};

static int create_temporary(struct mshare_new *new)
{
	unsigned long random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(new->temporary, sizeof(new->temporary), ".%.32s.%016lx",
		 new->name, random);
	new->fd = openat(new->directory, new->temporary,
			 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	return new->fd < 0 ? -errno : 0;
}

int mshare_new_create(const char *mountpoint, const char *name,
		      const struct mshare_layout *layout,
		      struct mshare_new **created)
{
	struct mshare_new *new = malloc(sizeof(*new));
	int err;

	if (!new)
		return -ENOMEM;
	*new = (struct mshare_new) { .fd = -1, .name = name };
	new->directory = open(mountpoint, O_DIRECTORY | O_PATH | O_CLOEXEC);
	err = new->directory < 0 ? -errno : create_temporary(new);
	/* The kernel took our umask off the mode; ld.so of everyone reads it. */
	if (!err && fchmod(new->fd, 0444))
		err = -errno;
	if (!err && ftruncate(new->fd, (off_t)layout->size))
		err = -errno;
	if (!err)
		err = mshare_donate(new->fd, layout->start);
	if (err) {
		mshare_new_close(new);
		return err;
	}
	*created = new;
	return 0;
}

/*
 * Whoever looks at the donor as it exits, in /proc or by swapoff, can hold its
 * address space longer than we wait for the donor.
 */
static int ioctl_when_donor_is_gone(int fd, unsigned long request, void *arg)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };

	for (int i = 0; ioctl(fd, request, arg); i++) {
		if (errno != EBUSY || i == BUSY_WAIT_MS)
			return -errno;
		nanosleep(&millisecond, NULL);
	}
	return 0;
}

int mshare_new_map(struct mshare_new *new, int fd,
		   const struct mshare_segment *segment, uint64_t offset)
{
	struct mshare_create create = {
		.region_offset = offset,
		.size = segment->size,
		.offset = segment->offset,
		.prot = segment->prot,
		.flags = MAP_SHARED | MAP_FIXED | MAP_POPULATE,
		.fd = fd,
	};

	return ioctl_when_donor_is_gone(new->fd, MSHAREFS_CREATE_MAPPING,
					&create);
}

int mshare_new_forget(struct mshare_new *new, const struct mshare_place *place)
{
	struct mshare_unmap unmap = { .region_offset = place->text_offset };

	if (ioctl(new->fd, MSHAREFS_UNMAP, &unmap) && errno != ENOENT)
		return -errno;
	return 0;
}

int mshare_new_set_data(struct mshare_new *new, const struct mshare_zone *zone,
			int fd, uint64_t offset)
{
	struct mshare_data data = {
		.region_offset = zone->offset,
		.size = zone->size,
		.offset = offset,
		.fd = fd,
	};

	return ioctl(new->fd, MSHAREFS_SET_DATA, &data) ? -errno : 0;
}

int mshare_new_seal(struct mshare_new *new, const void *catalog, size_t size,
		    uint64_t *generation)
{
	struct mshare_info info;
	int err = write_all(new->fd, catalog, size, MSHARE_CATALOG_OFFSET);

	if (!err)
		err = ioctl_when_donor_is_gone(new->fd, MSHAREFS_SEAL, NULL);
	if (err)
		return err;
	if (pread(new->fd, &info, sizeof(info), 0) != sizeof(info))
		return -EIO;
	*generation = info.generation;
	return 0;
}

int mshare_new_publish(struct mshare_new *new)
{
	if (renameat(new->directory, new->temporary, new->directory, new->name))
		return -errno;
	return 0;
}

void mshare_new_close(struct mshare_new *new)
{
	if (!new)
		return;
	if (new->fd >= 0)
		close(new->fd);
	if (new->directory >= 0)
		close(new->directory);
	free(new);
}
