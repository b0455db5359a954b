/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msharefs as a file system, and what each call says in each state of a
 * region's life.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"

#define FILE_PATH	"/var/tmp/mshare-state"
#define NEW		MOUNTPOINT "/.new"
#define LIVE		MOUNTPOINT "/live"
#define SIZE		(8 * WINDOW)
#define RX		(PROT_READ | PROT_EXEC)

static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* A region that has a host and nothing in it. */
static int new_region(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);

	if (fd < 0 || ftruncate(fd, SIZE) || donate(fd, REGION_START))
		exit(1);
	return fd;
}

static struct mshare_info info_of(int fd)
{
	struct mshare_info info = {};

	if (pread(fd, &info, sizeof(info), 0) != sizeof(info))
		exit(1);
	return info;
}

static void sizes(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	struct stat stat;

	check(fd >= 0, "a region can be created");
	check_eq(errno_of(ftruncate(fd, PAGE)), EINVAL,
		 "its size must be whole windows");
	check_eq(errno_of(ftruncate(fd, 1L << 50)), EFBIG, "its size is limited");
	check_eq(donate(fd, REGION_START), EINVAL, "without size no host");
	check_eq(ftruncate(fd, SIZE), 0, "its size can be set");
	fstat(fd, &stat);
	check(stat.st_size == SIZE && stat.st_uid == 0 &&
	      (stat.st_mode & 07777) == 0444, "stat shows size, owner and mode");
	check_eq(info_of(fd).size, SIZE, "read(2) gives the size");
	check_eq(info_of(fd).start, 0, "read(2) gives no address yet");
	close(fd);
	check(!exists(NEW), "unsealed, it goes with its last descriptor");
}

static void donating(void)
{
	struct mshare_donate here = { .start = REGION_START };
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	int file = open(FILE_PATH, O_RDONLY);

	if (ftruncate(fd, SIZE))
		exit(1);
	check_eq(create_mapping(fd, file, WINDOW, PAGE, 0, PROT_READ, 0), ENXIO,
		 "no mapping without a host");
	check_eq(errno_of(ioctl(fd, MSHAREFS_SEAL)), ENXIO, "no seal without a host");
	check_eq(donate(fd, REGION_START + PAGE), EINVAL, "misaligned");
	check_eq(donate(fd, 0), EINVAL, "address 0");
	check_eq(donate(fd, 1UL << 47), EINVAL, "beyond user space");
	check_eq(donate(fd, -WINDOW), EINVAL, "beyond everything");
	check_eq(donate(fd, (1UL << 47) - WINDOW), EINVAL, "end beyond user space");
	here.flags = 1;
	check_eq(errno_of(ioctl(fd, MSHAREFS_DONATE, &here)), EINVAL, "unknown flags");
	check_eq(donate(fd, REGION_START), 0, "a child can donate");
	check_eq(donate(fd, REGION_START), EEXIST, "but only one");
	check_eq(info_of(fd).start, REGION_START, "read(2) gives the address");
	check_eq(errno_of(ftruncate(fd, 2 * SIZE)), EBUSY,
		 "with a host the size stays");
	close(file);
	close(fd);
}

/* The donor is this process: it lives. */
static int live_donor(const void *unused)
{
	struct mshare_donate here = { .start = REGION_START };
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	int file = open(FILE_PATH, O_RDONLY);

	(void)unused;
	if (ftruncate(fd, SIZE))
		return 1;
	check_eq(ioctl(fd, MSHAREFS_DONATE, &here), 0, "a process can donate itself");
	check_eq(create_mapping(fd, file, WINDOW, PAGE, 0, PROT_READ, 0), EBUSY,
		 "no mapping while the donor lives");
	check_eq(errno_of(ioctl(fd, MSHAREFS_SEAL)), EBUSY,
		 "no seal while the donor lives");
	return report_status();
}

/*
 * A donor that has memory of its own in the region, and is gone: sharers must
 * never see it.
 */
static void donor_with_memory(void)
{
	struct mshare_donate here = { .start = REGION_START };
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	int file = open(FILE_PATH, O_RDONLY), status;
	pid_t pid;

	if (ftruncate(fd, SIZE))
		exit(1);
	pid = fork();
	if (!pid) {
		char *page = mmap((char *)REGION_START + WINDOW + PAGE, PAGE,
				  PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		page[0] = 1;
		_exit(ioctl(fd, MSHAREFS_DONATE, &here) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	check_eq(status, 0, "a donor with memory in the region");
	check_eq(create_mapping(fd, file, WINDOW, 4 * PAGE, 0, PROT_READ, 0), 0,
		 "when it is gone its memory is [inv 8]");
	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "and the region can be sealed");
	close(file);
	close(fd);
}

static void mapping(void)
{
	int fd = new_region(), file = open(FILE_PATH, O_RDONLY), other;

#define map(offset, size, prot, extra) \
	create_mapping(fd, file, offset, size, 0, prot, extra)
	check_eq(map(WINDOW + 1, PAGE, PROT_READ, 0), EINVAL, "misaligned offset");
	check_eq(create_mapping(fd, file, WINDOW, PAGE, 1, PROT_READ, 0), EINVAL,
		 "misaligned file offset");
	check_eq(map(WINDOW, 0, PROT_READ, 0), EINVAL, "no size");
	check_eq(map(WINDOW, -1UL, PROT_READ, 0), EINVAL, "a size that wraps");
	check_eq(map(WINDOW, PAGE, PROT_READ | PROT_WRITE, 0), EINVAL, "writable");
	check_eq(map(WINDOW, PAGE, PROT_NONE, 0), EINVAL, "no permission");
	check_eq(map(WINDOW, PAGE, PROT_READ, MAP_LOCKED), EINVAL, "unknown flags");
	check_eq(map(0, PAGE, PROT_READ, 0), ERANGE, "in the catalog's window");
	check_eq(map(SIZE, PAGE, PROT_READ, 0), ERANGE, "behind the end");
	check_eq(map(SIZE - PAGE, 2 * PAGE, PROT_READ, 0), ERANGE, "over the end");
	check_eq(map(-PAGE, 2 * PAGE, PROT_READ, 0), ERANGE, "an offset that wraps");
	check_eq(map(WINDOW, 1UL << 40, PROT_READ, 0), ERANGE, "huge");
	check_eq(map(WINDOW, 2 * WINDOW, PROT_READ, 0), ERANGE, "beyond the file");
	check_eq(create_mapping(fd, -1, WINDOW, PAGE, 0, PROT_READ, 0), EBADF,
		 "no file");
	check_eq(map(WINDOW, PAGE, PROT_READ, 0), 0, "a page can be mapped");
	check_eq(map(WINDOW, PAGE, PROT_READ, 0), EEXIST, "but not twice");
	check_eq(create_mapping(fd, file, WINDOW + 2 * PAGE, PAGE, 0, PROT_READ, 0),
		 EEXIST, "nor elsewhere in the same window");
	close(file);

	other = open(FILE_PATH, O_RDWR);
	check_eq(create_mapping(fd, other, 4 * WINDOW, PAGE, 0, PROT_READ, 0), EACCES,
		 "a descriptor that can write");
	close(other);
	other = open("/dev/zero", O_RDONLY);
	check_eq(create_mapping(fd, other, 4 * WINDOW, PAGE, 0, PROT_READ, 0), EACCES,
		 "a device");
	close(other);
	chmod(FILE_PATH, 0600);
	other = open(FILE_PATH, O_RDONLY);
	check_eq(create_mapping(fd, other, 4 * WINDOW, PAGE, 0, PROT_READ, 0), EACCES,
		 "a file not everyone can read");
	chmod(FILE_PATH, 0644);
	chmod("/var/tmp", 0700);
	check_eq(create_mapping(fd, other, 4 * WINDOW, PAGE, 0, PROT_READ, 0), EACCES,
		 "a path not everyone can traverse");
	chmod("/var/tmp", 01777);
	mount("none", "/mnt", "tmpfs", MS_NOEXEC, "mode=755");
	make_file("/mnt/file", 4);
	close(other);
	other = open("/mnt/file", O_RDONLY);
	check_eq(create_mapping(fd, other, 4 * WINDOW, PAGE, 0, RX, 0), EACCES,
		 "a noexec mount");
	close(other);
	umount("/mnt");
	close(file);
	close(fd);
}

static void sealing(void)
{
	char page[PAGE] = "catalog", back[PAGE] = "";
	int fd = new_region(), file = open(FILE_PATH, O_RDONLY), reader;
	struct mshare_unmap unmap = { .region_offset = WINDOW };
	struct mshare_info info;

	create_mapping(fd, file, WINDOW, 4 * PAGE, 0, RX, MAP_POPULATE);
	check_eq(errno_of(pwrite(fd, page, PAGE, 0)), EFBIG,
		 "the first page cannot be written");
	check_eq(errno_of(pwrite(fd, page, PAGE, WINDOW)), EFBIG,
		 "nor what is behind the first window");
	check_eq(pwrite(fd, page, 100, MSHARE_CATALOG_OFFSET), 100,
		 "the catalog can be written");
	check(mmap(NULL, 4 * PAGE, RX, MAP_PRIVATE, fd, WINDOW) == MAP_FAILED &&
	      errno == EAGAIN, "unsealed, it cannot be mapped");
	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "it can be sealed");
	check_eq(errno_of(ioctl(fd, MSHAREFS_SEAL)), EPERM, "once");
	check_eq(errno_of(pwrite(fd, page, 100, MSHARE_CATALOG_OFFSET)), EPERM,
		 "then the catalog cannot be written");
	check_eq(errno_of(ftruncate(fd, 0)), EPERM, "nor the region truncated");
	check_eq(errno_of(fallocate(fd, 0, 0, SIZE)), EPERM, "nor allocated");
	check_eq(errno_of(open(NEW, O_RDWR | O_TRUNC)), EPERM, "nor opened O_TRUNC");
	check_eq(create_mapping(fd, file, 4 * WINDOW, PAGE, 0, RX, 0), EPERM,
		 "nor mapped into");
	check_eq(donate(fd, REGION_START), EPERM, "nor given a host");
	info = info_of(fd);
	check(info.flags == MSHARE_SEALED && info.generation &&
	      info.catalog_size == 100, "read(2) says so");

	check_eq(rename(NEW, LIVE), 0, "it can be renamed");
	reader = open(LIVE, O_RDONLY);
	close(fd);
	check(exists(LIVE), "sealed and named, it stays");
	check_eq(pread(reader, back, PAGE, MSHARE_CATALOG_OFFSET), 100,
		 "read(2) ends with the catalog");
	check(!strcmp(back, page), "and gives it");
	check_eq(pread(reader, back, PAGE, 0), sizeof(info),
		 "the head is read on its own");
	check(mmap((void *)(REGION_START + MSHARE_CATALOG_OFFSET), PAGE, PROT_READ,
		   MAP_PRIVATE | MAP_FIXED_NOREPLACE, reader,
		   MSHARE_CATALOG_OFFSET) != MAP_FAILED &&
	      !strcmp((char *)REGION_START + MSHARE_CATALOG_OFFSET, page),
	      "the catalog can be mapped at its address");
	check(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, reader,
		   MSHARE_CATALOG_OFFSET) == MAP_FAILED && errno == EINVAL,
	      "but no more than it");
	munmap((void *)(REGION_START + MSHARE_CATALOG_OFFSET), PAGE);

	unmap.region_offset = 3 * WINDOW;
	check_eq(errno_of(ioctl(reader, MSHAREFS_UNMAP, &unmap)), ENOENT,
		 "no library there");
	unmap.region_offset = WINDOW + PAGE;
	check_eq(ioctl(reader, MSHAREFS_UNMAP, &unmap), 0,
		 "a library can be retired");
	check(mmap((void *)(REGION_START + WINDOW), 4 * PAGE, RX,
		   MAP_PRIVATE | MAP_FIXED, reader, WINDOW) == MAP_FAILED &&
	      errno == EAGAIN, "then it cannot be mapped");
	close(reader);
	close(file);
}

static void replacing(void)
{
	int old = open(LIVE, O_RDONLY), fd = new_region();

	check_eq(ioctl(fd, MSHAREFS_SEAL), 0, "an empty region can be sealed");
	check_eq(rename(NEW, LIVE), 0, "it can replace another");
	check(info_of(old).flags & MSHARE_RETIRED, "which retires");
	check(info_of(fd).generation > info_of(old).generation,
	      "generations rise");
	close(old);
	close(fd);

	fd = new_region();
	if (ioctl(fd, MSHAREFS_SEAL))
		exit(1);
	close(fd);
	check(!exists(NEW), "a name with a dot goes with the last descriptor");
	check_eq(unlink(LIVE), 0, "a region can be unlinked");
	check_eq(errno_of(mkdir(MOUNTPOINT "/dir", 0755)), EPERM, "no directories");
}

static int as_nobody(const void *unused)
{
	struct mshare_process_stat process = { .pid = getppid() };
	struct mshare_unmap unmap = { .region_offset = WINDOW };
	struct mshare_window_stat window;
	struct mshare_window_dump windows = {
		.windows = (uintptr_t)&window, .nr = 1,
	};
	struct mshare_stat stat;
	int fd = open(LIVE, O_RDONLY);

	(void)unused;
	if (setgid(65534) || setuid(65534))
		return 1;
	check_eq(errno_of(open(NEW, O_RDWR | O_CREAT, 0444)), EACCES,
		 "nobody creates no region");
	check_eq(errno_of(open(LIVE, O_RDWR)), EACCES, "nor writes one");
	check_eq(errno_of(unlink(LIVE)), EACCES, "nor unlinks one");
	check_eq(donate(fd, REGION_START), EPERM, "nor donates");
	check_eq(create_mapping(fd, fd, WINDOW, PAGE, 0, RX, 0), EPERM, "nor maps");
	check_eq(set_data(fd, fd, WINDOW, PAGE, 0), EPERM, "nor gives data");
	check_eq(errno_of(ioctl(fd, MSHAREFS_SEAL)), EPERM, "nor seals");
	check_eq(errno_of(ioctl(fd, MSHAREFS_UNMAP, &unmap)), EPERM, "nor unmaps");
	check_eq(errno_of(ioctl(fd, MSHAREFS_WINDOW_DUMP, &windows)), EPERM,
		 "nor looks at windows");
	check_eq(ioctl(fd, MSHAREFS_STAT, &stat), 0, "but sees statistics");
	check_eq(errno_of(ioctl(fd, MSHAREFS_PROCESS_STAT, &process)), EPERM,
		 "of no other process");
	process.pid = getpid();
	check_eq(ioctl(fd, MSHAREFS_PROCESS_STAT, &process), 0, "only its own");
	check_eq(errno_of(ioctl(fd, MSHAREFS_STAT, (void *)8)), EFAULT, "bad pointer");
	check_eq(errno_of(ioctl(fd, _IO('x', 99))), ENOTTY, "unknown ioctl");
	return report_status();
}

struct question {
	int fd;
	void *page;
};

static void *ask_into_page(void *arg)
{
	struct question *question = arg;

	ioctl(question->fd, MSHAREFS_STAT, question->page);
	return NULL;
}

/*
 * A caller whose memory is never served must not keep a lock that others need:
 * its argument lies in a page of userfaultfd that nobody fills.
 */
static void unserved_argument(void)
{
	int fd = open(LIVE, O_RDONLY);
	struct unserved unserved = unserved_page();
	struct pollfd event = { .fd = unserved.uffd, .events = POLLIN };
	struct question arg = { fd, unserved.page };
	pthread_t thread;

	pthread_create(&thread, NULL, ask_into_page, &arg);
	check_eq(poll(&event, 1, 10000) * event.revents, POLLIN,
		 "a caller's argument is not served");
	check(!access(MOUNTPOINT "/none", F_OK) || errno == ENOENT,
	      "the directory can be looked up");
	check_eq(unlink(LIVE), 0, "and the region unlinked");
	close(unserved.uffd);	/* serves what waits */
	pthread_join(thread, NULL);
	close(fd);
}

static void permissions(void)
{
	int fd = new_region();

	if (ioctl(fd, MSHAREFS_SEAL) || rename(NEW, LIVE))
		exit(1);
	check_eq(in_child(as_nobody, NULL), 0, "an unprivileged user");
	check_eq(chmod(LIVE, 0400), 0, "chmod");
	check_eq(chown(LIVE, 1, 1), 0, "chown");
	close(fd);
	unserved_argument();
}

int main(void)
{
	setup_module();
	make_file(FILE_PATH, PAGES_PER_WINDOW);
	sizes();
	donating();
	check_eq(in_child(live_donor, NULL), 0, "a live donor");
	donor_with_memory();
	mapping();
	sealing();
	replacing();
	permissions();
	unlink(FILE_PATH);
	teardown_module();
	return report_status();
}
