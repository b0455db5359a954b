/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever becomes of a donor, its address space is the region's alone before
 * anything is mapped into it, or nothing is [inv 8].
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"

#define NEW		MOUNTPOINT "/.donor"
#define FILE_PATH	"/var/tmp/mshare-donor"
#define SIZE		(4 * WINDOW)
#define GROUP		"mshare-donor"
#define MIB		(1UL << 20)

static struct mshare_donate here = { .start = REGION_START };

static int new_region(void)
{
	int fd = open(NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

	if (fd < 0 || ftruncate(fd, SIZE))
		exit(1);
	return fd;
}

static int map_a_page(int fd)
{
	int file = open(FILE_PATH, O_RDONLY);
	int err = create_mapping(fd, file, WINDOW, 4 * PAGE, 0,
				 PROT_READ | PROT_EXEC, MAP_POPULATE);

	close(file);
	return err;
}

/* Mapping is EBUSY as long as somebody else looks at the donor. */
static bool is_mapped(const void *arg)
{
	return map_a_page(*(const int *)arg) != EBUSY;
}

/* Is a region whose donor is gone as good as any? */
static void check_use(int fd, const char *what)
{
	char *text;
	int err = 0;

	check(eventually(is_mapped, &fd), "%s: it can be mapped into", what);
	if (ioctl(fd, MSHAREFS_SEAL))
		err = errno;
	check_eq(err, 0, "%s: it can be sealed", what);
	text = mmap((void *)(REGION_START + WINDOW), 4 * PAGE,
		    PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
		    fd, WINDOW);
	check(text != MAP_FAILED && page_number(text + PAGE) == 1,
	      "%s: and its text read", what);
	munmap(text, 4 * PAGE);
}

static void donate_or_die(int fd)
{
	if (ioctl(fd, MSHAREFS_DONATE, &here))
		_exit(errno);
}

/* Leaves by a signal, with memory that must not stay in the region. */
static int is_killed(const void *arg)
{
	char *left = mmap((void *)(REGION_START + WINDOW), WINDOW,
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	memset(left, 0x77, WINDOW);
	donate_or_die(*(const int *)arg);
	return raise(SIGKILL);
}

static int executes(const void *arg)
{
	donate_or_die(*(const int *)arg);
	return execl("/bin/true", "true", NULL);
}

/* After it has donated: a child of its own, and a thread. */
static int forks(const void *arg)
{
	pid_t pid;

	donate_or_die(*(const int *)arg);
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return 0;
}

static void *nothing(void *unused)
{
	return unused;
}

static int starts_a_thread(const void *arg)
{
	pthread_t thread;

	donate_or_die(*(const int *)arg);
	pthread_create(&thread, NULL, nothing, NULL);
	pthread_join(thread, NULL);
	return map_a_page(*(const int *)arg) == EBUSY ? 0 : 1;
}

static const struct {
	const char *name;
	int (*donor)(const void *fd);
	int status;
} exits[] = {
	{ "a donor that is killed", is_killed, 128 + SIGKILL },
	{ "a donor that executes a program", executes, 0 },
	{ "a donor that forks", forks, 0 },
	{ "a donor that starts a thread", starts_a_thread, 0 },
};

static void ways_to_leave(void)
{
	for (unsigned int i = 0; i < sizeof(exits) / sizeof(*exits); i++) {
		int fd = new_region();

		check_eq(in_child(exits[i].donor, &fd), exits[i].status, "%s",
			 exits[i].name);
		check_use(fd, exits[i].name);
		close(fd);
	}
}

static void *donate_in_a_thread(void *arg)
{
	int fd = *(int *)arg;

	return (void *)(long)(ioctl(fd, MSHAREFS_DONATE, &here) ? errno : 0);
}

static int has_threads(const void *arg)
{
	pthread_t thread;
	void *err;

	pthread_create(&thread, NULL, donate_in_a_thread, (void *)arg);
	pthread_join(thread, &err);
	return (long)err;
}

static int donate_in_vfork(void *arg)
{
	_exit(ioctl(*(int *)arg, MSHAREFS_DONATE, &here) ? errno : 0);
}

/* Its parent lives in the same memory: never ready. */
static int shares_memory(const void *arg)
{
	char *stack = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(donate_in_vfork, stack + 16 * PAGE,
			  CLONE_VM | SIGCHLD, (void *)arg);
	int status;

	waitpid(pid, &status, 0);
	if (status)
		return 200;
	return map_a_page(*(const int *)arg);
}

static void refused_donors(void)
{
	int fd = new_region();

	check_eq(in_child(has_threads, &fd), EBUSY, "a thread cannot donate");
	close(fd);
	fd = new_region();
	check_eq(in_child(shares_memory, &fd), EBUSY,
		 "no mapping while another process lives in the donor's memory");
	check_use(fd, "when that is gone");
	close(fd);
}

/* Donates while somebody reads its memory, and exits. */
static void watched_donor(int fd, int tell)
{
	struct unserved unserved = unserved_page();
	struct pollfd event = { .fd = unserved.uffd, .events = POLLIN };

	if (write(tell, &unserved, sizeof(unserved)) != sizeof(unserved) ||
	    poll(&event, 1, 20000) != 1 || event.revents != POLLIN)
		_exit(201);
	donate_or_die(fd);
	_exit(0);
}

struct look {
	pid_t pid;
	char *page;
};

static void *look_at(void *arg)
{
	struct look *look = arg;
	char byte;
	struct iovec local = { &byte, 1 }, remote = { look->page, 1 };

	return (void *)process_vm_readv(look->pid, &local, 1, &remote, 1, 0);
}

static void looked_at(void)
{
	int fd = new_region(), tell[2], uffd, status;
	struct unserved unserved;
	struct look look;
	pthread_t thread;

	if (pipe(tell))
		exit(1);
	fflush(stdout);
	look.pid = fork();
	if (!look.pid)
		watched_donor(fd, tell[1]);
	if (read(tell[0], &unserved, sizeof(unserved)) != sizeof(unserved))
		exit(1);
	look.page = unserved.page;
	uffd = syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, look.pid, 0),
		       unserved.uffd, 0);
	pthread_create(&thread, NULL, look_at, &look);
	waitpid(look.pid, &status, 0);
	check_eq(status, 0, "a process whose memory is being read can donate");
	check_eq(map_a_page(fd), EBUSY, "no mapping while it is read");
	check_eq(ioctl(fd, MSHAREFS_SEAL) ? errno : 0, EBUSY, "and no seal");
	close(uffd);	/* serves the reader */
	pthread_join(thread, NULL);
	check_use(fd, "when it was read");
	close(fd);
	close(tell[0]);
	close(tell[1]);
}

static void *swap_off_in_a_thread(void *unused)
{
	(void)unused;
	return (void *)(long)swap_off();
}

/* Most of what the donor has is on the disk when swapoff looks for it. */
static void swapped_donor(int fd, int ready, int go)
{
	char *memory = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), byte = 0;

	enter_cgroup(GROUP);
	memset(memory, 1, 8 * MIB);
	madvise(memory, 8 * MIB, MADV_PAGEOUT);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(200);
	donate_or_die(fd);
	_exit(0);
}

static void swapped(int round)
{
	int fd = new_region(), ready[2], go[2], status;
	pthread_t thread;
	char byte = 0;
	void *off;
	pid_t pid;

	if (pipe(ready) || pipe(go))
		exit(1);
	swap_on(32);
	fflush(stdout);
	pid = fork();
	if (!pid)
		swapped_donor(fd, ready[1], go[0]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	if (!round)
		check(read_value(cgroup(GROUP, "memory.swap.current"), "") > 0,
		      "the donor is swapped out");
	pthread_create(&thread, NULL, swap_off_in_a_thread, NULL);
	/* At different moments of swapoff's work. */
	usleep(round * 5000);
	if (write(go[1], &byte, 1) != 1)
		exit(1);
	waitpid(pid, &status, 0);
	check_eq(status, 0, "it can donate under swapoff: %d", round);
	check_use(fd, "a donor under swapoff");
	pthread_join(thread, &off);
	check_eq((long)off, 0, "swapoff goes on");
	close(fd);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

static void eat_all(void)
{
	write_value("/proc/sys/vm/oom_dump_tasks", "0");
	enter_cgroup(GROUP);
	for (;;)
		memset(mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, MIB);
}

static int eats_after_donating(const void *arg)
{
	donate_or_die(*(const int *)arg);
	eat_all();
	return 0;
}

/* The reaper comes seconds after the donor is gone: never into a region. */
static void killed_by_oom(void)
{
	int fd = new_region();

	check_eq(in_child(eats_after_donating, &fd), 128 + SIGKILL,
		 "a donor falls to the OOM killer");
	check(eventually(is_mapped, &fd), "it goes");
	check_eq(map_a_page(fd), ENOMEM, "its region cannot be mapped into");
	check_eq(ioctl(fd, MSHAREFS_SEAL) ? errno : 0, ENOMEM, "nor sealed");
	close(fd);
	check(access(NEW, F_OK), "and is gone when it is closed");
}

/* As mshare-preload, killed before the seal. */
static int populates(const void *unused)
{
	int fd = new_region();

	(void)unused;
	if (donate(fd, REGION_START) || !eventually(is_mapped, &fd))
		return 1;
	eat_all();
	return 0;
}

static void tool_killed_by_oom(void)
{
	check_eq(in_child(populates, NULL), 128 + SIGKILL,
		 "a populating tool falls to the OOM killer");
	check(access(NEW, F_OK), "nothing of its region is left");
}

int main(void)
{
	setup_module();
	make_file(FILE_PATH, PAGES_PER_WINDOW);
	ways_to_leave();
	refused_donors();
	looked_at();
	make_cgroup(GROUP, "16M", "max");
	for (int round = 0; round < 4; round++)
		swapped(round);
	killed_by_oom();
	tool_killed_by_oom();
	remove_cgroup(GROUP);
	unlink(FILE_PATH);
	teardown_module();
	return report_status();
}
