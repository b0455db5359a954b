/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharers that give advice on their text, or have userfaultfd watch it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "same.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
/* Newer than Debian 12's headers. */
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC	(1 << 15)
#endif

#define WINDOW_PAGES	PAGES_PER_WINDOW

/* All of it, a part in the middle, and more than there is. */
static void advise(struct trial *trial, long advice)
{
	result(trial, madvise(page_at(trial, 1, 5), 3 * PAGE, advice));
	result(trial, madvise(trial->text, trial->region->size, advice));
	result(trial, madvise(page_at(trial, 3, 0), 2 * WINDOW, advice));
	result(trial, madvise(trial->text + 1, PAGE, advice));
}

static void advise_all(struct trial *trial, long advice)
{
	result(trial, madvise(trial->text, trial->region->size, advice));
}

/* Only the part: a window that lies in several VMAs. */
static void advise_part(struct trial *trial, long advice)
{
	result(trial, madvise(page_at(trial, 1, 5), 3 * PAGE, advice));
}

static void write_page(struct trial *trial, char *page)
{
	result(trial, mprotect(page, PAGE, PROT_READ | PROT_WRITE));
	memset(page, 0x55, PAGE);
}

static void advise_written(struct trial *trial, long advice)
{
	write_page(trial, page_at(trial, 1, 6));
	advise(trial, advice);
}

/* Before the pages are touched, which the caller has done. */
static void advise_untouched(struct trial *trial, long advice)
{
	result(trial, (long)map_again(trial, trial->text));
	advise(trial, advice);
}

static void advise_from_outside(struct trial *trial, long advice)
{
	struct iovec pieces[2] = {
		{ trial->text, trial->region->size },
		{ page_at(trial, 2, 1), PAGE },
	};
	pid_t parent = getpid(), child = fork();
	int status;

	if (!child) {
		int pidfd = syscall(SYS_pidfd_open, parent, 0);
		long got = syscall(SYS_process_madvise, pidfd, pieces, 2, advice, 0);

		_exit(got == (long)trial->region->size + (long)PAGE ? 0 : errno);
	}
	result(trial, waitpid(child, &status, 0) == child);
	result(trial, status);
}

/* What a child finds, and whether the parent keeps it. */
static void fork_after(struct trial *trial, long advice)
{
	char *page = page_at(trial, 1, 6);
	int status;
	pid_t child;

	write_page(trial, page);
	result(trial, madvise(page, 4 * PAGE, advice));
	child = fork();
	if (!child) {
		int sig = touch_signal(page, false);

		if (touch_signal(trial->text, false))
			_exit(1);
		_exit(sig ? sig : page[0]);
	}
	result(trial, waitpid(child, &status, 0) == child);
	result(trial, status);
}

static int uffd_open(struct trial *trial, long features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	result(trial, fd < 0 ? fd : 0);
	result(trial, ioctl(fd, UFFDIO_API, &api));
	return fd;
}

static void uffd_register(struct trial *trial, long mode)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)trial->text, trial->region->size },
		.mode = mode,
	};
	int fd = uffd_open(trial, 0);

	result(trial, ioctl(fd, UFFDIO_REGISTER, &reg));
	close(fd);
}

/* Written pages are to be noted, not waited for: works on all memory. */
static void uffd_note_writes(struct trial *trial, long pages)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)page_at(trial, 1, 0), pages * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_writeprotect protect = {
		.range = reg.range, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	int fd = uffd_open(trial, UFFD_FEATURE_WP_ASYNC);

	result(trial, ioctl(fd, UFFDIO_REGISTER, &reg));
	result(trial, ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
	add_content(trial, page_at(trial, 1, 0), PAGE);
	write_page(trial, page_at(trial, 1, 6));
	result(trial, ioctl(fd, UFFDIO_UNREGISTER, &reg.range));
	close(fd);
}

#define OUTSIDE(name, advice)	{ "process_madvise " name, advise_from_outside, 4, 0, advice }

static const struct operation operations[] = {
	{ "MADV_NORMAL", advise, 4, 0, MADV_NORMAL },
	{ "MADV_RANDOM", advise, 4, 0, MADV_RANDOM },
	{ "MADV_RANDOM of a part", advise_part, 4, 0, MADV_RANDOM },
	{ "MADV_SEQUENTIAL", advise, 4, 0, MADV_SEQUENTIAL },
	{ "MADV_WILLNEED", advise, 4, 0, MADV_WILLNEED },
	{ "MADV_DONTNEED", advise, 4, 0, MADV_DONTNEED },
	{ "MADV_DONTNEED of a part", advise_part, 4, 0, MADV_DONTNEED },
	{ "MADV_DONTNEED of what was written", advise_written, 3, 1, MADV_DONTNEED },
	{ "MADV_DONTNEED_LOCKED", advise, 4, 0, MADV_DONTNEED_LOCKED },
	{ "MADV_FREE", advise, 4, 0, MADV_FREE },
	{ "MADV_FREE of what was written", advise_written, 3, 1, MADV_FREE },
	{ "MADV_REMOVE", advise, 4, 0, MADV_REMOVE },
	{ "MADV_COLD", advise, 4, 0, MADV_COLD },
	{ "MADV_COLD of what was written", advise_written, 3, 1, MADV_COLD },
	{ "MADV_PAGEOUT", advise, 4, 0, MADV_PAGEOUT },
	{ "MADV_PAGEOUT of what was written", advise_written, 3, 1, MADV_PAGEOUT },
	{ "MADV_POPULATE_READ", advise, 4, 0, MADV_POPULATE_READ },
	{ "MADV_POPULATE_READ, untouched", advise_untouched, 4, 0, MADV_POPULATE_READ },
	{ "MADV_POPULATE_READ of what was written", advise_written, 3, 1,
	  MADV_POPULATE_READ },
	{ "MADV_POPULATE_WRITE", advise, 4, 0, MADV_POPULATE_WRITE },
	{ "MADV_POPULATE_WRITE of what was written", advise_written, 3, 1,
	  MADV_POPULATE_WRITE },
	{ "MADV_MERGEABLE", advise, 4, 0, MADV_MERGEABLE },
	{ "MADV_UNMERGEABLE", advise, 4, 0, MADV_UNMERGEABLE },
	{ "MADV_HUGEPAGE", advise, 4, 0, MADV_HUGEPAGE },
	{ "MADV_HUGEPAGE, untouched", advise_untouched, 4, 0, MADV_HUGEPAGE },
	{ "MADV_NOHUGEPAGE", advise, 4, 0, MADV_NOHUGEPAGE },
	{ "MADV_NOHUGEPAGE, untouched", advise_untouched, 4, 0, MADV_NOHUGEPAGE },
	{ "MADV_DONTDUMP", advise, 4, 0, MADV_DONTDUMP },
	{ "MADV_DOFORK", advise, 4, 0, MADV_DOFORK },
	{ "MADV_WIPEONFORK", advise, 4, 0, MADV_WIPEONFORK },
	{ "MADV_KEEPONFORK", advise, 4, 0, MADV_KEEPONFORK },
	{ "unknown advice", advise_all, 4, 0, 1000 },

	{ "MADV_DONTFORK and fork", fork_after, 3, 1, MADV_DONTFORK },
	{ "MADV_WIPEONFORK and fork", fork_after, 3, 1, MADV_WIPEONFORK },
	{ "MADV_NORMAL and fork", fork_after, 3, 1, MADV_NORMAL },

	OUTSIDE("MADV_COLD", MADV_COLD),
	OUTSIDE("MADV_PAGEOUT", MADV_PAGEOUT),
	OUTSIDE("MADV_WILLNEED", MADV_WILLNEED),
	OUTSIDE("MADV_DONTNEED", MADV_DONTNEED),

	{ "userfaultfd for missing pages", uffd_register, 4, 0,
	  UFFDIO_REGISTER_MODE_MISSING },
	{ "userfaultfd for writes", uffd_register, 4, 0, UFFDIO_REGISTER_MODE_WP },
	{ "userfaultfd for minor faults", uffd_register, 4, 0,
	  UFFDIO_REGISTER_MODE_MINOR },
	{ "userfaultfd to note writes to a part", uffd_note_writes, 3, 1, 16 },
	{ "userfaultfd to note writes to windows", uffd_note_writes, 2, 2,
	  2 * WINDOW_PAGES },
};

/* What a sharer gets that is not what a private mapping gives. */
static int differences(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	check(verify(text, region), "all pages have their content");
	check(madvise(text, WINDOW, MADV_DODUMP) && errno == EINVAL,
	      "MADV_DODUMP is refused");
	check(madvise(text, WINDOW, MADV_COLLAPSE) && errno == EINVAL,
	      "MADV_COLLAPSE is refused");
	check_eq(windows_attached(region, 0), SAME_WINDOWS,
		 "none of it ends the sharing");
	return report_status();
}

static const struct also also[] = {
	{ "what is different", differences },
	{ 0 }
};

int main(void)
{
	return same_program("same-advice", operations,
			    sizeof(operations) / sizeof(operations[0]), also);
}
