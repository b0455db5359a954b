/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data zones: what is mapped of them is the zone's file, as if it had been
 * opened, and nobody writes to that while the region gives it out.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
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

#define TEXT_PATH	"/var/tmp/mshare-data-text"
#define DATA_PATH	DISK "/data"
#define NEW		MOUNTPOINT "/.data"
#define LIVE		MOUNTPOINT "/data"
#define SIZE		(6 * WINDOW)
#define RW		(PROT_READ | PROT_WRITE)

/* One begins with the file's third page and ends inside a window. */
#define ZONE		(2 * WINDOW)
#define ZONE_SIZE	(WINDOW + 3 * PAGE)
#define ZONE_PAGES	(ZONE_SIZE / PAGE)
#define SKIPPED		2
#define FILE_PAGES	(SKIPPED + ZONE_PAGES)
#define SECOND		(4 * WINDOW)

static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static int opens_for_writing(const char *path)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int new_region(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || ftruncate(fd, SIZE) || donate(fd, REGION_START)) {
		check(false, "a new region");
		exit(1);
	}
	return fd;
}

static int zone_of(int fd, const char *path, uint64_t offset, uint64_t size,
		   uint64_t file_offset)
{
	int file = open(path, O_RDONLY), err;

	err = set_data(fd, file, offset, size, file_offset);
	close(file);
	return err;
}

/* A text, and the file twice: two zones. */
static int make_live(void)
{
	int fd = new_region(), file = open(TEXT_PATH, O_RDONLY), err;

	err = zone_of(fd, DATA_PATH, ZONE, ZONE_SIZE, SKIPPED * PAGE);
	if (!err)
		err = create_mapping(fd, file, TEXT_OFFSET, WINDOW, 0,
				     PROT_READ | PROT_EXEC, MAP_POPULATE);
	if (!err)
		err = zone_of(fd, DATA_PATH, SECOND, PAGE, 0);
	if (!err)
		err = errno_of(ioctl(fd, MSHAREFS_SEAL));
	if (!err)
		err = errno_of(rename(NEW, LIVE));
	if (!check(!err, "a region with text and data"))
		exit(1);
	close(file);
	close(fd);
	return open(LIVE, O_RDONLY | O_CLOEXEC);
}

static char *map_zone(int fd, void *at)
{
	return mmap(at, ZONE_SIZE, RW, MAP_PRIVATE | (at ? MAP_FIXED : 0), fd,
		    ZONE);
}

static bool has_data(const char *data)
{
	for (unsigned long i = 0; i < ZONE_PAGES; i++)
		if (page_number(data + i * PAGE) != (long)(SKIPPED + i))
			return false;
	return true;
}

static struct mshare_stat stat_of(int fd)
{
	struct mshare_stat stat = {};

	ioctl(fd, MSHAREFS_STAT, &stat);
	return stat;
}

/* Maps it where it likes, writes a page of its own, and sees no other's. */
static int use_data(const void *arg)
{
	int fd = *(const int *)arg;
	char *data = map_zone(fd, NULL);

	if (data == MAP_FAILED || !has_data(data))
		return 1;
	memset(data, getpid(), ZONE_SIZE - PAGE);
	return page_number(data + ZONE_SIZE - PAGE) != FILE_PAGES - 1;
}

static void processes(int fd)
{
	char *data = map_zone(fd, (void *)(REGION_START + ZONE)), *second;
	uint64_t before = stat_of(fd).counters[MSHARE_DATA_MAPPINGS];
	int bad = 0;

	if (!check(data != MAP_FAILED && has_data(data), "a zone has its data"))
		exit(1);
	memset(data + PAGE, 'w', PAGE);
	for (int i = 0; i < 4; i++)
		bad += in_child(use_data, &fd);
	check_eq(bad, 0, "processes do not see what others write");
	check_eq(stat_of(fd).counters[MSHARE_DATA_MAPPINGS] - before, 4,
		 "their mappings are counted");
	check(data[PAGE] == 'w' && data[2 * PAGE - 1] == 'w' &&
	      page_number(data) == SKIPPED, "nor does this one");
	check_eq(madvise(data, ZONE_SIZE, MADV_DONTNEED), 0, "dropped");
	check(has_data(data), "it has the file's content, which nobody wrote");
	munmap(data, ZONE_SIZE);
	second = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, SECOND);
	check(second != MAP_FAILED && page_number(second) == 0,
	      "the second zone has its own");
	munmap(second, PAGE);
	check_eq(stat_of(fd).data_size, ZONE_SIZE + PAGE,
		 "the region says how much data it has");
}

/* One line of maps, and all of smaps, without the address. */
static void describe(const char *at, char *text, size_t size)
{
	char line[512], range[64];
	FILE *file = fopen("/proc/self/smaps", "r");
	bool in = false;

	snprintf(range, sizeof(range), "%lx-", (unsigned long)at);
	*text = 0;
	while (file && fgets(line, sizeof(line), file)) {
		bool head = strchr(line, '-') &&
			    strspn(line, "0123456789abcdef") > 6;

		if (head)
			in = !strncmp(line, range, strlen(range));
		/* How much of a page is whose depends on who has it mapped. */
		if (in && strncmp(line, "Pss", 3))
			strncat(text, head ? strchr(line, ' ') : line,
				size - strlen(text) - 1);
	}
	fclose(file);
}

/* The same deeds on both: what comes of them must be the same. */
static void live_through(char *data, char *child_says)
{
	int status;
	pid_t pid;

	data[0] = 1;
	data[3 * PAGE] = 2;
	madvise(data + 3 * PAGE, PAGE, MADV_DONTNEED);
	mprotect(data + 5 * PAGE, PAGE, PROT_READ | PROT_EXEC);
	madvise(data + 7 * PAGE, PAGE, MADV_DONTFORK);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(data[0] + 2 * data[3 * PAGE] +
		      (touch_signal(data + 7 * PAGE, false) == SIGSEGV));
	waitpid(pid, &status, 0);
	*child_says = WEXITSTATUS(status);
	mremap(data + 8 * PAGE, PAGE, 2 * PAGE, 0);
	munmap(data + 9 * PAGE, PAGE);
}

static void same_as_the_file(int fd)
{
	static char ours[16][4096], files[16][4096];
	char *data = map_zone(fd, NULL), *plain, child[2] = { 0 };
	int file = open(DATA_PATH, O_RDONLY), bad = 0;

	plain = mmap(NULL, ZONE_SIZE, RW, MAP_PRIVATE, file, SKIPPED * PAGE);
	close(file);
	describe(data, ours[0], sizeof(ours[0]));
	describe(plain, files[0], sizeof(files[0]));
	check(strstr(files[0], DATA_PATH) && !strcmp(ours[0], files[0]),
	      "/proc shows it as it shows a mapping of the file");
	live_through(data, &child[0]);
	live_through(plain, &child[1]);
	for (int i = 0; i < 16; i++) {
		describe(data + i * PAGE, ours[i], sizeof(ours[i]));
		describe(plain + i * PAGE, files[i], sizeof(files[i]));
		if (strcmp(ours[i], files[i])) {
			printf("page %d:\n%sand\n%s", i, ours[i], files[i]);
			bad++;
		}
	}
	check_eq(bad, 0, "nor do the two differ after what can be done to them");
	check_eq(child[0], child[1], "nor in a child");
	munmap(data, ZONE_SIZE);
	munmap(plain, ZONE_SIZE);
}

static const struct {
	const char *what;
	unsigned long size;
	int prot, flags, err;
	off_t offset;
} maps[] = {
	{ "all of it", ZONE_SIZE, RW, MAP_PRIVATE, 0, ZONE },
	{ "its last page", PAGE, RW, MAP_PRIVATE, 0, ZONE + ZONE_SIZE - PAGE },
	{ "a page more", ZONE_SIZE + PAGE, RW, MAP_PRIVATE, EINVAL, ZONE },
	{ "a page too far", ZONE_SIZE, RW, MAP_PRIVATE, EINVAL, ZONE + PAGE },
	{ "a page before", 2 * PAGE, RW, MAP_PRIVATE, EINVAL, ZONE - PAGE },
	{ "behind it", PAGE, RW, MAP_PRIVATE, EINVAL, ZONE + ZONE_SIZE },
	{ "into the next zone", SECOND + PAGE - ZONE, RW, MAP_PRIVATE, EINVAL,
	  ZONE },
	{ "text, writable", WINDOW, RW, MAP_PRIVATE, EINVAL, TEXT_OFFSET },
	{ "data as text", ZONE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, EINVAL,
	  ZONE },
	{ "data to be read only", ZONE_SIZE, PROT_READ, MAP_PRIVATE, EINVAL, ZONE },
	{ "executable data", ZONE_SIZE, RW | PROT_EXEC, MAP_PRIVATE, EACCES, ZONE },
	{ "data to be written only", ZONE_SIZE, PROT_WRITE, MAP_PRIVATE, EACCES,
	  ZONE },
	{ "shared data", ZONE_SIZE, RW, MAP_SHARED, EACCES, ZONE },
	{ "a pad over data", ZONE_SIZE, PROT_NONE, MAP_PRIVATE, 0, ZONE },
};

static void refused_maps(int fd)
{
	for (unsigned int i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		void *at = mmap(NULL, maps[i].size, maps[i].prot, maps[i].flags,
				fd, maps[i].offset);

		check_eq(at == MAP_FAILED ? errno : 0, maps[i].err, "mmap: %s",
			 maps[i].what);
		if (at != MAP_FAILED)
			munmap(at, maps[i].size);
	}
}

static void mode_and_owner(int fd, const char *path, mode_t mode, uid_t uid,
			   gid_t gid, int err, const char *what)
{
	if (chown(path, uid, gid) || chmod(path, mode))
		exit(1);
	check_eq(zone_of(fd, path, ZONE, PAGE, 0), err, "a file %s", what);
}

static void refused_files(void)
{
	int fd = new_region(), writer;

	mode_and_owner(fd, TEXT_PATH, 0644, 1, 0, EACCES, "of another user");
	mode_and_owner(fd, TEXT_PATH, 0664, 0, 1, EACCES, "a group can write");
	mode_and_owner(fd, TEXT_PATH, 0646, 0, 0, EACCES, "others can write");
	mode_and_owner(fd, TEXT_PATH, 0640, 0, 0, EACCES, "others cannot read");
	chmod(TEXT_PATH, 0644);
	writer = open(TEXT_PATH, O_RDWR);
	check_eq(set_data(fd, writer, ZONE, PAGE, 0), EACCES,
		 "a descriptor that can write");
	check_eq(zone_of(fd, TEXT_PATH, ZONE, PAGE, 0), ETXTBSY,
		 "a file that somebody writes");
	close(writer);
	check_eq(zone_of(fd, "/dev/zero", ZONE, PAGE, 0), EACCES, "a device");
	check_eq(zone_of(fd, "/var/tmp", ZONE, PAGE, 0), EACCES, "a directory");
	if (mount("none", "/mnt", "tmpfs", MS_NOEXEC, "mode=755"))
		exit(1);
	make_file("/mnt/file", 4);
	check_eq(zone_of(fd, "/mnt/file", ZONE, PAGE, 0), EACCES,
		 "a noexec mount");
	umount("/mnt");
	if (mount("none", "/mnt", "hugetlbfs", 0, "mode=755"))
		unsupported("huge pages: no hugetlbfs");
	else {
		int huge = open("/mnt/huge", O_RDWR | O_CREAT, 0644);

		check(!ftruncate(huge, WINDOW), "a file of a huge page");
		close(huge);
		check_eq(zone_of(fd, "/mnt/huge", ZONE, PAGE, 0), EINVAL,
			 "it is no data");
		umount("/mnt");
	}
	check_eq(opens_for_writing(TEXT_PATH), 0,
		 "a refused file can be written afterwards");
	close(fd);
}

/* In which state, and beside what. */
static void refused_zones(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444), reader;
	int text = open(TEXT_PATH, O_RDONLY);

	check_eq(zone_of(fd, DATA_PATH, WINDOW, PAGE, 0), ERANGE, "no size");
	if (ftruncate(fd, SIZE))
		exit(1);
	check_eq(zone_of(fd, DATA_PATH, WINDOW, PAGE, 0), ENXIO, "no host");
	if (donate(fd, REGION_START))
		exit(1);
	reader = open(NEW, O_RDONLY);
	check_eq(zone_of(reader, DATA_PATH, WINDOW, PAGE, 0), EBADF,
		 "a region opened for reading");
	close(reader);
	check_eq(create_mapping(fd, text, TEXT_OFFSET, PAGE, 0, PROT_READ, 0), 0,
		 "a page of text");
	check_eq(zone_of(fd, DATA_PATH, TEXT_OFFSET, PAGE, 0), EEXIST,
		 "data in a window with text");
	check_eq(zone_of(fd, DATA_PATH, ZONE, ZONE_SIZE, 0), 0, "data behind it");
	check_eq(opens_for_writing(DATA_PATH), ETXTBSY,
		 "its file cannot be written from then on [inv 13]");
	check_eq(zone_of(fd, DATA_PATH, ZONE, PAGE, 0), EEXIST, "but not twice");
	check_eq(zone_of(fd, DATA_PATH, ZONE + WINDOW, PAGE, 0), EEXIST,
		 "nor in its last window");
	check_eq(create_mapping(fd, text, ZONE + WINDOW + 16 * PAGE, PAGE, 0,
				PROT_READ, 0), EEXIST, "nor text there");
	check_eq(create_mapping(fd, text, ZONE - PAGE, 2 * PAGE, PAGE, PROT_READ,
				0), EEXIST, "nor text that reaches into it");
	check_eq(create_mapping(fd, text, SECOND, PAGE, 0, PROT_READ, 0), 0,
		 "text behind it");
	check(map_zone(fd, NULL) == MAP_FAILED && errno == EAGAIN,
	      "unsealed, it cannot be mapped");
	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "sealed");
	check_eq(zone_of(fd, DATA_PATH, 5 * WINDOW, PAGE, 0), EPERM,
		 "it gets no more data");
	close(text);
	close(fd);
	check_eq(opens_for_writing(DATA_PATH), 0,
		 "given up, it lets the file be written [inv 13]");
}

/* A descriptor without a name can still be given data, and sealed. */
static void without_name(void)
{
	int fd = new_region();

	unlink(NEW);
	check_eq(zone_of(fd, DATA_PATH, ZONE, ZONE_SIZE, 0), 0,
		 "data for a region without a name");
	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "which is sealed");
	check(map_zone(fd, NULL) == MAP_FAILED && errno == EAGAIN,
	      "it can be mapped by nobody");
	close(fd);
	check_eq(opens_for_writing(DATA_PATH), 0, "and its file be written");
}

static void writers(int fd)
{
	check_eq(opens_for_writing(DATA_PATH), ETXTBSY,
		 "the file cannot be written while the region is live");
	check_eq(errno_of(truncate(DATA_PATH, PAGE)), ETXTBSY, "nor truncated");
	check_eq(zone_of(fd, DATA_PATH, 5 * WINDOW, PAGE, 0), EBADF,
		 "nor the region be given more");
}

/* Clean pages come and go as those of any file. */
static void pressure(int fd)
{
	int file = open(DATA_PATH, O_RDONLY), there = 0;
	char *data = map_zone(fd, NULL);
	unsigned char resident[ZONE_PAGES];

	check(has_data(data), "all of it is read");
	data[0] = 'w';
	check(!madvise(data, ZONE_SIZE, MADV_PAGEOUT) &&
	      write_value("/proc/sys/vm/drop_caches", "3"), "memory is short");
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	mincore(data, ZONE_SIZE, resident);
	for (unsigned long i = 1; i < ZONE_PAGES; i++)
		there += resident[i] & 1;
	check(there < (int)ZONE_PAGES / 2, "most of it is gone");
	check(data[0] == 'w', "what was written is not");
	data[0] = 0;
	madvise(data, PAGE, MADV_DONTNEED);
	check(has_data(data), "the rest is read again");
	munmap(data, ZONE_SIZE);
	close(file);
}

/* The file, its file system and its writers, when the region retires. */
static void retire(int fd)
{
	char *data = map_zone(fd, NULL);

	data[PAGE] = 'w';
	unlink(LIVE);
	check_eq(opens_for_writing(DATA_PATH), 0,
		 "retired, it lets the file be written [inv 13]");
	check(map_zone(fd, NULL) == MAP_FAILED && errno == EAGAIN,
	      "and gives out no data");
	check(data[PAGE] == 'w' && page_number(data) == SKIPPED &&
	      page_number(data + ZONE_SIZE - PAGE) == FILE_PAGES - 1,
	      "who has it mapped keeps it");
	check(umount(DISK) && errno == EBUSY, "and the file system, too");
	munmap(data, ZONE_SIZE);
	check(disk_let_go(), "then that can be unmounted, the region still open");
	close(fd);
}

/* By rename, as when a new generation takes its place. */
static void replaced(void)
{
	int fd = make_live(), next;

	check_eq(opens_for_writing(DATA_PATH), ETXTBSY, "a live one has the file");
	next = new_region();
	check_eq(errno_of(ioctl(next, MSHAREFS_SEAL)), 0, "another one");
	check_eq(rename(NEW, LIVE), 0, "takes its place");
	check_eq(opens_for_writing(DATA_PATH), 0, "its file can be written");
	unlink(LIVE);
	close(next);
	close(fd);
}

int main(void)
{
	int fd;

	setup_module();
	make_disk();
	make_file(TEXT_PATH, PAGES_PER_WINDOW);
	make_file(DATA_PATH, FILE_PAGES);
	refused_files();
	refused_zones();
	without_name();
	replaced();
	fd = make_live();
	writers(fd);
	processes(fd);
	same_as_the_file(fd);
	refused_maps(fd);
	pressure(fd);
	retire(fd);
	unlink(TEXT_PATH);
	teardown_module();
	return report_status();
}
