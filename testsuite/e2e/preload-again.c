// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Generations: mshare-preload run again while a process uses what it made
 * before, libraries replaced behind and in front of its back, and what mshare
 * says of all that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/msharefs.h>

#include "catalog.h"
#include "live.h"
#include "report.h"
#include "traced.h"

#define LIBDIR		"/usr/lib/x86_64-linux-gnu/"
#define LIBC		LIBDIR "libc.so.6"
#define COPY		"/var/tmp/libcopy.so"
#define PRELOAD		"mshare-preload " LIBC

/** struct generation - the region as a process found it when it began */
struct generation {
	int fd;
	struct mshare_info info;
	struct mshare_catalog_entry entry;	/* the first, the only one */
	char *text;
};

static bool open_generation(struct generation *gen)
{
	struct mshare_catalog_header header;
	off_t entries;

	gen->fd = open(MOUNTPOINT "/system", O_RDONLY | O_CLOEXEC);
	if (gen->fd < 0 ||
	    pread(gen->fd, &gen->info, sizeof(gen->info), 0) !=
	    sizeof(gen->info) ||
	    pread(gen->fd, &header, sizeof(header), MSHARE_CATALOG_OFFSET) !=
	    sizeof(header))
		return false;
	entries = (sizeof(header) + header.nbuckets * 4 + 7) & ~7L;
	return pread(gen->fd, &gen->entry, sizeof(gen->entry),
		     (off_t)MSHARE_CATALOG_OFFSET + entries) ==
	       sizeof(gen->entry);
}

static void unmap_text(const struct generation *gen)
{
	munmap((char *)gen->info.start + gen->entry.claim_offset,
	       gen->entry.claim_size);
}

/* As ld.so does: first the pad over all that the library claims. */
static char *map_text(const struct generation *gen)
{
	const struct mshare_catalog_entry *entry = &gen->entry;
	char *claim = (char *)gen->info.start + entry->claim_offset;
	char *text;

	if (mmap(claim, entry->claim_size, PROT_NONE,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, gen->fd,
		 (off_t)entry->claim_offset) != claim)
		return MAP_FAILED;
	text = mmap((char *)gen->info.start + entry->text_offset,
		    entry->text_size, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED, gen->fd,
		    (off_t)entry->text_offset);
	if (text == MAP_FAILED) {
		int error = errno;

		unmap_text(gen);
		errno = error;
	}
	return text;
}

/* Page by page: what is mapped is what the file holds. */
static bool is_libc(const char *text, size_t size)
{
	int fd = open(LIBC, O_RDONLY);
	char page[4096];
	bool same = fd >= 0;

	for (size_t at = 0; at < size && same; at += sizeof(page)) {
		ssize_t n = pread(fd, page, sizeof(page), (off_t)at);

		same = n > 0 && !memcmp(page, text + at, (size_t)n);
	}
	close(fd);
	return same;
}

static uint32_t flags_of(const struct generation *gen)
{
	struct mshare_info info = { 0 };

	if (pread(gen->fd, &info, sizeof(info), 0) != sizeof(info))
		return 0;
	return info.flags;
}

static void use(struct generation *gen, const char *which)
{
	char words[64];

	if (!check(open_generation(gen), "the %s generation is there", which))
		exit(report_status());
	gen->text = map_text(gen);
	if (!check(gen->text != MAP_FAILED, "its text can be mapped"))
		exit(report_status());
	check(is_libc(gen->text, gen->entry.text_size), "and is the library's");
	snprintf(words, sizeof(words), "\"pid\":%d,", getpid());
	check(says("mshare ps --json", words), "mshare ps knows this process");
	check(says("mshare list --json", "\"attached\":1"),
	      "mshare list knows that its window is attached");
}

static void test_generations(void)
{
	struct generation old, new;

	check_eq(run(PRELOAD), 0, "a region is made");
	use(&old, "first");
	check_eq(run(PRELOAD), 0, "it is made again");
	use(&new, "second");

	check(new.info.generation > old.info.generation, "it has a higher number");
	check(flags_of(&old) & MSHARE_RETIRED, "the first is retired");
	check(!(flags_of(&new) & MSHARE_RETIRED), "the second is not");
	check(is_libc(old.text, old.entry.text_size),
	      "who uses the first goes on with it");
	unmap_text(&old);
	check(map_text(&old) == MAP_FAILED && errno == EAGAIN,
	      "nobody can begin to");

	check_eq(run("mshare drop system " LIBC), 0, "a library can be dropped");
	check(says("mshare stat --json", "\"state\":\"retired\",\n"),
	      "mshare stat says so");
	check(is_libc(new.text, new.entry.text_size),
	      "who uses it goes on with it");
	unmap_text(&new);
	check(map_text(&new) == MAP_FAILED && errno == EAGAIN,
	      "nobody can begin to");
	close(old.fd);
	close(new.fd);
	check_eq(run("mshare destroy system"), 0, "the region can be destroyed");
	check(!says("mshare list --json", "system"), "and is gone");
}

/* Long enough ago that mshare-preload believes it. */
static void settle(const char *path)
{
	struct timespec now;
	struct stat st;

	stat(path, &st);
	do {
		usleep(100000);
		clock_gettime(CLOCK_REALTIME, &now);
	} while (now.tv_sec < st.st_ctim.tv_sec + 3);
}

static void test_replaced_later(void)
{
	run("cp " LIBC " " COPY " && chmod 644 " COPY);
	settle(COPY);
	check_eq(run("mshare-preload " COPY " " LIBC), 0, "a copy is shared");
	check(says("mshare stat --json system", "\"stale\":0"),
	      "nothing is stale");
	run("cp " LIBC " " COPY ".new && mv " COPY ".new " COPY);
	check(says("mshare stat --json system", "\"stale\":1"),
	      "the copy is, once it is replaced");
	unlink(COPY);
	check(says("mshare stat --json system", "\"stale\":1"),
	      "and when it is removed");
	run("mshare destroy system");
}

/* Up to where the first library is mapped: all are chosen by then. */
static void trace_to_mapping(pid_t pid)
{
	struct ptrace_syscall_info info;

	while (trace_next(pid, &info))
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    info.entry.nr == SYS_ioctl &&
		    info.entry.args[1] == MSHAREFS_CREATE_MAPPING)
			return;
	check(false, "it maps something");
}

static void test_replaced_meanwhile(void)
{
	char *const argv[] = { "mshare-preload", COPY, LIBC, NULL };
	pid_t pid;

	run("cp " LIBC " " COPY " && chmod 644 " COPY);
	settle(COPY);
	pid = trace_start(argv);
	trace_to_mapping(pid);
	run("cp " LIBC " " COPY ".new && mv " COPY ".new " COPY);
	check_eq(trace_finish(pid), 0,
		 "a file is replaced while the region is made");
	check(says("mshare list --json", "\"libraries\":1,"), "it is left out");
	check(says("mshare stat --json system", "\"stale\":0"),
	      "the others are not");
	unlink(COPY);
	run("mshare destroy system");
}

int main(void)
{
	load_module();
	test_generations();
	test_replaced_later();
	test_replaced_meanwhile();
	check(unload_module(), "the module can be unloaded");
	return report_status();
}
