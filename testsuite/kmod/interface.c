/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interface where it must not work: wrong pointers, commands, files,
 * sizes and addresses give an errno each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define FILE_PATH	"/var/tmp/mshare-interface"
#define OVERLAY		"/mnt/mshare-overlay"
#define NEW		MOUNTPOINT "/.interface"
#define LIVE		MOUNTPOINT "/interface"
#define SIZE		(8 * WINDOW)
#define RX		(PROT_READ | PROT_EXEC)
#define KERNEL		0xffff888000000000UL
#define TOP		(1UL << 47)
#define END		(1UL << 56)	/* with five levels of tables */

static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static int new_region(size_t size)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || ftruncate(fd, size))
		exit(1);
	return fd;
}

static const struct {
	unsigned long cmd;
	const char *name;
} ioctls[] = {
	{ MSHAREFS_CREATE_MAPPING, "CREATE_MAPPING" },
	{ MSHAREFS_UNMAP, "UNMAP" }, { MSHAREFS_DONATE, "DONATE" },
	{ MSHAREFS_SEAL, "SEAL" }, { MSHAREFS_STAT, "STAT" },
	{ MSHAREFS_LIBRARY_STAT, "LIBRARY_STAT" },
	{ MSHAREFS_PROCESS_STAT, "PROCESS_STAT" },
	{ MSHAREFS_WINDOW_DUMP, "WINDOW_DUMP" }, { MSHAREFS_UNSHARE, "UNSHARE" },
	{ MSHAREFS_SET_DATA, "SET_DATA" },
};

#define NR_IOCTLS (sizeof(ioctls) / sizeof(*ioctls))

static void bad_pointers(void)
{
	char *edge = (char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + PAGE;
	int fd = new_region(SIZE);

	mprotect(edge, PAGE, PROT_NONE);
	for (unsigned int i = 0; i < NR_IOCTLS; i++) {
		unsigned long size = _IOC_SIZE(ioctls[i].cmd);
		const void *const pointers[] = {
			NULL, (void *)8, (void *)TOP, (void *)(TOP - 8),
			(void *)KERNEL, (void *)-8L, (void *)-1L,
			edge - size + 1,	/* all but the last byte */
		};
		bool ok = true;

		for (unsigned int j = 0; size && j < sizeof(pointers) / 8; j++)
			ok &= errno_of(ioctl(fd, ioctls[i].cmd, pointers[j])) == EFAULT;
		check(ok, "%s: bad pointers give EFAULT", ioctls[i].name);
	}
	close(fd);
}

static bool is_ioctl(unsigned long cmd)
{
	for (unsigned int i = 0; i < NR_IOCTLS; i++)
		if (ioctls[i].cmd == cmd)
			return true;
	return false;
}

static void unknown_commands(void)
{
	static char arg[1024];
	int fd = new_region(SIZE);
	unsigned int bad = 0;

	for (unsigned int nr = 0; nr < 256; nr++)
		for (unsigned int dir = 0; dir < 4; dir++)
			for (unsigned int size = 0; size < sizeof(arg); size += 8) {
				unsigned long cmd = _IOC(dir, 'x', nr, size);

				bad += !is_ioctl(cmd) &&
				       errno_of(ioctl(fd, cmd, arg)) != ENOTTY;
			}
	check_eq(bad, 0, "other numbers, directions and sizes give ENOTTY");
	close(fd);
}

static void wrong_files(void)
{
	static const struct {
		const char *path;
		int flags, err;
	} files[] = {
		{ FILE_PATH, O_RDWR, ENOTTY }, { "/dev/null", O_RDWR, ENOTTY },
		{ MOUNTPOINT, O_RDONLY | O_DIRECTORY, ENOTTY },
		{ NEW, O_PATH, EBADF },
	};
	char arg[1024] = "";
	int region = new_region(SIZE);

	for (unsigned int i = 0; i < sizeof(files) / sizeof(*files); i++) {
		int fd = open(files[i].path, files[i].flags);
		bool ok = fd >= 0;

		for (unsigned int j = 0; j < NR_IOCTLS; j++)
			ok &= errno_of(ioctl(fd, ioctls[j].cmd, arg)) == files[i].err;
		check(ok, "no ioctl on %s", files[i].path);
		close(fd);
	}
	close(region);
}

/* Its mmap of a region's file would be that region's. */
static void overlaid_regions(void)
{
	mkdir(OVERLAY, 0755);
	check(mount("none", OVERLAY, "overlay", 0,
		    "lowerdir=" MOUNTPOINT ":" OVERLAY) && errno == EINVAL,
	      "no overlay can be put on msharefs");
	check(!mount("none", OVERLAY, "overlay", 0,
		     "lowerdir=" OVERLAY ":/var/tmp") && !umount(OVERLAY),
	      "as it can on another file system");
	rmdir(OVERLAY);
}

/* Regions are regular files that everybody may read, too. */
static void map_regions(void)
{
	int fd = new_region(SIZE), other, itself = open(NEW, O_RDONLY);

	if (donate(fd, REGION_START))
		exit(1);
	other = open(LIVE, O_RDONLY | O_CREAT, 0444);
	check_eq(create_mapping(fd, itself, WINDOW, PAGE, 0, RX, 0), EACCES,
		 "a region cannot be mapped into itself");
	check_eq(create_mapping(fd, other, WINDOW, PAGE, 0, RX, 0), ERANGE,
		 "nor an empty one");
	check_eq(set_data(fd, itself, WINDOW, PAGE, 0), EINVAL,
		 "nor be its own data");
	unlink(LIVE);
	close(other);
	close(itself);
	other = open("/proc/version", O_RDONLY);
	check_eq(create_mapping(fd, other, WINDOW, PAGE, 0, RX, 0), EACCES,
		 "nor a file of procfs");
	close(other);
	close(fd);
}

static void region_sizes(void)
{
	static const struct {
		long size;
		int err;
	} sizes[] = {
		{ -1, EINVAL }, { 1, EINVAL }, { WINDOW - 1, EINVAL },
		{ (1L << 38) + WINDOW, EFBIG }, { 1L << 62, EFBIG },
		{ LONG_MAX, EINVAL }, { 0, 0 }, { 1L << 38, 0 },
	};
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	bool ok = true;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		ok &= errno_of(ftruncate(fd, sizes[i].size)) == sizes[i].err;
	check(ok, "sizes of regions at their extremes");
	close(fd);
}

static void largest_region(void)
{
	const size_t size = 1UL << 38, last = size - WINDOW;
	int fd = new_region(size), file = open(FILE_PATH, O_RDONLY);
	struct mshare_process_stat stat = {};
	char *text, *pad;

	check_eq(donate(fd, TOP - size - WINDOW), 0, "the largest region");
	check_eq(create_mapping(fd, file, last, WINDOW, 0, RX, MAP_POPULATE), 0,
		 "its last window can be mapped into");
	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "it can be sealed");
	pad = mmap(NULL, size, PROT_NONE, MAP_PRIVATE, fd, 0);
	check(pad != MAP_FAILED, "all of it can be claimed");
	text = mmap(pad + last, WINDOW, RX, MAP_PRIVATE | MAP_FIXED, fd, last);
	check(text == pad + last && page_number(text + WINDOW - PAGE) ==
	      PAGES_PER_WINDOW - 1, "its last page can be read");
	check(!ioctl(fd, MSHAREFS_PROCESS_STAT, &stat) &&
	      stat.nr == size / WINDOW && stat.attached == 1,
	      "and is attached");
	check_eq(munmap(pad, size), 0, "it can be unmapped in one");
	close(file);
	close(fd);
}

static const struct {
	const char *what;
	unsigned long address, size;
	int prot;
	off_t offset;
	int err;
} maps[] = {
	{ "text beyond user space", END, WINDOW, RX, WINDOW, ENOMEM },
	{ "text over its end", END - WINDOW, WINDOW, RX, WINDOW, ENOMEM },
	{ "text in the kernel", KERNEL, WINDOW, RX, WINDOW, ENOMEM },
	{ "no text", REGION_START, 0, RX, WINDOW, EINVAL },
	{ "endless text", REGION_START, -PAGE, RX, WINDOW, ENOMEM },
	{ "text from beyond the region", REGION_START, WINDOW, RX, SIZE, EINVAL },
	{ "text from far beyond", REGION_START, WINDOW, RX, 1L << 62, EINVAL },
	{ "text from the last offset", REGION_START, WINDOW, RX,
	  LONG_MAX & -PAGE, EOVERFLOW },
	{ "text from a negative offset", REGION_START, WINDOW, RX, -WINDOW,
	  EOVERFLOW },
	{ "text from inside a page", REGION_START, WINDOW, RX, WINDOW + 1, EINVAL },
	{ "text at an odd address", REGION_START + 1, WINDOW, RX, WINDOW, EINVAL },
	{ "text a page off", REGION_START + PAGE, WINDOW, RX, WINDOW, EINVAL },
	{ "a pad that ends beyond the region", REGION_START, SIZE + PAGE,
	  PROT_NONE, 0, EINVAL },
	{ "a pad that begins there", REGION_START, PAGE, PROT_NONE, SIZE, EINVAL },
	{ "a pad far beyond", REGION_START, PAGE, PROT_NONE, 1L << 62, EINVAL },
	{ "data, where no zone is", REGION_START, PAGE, PROT_READ | PROT_WRITE,
	  WINDOW, EINVAL },
	{ "data far beyond", REGION_START, PAGE, PROT_READ | PROT_WRITE,
	  1L << 62, EINVAL },
	{ "a catalog that is none", REGION_START, PAGE, PROT_READ, PAGE, EINVAL },
	{ "a catalog far beyond", REGION_START, PAGE, PROT_READ, 1L << 62, EINVAL },
};

static void refused_maps(int fd)
{
	for (unsigned int i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		void *at = mmap((void *)maps[i].address, maps[i].size,
				maps[i].prot, MAP_PRIVATE | MAP_FIXED, fd,
				maps[i].offset);

		check_eq(at == MAP_FAILED ? errno : 0, maps[i].err, "%s",
			 maps[i].what);
	}
}

/* Text over text, a window off: each page is that of the last mapping. */
static void overlapping_maps(void)
{
	struct test_region region;
	bool ok = true;
	char *text;

	make_region(&region, "overlapping", 4, MAP_POPULATE);
	text = map_text(&region, NULL);
	ok &= verify(text, &region);
	for (int i = 1; i <= 3; i++) {
		char *over = mmap(text + i * WINDOW, region.size, RX,
				  MAP_PRIVATE | MAP_FIXED, region.fd, TEXT_OFFSET);

		ok &= over == text + i * WINDOW && verify(over, &region) &&
		      page_number(text) == 0 &&
		      page_number(over - PAGE) == PAGES_PER_WINDOW - 1;
	}
	check(ok, "mappings that overlap show the last one");
	check_eq(region_stat(&region).attached, 7, "all windows are attached");
	munmap(text, 7 * WINDOW);
	/* Where only five levels of tables reach, to those who ask. */
	text = map_text(&region, (char *)TOP + 5 * WINDOW);
	check(text == MAP_FAILED || verify(text, &region),
	      "text above 47 bits has its content, or cannot be mapped");
	munmap(text, region.size);
	check_eq(region_stat(&region).sharers, 0, "no sharer is left");
	drop_region(&region);
}

static void mappings(void)
{
	int fd = new_region(SIZE), file = open(FILE_PATH, O_RDONLY);

	if (donate(fd, REGION_START) ||
	    create_mapping(fd, file, WINDOW, WINDOW, 0, RX, MAP_POPULATE) ||
	    ioctl(fd, MSHAREFS_SEAL))
		exit(1);
	refused_maps(fd);
	close(file);
	close(fd);
	overlapping_maps();
}

int main(void)
{
	setup_module();
	make_file(FILE_PATH, PAGES_PER_WINDOW);
	bad_pointers();
	unknown_commands();
	wrong_files();
	map_regions();
	overlaid_regions();
	region_sizes();
	largest_region();
	mappings();
	unlink(FILE_PATH);
	teardown_module();
	return report_status();
}
