// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fail.h"
#include "mshare.h"
#include "subject.h"

/* The regions' own place, and where texts are mapped, as far apart as fits. */
#define REGION_START	0x7f8000000000UL
#define PLACES_START	0x7f9000000000UL

#define FILES	"/var/tmp/kmod-costs"

void texts_begin(void)
{
	int result = mshare_mount(MSHARE_MOUNTPOINT);

	if (result)
		fail(result, "msharefs on " MSHARE_MOUNTPOINT);
	if (mkdir(FILES, 0755) ||
	    mount("kmod-costs", FILES, "tmpfs", 0, "mode=755"))
		err(1, FILES);
}

/* Regions go in the background and hold their files until they have gone. */
void texts_end(void)
{
	if (umount2(FILES, MNT_DETACH) || rmdir(FILES))
		err(1, FILES);
}

static void make_file(const struct text *text)
{
	static char window[WINDOW];
	int fd = open(text->file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		err(1, "%s", text->file);
	for (unsigned int i = 0; i < text->windows; i++) {
		for (size_t page = 0; page < WINDOW; page += PAGE)
			*(unsigned int *)&window[page] = i;
		if (write(fd, window, WINDOW) != (ssize_t)WINDOW)
			err(1, "%s", text->file);
	}
	close(fd);
}

static void make_region(const struct text *text)
{
	struct mshare_layout layout = {
		.start = REGION_START, .size = WINDOW + text->size,
	};
	struct mshare_segment segment = {
		.size = text->size, .prot = PROT_READ | PROT_EXEC,
	};
	struct mshare_builder *builder = mshare_builder_new();
	int fd = open(text->file, O_RDONLY), result;
	uint64_t generation;
	struct mshare_new *new;
	void *catalog;
	size_t size;

	if (fd < 0)
		err(1, "%s", text->file);
	if (!builder)
		err(1, NULL);
	result = mshare_new_create(MSHARE_MOUNTPOINT, text->name, &layout, &new);
	if (!result)
		result = mshare_new_map(new, fd, &segment, WINDOW);
	if (!result)
		result = mshare_builder_finish(builder, &layout, &catalog, &size);
	if (!result)
		result = mshare_new_seal(new, catalog, size, &generation);
	if (!result)
		result = mshare_new_publish(new);
	if (result)
		fail(result, "region %s", text->name);
	mshare_new_close(new);
	mshare_builder_free(builder);
	free(catalog);
	close(fd);
}

void text_create(struct text *text, const char *name, unsigned int windows)
{
	char region[64];

	*text = (struct text){
		.name = name, .windows = windows, .size = windows * WINDOW,
	};
	snprintf(text->file, sizeof(text->file), FILES "/%s", name);
	snprintf(region, sizeof(region), MSHARE_MOUNTPOINT "/%s", name);
	make_file(text);
	make_region(text);
	text->fd = open(region, O_RDONLY | O_CLOEXEC);
	if (text->fd < 0)
		err(1, "%s", region);
}

void text_destroy(struct text *text)
{
	int result = mshare_destroy(MSHARE_MOUNTPOINT, text->name);

	if (result)
		fail(result, "region %s", text->name);
	close(text->fd);
	if (unlink(text->file))
		err(1, "%s", text->file);
}

int text_open(const struct text *text, enum side side)
{
	int fd = side == OURS ? dup(text->fd) : open(text->file, O_RDONLY);

	if (fd < 0)
		err(1, "%s", text->file);
	return fd;
}

char *text_map(const struct text *text, enum side side, int fd,
	       unsigned int place)
{
	void *at = (char *)PLACES_START + place * (text->size + WINDOW);
	char *start = mmap(at, text->size, PROT_READ | PROT_EXEC,
			   MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
			   side == OURS ? WINDOW : 0);

	if (start == MAP_FAILED)
		err(1, "mmap of %s", side == OURS ? text->name : text->file);
	return start;
}

char *text_map_new(const struct text *text, enum side side, unsigned int place)
{
	int fd = text_open(text, side);
	char *start = text_map(text, side, fd, place);

	close(fd);
	return start;
}

unsigned int text_attached(const struct text *text)
{
	struct mshare_process_stat stat = { .pid = 0 };

	if (ioctl(text->fd, MSHAREFS_PROCESS_STAT, &stat))
		err(1, "MSHAREFS_PROCESS_STAT");
	return stat.attached;
}

void touch(const char *text, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		(void)*(const volatile char *)(text + i);
}

void in_subject(void (*run)(void *arg), void *arg)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		run(arg);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	if (status)
		errx(1, "a measured process failed: status %#x",
		     (unsigned int)status);
}

void *shared_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "mmap");
	return memory;
}
