/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the library's file and its pages reaches every sharer before
 * the one who did it goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	4
#define SHARERS	4

/* A sharer that answers questions about its text, one byte for one byte. */
struct sharer {
	pid_t pid;
	int ask, answer;
};

enum question { VERIFY = 'v', HEAD = 'h', SECOND_WINDOW = 's', LAST = 'l',
		ATTACHED = 'a' };

static char answer_to(char question, const char *text,
		      const struct test_region *region)
{
	switch (question) {
	case VERIFY:
		return verify(text, region);
	case HEAD:
		return page_number(text) == 0;
	case SECOND_WINDOW:
		if (touch_signal(text + WINDOW, false))
			return touch_signal(text + WINDOW, false);
		return text[WINDOW];
	case LAST:
		return touch_signal(text + region->size - PAGE, false);
	default:
		return windows_attached(region, 0);
	}
}

static void serve(int ask, int answer, const struct test_region *region)
{
	char *text = map_text(region, NULL), byte;

	byte = verify(text, region);
	while (write(answer, &byte, 1) == 1 && read(ask, &byte, 1) == 1)
		byte = answer_to(byte, text, region);
	_exit(0);
}

static void start(struct sharer *sharers, const struct test_region *region)
{
	int ask[2], answer[2];

	fflush(stdout);
	for (int i = 0; i < SHARERS; i++) {
		char byte = 0;

		if (pipe2(ask, O_CLOEXEC) || pipe2(answer, O_CLOEXEC))
			exit(1);
		sharers[i].pid = fork();
		if (!sharers[i].pid) {
			for (int j = 0; j < i; j++)
				close(sharers[j].ask);
			close(ask[1]);
			serve(ask[0], answer[1], region);
		}
		close(ask[0]);
		close(answer[1]);
		sharers[i].ask = ask[1];
		sharers[i].answer = answer[0];
		if (read(answer[0], &byte, 1) != 1 || !byte)
			check(false, "a sharer reads all pages before the test");
	}
}

static void stop(struct sharer *sharers)
{
	for (int i = 0; i < SHARERS; i++) {
		close(sharers[i].ask);
		close(sharers[i].answer);
		waitpid(sharers[i].pid, NULL, 0);
	}
}

/* Do all sharers give this answer? */
static bool all_answer(struct sharer *sharers, char question, char want)
{
	bool ok = true;

	for (int i = 0; i < SHARERS; i++) {
		char byte = question;

		if (write(sharers[i].ask, &byte, 1) != 1 ||
		    read(sharers[i].answer, &byte, 1) != 1)
			return false;
		if (byte != want) {
			printf("sharer %d: '%c' gives %d, not %d\n", i, question,
			       byte, want);
			ok = false;
		}
	}
	return ok;
}

static void overwrite(struct sharer *sharers, const struct test_region *region)
{
	int fd = open(region->file, O_WRONLY);
	char byte = 'x';

	check_eq(pwrite(fd, &byte, 1, WINDOW), 1, "the file can be overwritten");
	check(all_answer(sharers, SECOND_WINDOW, 'x'), "all sharers see it");
	close(fd);
}

static void punch(struct sharer *sharers, const struct test_region *region)
{
	int fd = open(region->file, O_WRONLY);

	check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			   WINDOW, PAGE), 0, "a hole can be punched");
	check(all_answer(sharers, SECOND_WINDOW, 0), "all sharers read zeros");
	close(fd);
}

static void truncate_file(struct sharer *sharers, const struct test_region *region)
{
	uint64_t before = detaches_host(region);

	check_eq(truncate(region->file, region->size - PAGE), 0,
		 "the file can be truncated");
	check(detaches_host(region) > before,
	      "truncation detaches from the host's side");
	check(all_answer(sharers, LAST, SIGBUS), "all sharers get SIGBUS");
	check(all_answer(sharers, HEAD, 1), "and read the other pages");
	check_eq(truncate(region->file, WINDOW), 0, "and truncated more");
	check(all_answer(sharers, SECOND_WINDOW, SIGBUS),
	      "all sharers get SIGBUS in the next window");
	check(all_answer(sharers, HEAD, 1), "and still read the first");
}

/*
 * A reader that never leaves its CPU while the page goes: nothing but the
 * module's shootdown makes it forget a stale TLB entry.
 */
struct race {
	atomic_int go;		/* the round in which the reader reads */
	atomic_int reading;	/* it has read in that round */
	atomic_int gone;	/* the page of that round is gone */
	atomic_int done;	/* the reader is out of that round */
	atomic_int stale;	/* rounds in which it saw the page after that */
};

static sigjmp_buf after_fault;

static void on_fault(int sig)
{
	siglongjmp(after_fault, sig);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		exit(1);
}

static void await(atomic_int *value, int round)
{
	while (atomic_load(value) < round)
		;
}

/* No system call from the first read to the last. */
static void race_round(struct race *race, volatile char *page, int round)
{
	if (sigsetjmp(after_fault, 0)) {
		atomic_store(&race->done, round);
		return;
	}
	(void)*page;
	atomic_store(&race->reading, round);
	while (atomic_load(&race->gone) < round)
		(void)*page;
	(void)*page;
	atomic_fetch_add(&race->stale, 1);
	atomic_store(&race->done, round);
}

static void race_reader(struct race *race, const struct test_region *region,
			int rounds)
{
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	pin(1);
	sigaction(SIGBUS, &action, NULL);
	for (int round = 1; round <= rounds; round++) {
		char *text = map_text(region, NULL);

		await(&race->go, round);
		race_round(race, text + WINDOW, round);
		munmap(text, region->size);
	}
	_exit(0);
}

static void truncate_under_a_reader(void)
{
	enum { ROUNDS = 20 };
	struct race *race = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct test_region region;
	char page[PAGE] = "";
	pid_t pid;
	int fd;

	make_region(&region, "raced", WINDOWS, MAP_POPULATE);
	fd = open(region.file, O_RDWR);
	pin(0);
	fflush(stdout);
	pid = fork();
	if (!pid)
		race_reader(race, &region, ROUNDS);
	for (int round = 1; round <= ROUNDS; round++) {
		if (pwrite(fd, page, PAGE, WINDOW) != (ssize_t)PAGE)
			exit(1);
		atomic_store(&race->go, round);
		await(&race->reading, round);
		if (ftruncate(fd, WINDOW))
			exit(1);
		atomic_store(&race->gone, round);
		await(&race->done, round);
	}
	waitpid(pid, NULL, 0);
	check_eq(race->stale, 0,
		 "%d times truncated under a reader: never a stale page", ROUNDS);
	close(fd);
	drop_region(&region);
}

static void write_string(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	/* What cannot be reclaimed in full is an error here, and no matter. */
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		printf("%s: %s\n", path, strerror(errno));
	close(fd);
}

static void reclaim(struct sharer *sharers, const struct test_region *region)
{
	uint64_t detaches = detaches_host(region);
	uint64_t faults = region_stat(region).counters[MSHARE_FAULTS_HOST];

	for (int i = 0; i < 3; i++) {
		write_string("/sys/fs/cgroup/memory.reclaim", "2G");
		check(all_answer(sharers, VERIFY, 1),
		      "reclaim %d: all pages have their content", i);
	}
	write_string("/proc/sys/vm/compact_memory", "1");
	check(all_answer(sharers, VERIFY, 1), "compaction: all pages have their content");
	check(all_answer(sharers, ATTACHED, WINDOWS), "all windows are attached");
	detaches = detaches_host(region) - detaches;
	faults = region_stat(region).counters[MSHARE_FAULTS_HOST] - faults;
	printf("detached by the host: %lu, faults in the host: %lu\n", detaches,
	       faults);
	check(detaches > 0, "reclaim detached sharers");
	check(faults > 0,
	      "sharers made the host fault pages in");
}

static void lose_the_file(struct sharer *sharers, const struct test_region *region)
{
	check_eq(unlink(region->file), 0, "the file can be unlinked");
	check(all_answer(sharers, VERIFY, 1), "all pages have their content");
}

static void with_sharers(const char *name, int populate,
			 void (*fn)(struct sharer *, const struct test_region *))
{
	struct sharer sharers[SHARERS];
	struct test_region region;

	make_region(&region, name, WINDOWS, populate);
	start(sharers, &region);
	fn(sharers, &region);
	stop(sharers);
	check_eq(region_stat(&region).attached, 0, "%s: nothing is attached at the end",
		 name);
	drop_region(&region);
}

static void lose_the_region(void)
{
	struct sharer sharers[SHARERS];
	struct test_region region;
	struct stat stat;

	make_region(&region, "unlinked", WINDOWS, MAP_POPULATE);
	start(sharers, &region);
	check_eq(unlink(region.name), 0, "the region can be unlinked");
	check(all_answer(sharers, VERIFY, 1), "its sharers read on");
	check_eq(fstat(region.fd, &stat), 0, "its descriptor works");
	check(map_text(&region, NULL) == MAP_FAILED && errno == EAGAIN,
	      "new mappings are refused");
	stop(sharers);
	drop_region(&region);
}

/* Retired, a region nobody uses holds nobody's file system. */
static void release_the_file_system(void)
{
	const char *dir = "/var/tmp/mshare-fs";
	struct test_region region;
	char *text;
	bool gone = false;

	mkdir(dir, 0755);
	if (mount("none", dir, "tmpfs", 0, "mode=755"))
		exit(1);
	/* make_region() follows it. */
	if (symlink("/var/tmp/mshare-fs/file", "/var/tmp/mshare-held"))
		exit(1);
	make_region(&region, "held", WINDOWS, MAP_POPULATE);
	text = map_text(&region, NULL);
	check(verify(text, &region), "a file on tmpfs can be shared");
	check(umount(dir) && errno == EBUSY, "its file system is in use");
	munmap(text, region.size);
	close(region.fd);
	unlink(region.name);
	for (int tries = 0; !gone && tries < 100; tries++) {
		gone = !umount(dir);
		if (!gone)
			usleep(50000);
	}
	check(gone, "retired, the region lets go of the file system");
	unlink("/var/tmp/mshare-held");
}

int main(void)
{
	setup_module();
	with_sharers("overwritten", MAP_POPULATE, overwrite);
	with_sharers("punched", MAP_POPULATE, punch);
	with_sharers("truncated", MAP_POPULATE, truncate_file);
	with_sharers("reclaimed", MAP_POPULATE, reclaim);
	with_sharers("lazy", 0, reclaim);
	with_sharers("lost", MAP_POPULATE, lose_the_file);
	truncate_under_a_reader();
	lose_the_region();
	release_the_file_system();
	teardown_module();
	return report_status();
}
