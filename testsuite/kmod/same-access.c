/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a sharer reached by other ways than its own loads: by other
 * processes, by /proc, by the kernel on the way to and from files.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "same.h"

static char buffer[WINDOW] __attribute__((aligned(4096)));

/* Ask a child to do something to this process while it waits. */
static void let_child(struct trial *trial, int (*fn)(struct trial *trial, pid_t parent))
{
	pid_t parent = getpid(), child;
	int status;

	/* Where Yama is, only ancestors may. */
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	child = fork();
	if (!child)
		_exit(fn(trial, parent));
	result(trial, waitpid(child, &status, 0) == child);
	result(trial, status);
}

/* The pieces begin in one window and end in the next. */
static int read_and_write_memory(struct trial *trial, pid_t parent)
{
	struct iovec local = { buffer, 5 * PAGE };
	struct iovec remote = { page_at(trial, 1, 510), 5 * PAGE };

	if (process_vm_readv(parent, &local, 1, &remote, 1, 0) != 5 * PAGE ||
	    page_number(buffer + 4 * PAGE) != PAGES_PER_WINDOW + 514)
		return 1;
	return process_vm_writev(parent, &local, 1, &remote, 1, 0) == -1 ?
	       errno : 0;
}

static void by_process_vm(struct trial *trial, long writable)
{
	if (writable)
		result(trial, mprotect(page_at(trial, 1, 510), 5 * PAGE,
				       PROT_READ | PROT_WRITE));
	let_child(trial, read_and_write_memory);
}

static int write_proc_mem(struct trial *trial, pid_t parent)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", parent);
	fd = open(name, O_RDWR);
	if (pread(fd, buffer, WINDOW, (off_t)page_at(trial, 1, 256)) != WINDOW)
		return 1;
	if (page_number(buffer + 300 * PAGE) != PAGES_PER_WINDOW + 556)
		return 2;
	memset(buffer, 0x44, 2 * PAGE);
	return pwrite(fd, buffer, 2 * PAGE, (off_t)page_at(trial, 1, 511)) !=
	       2 * PAGE;
}

static void by_proc_mem(struct trial *trial, long arg __unused)
{
	let_child(trial, write_proc_mem);
}

/* A breakpoint that is set, hit in no time, and taken back. */
static int poke_words(struct trial *trial, pid_t parent)
{
	long word, *at = (long *)page_at(trial, 3, 2);
	int status;

	if (ptrace(PTRACE_SEIZE, parent, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, parent, 0, 0) ||
	    waitpid(parent, &status, 0) != parent)
		return 1;
	word = ptrace(PTRACE_PEEKTEXT, parent, at, 0);
	if (word != *at)
		return 2;
	if (ptrace(PTRACE_POKETEXT, parent, at, word ^ 0xcc) ||
	    ptrace(PTRACE_PEEKTEXT, parent, at, 0) != (word ^ 0xcc) ||
	    *at != word)
		return 3;
	if (ptrace(PTRACE_POKETEXT, parent, at, word) ||
	    ptrace(PTRACE_POKETEXT, parent, at + 1, 0xccL))
		return 4;
	return ptrace(PTRACE_DETACH, parent, 0, 0) ? 5 : 0;
}

static void by_ptrace(struct trial *trial, long arg __unused)
{
	let_child(trial, poke_words);
}

static void clear_refs(struct trial *trial, long what)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);

	result(trial, dprintf(fd, "%ld", what));
	add_content(trial, trial->text, trial->region->size);
	close(fd);
}

/* The same frames, present, of a file, and soft-dirty or not. */
static void look_at_pagemap(struct trial *trial, long arg __unused)
{
	const uint64_t frame = (1UL << 55) - 1, flags = 7UL << 61 | 1UL << 55;
	static uint64_t entries[SAME_PAGES];
	int fd = open("/proc/self/pagemap", O_RDONLY);

	result(trial, pread(fd, entries, sizeof(entries),
			    (uintptr_t)trial->text / PAGE * sizeof(*entries)));
	for (unsigned int i = 0; i < SAME_PAGES; i++)
		entries[i] &= frame | flags;
	add_content(trial, entries, sizeof(entries));
	close(fd);
}

static void clear_and_look_at_pagemap(struct trial *trial, long what)
{
	clear_refs(trial, what);
	look_at_pagemap(trial, 0);
}

/* A line about the text, such as "Rss:", in smaps. */
static long smaps_kb(const char *text, const char *key)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512];
	bool there = false;
	long kb = -1;

	while (fgets(line, sizeof(line), file)) {
		if (strchr(line, '-') && strtoul(line, NULL, 16))
			there = strtoul(line, NULL, 16) == (uintptr_t)text;
		else if (there && !strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key), NULL, 10);
	}
	fclose(file);
	return kb;
}

static void look_at_smaps(struct trial *trial, long arg __unused)
{
	static const char *const keys[] = {
		"Size:", "Rss:", "Shared_Clean:", "Shared_Dirty:",
		"Private_Dirty:", "Anonymous:", "AnonHugePages:",
		"FilePmdMapped:", "Swap:", "Locked:",
	};

	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		result(trial, smaps_kb(trial->text, keys[i]));
}

/* Pages of the text pinned for a device that reads them. */
static void write_directly(struct trial *trial, long flags)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/var/tmp/mshare-direct-%d", getpid());
	fd = open(name, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);
	unlink(name);
	result(trial, write(fd, page_at(trial, 1, 256), WINDOW));
	fcntl(fd, F_SETFL, 0);
	result(trial, pread(fd, buffer, WINDOW, 0));
	add_content(trial, buffer, WINDOW);
	close(fd);
}

/* And for one that writes them, which takes a writable mapping. */
static void read_directly(struct trial *trial, long flags)
{
	int fd = open(trial->region->file, O_RDONLY | flags);
	char *page = page_at(trial, 1, 510);

	result(trial, pread(fd, page, 4 * PAGE, 0));
	result(trial, mprotect(page, 4 * PAGE, PROT_READ | PROT_WRITE));
	result(trial, pread(fd, page, 4 * PAGE, 0));
	result(trial, page_number(page + 3 * PAGE));
	close(fd);
}

/* Pages of the text that stay in a pipe after the mapping is gone. */
static void splice_to_pipe(struct trial *trial, long arg __unused)
{
	struct iovec piece = { page_at(trial, 1, 510), 4 * PAGE };
	int fds[2];

	result(trial, pipe(fds));
	result(trial, vmsplice(fds[1], &piece, 1, 0));
	result(trial, munmap(page_at(trial, 1, 0), 2 * WINDOW));
	result(trial, read(fds[0], buffer, 4 * PAGE));
	result(trial, page_number(buffer + 3 * PAGE));
	close(fds[0]);
	close(fds[1]);
}

static void wait_on_futex(struct trial *trial, long flags)
{
	uint32_t *word = (uint32_t *)page_at(trial, 2, 3);

	result(trial, syscall(SYS_futex, word, FUTEX_WAIT | flags, *word + 1,
			      NULL, NULL, 0));
	result(trial, syscall(SYS_futex, word, FUTEX_WAKE | flags, 1, NULL, NULL, 0));
}

static void ask_for_nodes(struct trial *trial, long arg __unused)
{
	void *pages[2] = { page_at(trial, 0, 1), page_at(trial, 3, 511) };
	int status[2] = { -1, -1 };

	result(trial, syscall(SYS_move_pages, 0, 2, pages, NULL, status, 0));
	result(trial, status[0]);
	result(trial, status[1]);
}

/* Die in an empty directory, and open what is left of it. */
static int dump_core(const char *dir, long filter)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	char name[80];
	pid_t child;
	int fd;

	mkdir(dir, 0700);
	child = fork();
	if (!child) {
		fd = open("/proc/self/coredump_filter", O_WRONLY);
		if (chdir(dir) || setrlimit(RLIMIT_CORE, &unlimited) ||
		    dprintf(fd, "%#lx", filter) < 0)
			_exit(1);
		abort();
	}
	waitpid(child, NULL, 0);
	snprintf(name, sizeof(name), "%s/core", dir);
	fd = open(name, O_RDONLY);
	unlink(name);
	rmdir(dir);
	return fd;
}

/* What a core file holds of the text, whether all or nothing. */
static void look_at_core_file(struct trial *trial, long filter)
{
	Elf64_Ehdr head = { };
	Elf64_Phdr segment;
	char dir[64];
	int fd;

	snprintf(dir, sizeof(dir), "/var/tmp/mshare-core-%d", getpid());
	fd = dump_core(dir, filter);
	result(trial, pread(fd, &head, sizeof(head), 0));
	for (int i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &segment, sizeof(segment),
			  head.e_phoff + i * sizeof(segment)) < 0 ||
		    segment.p_type != PT_LOAD ||
		    segment.p_vaddr - (uintptr_t)trial->text >= trial->region->size)
			continue;
		result(trial, segment.p_vaddr);
		result(trial, segment.p_memsz);
		result(trial, segment.p_filesz);
		result(trial, segment.p_flags);
		for (size_t n = 0; n < segment.p_filesz; n += WINDOW) {
			result(trial, pread(fd, buffer, WINDOW, segment.p_offset + n));
			add_content(trial, buffer, WINDOW);
		}
	}
	close(fd);
}

static const struct operation operations[] = {
	{ "process_vm_readv", by_process_vm, 4, 0, false },
	{ "process_vm_writev", by_process_vm, 2, 2, true },
	{ "/proc/PID/mem", by_proc_mem, 2, 2, 0 },
	{ "ptrace", by_ptrace, 3, 1, 0 },
	{ "clear_refs: referenced", clear_refs, 4, 0, 1 },
	{ "clear_refs: of files", clear_refs, 4, 0, 3 },
	{ "clear_refs: soft-dirty", clear_and_look_at_pagemap, 4, 0, 4 },
	{ "pagemap", look_at_pagemap, 4, 0, 0 },
	{ "smaps", look_at_smaps, 4, 0, 0 },
	{ "written to a file", write_directly, 4, 0, 0 },
	{ "written to a file with O_DIRECT", write_directly, 4, 0, O_DIRECT },
	{ "read from a file", read_directly, 2, 2, 0 },
	{ "read from a file with O_DIRECT", read_directly, 2, 2, O_DIRECT },
	{ "vmsplice", splice_to_pipe, 2, 0, 0 },
	{ "futex", wait_on_futex, 4, 0, 0 },
	{ "private futex", wait_on_futex, 4, 0, FUTEX_PRIVATE_FLAG },
	{ "core file without files", look_at_core_file, 4, 0, 0x33 },
	{ "core file with files", look_at_core_file, 4, 0, 0x3f },
	{ "move_pages that only asks", ask_for_nodes, 4, 0, 0 },
};

static int read_mapped(const void *text)
{
	return page_number(text) == 0 ? 0 : 1;
}

/* The accessed bits of a linked table are everybody's. */
static void look_at_referenced(char *text)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	long before;

	check_eq(write(fd, "1", 1), 1, "accessed bits can be cleared");
	close(fd);
	before = smaps_kb(text, "Referenced:");
	check_eq(in_child(read_mapped, text), 0, "another process reads a page");
	check(smaps_kb(text, "Referenced:") > before,
	      "smaps: Referenced counts what others read");
}

/* Pages that a linked window shows are not this process's to count or move. */
static int account_for_linked(const void *arg)
{
	const struct test_region *region = arg;
	long rss = status_kb("RssFile:"), mapped = region->size / 1024;
	char *text = map_text(region, NULL);
	int node = 0, status = 0;
	void *page = text;

	check(verify(text, region), "all pages have their content");
	check(status_kb("RssFile:") - rss < mapped / 2,
	      "RssFile does not count shared text");
	check_eq(smaps_kb(text, "Rss:"), mapped, "smaps: Rss does");
	check_eq(smaps_kb(text, "Pss:"), mapped / 2,
		 "smaps: Pss is half of it, however many share");
	look_at_referenced(text);
	check(!syscall(SYS_move_pages, 0, 1, &page, &node, &status, MPOL_MF_MOVE) &&
	      status == -EFAULT, "move_pages: its pages are not to be moved");
	return report_status();
}

/* Pages of a private window are copies, made when they are first touched. */
static int account_for_private(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL), *page = text + WINDOW + 2 * PAGE;
	int fd = open(region->file, O_WRONLY);
	long rss;

	mprotect(text + WINDOW, PAGE, PROT_READ);
	rss = status_kb("RssFile:");
	check(verify(text, region), "all pages have their content again");
	check(status_kb("RssFile:") - rss >= (long)WINDOW / 1024,
	      "RssFile counts private copies");
	check_eq(pwrite(fd, "changed", 7, WINDOW + 2 * PAGE), 7,
		 "the file is overwritten");
	check_eq(page_number(page), PAGES_PER_WINDOW + 2,
		 "a copy stays what it was");
	check(!madvise(page, PAGE, MADV_DONTNEED) && !memcmp(page, "changed", 7),
	      "dropped, it is what the file is now");
	close(fd);
	return report_status();
}

static const struct also also[] = {
	{ "shared pages", account_for_linked },
	{ "private copies", account_for_private },
	{ 0 }
};

int main(void)
{
	return same_program("same-access", operations,
			    sizeof(operations) / sizeof(operations[0]), also);
}
