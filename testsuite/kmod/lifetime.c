/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long a region holds libraries, their blocks, their file system and the
 * module: no longer than somebody uses them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "machine.h"
#include "region.h"
#include "report.h"

#define LIBRARIES	2
#define PAGES		PAGES_PER_WINDOW
#define KIB		((long)(PAGES * PAGE / 1024))
#define TRIES		100	/* of 50 ms: what is let go goes in the background */

static const char *const files[LIBRARIES] = { DISK "/kept", DISK "/given-up" };

static uint64_t offset_of(int library)
{
	return TEXT_OFFSET + library * WINDOW;
}

/* A sealed region with all files, live under a name. */
static int make_two(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0444), ret;

	ret = fd < 0 || ftruncate(fd, offset_of(LIBRARIES)) ||
	      donate(fd, REGION_START);
	for (int i = 0; i < LIBRARIES; i++) {
		int file;

		make_file(files[i], PAGES);
		file = open(files[i], O_RDONLY);
		ret = ret || create_mapping(fd, file, offset_of(i), PAGES * PAGE,
					    0, PROT_READ | PROT_EXEC,
					    MAP_POPULATE);
		close(file);
	}
	if (!check(!ret && !ioctl(fd, MSHAREFS_SEAL), "a region of %d libraries",
		   LIBRARIES))
		exit(1);
	return fd;
}

static char *map_library(int fd, int library)
{
	return mmap((char *)REGION_START + offset_of(library), PAGES * PAGE,
		    PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
		    offset_of(library));
}

static bool reads(const char *text)
{
	for (unsigned long i = 0; i < PAGES; i++)
		if (page_number(text + i * PAGE) != (long)i)
			return false;
	return true;
}

/* A process of this generation; asked by SIGCONT, it reads, stops again. */
static pid_t start_sleeper(int fd)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		char *text = map_library(fd, 0);

		close(fd);
		while (reads(text))
			raise(SIGSTOP);
		_exit(1);
	}
	return pid;
}

static bool sleeper_reads(pid_t pid)
{
	int status;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

static bool becomes_free(long want)
{
	long got = -1;

	for (int tries = 0; tries < TRIES; tries++) {
		got = disk_free();
		if (got >= want)
			return true;
		usleep(50000);
	}
	printf("%ld KiB are free, not %ld\n", got, want);
	return false;
}

static bool remount_read_only(void)
{
	return !mount(NULL, DISK, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* The package was replaced, the region too; one process goes on with one. */
static void old_sleeper(void)
{
	const char *name = MOUNTPOINT "/old";
	long before = disk_free();
	pid_t sleeper;
	int fd;

	fd = make_two(name);
	sleeper = start_sleeper(fd);
	check(sleeper_reads(sleeper), "a process that uses one of them");
	for (int i = 0; i < LIBRARIES; i++)
		unlink(files[i]);
	check(before - disk_free() >= LIBRARIES * KIB,
	      "deleted libraries take space while the region is live");

	unlink(name);
	close(fd);
	check(becomes_free(before - KIB - KIB / 2),
	      "retired, it gives up the one nobody uses");
	check(before - disk_free() >= KIB, "and keeps the other");
	kill(sleeper, SIGCONT);
	check(sleeper_reads(sleeper), "which its process can read");
	check(!remount_read_only() && errno == EBUSY,
	      "a deleted library in use keeps its file system writable");
	check(umount(DISK) && errno == EBUSY, "and mounted");

	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
	check(becomes_free(before), "with its last process the other goes, too");
}

/* MSHAREFS_UNMAP of a sealed region, which stays live. */
static void dropped(void)
{
	struct mshare_unmap unmap = { .region_offset = offset_of(1) };
	const char *name = MOUNTPOINT "/dropped";
	long before = disk_free();
	int fd = make_two(name);
	char *text = map_library(fd, 0);

	unlink(files[1]);
	check_eq(ioctl(fd, MSHAREFS_UNMAP, &unmap), 0, "one library is retired");
	check(becomes_free(before - KIB - KIB / 2),
	      "nobody uses it: its blocks come back at once");
	check(reads(text), "the other can be read");
	check(map_library(fd, 1) == MAP_FAILED && errno == EAGAIN,
	      "the retired one cannot be mapped");
	munmap(text, PAGES * PAGE);
	unlink(files[0]);
	unlink(name);
	close(fd);
	check(becomes_free(before), "without the region all blocks come back");
}

/* As a system is shut down: regions retired, file systems read-only. */
static void shutdown_order(void)
{
	const char *name = MOUNTPOINT "/shutdown";
	int fd = make_two(name);
	bool done = false;

	close(fd);
	check(umount(DISK) && errno == EBUSY, "a live region uses the file system");
	unlink(name);
	for (int tries = 0; !done && tries < TRIES; tries++) {
		done = remount_read_only();
		if (!done)
			usleep(50000);
	}
	check(done, "retired, it lets it become read-only");
	check(disk_let_go(), "and be unmounted");
}

static bool can_unload(void)
{
	return !system("rmmod mshare 2>/dev/null");
}

/* The module goes last. */
static void unload_last(void)
{
	struct test_region region;
	char *text;

	make_region(&region, "last", 1, MAP_POPULATE);
	text = map_text(&region, NULL);
	check(verify(text, &region), "a text that outlives its region");
	check(!can_unload(), "the module cannot be unloaded under msharefs");
	drop_region(&region);
	check(wait_until_umounted(MOUNTPOINT), "msharefs can be unmounted");
	check(!can_unload(), "nor under the text");
	check(verify(text, &region), "which can be read");
	munmap(text, region.size);
	check(!mount("msharefs", MOUNTPOINT, "msharefs", 0, NULL),
	      "msharefs can be mounted again");
}

int main(void)
{
	setup_module();
	make_disk();
	old_sleeper();
	dropped();
	shutdown_order();
	unload_last();
	teardown_module();
	return report_status();
}
