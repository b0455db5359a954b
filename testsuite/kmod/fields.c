/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every field of every ioctl at its extremes: an errno each, or success.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define FILE_PATH	"/var/tmp/mshare-fields"
#define NEW		MOUNTPOINT "/.fields"
#define SIZE		(8 * WINDOW)
#define RX		(PROT_READ | PROT_EXEC)
#define SF		(MAP_SHARED | MAP_FIXED)
#define KERNEL		0xffff888000000000UL
#define TOP		(1UL << 47)

/* One field of an argument that is right otherwise. */
struct row {
	size_t at, width;
	uint64_t value;
	int err;
};

#define F(type, field, value, err)					\
	{ offsetof(struct type, field), sizeof(((struct type *)0)->field), \
	  value, err }

static const struct row create_rows[] = {
#define C(field, value, err) F(mshare_create, field, value, err)
	C(region_offset, 0, ERANGE), C(region_offset, 1, EINVAL),
	C(region_offset, PAGE, ERANGE), C(region_offset, WINDOW - PAGE, ERANGE),
	C(region_offset, WINDOW + 1, EINVAL), C(region_offset, WINDOW + PAGE, 0),
	C(region_offset, SIZE - PAGE, 0), C(region_offset, SIZE, ERANGE),
	C(region_offset, SIZE + PAGE, ERANGE), C(region_offset, TOP, ERANGE),
	C(region_offset, LONG_MAX, EINVAL), C(region_offset, 1UL << 63, ERANGE),
	C(region_offset, -PAGE, ERANGE), C(region_offset, -WINDOW, ERANGE),
	C(region_offset, -1UL, EINVAL),
	C(size, 0, EINVAL), C(size, 1, 0), C(size, PAGE + 1, 0),
	C(size, WINDOW, 0), C(size, WINDOW + 1, ERANGE),
	C(size, SIZE - WINDOW, ERANGE), C(size, SIZE, ERANGE),
	C(size, TOP, ERANGE), C(size, LONG_MAX, ERANGE),
	C(size, 1UL << 63, ERANGE), C(size, -WINDOW, ERANGE),
	C(size, -PAGE, ERANGE), C(size, -PAGE + 1, EINVAL), C(size, -1UL, EINVAL),
	C(offset, 1, EINVAL), C(offset, PAGE, 0), C(offset, WINDOW - PAGE, 0),
	C(offset, WINDOW, ERANGE), C(offset, TOP, ERANGE),
	C(offset, 1UL << 63, ERANGE), C(offset, -PAGE, ERANGE),
	C(offset, -1UL, EINVAL),
	C(prot, 0, EINVAL), C(prot, PROT_WRITE, EINVAL), C(prot, PROT_EXEC, EINVAL),
	C(prot, PROT_READ | PROT_WRITE, EINVAL), C(prot, RX, 0),
	C(prot, RX | PROT_WRITE, EINVAL), C(prot, PROT_READ | 8, EINVAL),
	C(prot, PROT_READ | PROT_GROWSDOWN, EINVAL), C(prot, -1U, EINVAL),
	C(flags, 0, EINVAL), C(flags, MAP_SHARED, EINVAL),
	C(flags, MAP_FIXED, EINVAL), C(flags, MAP_PRIVATE | MAP_FIXED, EINVAL),
	C(flags, MAP_SHARED_VALIDATE | MAP_FIXED, EINVAL),
	C(flags, SF | MAP_POPULATE, 0), C(flags, SF | MAP_ANONYMOUS, EINVAL),
	C(flags, SF | MAP_LOCKED, EINVAL), C(flags, SF | MAP_HUGETLB, EINVAL),
	C(flags, SF | MAP_GROWSDOWN, EINVAL),
	C(flags, SF | MAP_FIXED_NOREPLACE, EINVAL), C(flags, -1U, EINVAL),
	C(fd, -1, EBADF), C(fd, INT_MIN, EBADF), C(fd, INT_MAX, EBADF),
	C(fd, -100, EBADF), C(fd, 1000, EBADF),
	C(reserved, 1, EINVAL), C(reserved, 1U << 31, EINVAL),
	C(reserved, -1U, EINVAL),
};

/* The library's text is the 4 pages at the second window. */
static const struct row unmap_rows[] = {
#define U(field, value, err) F(mshare_unmap, field, value, err)
	U(region_offset, 0, ENOENT), U(region_offset, WINDOW - 1, ENOENT),
	U(region_offset, WINDOW + 4 * PAGE, ENOENT), U(region_offset, SIZE, ENOENT),
	U(region_offset, 1UL << 38, ENOENT), U(region_offset, LONG_MAX, ENOENT),
	U(region_offset, 1UL << 63, ENOENT), U(region_offset, -1UL, ENOENT),
	U(region_offset, WINDOW + 1, 0), U(region_offset, WINDOW + 4 * PAGE - 1, 0),
	U(size, 1, EINVAL), U(size, 4 * PAGE - 1, EINVAL), U(size, 4 * PAGE, 0),
	U(size, 4 * PAGE + 1, EINVAL), U(size, 1UL << 63, EINVAL),
	U(size, -1UL, EINVAL), U(size, 0, 0),
};

static const struct row donate_rows[] = {
#define D(field, value, err) F(mshare_donate, field, value, err)
	D(start, 0, EINVAL), D(start, 1, EINVAL), D(start, PAGE, EINVAL),
	D(start, WINDOW - 1, EINVAL), D(start, WINDOW, 0),
	D(start, REGION_START + PAGE, EINVAL), D(start, TOP - WINDOW, EINVAL),
	D(start, TOP - SIZE, EINVAL), D(start, TOP - SIZE - WINDOW, 0),
	D(start, TOP, EINVAL), D(start, 1UL << 56, EINVAL),
	D(start, 1UL << 63, EINVAL), D(start, KERNEL, EINVAL),
	D(start, -WINDOW, EINVAL), D(start, -SIZE, EINVAL), D(start, -1UL, EINVAL),
	D(flags, 1, EINVAL), D(flags, 1UL << 63, EINVAL), D(flags, -1UL, EINVAL),
};

static const struct row library_rows[] = {
#define L(field, value, err) F(mshare_library_stat, field, value, err)
	L(region_offset, 0, 0), L(region_offset, WINDOW + 4 * PAGE - 1, 0),
	L(region_offset, WINDOW + 4 * PAGE, ENOENT),
	L(region_offset, SIZE, ENOENT), L(region_offset, LONG_MAX, ENOENT),
	L(region_offset, 1UL << 63, ENOENT), L(region_offset, -1UL, ENOENT),
	/* What is only given may hold anything. */
	L(size, -1UL, 0), L(windows, -1UL, 0), L(sharers, -1UL, 0),
	L(attached, -1UL, 0), L(flags, -1U, 0), L(reserved, -1U, 0),
};

static const struct row process_rows[] = {
#define P(field, value, err) F(mshare_process_stat, field, value, err)
	P(windows, 0, 0), P(windows, 8, EFAULT), P(windows, TOP, EFAULT),
	P(windows, KERNEL, EFAULT), P(windows, -1UL, EFAULT),
	P(nr, 0, 0), P(nr, 1, 0), P(nr, 1U << 31, 0), P(nr, -1U, 0),
	P(pid, -1, EINVAL), P(pid, INT_MIN, EINVAL), P(pid, INT_MAX, ESRCH),
	P(pid, 1, 0), P(pid, 2, ESRCH),
	P(attached, -1U, 0), P(reserved, 1, EINVAL), P(reserved, -1U, EINVAL),
};

static const struct row dump_rows[] = {
#define W(field, value, err) F(mshare_window_dump, field, value, err)
	W(windows, 0, EFAULT), W(windows, 8, EFAULT), W(windows, TOP, EFAULT),
	W(windows, KERNEL, EFAULT), W(windows, -1UL, EFAULT),
	W(offset, 0, 0), W(offset, 1, 0), W(offset, SIZE, 0),
	W(offset, 1UL << 63, 0), W(offset, -1UL, 0),
	W(nr, 0, EINVAL), W(nr, 1U << 31, 0), W(nr, -1U, 0),
	W(reserved, 1, EINVAL), W(reserved, -1U, EINVAL),
};

/* The last takes the library away. */
static const struct row unshare_rows[] = {
#define S(field, value, err) F(mshare_unshare, field, value, err)
	S(region_offset, 0, ENOENT), S(region_offset, WINDOW - 1, ENOENT),
	S(region_offset, WINDOW + 4 * PAGE, ENOENT), S(region_offset, SIZE, ENOENT),
	S(region_offset, 1UL << 63, ENOENT), S(region_offset, -1UL, ENOENT),
	S(replaced, -1U, 0), S(left, -1U, 0),
};

/* A zone of a page; the file has the pages of a window. */
static const struct row data_rows[] = {
#define Z(field, value, err) F(mshare_data, field, value, err)
	Z(region_offset, 0, ERANGE), Z(region_offset, 1, EINVAL),
	Z(region_offset, PAGE, EINVAL), Z(region_offset, WINDOW + PAGE, EINVAL),
	Z(region_offset, WINDOW, 0), Z(region_offset, SIZE - WINDOW, 0),
	Z(region_offset, SIZE, ERANGE), Z(region_offset, TOP, ERANGE),
	Z(region_offset, LONG_MAX, EINVAL), Z(region_offset, 1UL << 63, ERANGE),
	Z(region_offset, -WINDOW, ERANGE), Z(region_offset, -1UL, EINVAL),
	Z(size, 0, EINVAL), Z(size, 1, EINVAL), Z(size, PAGE - 1, EINVAL),
	Z(size, WINDOW, 0), Z(size, WINDOW + PAGE, ERANGE),
	Z(size, SIZE - WINDOW, ERANGE), Z(size, SIZE, ERANGE),
	Z(size, TOP, ERANGE), Z(size, 1UL << 63, ERANGE),
	Z(size, -WINDOW, ERANGE), Z(size, -PAGE, ERANGE), Z(size, -1UL, EINVAL),
	Z(offset, 1, EINVAL), Z(offset, WINDOW - PAGE, 0),
	Z(offset, WINDOW, ERANGE), Z(offset, TOP, ERANGE),
	Z(offset, 1UL << 63, ERANGE), Z(offset, -PAGE, ERANGE),
	Z(offset, -1UL, EINVAL),
	Z(fd, -1, EBADF), Z(fd, INT_MIN, EBADF), Z(fd, INT_MAX, EBADF),
	Z(fd, 1000, EBADF),
	Z(reserved, 1, EINVAL), Z(reserved, 1U << 31, EINVAL),
	Z(reserved, -1U, EINVAL),
};

static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static int new_region(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || ftruncate(fd, SIZE))
		exit(1);
	return fd;
}

/* Bytes right before a page that is not there. */
static void *at_the_edge(size_t size)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(pages + PAGE, PAGE, PROT_NONE);
	return pages + PAGE - size;
}

static uint64_t field(const void *arg, const struct row *row)
{
	uint64_t value = 0;

	memcpy(&value, (const char *)arg + row->at, row->width);
	return value;
}

/* What fails gives nothing: the field is as it was, or the errno is 1000. */
static int call(int fd, unsigned long cmd, const void *right,
		const struct row *row)
{
	char *arg = at_the_edge(_IOC_SIZE(cmd));
	uint64_t before;
	int err;

	memcpy(arg, right, _IOC_SIZE(cmd));
	memcpy(arg + row->at, &row->value, row->width);
	before = field(arg, row);
	err = errno_of(ioctl(fd, cmd, arg));
	if (err && field(arg, row) != before)
		err = 1000;
	munmap((void *)((uintptr_t)arg & -PAGE), 2 * PAGE);
	return err;
}

static bool is_right(const char *name, const struct row *row, int err)
{
	if (err != row->err)
		printf("%s: field at %zu, %#lx: errno %d, not %d\n", name, row->at,
		       row->value, err, row->err);
	return err == row->err;
}

#define ROWS(rows) rows, sizeof(rows) / sizeof(*(rows))

static void call_all(int fd, unsigned long cmd, const void *right,
		     const char *name, const struct row *rows, unsigned int n,
		     void (*undo)(int fd))
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < n; i++) {
		int err = call(fd, cmd, right, &rows[i]);

		bad += !is_right(name, &rows[i], err);
		if (!err && undo)
			undo(fd);
	}
	check_eq(bad, 0, "%s: each field at its extremes", name);
}

static void forget_all(int fd)
{
	struct mshare_library_stat stat = {};

	while (!ioctl(fd, MSHAREFS_LIBRARY_STAT, &stat)) {
		struct mshare_unmap unmap = { stat.region_offset, 0 };

		if (ioctl(fd, MSHAREFS_UNMAP, &unmap))
			exit(1);
		stat.region_offset = 0;
	}
}

static void map_again(int fd)
{
	int file = open(FILE_PATH, O_RDONLY);

	if (create_mapping(fd, file, WINDOW, 4 * PAGE, 0, RX, MAP_POPULATE))
		exit(1);
	close(file);
}

static void each_field(void)
{
	int fd = new_region(), file = open(FILE_PATH, O_RDONLY);
	struct mshare_create create = { WINDOW, PAGE, 0, PROT_READ, SF, file, 0 };
	struct mshare_unmap unmap = { .region_offset = WINDOW };
	struct mshare_unshare unshare = { .region_offset = WINDOW };
	struct mshare_library_stat library = {};
	/* Room for the windows of the region, and of the library. */
	struct mshare_process_stat process = {
		.windows = (uintptr_t)at_the_edge(SIZE / WINDOW), .nr = 8,
	};
	struct mshare_window_dump dump = {
		.windows = (uintptr_t)at_the_edge(sizeof(struct mshare_window_stat)),
		.nr = 1,
	};

	if (donate(fd, REGION_START))
		exit(1);
	call_all(fd, MSHAREFS_CREATE_MAPPING, &create, "CREATE_MAPPING",
		 ROWS(create_rows), forget_all);
	map_again(fd);
	call_all(fd, MSHAREFS_UNMAP, &unmap, "UNMAP", ROWS(unmap_rows), map_again);
	if (ioctl(fd, MSHAREFS_SEAL))
		exit(1);
	call_all(fd, MSHAREFS_LIBRARY_STAT, &library, "LIBRARY_STAT",
		 ROWS(library_rows), NULL);
	call_all(fd, MSHAREFS_PROCESS_STAT, &process, "PROCESS_STAT",
		 ROWS(process_rows), NULL);
	call_all(fd, MSHAREFS_WINDOW_DUMP, &dump, "WINDOW_DUMP",
		 ROWS(dump_rows), NULL);
	call_all(fd, MSHAREFS_UNSHARE, &unshare, "UNSHARE", ROWS(unshare_rows),
		 NULL);
	close(file);
	close(fd);
}

struct donation {
	int fd;
	const struct row *row;
};

static int donor(const void *arg)
{
	const struct donation *donation = arg;
	struct mshare_donate right = { .start = REGION_START };

	return call(donation->fd, MSHAREFS_DONATE, &right, donation->row);
}

static void each_donation(void)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < sizeof(donate_rows) / sizeof(*donate_rows); i++) {
		struct donation donation = { new_region(), &donate_rows[i] };

		bad += !is_right("DONATE", donation.row, in_child(donor, &donation));
		close(donation.fd);
	}
	check_eq(bad, 0, "DONATE: each field at its extremes");
}

/* What was set cannot be taken back: each in a region of its own. */
static void each_zone(void)
{
	int file = open(FILE_PATH, O_RDONLY);
	struct mshare_data data = { WINDOW, PAGE, 0, file, 0 };
	unsigned int bad = 0;

	for (unsigned int i = 0; i < sizeof(data_rows) / sizeof(*data_rows); i++) {
		int fd = new_region();

		if (donate(fd, REGION_START))
			exit(1);
		bad += !is_right("SET_DATA", &data_rows[i],
				 call(fd, MSHAREFS_SET_DATA, &data,
				      &data_rows[i]));
		close(fd);
	}
	check_eq(bad, 0, "SET_DATA: each field at its extremes");
	close(file);
}

int main(void)
{
	setup_module();
	make_file(FILE_PATH, PAGES_PER_WINDOW);
	each_field();
	each_donation();
	each_zone();
	unlink(FILE_PATH);
	teardown_module();
	return report_status();
}
