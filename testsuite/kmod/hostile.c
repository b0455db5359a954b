/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ordinary user can do to a text that he shares with everybody: nothing
 * that anybody else notices, and nothing without bounds.  For a machine with
 * two nodes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

#include <linux/mempolicy.h>
#include <linux/mman.h>

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4
#define PAGES	(WINDOWS * PAGES_PER_WINDOW)
#define NOBODY	65534
#define GROUP	"mshare-hostile"
#define MIB	(1UL << 20)

struct scene {
	struct test_region region;
	struct sharer sharers[SHARERS];
	char *text;		/* of whoever looks or acts */
	int nodes[PAGES];	/* where its pages were at first */
};

static void become_nobody(void)
{
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		_exit(200);
}

static void look_at_nodes(const char *text, int *nodes)
{
	void *pages[PAGES];

	for (unsigned int i = 0; i < PAGES; i++)
		pages[i] = (char *)text + i * PAGE;
	if (syscall(SYS_move_pages, 0, (unsigned long)PAGES, pages, NULL, nodes, 0))
		memset(nodes, -1, PAGES * sizeof(*nodes));
}

/* The deeds return 0, or the errno they ended with. */
static int errno_of(long ret)
{
	return ret < 0 ? errno : 0;
}

static int advise(const struct scene *scene, int advice)
{
	return errno_of(madvise(scene->text, scene->region.size, advice));
}

/* Each page to the node where it is not. */
static int move_pages(const struct scene *scene, int flags)
{
	int to[PAGES], status[PAGES];
	void *pages[PAGES];

	for (unsigned int i = 0; i < PAGES; i++) {
		pages[i] = scene->text + i * PAGE;
		to[i] = scene->nodes[i] == 0;
	}
	return errno_of(syscall(SYS_move_pages, 0, (unsigned long)PAGES, pages,
				to, status, flags));
}

static int bind_to_node(const struct scene *scene, int flags)
{
	int err = 0;

	for (unsigned long node = 1; node <= 2 && !err; node++)
		err = errno_of(syscall(SYS_mbind, scene->text, scene->region.size,
				       MPOL_BIND, &node, 8UL, flags));
	return err == EIO ? 0 : err;
}

static int migrate(const struct scene *scene, int of_another)
{
	pid_t pid = of_another ? scene->sharers[0].pid : 0;
	unsigned long one = 1, two = 2;
	int err = errno_of(syscall(SYS_migrate_pages, pid, 8UL, &one, &two));

	return err ?: errno_of(syscall(SYS_migrate_pages, pid, 8UL, &two, &one));
}

static int move_pages_of_another(const struct scene *scene, int flags)
{
	void *page = scene->text;
	int to = scene->nodes[0] == 0, status;

	return errno_of(syscall(SYS_move_pages, scene->sharers[0].pid, 1UL, &page,
				&to, &status, flags));
}

static int advise_another(const struct scene *scene, int advice)
{
	int pidfd = syscall(SYS_pidfd_open, scene->sharers[0].pid, 0);
	struct iovec range = { scene->text, scene->region.size };
	int err = errno_of(syscall(SYS_process_madvise, pidfd, &range, 1UL,
				   advice, 0));

	close(pidfd);
	return err;
}

static int lock_and_unlock(const struct scene *scene, int unused)
{
	(void)unused;
	mlock(scene->text, WINDOW / 64);
	return errno_of(munlock(scene->text, scene->region.size));
}

static int sync_pages(const struct scene *scene, int flags)
{
	return errno_of(msync(scene->text, scene->region.size, flags));
}

static int forget_the_file(const struct scene *scene, int advice)
{
	int fd = open(scene->region.file, O_RDONLY);
	int err = posix_fadvise(fd, 0, 0, advice) ?:
		  posix_fadvise(scene->region.fd, 0, 0, advice);

	close(fd);
	return err;
}

static int clear_refs(const struct scene *scene, int what)
{
	char value[2] = { what };

	(void)scene;
	write_value("/proc/self/clear_refs", value);
	return 0;
}

static int write_a_page(const struct scene *scene, int unused)
{
	char *page = scene->text + 7 * PAGE;

	(void)unused;
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return errno;
	memset(page, 0x55, PAGE);
	return errno_of(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
}

static int read_another(const struct scene *scene, int unused)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { scene->text, 1 };

	(void)unused;
	return errno_of(process_vm_readv(scene->sharers[0].pid, &local, 1,
					 &remote, 1, 0));
}

static const struct deed {
	const char *name;
	int (*act)(const struct scene *scene, int arg);
	int arg, err;
} deeds[] = {
	{ "MADV_COLD", advise, MADV_COLD, 0 },
	{ "MADV_PAGEOUT", advise, MADV_PAGEOUT, 0 },
	{ "MADV_DONTNEED", advise, MADV_DONTNEED, 0 },
	{ "MADV_WILLNEED", advise, MADV_WILLNEED, 0 },
	{ "MADV_COLLAPSE", advise, MADV_COLLAPSE, EINVAL },
	{ "MADV_FREE", advise, MADV_FREE, EINVAL },
	{ "MADV_REMOVE", advise, MADV_REMOVE, EACCES },
	{ "MADV_HWPOISON", advise, MADV_HWPOISON, EPERM },
	{ "MADV_SOFT_OFFLINE", advise, MADV_SOFT_OFFLINE, EPERM },
	{ "mlock, munlock", lock_and_unlock, 0, 0 },
	{ "msync", sync_pages, MS_SYNC | MS_INVALIDATE, 0 },
	{ "fadvise DONTNEED", forget_the_file, POSIX_FADV_DONTNEED, 0 },
	{ "clear_refs 1", clear_refs, '1', 0 },
	{ "clear_refs 4", clear_refs, '4', 0 },
	{ "a write", write_a_page, 0, 0 },
	{ "move_pages", move_pages, MPOL_MF_MOVE, 0 },
	{ "move_pages of all", move_pages, MPOL_MF_MOVE_ALL, EPERM },
	{ "move_pages of another", move_pages_of_another, MPOL_MF_MOVE, EPERM },
	{ "mbind", bind_to_node, MPOL_MF_MOVE | MPOL_MF_STRICT, 0 },
	{ "mbind of all", bind_to_node, MPOL_MF_MOVE_ALL, EPERM },
	{ "migrate_pages", migrate, false, 0 },
	{ "migrate_pages of another", migrate, true, EPERM },
	{ "process_madvise", advise_another, MADV_PAGEOUT, EACCES },
	{ "process_vm_readv", read_another, 0, EPERM },
};

struct attempt {
	struct scene *scene;
	const struct deed *deed;
};

static int attempt(const void *arg)
{
	const struct attempt *attempt = arg;
	struct scene *scene = attempt->scene;
	int err;

	munmap(scene->text, scene->region.size);
	become_nobody();
	scene->text = map_text(&scene->region, NULL);
	if (!verify(scene->text, &scene->region) ||
	    windows_attached(&scene->region, 0) != WINDOWS)
		return 200;
	/* Twice: what was cold before is old now. */
	err = attempt->deed->act(scene, attempt->deed->arg);
	return attempt->deed->act(scene, attempt->deed->arg) ?: err;
}

/* The victims read everything and notice nothing. */
static void check_victims(struct scene *scene, const char *name)
{
	int nodes[PAGES];

	check(all_answer(scene->sharers, FAULTS, 0),
	      "%s: the others take no fault", name);
	check(all_answer(scene->sharers, ATTACHED, WINDOWS),
	      "%s: and stay attached", name);
	look_at_nodes(scene->text, nodes);
	check(!memcmp(nodes, scene->nodes, sizeof(nodes)),
	      "%s: each page is where it was", name);
}

static void deeds_of_nobody(struct scene *scene)
{
	make_region(&scene->region, "hostile", WINDOWS, MAP_POPULATE);
	start_sharers(scene->sharers, &scene->region);
	scene->text = map_text(&scene->region, NULL);
	check(verify(scene->text, &scene->region), "the text can be read");
	look_at_nodes(scene->text, scene->nodes);
	/* The first answer is code they never ran before. */
	all_answer(scene->sharers, FAULTS, 0);

	for (unsigned int i = 0; i < sizeof(deeds) / sizeof(*deeds); i++) {
		struct attempt arg = { scene, &deeds[i] };

		check_eq(in_child(attempt, &arg), deeds[i].err, "%s by nobody",
			 deeds[i].name);
		check_victims(scene, deeds[i].name);
	}
	check(all_answer(scene->sharers, VERIFY, 1), "all have their content");
	munmap(scene->text, scene->region.size);
	stop_sharers(scene->sharers);
	drop_region(&scene->region);
}

/* Text where it cannot be linked: every page read is a copy [inv 9]. */
static char *unlinkable_text(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	return mremap(text, region->size, region->size,
		      MREMAP_MAYMOVE | MREMAP_FIXED, text + 100 * WINDOW + PAGE);
}

static int copies_that_are_dropped(const void *arg)
{
	const struct test_region *region = arg;
	char *text;

	enter_cgroup(GROUP);
	become_nobody();
	text = unlinkable_text(region);
	for (int round = 0; round < 5; round++) {
		if (!verify(text, region) ||
		    madvise(text, region->size, MADV_DONTNEED))
			return 1;
	}
	return windows_attached(region, 0);
}

static int copies_that_are_kept(const void *arg)
{
	const struct test_region *region = arg;
	char *text[8];

	enter_cgroup(GROUP);
	become_nobody();
	for (int i = 0; i < 8; i++) {
		text[i] = unlinkable_text(region);
		mremap(text[i], region->size, region->size,
		       MREMAP_MAYMOVE | MREMAP_FIXED, text[i] + i * 8 * WINDOW);
		verify(text[i] + i * 8 * WINDOW, region);
	}
	return 0;
}

static void bounded_copies(void)
{
	struct test_region region;

	make_region(&region, "copied", WINDOWS, MAP_POPULATE);
	make_cgroup(GROUP, "14M", "0");
	write_value("/proc/sys/vm/oom_dump_tasks", "0");
	check_eq(in_child(copies_that_are_dropped, &region), 0,
		 "copies that are dropped do not add up");
	check_eq(read_value(cgroup(GROUP, "memory.events"), "oom_kill "), 0,
		 "nobody was killed for them");
	check_eq(in_child(copies_that_are_kept, &region), 128 + SIGKILL,
		 "copies that are kept are charged to who keeps them");
	check(read_value(cgroup(GROUP, "memory.events"), "oom_kill ") > 0,
	      "and end at his limit");
	drop_region(&region);
	remove_cgroup(GROUP);
}

static int attach_and_detach(const struct test_region *region)
{
	become_nobody();
	for (int round = 0; round < 8; round++) {
		char *text = map_text(region, NULL);

		for (int i = 0; i < WINDOWS; i++)
			if (page_number(text + i * WINDOW) !=
			    (long)(i * PAGES_PER_WINDOW))
				return 1;
		munmap(text, region->size);
	}
	return 0;
}

static void many_attach_and_detach(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	int status, bad = 0;

	make_region(&region, "loops", WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	fflush(stdout);
	for (int i = 0; i < 64; i++)
		if (!fork())
			_exit(attach_and_detach(&region));
	for (int i = 0; i < 64; i++) {
		bad += wait(&status) < 0 || status;
		if (i % 16 == 0)
			check(all_answer(sharers, VERIFY, 1),
			      "victims read on while %d attach and detach", 64 - i);
	}
	check_eq(bad, 0, "64 loops of nobody end, and read what they should");
	check_eq(region_stat(&region).attached, SHARERS * WINDOWS,
		 "only the victims are attached");
	stop_sharers(sharers);
	drop_region(&region);
}

int main(void)
{
	static struct scene scene;
	char balancing[16];

	setup_module();
	if (access("/sys/devices/system/node/node1", F_OK)) {
		unsupported("two nodes: this machine has one");
	}
	/* Hints on the victims' own memory would count as faults. */
	snprintf(balancing, sizeof(balancing), "%ld",
		 read_value("/proc/sys/kernel/numa_balancing", ""));
	write_value("/proc/sys/kernel/numa_balancing", "0");
	deeds_of_nobody(&scene);
	write_value("/proc/sys/kernel/numa_balancing", balancing);
	bounded_copies();
	many_attach_and_detach();
	teardown_module();
	return report_status();
}
