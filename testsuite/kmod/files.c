/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done to a library's file on each kind of file system: sharers see
 * what a plain mapping of the file sees [inv 1, 2].
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	2
#define DISK	"/var/tmp/mshare-files"
#define TMPFS	"/var/tmp/mshare-tmpfs"
#define OVERLAY	"/var/tmp/mshare-overlay"

struct place {
	const char *name;
	const char *path;
	const char *made_at;	/* where the file is written */
	bool changes;		/* do mappings see what is written to the path? */
};

static const struct place places[] = {
	{ "ext4", DISK "/file", DISK "/file", true },
	{ "tmpfs", TMPFS "/file", TMPFS "/file", true },
	{ "overlayfs, upper", OVERLAY "/file", OVERLAY "/file", true },
	/* Whoever writes gets a copy: those who have it mapped do not. */
	{ "overlayfs, lower", OVERLAY "/low", DISK "/lower/low", false },
};

struct scene {
	const struct place *place;
	struct sharer sharers[SHARERS];
	struct test_region region;
	const char *plain;	/* a plain mapping of the same file */
	long before;		/* its checksum at the last look */
	int fd;
};

static void overwrite(struct scene *scene)
{
	char byte = 'x';

	if (pwrite(scene->fd, &byte, 1, WINDOW) != 1)
		exit(1);
}

static void punch(struct scene *scene)
{
	if (fallocate(scene->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      5 * PAGE, 3 * PAGE))
		exit(1);
}

static void cut_a_page(struct scene *scene)
{
	if (ftruncate(scene->fd, scene->region.size - PAGE))
		exit(1);
}

static void cut_in_a_page(struct scene *scene)
{
	if (ftruncate(scene->fd, WINDOW + PAGE / 2))
		exit(1);
}

static void cut_a_window(struct scene *scene)
{
	if (ftruncate(scene->fd, WINDOW - 100 * PAGE))
		exit(1);
}

static void grow(struct scene *scene)
{
	if (ftruncate(scene->fd, scene->region.size))
		exit(1);
}

static void drop_caches(struct scene *scene)
{
	if (fsync(scene->fd) || !write_value("/proc/sys/vm/drop_caches", "3"))
		exit(1);
}

static void rename_over(struct scene *scene)
{
	char new[80];

	snprintf(new, sizeof(new), "%s.new", scene->place->path);
	make_file(new, 1);
	if (rename(new, scene->place->path))
		exit(1);
}

static void unlink_it(struct scene *scene)
{
	if (unlink(scene->place->path))
		exit(1);
}

static const struct {
	const char *name;
	void (*done)(struct scene *scene);
	bool changes;		/* the content of the file */
} deeds[] = {
	{ "drop_caches", drop_caches, false },
	{ "a byte overwritten", overwrite, true },
	{ "a hole punched", punch, true },
	{ "a page truncated", cut_a_page, true },
	{ "truncated inside a page", cut_in_a_page, true },
	{ "a window truncated", cut_a_window, true },
	{ "grown again", grow, true },
	{ "drop_caches after that", drop_caches, false },
	{ "renamed over", rename_over, false },
	{ "unlinked", unlink_it, false },
};

static void look(struct scene *scene, unsigned int deed)
{
	const char *place = scene->place->name, *name = deeds[deed].name;
	long now = checksum(scene->plain, &scene->region);

	check_eq(now != scene->before,
		 deeds[deed].changes && scene->place->changes,
		 "%s: %s: a plain mapping sees it, or not", place, name);
	check(all_answer(scene->sharers, CHECKSUM, now),
	      "%s: %s: sharers see the same", place, name);
	scene->before = now;
}

static void act(const struct place *place)
{
	struct scene scene = { .place = place };
	int fd;

	make_file(place->made_at, WINDOWS * PAGES_PER_WINDOW);
	make_region_of(&scene.region, "files", place->path, WINDOWS,
		       MAP_POPULATE);
	fd = open(place->path, O_RDONLY);
	scene.plain = mmap(NULL, scene.region.size, PROT_READ, MAP_PRIVATE, fd, 0);
	scene.fd = open(place->path, O_RDWR);
	if (scene.plain == MAP_FAILED || scene.fd < 0)
		exit(1);
	scene.before = checksum(scene.plain, &scene.region);
	start_sharers(scene.sharers, &scene.region);
	check(all_answer(scene.sharers, ATTACHED, WINDOWS),
	      "%s: all windows are attached", place->name);

	for (unsigned int i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		deeds[i].done(&scene);
		look(&scene, i);
	}
	check_eq(region_stat(&scene.region).counters[MSHARE_PRIVATE_HOST], 0,
		 "%s: no window became private", place->name);
	stop_sharers(scene.sharers);
	check_eq(region_stat(&scene.region).attached, 0,
		 "%s: nothing is attached at the end", place->name);
	munmap((void *)scene.plain, scene.region.size);
	close(scene.fd);
	close(fd);
	drop_region(&scene.region);
}

static void mount_all(void)
{
	umask(022);
	mkdir(DISK, 0755);
	mkdir(DISK "/lower", 0755);
	mkdir(DISK "/upper", 0755);
	mkdir(DISK "/work", 0755);
	mkdir(TMPFS, 0755);
	mkdir(OVERLAY, 0755);
	if (mount("none", TMPFS, "tmpfs", 0, "mode=755"))
		exit(1);
	/* On a debug kernel it is built in: no modprobe. */
	if (mount("none", OVERLAY, "overlay", 0, "lowerdir=" DISK "/lower,"
		  "upperdir=" DISK "/upper,workdir=" DISK "/work"))
		exit(1);
}

/* A region's files go in the background: not busy for long. */
static void umount_all(void)
{
	check(wait_until_umounted(OVERLAY), "overlayfs is not in use any more");
	check(wait_until_umounted(TMPFS), "tmpfs is not in use any more");
	if (system("rm -r " DISK " " TMPFS " " OVERLAY))
		exit(1);
}

int main(void)
{
	setup_module();
	mount_all();
	for (unsigned int i = 0; i < sizeof(places) / sizeof(*places); i++)
		act(&places[i]);
	umount_all();
	teardown_module();
	return report_status();
}
