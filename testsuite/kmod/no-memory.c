/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each allocation of each step in the life of a region and its sharer fails
 * once, one after the other: the step gives a clean error or succeeds, works
 * when it is done again, and all that follows works, too.
 *
 * Who makes them fail: a kernel with fault injection (any allocation of the
 * calling task), or the injecting build of the module (any of the module's).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS		2
#define DATA_OFFSET	(TEXT_OFFSET + WINDOWS * WINDOW)
#define NEW		MOUNTPOINT "/.starved"
#define FILE_PATH	"/var/tmp/mshare-starved"
#define MODULE_FAIL	"/sys/module/mshare/parameters/fail_alloc"
#define TASK_FAIL	"/proc/thread-self/fail-nth"

/* In memory that a forked donor shares. */
struct failing {
	const char *file;	/* written with a number, and read */
	int nth;		/* 0: nothing fails */
	bool failed;
};

struct life {
	struct failing *failing;
	struct test_region region;
	int fd, file;
	char *text, *data;
};

static int fail_fd;

/* Nothing but the system calls of interest between these two. */
static void begin(struct failing *failing)
{
	char number[16];
	int n = snprintf(number, sizeof(number), "%d", failing->nth);

	if (!failing->nth)
		return;
	fail_fd = open(failing->file, O_RDWR);
	if (fail_fd < 0 || write(fail_fd, number, n) != n)
		exit(2);
}

static int end(struct failing *failing, int err)
{
	char number[16] = "";

	if (!failing->nth)
		return err;
	if (pread(fail_fd, number, sizeof(number) - 1, 0) <= 0 ||
	    pwrite(fail_fd, "0", 1, 0) != 1)
		exit(2);
	close(fail_fd);
	failing->failed = !atoi(number);
	return err;
}

static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static int create(struct life *life)
{
	begin(life->failing);
	life->fd = open(NEW, O_RDWR | O_CREAT | O_EXCL, 0444);
	return end(life->failing, errno_of(life->fd));
}

static int set_size(struct life *life)
{
	begin(life->failing);
	return end(life->failing,
		   errno_of(ftruncate(life->fd, DATA_OFFSET + WINDOW)));
}

static int give_host(struct life *life)
{
	struct mshare_donate donate = { .start = REGION_START };
	int status;
	pid_t pid = fork();

	if (!pid) {
		begin(life->failing);
		_exit(end(life->failing,
			  errno_of(ioctl(life->fd, MSHAREFS_DONATE, &donate))));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int map_file(struct life *life)
{
	begin(life->failing);
	return end(life->failing,
		   create_mapping(life->fd, life->file, TEXT_OFFSET,
				  WINDOWS * WINDOW, 0, PROT_READ | PROT_EXEC, 0));
}

static int set_zone(struct life *life)
{
	begin(life->failing);
	return end(life->failing,
		   set_data(life->fd, life->file, DATA_OFFSET, WINDOW, 0));
}

static int write_catalog(struct life *life)
{
	begin(life->failing);
	return end(life->failing, errno_of(pwrite(life->fd, "catalog", 7,
						  MSHARE_CATALOG_OFFSET)));
}

static int seal(struct life *life)
{
	begin(life->failing);
	return end(life->failing, errno_of(ioctl(life->fd, MSHAREFS_SEAL)));
}

static int map(struct life *life)
{
	begin(life->failing);
	life->text = map_text(&life->region, NULL);
	return end(life->failing, life->text == MAP_FAILED ? errno : 0);
}

static int map_zone(struct life *life)
{
	begin(life->failing);
	life->data = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			  life->region.fd, DATA_OFFSET);
	return end(life->failing, life->data == MAP_FAILED ? errno : 0);
}

static int unmap_zone(struct life *life)
{
	int err = page_number(life->data + PAGE) == 1 ? 0 : -1;

	begin(life->failing);
	return end(life->failing,
		   munmap(life->data, WINDOW) ? errno : err);
}

/* The first fault of all, of a window and of a page: none may be seen. */
static int touch(struct life *life)
{
	long second, third;

	begin(life->failing);
	second = ((volatile long *)(life->text + WINDOW))[1];
	third = ((volatile long *)(life->text + WINDOW + PAGE))[1];
	return end(life->failing, second == PAGES_PER_WINDOW &&
		   third == PAGES_PER_WINDOW + 1 ? 0 : -1);
}

static int copy_page(struct life *life)
{
	char byte = 'w';
	int mem = open("/proc/self/mem", O_RDWR);
	long ret;

	begin(life->failing);
	ret = pwrite(mem, &byte, 1, (off_t)(life->text + 99));
	ret = end(life->failing, errno_of(ret));
	close(mem);
	return ret;
}

static int read_copy(struct life *life)
{
	char byte;

	begin(life->failing);
	byte = *(volatile char *)(life->text + 99);
	return end(life->failing, byte == 'w' ? 0 : -1);
}

static int fork_and_read(struct life *life)
{
	int status = 0, err;
	pid_t pid;

	begin(life->failing);
	pid = fork();
	if (!pid)
		_exit(life->text[99] != 'w' ||
		      page_number(life->text + WINDOW) != PAGES_PER_WINDOW);
	err = end(life->failing, errno_of(pid));
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status ? -1 : err;
}

static int ask(struct life *life)
{
	struct mshare_process_stat process = {};
	struct mshare_library_stat library = {};
	struct mshare_stat stat;
	int err;

	begin(life->failing);
	err = errno_of(ioctl(life->fd, MSHAREFS_STAT, &stat));
	if (!err)
		err = errno_of(ioctl(life->fd, MSHAREFS_LIBRARY_STAT, &library));
	if (!err)
		err = errno_of(ioctl(life->fd, MSHAREFS_PROCESS_STAT, &process));
	return end(life->failing, err);
}

static int unmap(struct life *life)
{
	begin(life->failing);
	return end(life->failing, errno_of(munmap(life->text, WINDOWS * WINDOW)));
}

static int lose_name(struct life *life)
{
	begin(life->failing);
	return end(life->failing, errno_of(unlink(NEW)));
}

static const struct step {
	const char *name;
	int (*run)(struct life *life);
	int error;	/* that it may give besides ENOMEM */
} steps[] = {
	{ "open", create, 0 },
	{ "ftruncate", set_size, 0 },
	{ "donate", give_host, 0 },
	{ "create mapping", map_file, 0 },
	{ "set data", set_zone, 0 },
	{ "catalog", write_catalog, 0 },
	{ "seal", seal, 0 },
	{ "mmap", map, 0 },
	{ "mmap of data", map_zone, 0 },
	{ "first fault", touch, 0 },
	{ "private page", copy_page, EIO },
	{ "read it", read_copy, 0 },
	{ "fork", fork_and_read, EAGAIN },
	{ "statistics", ask, 0 },
	{ "munmap", unmap, 0 },
	{ "munmap of data", unmap_zone, 0 },
	{ "unlink", lose_name, 0 },
};

#define STEPS	(sizeof(steps) / sizeof(*steps))

static bool is_clean(const struct step *step, int err)
{
	return !err || err == ENOMEM || (step->error && err == step->error);
}

/* One life, the nth allocation of one step failing: did all go well? */
static bool live(struct failing *failing, const struct step *starved, int nth)
{
	struct life life = { .failing = failing };
	bool ok = true;

	life.file = open(FILE_PATH, O_RDONLY);
	life.region.size = WINDOWS * WINDOW;
	failing->failed = false;
	for (const struct step *step = steps; step < steps + STEPS && ok; step++) {
		int err;

		failing->nth = step == starved ? nth : 0;
		life.region.fd = life.fd;
		err = step->run(&life);
		if (failing->nth && is_clean(step, err) && err) {
			failing->nth = 0;
			err = step->run(&life);
		}
		if (err) {
			printf("%s, allocation %d: %s gives %d\n", starved->name,
			       nth, step->name, err);
			ok = false;
		}
	}
	failing->nth = 0;
	if (ok && (region_stat(&life.region).sharers ||
		   region_stat(&life.region).attached)) {
		printf("%s, allocation %d: sharers are left\n", starved->name, nth);
		ok = false;
	}
	close(life.fd);
	close(life.file);
	return ok;
}

static int starve(struct failing *failing, const struct step *step)
{
	enum { MANY = 1000 };
	bool ok = true;
	int nth = 0;

	do
		ok = live(failing, step, ++nth);
	while (ok && failing->failed && nth < MANY);
	printf("%s: %d allocations\n", step->name, nth - 1);
	check(ok && nth < MANY, "%s: each of its allocations may fail", step->name);
	return nth - 1;
}

static void write_to(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		printf("%s: %s\n", path, strerror(errno));
	close(fd);
}

/* Allocations that may sleep fail, too; the log needs no trace of each. */
static void set_up_kernel(void)
{
	write_to("/sys/kernel/debug/failslab/ignore-gfp-wait", "N");
	write_to("/sys/kernel/debug/failslab/verbose", "0");
	write_to("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N");
	write_to("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N");
	write_to("/sys/kernel/debug/fail_page_alloc/min-order", "0");
	write_to("/sys/kernel/debug/fail_page_alloc/verbose", "0");
}

/*
 * The kernel writes to the area of rseq on its way back from fork, when that
 * page is to be copied: if this allocation fails, the process dies.
 */
static void forget_rseq(void)
{
	syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset,
		sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

int main(void)
{
	struct failing *failing = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int failures = 0;

	if (getenv("MSHARE_MODULE"))
		failing->file = MODULE_FAIL;
	else if (!access(TASK_FAIL, W_OK))
		failing->file = TASK_FAIL;
	if (!failing->file) {
		unsupported("failing allocations: this kernel has no " TASK_FAIL);
		return report_status();
	}
	if (!strcmp(failing->file, TASK_FAIL))
		set_up_kernel();
	forget_rseq();
	setup_module();
	make_file(FILE_PATH, WINDOWS * PAGES_PER_WINDOW);
	for (const struct step *step = steps; step < steps + STEPS; step++)
		failures += starve(failing, step);
	check(failures > 5, "allocations did fail");
	unlink(FILE_PATH);
	teardown_module();
	return report_status();
}
