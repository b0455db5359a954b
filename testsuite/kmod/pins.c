/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of a text that somebody holds: drivers that pin them, pipes, and looks
 * at another process's text.
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
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modules/mshare_test_pin.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4
#define PINS	8

static int pin(const char *at, bool longterm)
{
	struct pin_range range = { (uintptr_t)at, PINS, longterm };
	int fd = open(PIN_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, PIN_PAGES, &range)) {
		printf("pinning: %s\n", strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

/* Do the pinned pages have the content of these pages of the file? */
static bool pins_are(int fd, long first)
{
	char page[PAGE];

	for (unsigned int i = 0; i < PINS; i++) {
		struct pin_read read = { (uintptr_t)page, i, 0 };

		if (ioctl(fd, PIN_READ, &read) || page_number(page) != first + i)
			return false;
	}
	return true;
}

static char *attached_text(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	if (!verify(text, region) || windows_attached(region, 0) != WINDOWS)
		check(false, "all windows are attached before the test");
	return text;
}

/* For as long as it pleases: of a copy, or nobody else's page could move. */
static int pin_for_long(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region);
	int fd = pin(text + WINDOW, true);

	if (!check(fd >= 0, "a long-term pin of linked text ends"))
		return 1;
	check(pins_are(fd, PAGES_PER_WINDOW), "it has the content");
	check_eq(window_flags(region, 1),
		 MSHARE_WINDOW_MAPPED | MSHARE_WINDOW_PRIVATE,
		 "its window is private");
	check_eq(windows_attached(region, 0), WINDOWS - 1,
		 "the other windows are attached");
	check(verify(text, region), "and every page has its content");

	check_eq(madvise(text, region->size, MADV_DONTNEED), 0, "MADV_DONTNEED");
	check(pins_are(fd, PAGES_PER_WINDOW), "leaves what is pinned");
	check(verify(text, region), "and what is mapped has its content");
	munmap(text, region->size);
	check(pins_are(fd, PAGES_PER_WINDOW), "so does munmap");
	close(fd);
	return report_status();
}

/* As io for the time of a system call: of the shared page. */
static int pin_for_short(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region);
	int fd = pin(text + WINDOW, false);

	if (!check(fd >= 0, "linked text can be pinned"))
		return 1;
	check(pins_are(fd, PAGES_PER_WINDOW), "that has the content");
	check_eq(windows_attached(region, 0), WINDOWS,
		 "all windows are attached still");
	munmap(text, region->size);
	check(pins_are(fd, PAGES_PER_WINDOW), "also after munmap");
	/* Exit unpins. */
	return report_status();
}

static int pin_untouched(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	int fd = pin(text + 2 * WINDOW, true);

	check(fd >= 0 && pins_are(fd, 2 * PAGES_PER_WINDOW),
	      "text that nobody touched can be pinned for long");
	if (!fork())
		_exit(!verify(text, region));
	check_eq(wait(&fd) > 0 ? fd : -1, 0, "a child reads the text beside it");
	return report_status();
}

static void pins_and_the_file(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	int fd, file;
	char *text;

	make_region(&region, "pinned", WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	text = attached_text(&region);
	fd = pin(text + 3 * WINDOW, false);
	file = open(region.file, O_RDWR);
	check_eq(ftruncate(file, WINDOW), 0, "a file with pinned pages is truncated");
	check(pins_are(fd, 3 * PAGES_PER_WINDOW), "the pins have what was there");
	check(all_answer(sharers, READ_BYTE, text[0]) &&
	      all_answer(sharers, READ_BYTE + 3 * WINDOW, -SIGBUS),
	      "sharers get SIGBUS");
	close(fd);
	close(file);
	munmap(text, region.size);
	stop_sharers(sharers);
	check_eq(region_stat(&region).attached, 0, "nothing is attached at the end");
	drop_region(&region);
}

/* Pages on their way through pipes are not mappings: they stay as they were. */
static int through_pipes(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), page[PAGE];
	struct iovec range = { text + WINDOW, PINS * PAGE };
	int first[2], second[2];
	bool ok = true;

	if (pipe(first) || pipe(second))
		return 1;
	check_eq(vmsplice(first[1], &range, 1, SPLICE_F_GIFT), PINS * PAGE,
		 "vmsplice of linked text");
	check_eq(tee(first[0], second[1], PINS * PAGE, 0), PINS * PAGE, "tee");
	munmap(text, region->size);
	for (unsigned int i = 0; i < 2 * PINS; i++)
		ok &= read(i % 2 ? first[0] : second[0], page, PAGE) == PAGE &&
		      page_number(page) == (long)(PAGES_PER_WINDOW + i / 2);
	check(ok, "both pipes have the content");

	/* And into memory that was text. */
	text = attached_text(region);
	range.iov_base = text;
	if (write(first[1], "to be read", 10) != 10)
		return 1;
	check(read(first[0], text, 10) < 0 && errno == EFAULT,
	      "nothing can be read into text");
	check(verify(text, region), "the text is as it was");
	return report_status();
}

static void look_from_outside(void)
{
	static const int advices[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	static unsigned char present[WINDOWS * PAGES_PER_WINDOW];
	struct sharer sharers[SHARERS];
	struct test_region region;
	struct iovec range;
	int pidfd, absent = 0;
	char *text;

	make_region(&region, "looked-at", WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	text = attached_text(&region);
	range = (struct iovec){ text, region.size };
	pidfd = syscall(SYS_pidfd_open, sharers[0].pid, 0);
	for (unsigned int i = 0; i < 3; i++) {
		check_eq(syscall(SYS_process_madvise, pidfd, &range, 1UL,
				 advices[i], 0), region.size,
			 "process_madvise %d of a sharer's text", advices[i]);
		check(all_answer(sharers, VERIFY, 1) && verify(text, &region),
		      "every page has its content");
	}
	close(pidfd);
	check_eq(mincore(text, region.size, present), 0, "mincore");
	for (unsigned int i = 0; i < sizeof(present); i++)
		absent += !(present[i] & 1);
	check_eq(absent, 0, "says that all pages are there");
	munmap(text, region.size);
	stop_sharers(sharers);
	drop_region(&region);
}

int main(void)
{
	struct test_region region;

	setup_module();
	load_test_module("mshare_test_pin");
	make_region(&region, "pins", WINDOWS, MAP_POPULATE);
	check_eq(in_child(pin_for_long, &region), 0, "a long-term pin");
	check_eq(in_child(pin_for_short, &region), 0, "a pin");
	check_eq(in_child(pin_untouched, &region), 0, "a pin before a touch");
	check_eq(in_child(through_pipes, &region), 0, "pipes");
	check_eq(region_stat(&region).attached, 0, "nothing is attached by them");
	check_eq(region_stat(&region).sharers, 0, "no sharer is left");
	drop_region(&region);
	pins_and_the_file();
	look_from_outside();
	unload_test_module("mshare_test_pin");
	teardown_module();
	return report_status();
}
