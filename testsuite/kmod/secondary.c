/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * [inv 12] Secondary MMUs (KVM, SVA, ODP, HMM) in a sharer: refused where they
 * are there first, and told before a page is freed where they come later.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/mshare_test_notifier.h"
#include "region.h"
#include "report.h"

#define WINDOWS		4
#define TRIES		1000	/* of 10 ms */
#define FILE_PATH	"/tmp/mshare-told"

static const char *const kinds[] = {
	[NOTIFIER_RANGE] = "as KVM",
	[NOTIFIER_FLUSH] = "as SVA",
	[NOTIFIER_INTERVAL] = "as HMM",
};

/* A secondary MMU that listens to this process. */
static int listen_to(const char *text, const struct test_region *region,
		     enum notifier_kind kind)
{
	struct notifier_register how = {
		.kind = kind, .start = (uintptr_t)text, .size = region->size,
	};
	int fd = open(NOTIFIER_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, NOTIFIER_REGISTER, &how)) {
		check(false, "a secondary MMU can be registered: %s",
		      strerror(errno));
		exit(1);
	}
	return fd;
}

static void keep(int fd, const char *page)
{
	__u64 address = (uintptr_t)page;

	if (ioctl(fd, NOTIFIER_KEEP, &address)) {
		check(false, "its page can be got: %s", strerror(errno));
		exit(1);
	}
}

static struct notifier_stat notifier_stat(int fd)
{
	struct notifier_stat stat = {};

	if (ioctl(fd, NOTIFIER_STAT, &stat))
		exit(1);
	return stat;
}

/* The page may go at any time: it has to be there until the MMU was told. */
static bool told_in_time(int fd)
{
	struct notifier_stat stat;

	for (int tries = 0; tries < TRIES; tries++) {
		stat = notifier_stat(fd);
		if (stat.told || stat.lost)
			break;
		usleep(10000);
	}
	if (stat.told == 1 && !stat.freed && !stat.lost)
		return true;
	printf("told %llu, freed %llu, lost %llu\n",
	       (unsigned long long)stat.told, (unsigned long long)stat.freed,
	       (unsigned long long)stat.lost);
	return false;
}

static void punch(const struct test_region *region)
{
	int fd = open(region->file, O_WRONLY);

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, WINDOW,
		      PAGE))
		exit(1);
	close(fd);
}

static void shorten(const struct test_region *region)
{
	if (truncate(region->file, WINDOW))
		exit(1);
}

/* The kernel gives up at the first page that is held: once for each. */
static bool make_huge(void *page)
{
	for (unsigned int tries = 0; tries < 4 * PAGES_PER_WINDOW; tries++) {
		if (!madvise(page, WINDOW, MADV_COLLAPSE))
			return true;
		if (errno != EAGAIN)
			break;
		usleep(1000);
	}
	return false;
}

/* The host loses the page of PTEs, too, without any change of its mappings. */
static void collapse(const struct test_region *region)
{
	int fd = open(region->file, O_RDONLY);
	char *mine = mmap((char *)REGION_START - 64 * WINDOW, WINDOW, PROT_READ,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, fd, WINDOW);

	check(page_number(mine) == PAGES_PER_WINDOW && make_huge(mine),
	      "the file's pages can be made a huge one");
	munmap(mine, WINDOW);
	close(fd);
}

/*
 * What takes the link back before the host changes.  The core announces a VMA
 * that is split in the middle of a window as a change of all of it.
 */
static void nothing(char *text)
{
	(void)text;
}

static void split(char *text)
{
	munmap(text + WINDOW + WINDOW / 2, WINDOW / 2);
}

static void write_at(const char *page)
{
	int fd = open("/proc/self/mem", O_RDWR);

	if (pwrite(fd, "x", 1, (off_t)(uintptr_t)page) != 1)
		exit(1);
	close(fd);
}

static void write_beside(char *text)
{
	write_at(text + WINDOW + 8 * PAGE);
}

static void protect_beside(char *text)
{
	if (mprotect(text + WINDOW + 8 * PAGE, PAGE, PROT_NONE))
		exit(1);
}

struct story {
	const char *what;
	void (*before)(char *text);
	void (*change)(const struct test_region *region);
};

static const struct story stories[] = {
	{ "a hole is punched", nothing, punch },
	{ "the file is truncated", nothing, shorten },
	{ "half of the window is unmapped, then truncated", split, shorten },
	{ "a page beside it is written, then truncated", write_beside, shorten },
	{ "a page beside it is protected, then truncated", protect_beside,
	  shorten },
	{ "all of it becomes a huge page", nothing, collapse },
};

/**
 * struct telling - a story for one kind of secondary MMU
 */
struct telling {
	const struct story *story;
	enum notifier_kind kind;
};

/* In a process of its own, which has a secondary MMU to its end. */
static int tell(const void *arg)
{
	const struct telling *telling = arg;
	const struct story *story = telling->story;
	enum notifier_kind kind = telling->kind;
	struct test_region region;
	bool ok, attached;
	char *text;
	int fd;

	/* On a tmpfs, whose files can be of huge pages. */
	make_file(FILE_PATH, WINDOWS * PAGES_PER_WINDOW);
	make_region_of(&region, "told", FILE_PATH, WINDOWS, MAP_POPULATE);
	text = map_text(&region, NULL);
	ok = verify(text, &region);
	attached = windows_attached(&region, 0) == WINDOWS;
	fd = listen_to(text, &region, kind);
	keep(fd, text + WINDOW);
	story->before(text);
	check(ok && attached, "%s: it has the page of a linked window",
	      kinds[kind]);
	/* What reads the process's own tables is told of the whole window. */
	if (story->before == write_beside)
		check_eq((int)notifier_stat(fd).told, kind == NOTIFIER_FLUSH,
			 "%s: what was told when the link has gone", kinds[kind]);
	story->change(&region);
	check(told_in_time(fd), "%s, %s: told before the page is freed",
	      kinds[kind], story->what);
	check(page_number(text) == 0, "and the process reads on");
	drop_region(&region);
	return report_status();
}

/*
 * A link that goes without a word of the core's: a page is written that the host
 * does not have.  What walks the process's own tables must not go on by it.
 */
static int write_absent(const void *unused)
{
	struct test_region region;
	char *text;
	int fd;

	(void)unused;
	make_region(&region, "absent", WINDOWS, 0);
	text = map_text(&region, NULL);
	check(page_number(text + WINDOW) == PAGES_PER_WINDOW &&
	      windows_attached(&region, 0) == 1, "one window is linked");
	fd = listen_to(text, &region, NOTIFIER_FLUSH);
	keep(fd, text + WINDOW);
	write_at(text + WINDOW + WINDOW / 2);
	check_eq(windows_attached(&region, 0), 0, "and becomes private");
	check_eq((int)notifier_stat(fd).told, 1,
		 "%s: told when the link has gone", kinds[NOTIFIER_FLUSH]);
	drop_region(&region);
	return report_status();
}

static void come_first(void)
{
	struct mshare_stat before, after;
	struct test_region region;
	char *text;
	int fd;

	make_region(&region, "first", WINDOWS, MAP_POPULATE);
	fd = listen_to(NULL, &region, NOTIFIER_RANGE);
	before = region_stat(&region);
	text = map_text(&region, NULL);
	check(text == MAP_FAILED && errno == EAGAIN,
	      "a process with a secondary MMU is refused");
	after = region_stat(&region);
	check_eq((int)(after.counters[MSHARE_REFUSALS_FOREIGN] -
		       before.counters[MSHARE_REFUSALS_FOREIGN]), 1,
		 "and counted");
	close(fd);
	text = map_text(&region, NULL);
	check(text != MAP_FAILED && verify(text, &region),
	      "without it, it is a sharer");
	check_eq(windows_attached(&region, 0), WINDOWS, "with all windows");
	munmap(text, region.size);
	drop_region(&region);
}

/* Between mmap and the first touch. */
static void come_between(enum notifier_kind kind)
{
	struct test_region region;
	char *text;
	int fd;

	make_region(&region, "between", WINDOWS, MAP_POPULATE);
	text = map_text(&region, NULL);
	fd = listen_to(text + WINDOW, &region, kind);
	check(verify(text, &region), "%s, registered before the first touch: all is read",
	      kinds[kind]);
	check_eq((int)region_stat(&region).counters[MSHARE_PRIVATE_FOREIGN],
		 kind == NOTIFIER_INTERVAL ? WINDOWS - 1 : WINDOWS,
		 "by pages of its own");
	check_eq(windows_attached(&region, 0),
		 kind == NOTIFIER_INTERVAL ? 1 : 0,
		 "linked is only what it does not listen to");
	close(fd);
	munmap(text, region.size);
	drop_region(&region);
}

int main(void)
{
	setup_module();
	load_test_module("mshare_test_notifier");
	come_first();
	for (enum notifier_kind kind = 0; kind <= NOTIFIER_INTERVAL; kind++) {
		come_between(kind);
		for (size_t i = 0; i < sizeof(stories) / sizeof(*stories); i++)
			check_eq(in_child(tell, &(struct telling){
					&stories[i], kind }), 0,
				 "%s: %s", kinds[kind], stories[i].what);
	}
	check_eq(in_child(write_absent, NULL), 0, "a page the host does not have");
	unload_test_module("mshare_test_notifier");
	teardown_module();
	return report_status();
}
