/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a sharer does to its own range changes its own range only, and works as
 * on a private mapping of the file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	8

static char *attached_text(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	if (!verify(text, region) || windows_attached(region, 0) != WINDOWS)
		check(false, "all windows are attached before the test");
	return text;
}

/* Nothing of it reached the host's pages, the file or the other process. */
static void check_others(const struct test_region *region)
{
	char page[PAGE];
	int fd = open(region->file, O_RDONLY);

	if (pread(fd, page, PAGE, 3 * WINDOW) != (ssize_t)PAGE)
		exit(1);
	close(fd);
	check_eq(page_number(page), 3 * PAGES_PER_WINDOW, "the file is unchanged");
}

static int write_a_page(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), *page = text + 3 * WINDOW;

	check_eq(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0,
		 "one page can be made writable");
	memset(page, 0x55, PAGE);
	check(page[0] == 0x55 && page[PAGE - 1] == 0x55, "and written");
	check_eq(page_number(page + PAGE), 3 * PAGES_PER_WINDOW + 1,
		 "its neighbour has its content");
	check_eq(window_flags(region, 3),
		 MSHARE_WINDOW_MAPPED | MSHARE_WINDOW_PRIVATE,
		 "its window is private");
	check_eq(windows_attached(region, 0), WINDOWS - 1,
		 "the other windows are attached");
	check_others(region);
	check_eq(mprotect(page, PAGE, PROT_READ | PROT_EXEC), 0,
		 "protection can be put back");
	check(page[0] == 0x55, "what was written stays");
	check_eq(window_flags(region, 3),
		 MSHARE_WINDOW_MAPPED | MSHARE_WINDOW_PRIVATE,
		 "its window stays private");
	return report_status();
}

/*
 * In a GiB where nothing was touched, and a VMA of its own before the process
 * becomes a sharer: neither a notifier nor a split speaks of it.
 */
static int forbid_a_page(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, (char *)((REGION_START & -(1UL << 30)) -
					       4 * WINDOW));

	if (!check(text != MAP_FAILED, "the text lies in two GiB"))
		return 1;
	check_eq(madvise(text + 5 * WINDOW, PAGE, MADV_DONTFORK), 0,
		 "a page of the second gets its own VMA");
	check_eq(page_number(text), 0, "the first can be read");
	check_eq(mprotect(text + 5 * WINDOW, PAGE, PROT_NONE), 0,
		 "that page can be forbidden");
	check_eq(page_number(text + 5 * WINDOW + PAGE),
		 5 * PAGES_PER_WINDOW + 1, "its neighbour can be read");
	check_eq(touch_signal(text + 5 * WINDOW, false), SIGSEGV,
		 "the forbidden page cannot");
	return report_status();
}

/* The same while the process is no sharer yet: there is nobody to tell. */
static int forbid_untouched(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	check_eq(mprotect(text + WINDOW, PAGE, PROT_NONE), 0,
		 "a page of an untouched window can be forbidden");
	check_eq(page_number(text + WINDOW + PAGE), PAGES_PER_WINDOW + 1,
		 "then its neighbour can be read");
	check_eq(touch_signal(text + WINDOW, false), SIGSEGV,
		 "the forbidden page cannot [inv 7]");
	return report_status();
}

/* Though nothing of it was touched meanwhile, and it has no tables. */
static int forbid_and_allow(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region);

	check_eq(mprotect(text + 3 * WINDOW, WINDOW, PROT_NONE), 0,
		 "a window can be forbidden");
	check_eq(mprotect(text + 3 * WINDOW, WINDOW, PROT_READ | PROT_EXEC), 0,
		 "and allowed again");
	check(verify(text, region), "every page has its content");
	check_eq(windows_attached(region, 0), WINDOWS - 1,
		 "but it stays private [inv 6]");
	return report_status();
}

static int unmap_parts(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), *hole = text + 2 * WINDOW + 5 * PAGE;
	char *anon;

	check_eq(munmap(hole, 3 * PAGE), 0, "pages can be unmapped");
	check_eq(touch_signal(hole, false), SIGSEGV, "the hole is one");
	check_eq(page_number(hole - PAGE), 2 * PAGES_PER_WINDOW + 4,
		 "the page before has its content");
	anon = mmap(hole, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(!anon[0] && !anon[PAGE - 1], "new memory in the hole is empty");
	memset(anon, 0x77, PAGE);
	check_eq(page_number(hole + 3 * PAGE), 2 * PAGES_PER_WINDOW + 8,
		 "the page behind has its content");
	check(anon[0] == 0x77, "foreign memory in the hole is foreign");
	check_eq(windows_attached(region, 0), WINDOWS - 1,
		 "the other windows are attached");

	anon = mmap(text + 6 * WINDOW, WINDOW, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(anon, 0x66, WINDOW);
	check(anon[0] == 0x66, "a window can be mapped over");
	check_eq(windows_attached(region, 0), WINDOWS - 2, "and is attached no more");
	check_eq(page_number(text + 7 * WINDOW), 7 * PAGES_PER_WINDOW,
		 "its neighbour has its content");
	return report_status();
}

static int drop_and_read(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region);

	check_eq(madvise(text, region->size, MADV_DONTNEED), 0, "MADV_DONTNEED");
	check(verify(text, region), "every page has its content again");
	check_eq(windows_attached(region, 0), WINDOWS, "all windows are attached again");
	return report_status();
}

static int move(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), *to;

	to = mremap(text, region->size, region->size,
		    MREMAP_MAYMOVE | MREMAP_FIXED, text + 100 * WINDOW);
	check(to == text + 100 * WINDOW, "the text can be moved");
	check(verify(to, region), "every page has its content there");
	check_eq(touch_signal(text, false), SIGSEGV, "the old place is empty");
	check_eq(windows_attached(region, 0), WINDOWS, "all windows are attached there");

	text = mremap(to, region->size, region->size,
		      MREMAP_MAYMOVE | MREMAP_FIXED, to + 100 * WINDOW + PAGE);
	check(text != MAP_FAILED && verify(text, region),
	      "moved to where no window fits it is read privately");
	check_eq(windows_attached(region, 0), 0, "and not attached");
	check(mremap(text, region->size, region->size + PAGE, MREMAP_MAYMOVE) ==
	      MAP_FAILED, "it cannot grow");
	return report_status();
}

static int write_through_proc(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), *page = text + 3 * WINDOW + 7 * PAGE;
	int fd = open("/proc/self/mem", O_RDWR);
	char byte = 0x33;

	check_eq(pwrite(fd, &byte, 1, (off_t)(page + 99)), 1,
		 "/proc/self/mem writes");
	check(page[99] == 0x33, "it is seen");
	check_eq(window_flags(region, 3),
		 MSHARE_WINDOW_MAPPED | MSHARE_WINDOW_PRIVATE,
		 "its window is private");
	check(verify(text, region) == false, "in this process only");
	check_others(region);
	close(fd);
	return report_status();
}

/* Its table was copied, before the child is a sharer and when it is one. */
static int inherit_private_page(const void *arg)
{
	const struct test_region *region = arg;
	char *text = (char *)REGION_START + TEXT_OFFSET, *page = text + 3 * WINDOW;
	const int private = MSHARE_WINDOW_MAPPED | MSHARE_WINDOW_PRIVATE;

	check_eq(window_flags(region, 3), private,
		 "the window of a copied page is private");
	check_eq(page_number(text + 4 * WINDOW), 4 * PAGES_PER_WINDOW,
		 "a child reads another window");
	check_eq(windows_attached(region, 0), 1, "and attaches it");
	check_eq(window_flags(region, 3), private,
		 "that of the copied page is still private");
	check_eq(page[5], 0x11, "it has what the parent wrote");
	page[5] = 0x22;
	return report_status();
}

static int fork_with_private_pages(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), *page = text + 3 * WINDOW;

	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	page[5] = 0x11;
	check_eq(in_child(inherit_private_page, region), 0,
		 "a child has its parent's private page");
	check(page[5] == 0x11, "and does not write the parent's");
	check_eq(page_number(page + WINDOW), 4 * PAGES_PER_WINDOW,
		 "the parent reads on");
	check_eq(windows_attached(region, 0) >= 1, 1, "the parent attaches again");
	return report_status();
}

static int read_written(const void *arg)
{
	const struct test_region *region = arg;
	char *text = (char *)REGION_START + TEXT_OFFSET;

	return text[3 * WINDOW + 9] == 0x44 &&
	       page_number(text + 4 * WINDOW) == 4 * PAGES_PER_WINDOW &&
	       windows_attached(region, 0) == 1 ? 0 : 1;
}

/* A write that splits nothing: fork copies from all of the text's tables. */
static int fork_after_a_forced_write(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region), byte = 0x44;
	int fd = open("/proc/self/mem", O_RDWR);

	check_eq(pwrite(fd, &byte, 1, (off_t)(text + 3 * WINDOW + 9)), 1,
		 "/proc/self/mem writes before a fork");
	check_eq(in_child(read_written, region), 0,
		 "the child has that page, and links of its own [inv 3]");
	check_eq(page_number(text + 4 * WINDOW), 4 * PAGES_PER_WINDOW,
		 "its parent reads on");
	close(fd);
	return report_status();
}

/* As a debugger does: a breakpoint in the child, seen by it alone. */
static int poke(const void *arg)
{
	const struct test_region *region = arg;
	char *text = attached_text(region);
	int status;
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME);
		raise(SIGSTOP);
		_exit(verify(text, region) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	errno = 0;
	check(ptrace(PTRACE_PEEKTEXT, pid, text + 3 * WINDOW, 0) ==
	      *(long *)(text + 3 * WINDOW) && !errno, "ptrace peeks");
	check_eq(ptrace(PTRACE_POKETEXT, pid, text + 3 * WINDOW, 0xccL), 0,
		 "ptrace pokes");
	ptrace(PTRACE_CONT, pid, 0, 0);
	waitpid(pid, &status, 0);
	check_eq(status, 0, "the child sees it");
	check(verify(text, region), "its parent does not");
	check_eq(windows_attached(region, 0), WINDOWS,
		 "all of the parent's windows are attached");
	check_others(region);
	return report_status();
}

static int read_of_another(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL), page[PAGE];
	struct iovec local = { page, PAGE };
	struct iovec remote = { text + 2 * WINDOW, PAGE };
	int go[2];
	pid_t pid;

	if (pipe(go))
		return 1;
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(read(go[0], page, 1));
	}
	check_eq(process_vm_readv(pid, &local, 1, &remote, 1, 0), PAGE,
		 "process_vm_readv of a window nobody touched");
	check_eq(page_number(page), 2 * PAGES_PER_WINDOW, "gives its content");
	close(go[1]);
	waitpid(pid, NULL, 0);
	return report_status();
}

/* Pads make the rest of a window belong to the region. */
static int use_pads(const void *arg)
{
	const struct test_region *region = arg;
	char *start = (char *)REGION_START;
	char *pad = mmap(start, TEXT_OFFSET + region->size, PROT_NONE,
			 MAP_PRIVATE | MAP_FIXED_NOREPLACE, region->fd, 0);
	char *text;

	check(pad == start, "a pad claims the windows");
	check_eq(touch_signal(pad, false), SIGSEGV, "touching it is SIGSEGV");
	text = mmap(start + TEXT_OFFSET, region->size, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED, region->fd, TEXT_OFFSET);
	check(verify(text, region), "the text goes over it");
	check_eq(windows_attached(region, 0), WINDOWS, "all windows are attached");
	check_eq(munmap(pad, TEXT_OFFSET + region->size), 0,
		 "both can be unmapped in one");
	return report_status();
}

/*
 * A write through /proc/PID/mem, whose fault may not be tried again, to a page
 * the host does not have, in a VMA that was split off before the process
 * became a sharer, while its window is attached: it must not get into the
 * host's table.
 */
static int write_beside_a_link(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL), byte = 'E';
	int fd = open("/proc/self/mem", O_RDWR);

	madvise(text + WINDOW / 2, WINDOW / 2, MADV_RANDOM);
	check_eq(page_number(text), 0, "a window of two VMAs can be read");
	check_eq(windows_attached(region, 0), 1, "and is attached");
	check_eq(pwrite(fd, &byte, 1, (off_t)(text + WINDOW / 2)), 1,
		 "the VMA that was split off is written");
	check(text[WINDOW / 2] == 'E', "the writer sees it");
	close(fd);
	return report_status();
}

static int read_beside_a_link(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);

	return page_number(text + WINDOW / 2) == PAGES_PER_WINDOW / 2 ? 0 : 1;
}

/* What a catalog mapping could be grown to would be memory nobody frees. */
static int grow_catalog(const void *arg)
{
	const struct test_region *region = arg;
	char *catalog = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, region->fd,
			     MSHARE_CATALOG_OFFSET);

	check(catalog != MAP_FAILED, "the catalog can be mapped");
	check(mremap(catalog, PAGE, 4 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED,
	      "and cannot grow");
	return report_status();
}

static long free_kb(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "MemFree: %ld", &kb);
	if (file)
		fclose(file);
	return kb;
}

/* Private pages that are dropped are nobody's, not even the module's. */
static int bounded_memory(const void *arg)
{
	enum { PAGES = 10000 };
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	long before;

	mprotect(text, PAGE, PROT_READ | PROT_WRITE);
	(void)*(volatile char *)(text + PAGE);
	before = free_kb();
	for (int i = 0; i < PAGES; i++) {
		(void)*(volatile char *)(text + PAGE);
		madvise(text, WINDOW, MADV_DONTNEED);
	}
	check(region_stat(region).counters[MSHARE_FAULTS_PRIVATE] >= PAGES,
	      "%d private pages were given", PAGES);
	printf("free memory: %ld kB before, %ld kB after\n", before, free_kb());
	check(before - free_kb() < (long)(PAGES * PAGE / 1024 / 2),
	      "and were given back");
	return report_status();
}

static int refused_maps(const void *arg)
{
	const struct test_region *region = arg;
	char *start = (char *)REGION_START + TEXT_OFFSET;

#define refused(addr, size, prot, flags, offset, err, what)		\
	check(mmap(addr, size, prot, flags, region->fd, offset) ==	\
	      MAP_FAILED && errno == (err), what)
	refused(start, region->size, PROT_READ | PROT_EXEC,
		MAP_SHARED | MAP_FIXED, TEXT_OFFSET, EACCES, "MAP_SHARED is refused");
	refused(start, region->size, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, TEXT_OFFSET, EACCES, "writing is refused");
	refused(start, region->size - PAGE, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, TEXT_OFFSET, EINVAL, "a part is refused");
	refused(start, region->size, PROT_READ, MAP_PRIVATE | MAP_FIXED,
		TEXT_OFFSET, EINVAL, "r-- is refused");
	refused(start + PAGE, region->size, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, TEXT_OFFSET, EINVAL,
		"an address that is not congruent is refused");
	refused(start, region->size, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, 0, EINVAL, "the first window is refused");
	refused(start, region->size + WINDOW, PROT_NONE, MAP_PRIVATE | MAP_FIXED,
		TEXT_OFFSET, EINVAL, "a pad beyond the end is refused");
	mlockall(MCL_FUTURE);
	refused(start, region->size, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, TEXT_OFFSET, EAGAIN,
		"a process that locks its memory is refused");
	munlockall();
	return report_status();
}

int main(void)
{
	struct test_region region;

	setup_module();
	make_region(&region, "change", WINDOWS, MAP_POPULATE);
	check_eq(in_child(write_a_page, &region), 0, "mprotect and write");
	check_eq(in_child(forbid_a_page, &region), 0, "mprotect before a touch");
	check_eq(in_child(forbid_untouched, &region), 0,
		 "mprotect before all touches");
	check_eq(in_child(forbid_and_allow, &region), 0,
		 "mprotect there and back");
	check_eq(in_child(unmap_parts, &region), 0, "partial munmap, MAP_FIXED");
	check_eq(in_child(drop_and_read, &region), 0, "madvise");
	check_eq(in_child(move, &region), 0, "mremap");
	check_eq(in_child(write_through_proc, &region), 0, "/proc/PID/mem");
	check_eq(in_child(fork_with_private_pages, &region), 0,
		 "fork with private pages");
	check_eq(in_child(fork_after_a_forced_write, &region), 0,
		 "fork after a forced write");
	check_eq(in_child(poke, &region), 0, "ptrace");
	check_eq(in_child(read_of_another, &region), 0, "process_vm_readv");
	check_eq(in_child(use_pads, &region), 0, "pads");
	check_eq(in_child(bounded_memory, &region), 0, "bounded memory");
	check_eq(in_child(refused_maps, &region), 0, "what mmap refuses");
	check_eq(in_child(grow_catalog, &region), 0, "the catalog");
	check_eq(region_stat(&region).attached, 0, "nothing is attached at the end");
	check_eq(region_stat(&region).sharers, 0, "no sharer is left");
	drop_region(&region);

	make_region(&region, "lazy", WINDOWS, 0);
	check_eq(in_child(write_beside_a_link, &region), 0,
		 "a write beside a linked window's VMA");
	check_eq(in_child(read_beside_a_link, &region), 0,
		 "does not reach another process");
	drop_region(&region);
	teardown_module();
	return report_status();
}
