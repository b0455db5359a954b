/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library that is taken out of sharing while processes run it: they go on,
 * with ordinary mappings of its file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	2

/* Returns an errno. */
static int unshare_text(const struct test_region *region,
			struct mshare_unshare *unshare)
{
	*unshare = (struct mshare_unshare){ .region_offset = TEXT_OFFSET };
	return ioctl(region->fd, MSHAREFS_UNSHARE, unshare) ? errno : 0;
}

/* How many windows of it does a process have mapped from the region? */
static int windows_mapped(const struct test_region *region, pid_t pid)
{
	unsigned char flags[TEXT_OFFSET / WINDOW + WINDOWS] = { 0 };
	struct mshare_process_stat stat = {
		.windows = (uintptr_t)flags, .nr = sizeof(flags), .pid = pid,
	};
	int n = 0;

	if (ioctl(region->fd, MSHAREFS_PROCESS_STAT, &stat))
		return -1;
	for (size_t i = 0; i < sizeof(flags); i++)
		n += !!(flags[i] & MSHARE_WINDOW_MAPPED);
	return n;
}

/* Lines of a process's maps with this file and these permissions. */
static int lines_of(pid_t pid, const char *file, const char *permissions)
{
	char path[64], line[512];
	FILE *maps;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		n += strstr(line, file) && strstr(line, permissions);
	if (maps)
		fclose(maps);
	return n;
}

static void unchanged(void)
{
	struct sharer sharers[SHARERS];
	struct mshare_unshare unshare;
	struct test_region region;
	struct mshare_stat stat;

	make_region(&region, "unshared", WINDOWS, MAP_POPULATE);
	start_sharers(sharers, &region);
	check(all_answer(sharers, ATTACHED, WINDOWS), "all windows are attached");
	check_eq(unshare_text(&region, &unshare), 0, "the library is unshared");
	check_eq((int)unshare.replaced, SHARERS, "it is replaced in all");
	check_eq((int)unshare.left, 0, "and left in none");
	stat = region_stat(&region);
	check_eq((int)stat.attached, 0, "no window is attached");
	check_eq((int)stat.counters[MSHARE_DETACHES_UNSHARE], SHARERS * WINDOWS,
		 "all were detached by it");
	check_eq((int)stat.sharers, 0, "no sharer is left");
	check(all_answer(sharers, VERIFY, 1), "all pages have their content");
	check_eq(windows_mapped(&region, sharers[0].pid), 0,
		 "nothing of the region is mapped");
	check(lines_of(sharers[0].pid, region.file, "r--p") == 1 &&
	      lines_of(sharers[0].pid, region.file, "r-xp") == 1,
	      "each segment is mapped as ld.so would");
	check(map_text(&region, NULL) == MAP_FAILED && errno == EAGAIN,
	      "new mappings are refused");
	check_eq(unshare_text(&region, &unshare), 0, "it can be unshared again");
	check_eq((int)(unshare.replaced + unshare.left), 0, "without effect");
	stop_sharers(sharers);
	drop_region(&region);
}

/* What a process has done to its text before. */
static void nothing(char *text)
{
	(void)text;
}

static void poke(char *text)
{
	int fd = open("/proc/self/mem", O_RDWR);

	/* What it holds already: the page is its own, and has its content. */
	if (pwrite(fd, text + PAGE, 1, (off_t)(uintptr_t)(text + PAGE)) != 1)
		_exit(2);
	close(fd);
}

static void protect(char *text)
{
	if (mprotect(text, WINDOW, PROT_READ))
		_exit(2);
}

static void advise(char *text)
{
	if (madvise(text, WINDOW, MADV_DONTFORK))
		_exit(2);
}

static void fork_child(char *text)
{
	(void)text;
	if (!fork()) {
		/* Ends with its parent, which is killed. */
		while (getppid() != 1)
			usleep(10000);
		_exit(0);
	}
}

struct history {
	const char *what;
	void (*fn)(char *text);
	int replaced, left;
};

static const struct history histories[] = {
	{ "untouched", nothing, 1, 0 },
	{ "with a breakpoint", poke, 0, 1 },
	{ "with half of it protected", protect, 1, 1 },
	{ "with half of it not for children", advise, 1, 1 },
	{ "with a child", fork_child, 2, 0 },
};

static void live(const struct history *history, const struct test_region *region)
{
	char *text = map_text(region, NULL);

	if (!verify(text, region))
		_exit(2);
	history->fn(text);
	raise(SIGSTOP);
	_exit(!verify(text, region) || windows_attached(region, 0));
}

/* A process with a history, stopped. */
static pid_t begin(const struct history *history,
		   const struct test_region *region)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		live(history, region);
	waitpid(pid, &status, WUNTRACED);
	if (!check(WIFSTOPPED(status), "%s: the process waits", history->what))
		exit(1);
	return pid;
}

static void changed(const struct history *history)
{
	struct mshare_unshare unshare;
	struct test_region region;
	int status = 0;
	pid_t pid;

	make_region(&region, "history", WINDOWS, MAP_POPULATE);
	pid = begin(history, &region);
	check_eq(unshare_text(&region, &unshare), 0, "%s: unshared",
		 history->what);
	check_eq((int)unshare.replaced, history->replaced, "%s: replaced",
		 history->what);
	check_eq((int)unshare.left, history->left, "%s: left", history->what);
	check(!!windows_mapped(&region, pid) == !!history->left,
	      "%s: PROCESS_STAT says so", history->what);
	check_eq(windows_attached(&region, pid), 0, "%s: nothing is attached",
		 history->what);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	check_eq(status, 0, "%s: it goes on with what it had, and no link [inv 8]", history->what);
	drop_region(&region);
}

/*
 * Processes that give the place of the text to something else at the same time:
 * that must never be overwritten.
 */
static void take_the_place(const struct test_region *region, atomic_int *ready,
			   atomic_int *go, atomic_int *stop)
{
	char *text = map_text(region, NULL), *mine;

	if (!verify(text, region))
		_exit(2);
	atomic_fetch_add(ready, 1);
	while (!atomic_load(go))
		;
	munmap(text, region->size);
	mine = mmap(text, region->size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (mine != text)
		_exit(3);
	memset(mine, 0x5a, region->size);
	while (!atomic_load(stop))
		usleep(1000);
	for (size_t i = 0; i < region->size; i += PAGE)
		if (mine[i] != 0x5a)
			_exit(4);
	_exit(0);
}

static void raced(void)
{
	enum { PROCESSES = 6, ROUNDS = 5 };
	atomic_int *words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mshare_unshare unshare;
	struct test_region region;
	int status, bad = 0;

	for (int round = 0; round < ROUNDS; round++) {
		pid_t pids[PROCESSES];

		memset(words, 0, PAGE);
		make_region(&region, "place", WINDOWS, MAP_POPULATE);
		fflush(stdout);
		for (int i = 0; i < PROCESSES; i++) {
			pids[i] = fork();
			if (!pids[i])
				take_the_place(&region, words, words + 1, words + 2);
		}
		while (atomic_load(words) < PROCESSES)
			usleep(1000);
		atomic_store(words + 1, 1);
		bad += !!unshare_text(&region, &unshare);
		atomic_store(words + 2, 1);
		for (int i = 0; i < PROCESSES; i++) {
			waitpid(pids[i], &status, 0);
			bad += !!status;
		}
		drop_region(&region);
	}
	check_eq(bad, 0, "what takes the text's place meanwhile is never replaced");
	munmap(words, PAGE);
}

/* A file system that does not let itself be mapped any more. */
static void shut_down(void)
{
	const __u32 at_once = 2;	/* EXT4_GOING_FLAGS_NOLOGFLUSH */
	struct mshare_unshare unshare;
	struct test_region region;
	char *text;
	int fd;

	make_disk();
	disk_file("shut");
	make_region(&region, "shut", WINDOWS, MAP_POPULATE);
	text = map_text(&region, NULL);
	check(verify(text, &region), "a text on a file system of its own");
	fd = open(DISK, O_RDONLY);
	check(!ioctl(fd, _IOR('X', 125, __u32), &at_once), "which is shut down");
	close(fd);
	check_eq(unshare_text(&region, &unshare), 0, "it can be unshared");
	check(!unshare.replaced && unshare.left == 1,
	      "what cannot be mapped is left");
	check(verify(text, &region), "all pages have their content");
	munmap(text, region.size);
	drop_region(&region);
	check(disk_let_go(), "the file system is let go");
}

/* A sealed region of one window whose second page is in no segment. */
static void make_region_with_gap(struct test_region *region)
{
	const char *new = MOUNTPOINT "/.gap";
	int fd = open(new, O_RDWR | O_CREAT | O_EXCL, 0444), file, ready = EBUSY;

	*region = (struct test_region){
		.name = MOUNTPOINT "/gap", .file = "/var/tmp/mshare-gap",
		.windows = 1, .size = WINDOW,
	};
	make_file(region->file, PAGES_PER_WINDOW);
	file = open(region->file, O_RDONLY);
	if (ftruncate(fd, TEXT_OFFSET + WINDOW) || donate(fd, REGION_START))
		exit(1);
	for (int tries = 0; ready == EBUSY && tries < 600; tries++) {
		ready = create_mapping(fd, file, TEXT_OFFSET, PAGE, 0, PROT_READ,
				       MAP_POPULATE);
		usleep(ready ? 50000 : 0);
	}
	if (ready || create_mapping(fd, file, TEXT_OFFSET + 2 * PAGE,
				    WINDOW - 2 * PAGE, 2 * PAGE,
				    PROT_READ | PROT_EXEC, MAP_POPULATE) ||
	    ioctl(fd, MSHAREFS_SEAL) || rename(new, region->name))
		exit(1);
	close(file);
	region->fd = open(region->name, O_RDONLY | O_CLOEXEC);
	close(fd);
}

/* What no segment has is not replaced by anything, and not tried for ever. */
static void gap(void)
{
	struct mshare_unshare unshare;
	struct test_region region;
	char *text;

	make_region_with_gap(&region);
	text = map_text(&region, NULL);
	check_eq(touch_signal(text, false), 0, "a text with a gap in it");
	check_eq(touch_signal(text + PAGE, false), SIGSEGV, "where nothing is");
	check_eq(unshare_text(&region, &unshare), 0, "can be unshared");
	check_eq(unshare.left, 1, "but for the gap");
	check_eq(page_number(text), 0, "the page below it has its content");
	check_eq(page_number(text + 2 * PAGE), 2, "so has the page above it");
	check_eq(touch_signal(text + PAGE, false), SIGSEGV, "the gap is still one");
	munmap(text, region.size);
	drop_region(&region);
}

static void never_overcommit(bool yes)
{
	int fd = open("/proc/sys/vm/overcommit_memory", O_WRONLY);

	if (fd < 0 || write(fd, yes ? "2" : "0", 1) != 1)
		exit(1);
	close(fd);
}

/* Bytes that are left to those who want memory of their own. */
static size_t committable(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	size_t limit = 0, used = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "CommitLimit: %zu", &limit);
		sscanf(line, "Committed_AS: %zu", &used);
	}
	if (file)
		fclose(file);
	return limit > used ? (limit - used) * 1024 & -PAGE : 0;
}

/*
 * Forks that fail in the middle, over and over: of what such a child has, the
 * mappings above that place are still its parent's.
 */
static void fail_to_fork(const struct test_region *region, atomic_int *failed)
{
	enum { SMALL = 1000 };
	char *text = map_text(region, (char *)REGION_START + TEXT_OFFSET);
	char *above = text + 16 * WINDOW;

	if (!verify(text, region))
		_exit(2);
	/* What takes long to copy, then what is too much to have twice. */
	for (char *at = above; at < above + 2 * SMALL * PAGE; at += 2 * PAGE)
		if (mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_FIXED_NOREPLACE, -1, 0) != at)
			_exit(3);
	if (mmap(above + 2 * SMALL * PAGE, 3 * committable() / 4,
		 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		_exit(4);
	for (;;) {
		pid_t pid = fork();

		if (pid >= 0 || errno != ENOMEM)
			_exit(5);
		atomic_fetch_add(failed, 1);
	}
}

static void failing_forks(void)
{
	enum { ROUNDS = 10 };
	atomic_int *failed = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct mshare_unshare unshare;
	struct test_region region;
	int status, bad = 0;

	never_overcommit(true);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pid;

		make_region(&region, "forks", WINDOWS, MAP_POPULATE);
		*failed = 0;
		fflush(stdout);
		pid = fork();
		if (!pid)
			fail_to_fork(&region, failed);
		while (!atomic_load(failed) && !waitpid(pid, &status, WNOHANG))
			usleep(1000);
		bad += unshare_text(&region, &unshare) ||
		       unshare.replaced != 1 || unshare.left;
		bad += windows_mapped(&region, pid) != 0;
		kill(pid, SIGKILL);
		bad += waitpid(pid, &status, 0) != pid || status != SIGKILL;
		drop_region(&region);
	}
	never_overcommit(false);
	check_eq(bad, 0, "a child whose fork fails is not looked into");
	munmap(failed, PAGE);
}

/*
 * Only if each round of looking at processes has room for one (kmod/inject.c):
 * two that are to be left are never both looked at.  That must end, and be told.
 */
static void too_many(void)
{
	const char *faults = getenv("MSHARE_FAULTS");
	const struct history poked = { "too many", poke, 0, 1 };
	struct mshare_unshare unshare;
	struct test_region region;
	pid_t pids[2];
	long rounds;
	int status;

	if (!faults || strcmp(faults, "short_unshare"))
		return;
	make_region(&region, "many", WINDOWS, MAP_POPULATE);
	for (int i = 0; i < 2; i++)
		pids[i] = begin(&poked, &region);
	rounds = module_count("hits");
	check_eq(unshare_text(&region, &unshare), EAGAIN,
		 "more processes than can be looked at: EAGAIN");
	check_eq(module_count("hits") - rounds, 64, "after 64 rounds");
	check_eq((int)region_stat(&region).attached, 0, "nothing is attached");
	for (int i = 0; i < 2; i++) {
		kill(pids[i], SIGCONT);
		waitpid(pids[i], &status, 0);
		check_eq(status, 0, "and each goes on with what it had");
	}
	drop_region(&region);
}

static void refused(void)
{
	struct mshare_unshare unshare = { .region_offset = 0 };
	struct test_region region;

	make_region(&region, "refused", WINDOWS, MAP_POPULATE);
	check(ioctl(region.fd, MSHAREFS_UNSHARE, &unshare) && errno == ENOENT,
	      "no library there: ENOENT");
	check(ioctl(region.fd, MSHAREFS_UNSHARE, NULL) && errno == EFAULT,
	      "no struct: EFAULT");
	fflush(stdout);
	if (!fork()) {
		if (setuid(65534))
			_exit(2);
		_exit(unshare_text(&region, &unshare) != EPERM);
	}
	int status = -1;

	wait(&status);
	check_eq(status, 0, "not root: EPERM");
	drop_region(&region);
}

int main(void)
{
	setup_module();
	unchanged();
	for (size_t i = 0; i < sizeof(histories) / sizeof(*histories); i++)
		changed(&histories[i]);
	raced();
	shut_down();
	gap();
	failing_forks();
	too_many();
	refused();
	teardown_module();
	return report_status();
}
