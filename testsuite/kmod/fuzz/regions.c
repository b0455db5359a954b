/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The regions: generation after generation of the same libraries under some
 * names, and what each says of itself when its last process is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

#define MAX_GENERATIONS	12

/* PTE pages of text and shadow; and above each, with the roots. */
#define MAX_PAGE_TABLES	((2 * REGION_WINDOWS + 8) * PAGE)

/**
 * struct generations - the regions of a run
 * @random:	what happens to them
 * @fds:	of those that may have processes, -1: none
 * @made:	how many there were
 * @sums:	of all that are gone: attaches and so on
 * @wrong:	how many were not as they should be at their end
 */
struct generations {
	struct random *random;
	int fds[MAX_GENERATIONS];
	unsigned int made;
	struct mshare_stat sums;
	unsigned int wrong;
};

/* What just looks at all address spaces may hold the donor's for a moment. */
static int patiently(int (*fn)(int fd, const void *arg), int fd, const void *arg)
{
	int error;

	for (int tries = 0; tries < 1000; tries++) {
		error = fn(fd, arg);
		if (error != EBUSY)
			break;
		usleep(10000);
	}
	return error;
}

static int try_donate(int fd, const void *arg)
{
	(void)arg;
	return donate(fd, (uintptr_t)ARENA + AGREED_PAGE * PAGE);
}

struct piece {
	int file;
	unsigned int offset, first, pages;
	int prot, flags;
};

static int try_map(int fd, const void *arg)
{
	const struct piece *piece = arg;

	return create_mapping(fd, piece->file,
			      (piece->offset + piece->first) * PAGE,
			      piece->pages * PAGE, piece->first * PAGE,
			      piece->prot, piece->flags);
}

static int try_seal(int fd, const void *arg)
{
	(void)arg;
	return ioctl(fd, MSHAREFS_SEAL) ? errno : 0;
}

static int map_file(struct random *random, int fd, const struct file_info *file)
{
	int from = open(file->path, O_RDONLY), error = from < 0 ? errno : 0;

	for (unsigned int i = 0; i < 2 && !error; i++) {
		struct piece piece = {
			.file = from, .offset = file->offset,
			.first = file->segments[i].first,
			.pages = file->segments[i].pages,
			.prot = file->segments[i].prot,
			.flags = pick(random, 2) ? MAP_POPULATE : 0,
		};

		error = patiently(try_map, fd, &piece);
		/* The file was just too short. */
		if (error == ERANGE && file->holes)
			error = patiently(try_map, fd, &piece);
	}
	if (from >= 0)
		close(from);
	return error;
}

static int add_zone(int fd)
{
	int file = open(DATA_PATH, O_RDONLY), error = file < 0 ? errno : 0;

	/* First what cannot be: beyond the file, then over a library. */
	if (!error && set_data(fd, file, ZONE_OFFSET * PAGE, ZONE_PAGES * PAGE,
			       (DATA_PAGES - ZONE_PAGES + 1) * PAGE) != ERANGE)
		error = EPROTO;
	if (!error && set_data(fd, file, files[0].offset * PAGE, PAGE, 0) != EEXIST)
		error = EPROTO;
	if (!error)
		error = set_data(fd, file, ZONE_OFFSET * PAGE,
				 ZONE_PAGES * PAGE, ZONE_FIRST * PAGE);
	if (!error && (open(DATA_PATH, O_WRONLY) >= 0 || errno != ETXTBSY))
		error = EPROTO;
	if (file >= 0)
		close(file);
	return error;
}

/* Returns an errno. */
static int populate(struct random *random, int fd)
{
	int error;

	if (ftruncate(fd, REGION_PAGES * PAGE))
		return errno;
	error = patiently(try_donate, fd, NULL);
	for (unsigned int i = 0; i < NR_FILES && !error; i++)
		error = map_file(random, fd, &files[i]);
	if (!error)
		error = add_zone(fd);
	if (error)
		return error;
	if (pwrite(fd, "catalog", 7, MSHARE_CATALOG_OFFSET) != 7)
		return errno;
	return patiently(try_seal, fd, NULL);
}

static int *free_place(struct generations *all)
{
	for (unsigned int i = 0; i < MAX_GENERATIONS; i++)
		if (all->fds[i] < 0)
			return &all->fds[i];
	return NULL;
}

/* A new generation takes a name from the one before, or is given up. */
static void make_generation(struct generations *all, unsigned int name)
{
	char temporary[64], live[64];
	int *place = free_place(all);
	int fd, error;

	if (!place)
		return;
	snprintf(temporary, sizeof(temporary), MOUNTPOINT "/.fuzz%u", name);
	snprintf(live, sizeof(live), MOUNTPOINT "/fuzz%u", name);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL, 0444);
	if (fd < 0) {
		check(false, "%s: %s", temporary, strerror(errno));
		exit(1);
	}
	error = populate(all->random, fd);
	if (!error && pick(all->random, 8)) {
		error = rename(temporary, live) ? errno : 0;
		*place = open(live, O_RDONLY | O_CLOEXEC);
		all->made++;
	}
	if (error && error != ERANGE) {
		printf("fuzz: making a region: %s\n", strerror(error));
		all->wrong++;
	}
	close(fd);
}

/** generations_create - the regions a run begins with */
struct generations *generations_create(struct random *random)
{
	struct generations *all = calloc(1, sizeof(*all));

	if (!all)
		exit(1);
	all->random = random;
	for (unsigned int i = 0; i < MAX_GENERATIONS; i++)
		all->fds[i] = -1;
	for (unsigned int i = 0; i < NR_NAMES; i++)
		make_generation(all, i);
	return all;
}

/** generations_close_inherited - a child holds none of them */
void generations_close_inherited(struct generations *all)
{
	for (unsigned int i = 0; i < MAX_GENERATIONS; i++)
		if (all->fds[i] >= 0)
			close(all->fds[i]);
}

static bool is_retired(int fd)
{
	struct mshare_info info = { 0 };

	return pread(fd, &info, sizeof(info), 0) == sizeof(info) &&
	       info.flags & MSHARE_RETIRED;
}

/* Nobody uses it any more: do its counters say so? */
static void account(struct generations *all, const struct mshare_stat *stat)
{
	uint64_t attaches = stat->counters[MSHARE_ATTACHES];
	uint64_t detaches = sum_counters(stat, MSHARE_DETACHES_HOST_CLEAR,
					 MSHARE_DETACHES_OTHER);

	if (stat->sharers || stat->attached || attaches != detaches ||
	    stat->host_pgtables > MAX_PAGE_TABLES) {
		printf("fuzz: at the end a region has %llu sharers, %llu attached, %lu attaches, %lu detaches, %llu bytes of page tables\n",
		       stat->sharers, stat->attached, attaches, detaches,
		       stat->host_pgtables);
		all->wrong++;
	}
	for (unsigned int i = 0; i < MSHARE_NR_COUNTERS; i++)
		all->sums.counters[i] += stat->counters[i];
}

/* Let go of retired generations without processes. */
static void let_go(struct generations *all)
{
	struct mshare_stat stat;

	for (unsigned int i = 0; i < MAX_GENERATIONS; i++) {
		if (all->fds[i] < 0 || !is_retired(all->fds[i]) ||
		    ioctl(all->fds[i], MSHAREFS_STAT, &stat) || stat.sharers)
			continue;
		account(all, &stat);
		close(all->fds[i]);
		all->fds[i] = -1;
	}
}

static void retire_library(struct generations *all)
{
	unsigned int file = pick(all->random, NR_FILES);
	struct mshare_unmap unmap = {
		.region_offset = files[file].offset * PAGE,
	};
	int fd = all->fds[pick(all->random, MAX_GENERATIONS)];

	if (fd >= 0 && ioctl(fd, MSHAREFS_UNMAP, &unmap)) {
		printf("fuzz: MSHAREFS_UNMAP: %s\n", strerror(errno));
		all->wrong++;
	}
}

static void look_at_all(struct generations *all, struct world *world)
{
	for (unsigned int i = 0; i < MAX_GENERATIONS; i++) {
		struct mshare_process_stat process = { .pid = world->pids[i] };
		struct mshare_library_stat library = { 0 };

		if (all->fds[i] < 0)
			continue;
		while (!ioctl(all->fds[i], MSHAREFS_LIBRARY_STAT, &library))
			library.region_offset += library.size;
		ioctl(all->fds[i], MSHAREFS_PROCESS_STAT, &process);
	}
}

/**
 * generations_step - do something to the regions, at random
 * @all:	regions
 * @world:	shared
 */
void generations_step(struct generations *all, struct world *world)
{
	unsigned int name = pick(all->random, NR_NAMES);
	char live[64];

	let_go(all);
	switch (pick(all->random, 8)) {
	case 0:
		snprintf(live, sizeof(live), MOUNTPOINT "/fuzz%u", name);
		unlink(live);
		break;
	case 1:
		retire_library(all);
		break;
	case 2:
	case 3:
		look_at_all(all, world);
		break;
	default:
		make_generation(all, name);
	}
}

static bool all_gone(const struct generations *all)
{
	for (unsigned int i = 0; i < MAX_GENERATIONS; i++)
		if (all->fds[i] >= 0)
			return false;
	return true;
}

/**
 * generations_finish - remove all regions
 * @all:	regions, without processes
 * @sums:	set to the sums of their counters
 *
 * Returns how many were not as they should be at their end, or -1 if some
 * still have sharers.
 */
int generations_finish(struct generations *all, struct mshare_stat *sums)
{
	char live[64];

	for (unsigned int i = 0; i < NR_NAMES; i++) {
		snprintf(live, sizeof(live), MOUNTPOINT "/fuzz%u", i);
		unlink(live);
	}
	/* Address spaces may outlive their processes for a moment. */
	for (int tries = 0; tries < 3000 && !all_gone(all); tries++) {
		let_go(all);
		usleep(10000);
	}
	printf("%u regions\n", all->made);
	*sums = all->sums;
	return all_gone(all) ? (int)all->wrong : -1;
}
