// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The directory of data files: one for each generation with split libraries,
 * from before it is sealed until nobody uses it.
 *
 * The kernel keeps a file that is mapped whether it has a name or not.  But one
 * without is called "(deleted)" in /proc/PID/maps, and administrators' tools
 * take that for a library that was replaced.  So a file keeps its name as long
 * as it is used, within limits.
 *
 * Other things may be kept in the same directory: only what has exactly the
 * form of our names is ever removed.
 */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data-directory.h"
#include "image.h"
#include "mshare.h"
#include "processes.h"

#define BOOT_ID		"/proc/sys/kernel/random/boot_id"
#define BOOT_LENGTH	36
#define KEPT_MAX	2

/* ---- opening ----------------------------------------------------------- */

static void read_boot(struct data_directory *directory)
{
	FILE *file = fopen(BOOT_ID, "re");

	if (!file || fscanf(file, "%36s", directory->boot) != 1 ||
	    strlen(directory->boot) != BOOT_LENGTH)
		errx(1, BOOT_ID ": cannot be read");
	fclose(file);
}

/* Made readable whatever our umask is: the kernel wants the path open. */
static int make(const char *path)
{
	int err = image_make_directories(path);

	if (err)
		return err;
	if (mkdir(path, 0755))
		return errno == EEXIST ? 0 : -errno;
	return chmod(path, 0755) ? -errno : 0;
}

static void lock(const struct data_directory *directory)
{
	if (!flock(directory->fd, LOCK_EX | LOCK_NB))
		return;
	if (errno == EWOULDBLOCK)
		warnx("%s: waiting for another mshare-preload", directory->path);
	while (flock(directory->fd, LOCK_EX))
		if (errno != EINTR)
			err(1, "%s", directory->path);
}

/* Return: why not, or NULL. */
static const char *open_checked(struct data_directory *directory,
				const char *path)
{
	struct stat st;

	*directory = (struct data_directory) {
		.path = realpath(path, NULL), .fd = -1,
	};
	if (directory->path)
		directory->fd = open(directory->path,
				     O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory->fd < 0 || fstat(directory->fd, &st))
		return strerror(errno);
	if (st.st_uid)
		return "it is not owned by root";
	if (st.st_mode & 0022)
		return "others than root may write to it";
	read_boot(directory);
	lock(directory);
	return NULL;
}

void data_directory_open(struct data_directory *directory, const char *path)
{
	int err = make(path);
	const char *why = err ? strerror(-err) : open_checked(directory, path);

	if (why)
		errx(1, "%s: the data of split libraries cannot be kept there: %s (--data-dir, or --no-images)",
		     path, why);
}

bool data_directory_find(struct data_directory *directory, const char *path)
{
	if (!open_checked(directory, path))
		return true;
	data_directory_close(directory);
	return false;
}

void data_directory_close(struct data_directory *directory)
{
	if (directory->fd >= 0)
		close(directory->fd);
	free(directory->path);
}

/* ---- names ------------------------------------------------------------- */

void data_name(const struct data_directory *directory, uint64_t generation,
	       char name[DATA_NAME_MAX])
{
	snprintf(name, DATA_NAME_MAX, "%sdata-%s-%" PRIu64,
		 generation ? "" : ".", directory->boot, generation);
}

/*
 * Whether @name is one of ours: receives the boot, and the generation, 0 for
 * one that never got one.  What follows the number is the caller's affair.
 */
static bool parse_name(const char *name, char boot[BOOT_LENGTH + 1],
		       uint64_t *generation, const char **rest)
{
	bool is_temporary = *name == '.';
	char *end;

	name += is_temporary;
	if (strncmp(name, "data-", 5))
		return false;
	name += 5;
	if (strspn(name, "0123456789abcdef-") <= BOOT_LENGTH ||
	    name[BOOT_LENGTH] != '-' || name[BOOT_LENGTH + 1] < '0' ||
	    name[BOOT_LENGTH + 1] > '9')
		return false;
	memcpy(boot, name, BOOT_LENGTH);
	boot[BOOT_LENGTH] = '\0';
	*generation = strtoull(name + BOOT_LENGTH + 1, &end, 10);
	*rest = end;
	return is_temporary == !*generation;
}

/* ---- what there is ----------------------------------------------------- */

/**
 * struct generation - a file of this boot
 * @number: which
 * @bytes:  on disk
 * @live:   its region has a name
 * @mapped: a process has it mapped
 */
struct generation {
	uint64_t number;
	uint64_t bytes;
	bool live;
	bool mapped;
};

/**
 * struct inventory - all of them
 * @directory: where they are
 * @list:      newest first
 * @count:     how many
 */
struct inventory {
	const struct data_directory *directory;
	struct generation *list;
	size_t count;
};

static void add(struct inventory *inventory, uint64_t number, uint64_t bytes)
{
	inventory->list = reallocarray(inventory->list, inventory->count + 1,
				       sizeof(*inventory->list));
	if (!inventory->list)
		err(1, NULL);
	inventory->list[inventory->count++] = (struct generation) {
		.number = number, .bytes = bytes,
	};
}

static void remove_file(const struct data_directory *directory, const char *name)
{
	if (unlinkat(directory->fd, name, 0) && errno != ENOENT)
		warn("%s/%s", directory->path, name);
}

/* What was not finished, or is of another boot, goes at once. */
static void consider(struct inventory *inventory, const char *name)
{
	const struct data_directory *directory = inventory->directory;
	char boot[BOOT_LENGTH + 1];
	uint64_t generation;
	const char *rest;
	struct stat st;

	if (!parse_name(name, boot, &generation, &rest) || *rest ||
	    fstatat(directory->fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (!generation || strcmp(boot, directory->boot))
		remove_file(directory, name);
	else
		add(inventory, generation, (uint64_t)st.st_blocks * 512);
}

static int newest_first(const void *a, const void *b)
{
	const struct generation *first = a, *second = b;

	return (first->number < second->number) -
	       (first->number > second->number);
}

static void take_inventory(struct inventory *inventory)
{
	DIR *directory = opendir(inventory->directory->path);
	struct dirent *entry;

	if (!directory)
		err(1, "%s", inventory->directory->path);
	while ((entry = readdir(directory)))
		consider(inventory, entry->d_name);
	closedir(directory);
	if (inventory->count)
		qsort(inventory->list, inventory->count,
		      sizeof(*inventory->list), newest_first);
}

static struct generation *find(const struct inventory *inventory,
			       uint64_t number)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (inventory->list[i].number == number)
			return &inventory->list[i];
	return NULL;
}

/* ---- who uses it ------------------------------------------------------- */

static void find_live(const struct inventory *inventory, const char *mountpoint)
{
	DIR *directory = opendir(mountpoint);
	struct mshare_region *region;
	struct dirent *entry;

	if (!directory)
		err(1, "%s", mountpoint);
	while ((entry = readdir(directory))) {
		struct generation *generation;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    mshare_region_open(mountpoint, entry->d_name, &region))
			continue;
		generation = find(inventory,
				  mshare_region_info(region)->generation);
		if (generation)
			generation->live = true;
		mshare_region_close(region);
	}
	closedir(directory);
}

/* By its name alone: in other mount namespaces the path is another one. */
static void find_mapped(int pid, const char *line, void *context)
{
	const struct inventory *inventory = context;
	const char *slash = strrchr(line, '/'), *rest;
	struct generation *generation;
	char boot[BOOT_LENGTH + 1];
	uint64_t number;

	(void)pid;
	if (!slash || !parse_name(slash + 1, boot, &number, &rest) ||
	    strcmp(boot, inventory->directory->boot))
		return;
	generation = find(inventory, number);
	if (generation)
		generation->mapped = true;
}

static bool has_old(const struct inventory *inventory)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (!inventory->list[i].live)
			return true;
	return false;
}

void data_directory_clean(const struct data_directory *directory,
			  const char *mountpoint, struct data_kept *kept)
{
	struct inventory inventory = { .directory = directory };

	*kept = (struct data_kept) { 0 };
	take_inventory(&inventory);
	find_live(&inventory, mountpoint);
	if (has_old(&inventory))
		for_each_mapping(find_mapped, &inventory);
	for (size_t i = 0; i < inventory.count; i++) {
		const struct generation *generation = &inventory.list[i];
		char name[DATA_NAME_MAX];

		if (generation->live)
			continue;
		if (generation->mapped && kept->files < KEPT_MAX) {
			kept->files++;
			kept->bytes += generation->bytes;
			continue;
		}
		data_name(directory, generation->number, name);
		remove_file(directory, name);
	}
	free(inventory.list);
}
