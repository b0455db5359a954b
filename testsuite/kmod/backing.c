/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What happens to the pages of a library's file reaches every sharer before the
 * one who did it goes on; and what a region that nobody uses lets go of.
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

#include "machine.h"
#include "region.h"
#include "report.h"
#include "sharers.h"

#define WINDOWS	4

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

static void reclaim(struct sharer *sharers, const struct test_region *region)
{
	uint64_t detaches = detaches_host(region);
	uint64_t faults = region_stat(region).counters[MSHARE_FAULTS_HOST];

	for (int i = 0; i < 3; i++) {
		/* What cannot be reclaimed in full is an error, and no matter. */
		write_value("/sys/fs/cgroup/memory.reclaim", "2G");
		check(all_answer(sharers, VERIFY, 1),
		      "reclaim %d: all pages have their content", i);
	}
	write_value("/proc/sys/vm/compact_memory", "1");
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

static void with_sharers(const char *name, int populate,
			 void (*fn)(struct sharer *, const struct test_region *))
{
	struct sharer sharers[SHARERS];
	struct test_region region;

	make_region(&region, name, WINDOWS, populate);
	start_sharers(sharers, &region);
	fn(sharers, &region);
	stop_sharers(sharers);
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
	start_sharers(sharers, &region);
	check_eq(unlink(region.name), 0, "the region can be unlinked");
	check(all_answer(sharers, VERIFY, 1), "its sharers read on");
	check_eq(fstat(region.fd, &stat), 0, "its descriptor works");
	check(map_text(&region, NULL) == MAP_FAILED && errno == EAGAIN,
	      "new mappings are refused");
	stop_sharers(sharers);
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
	with_sharers("reclaimed", MAP_POPULATE, reclaim);
	with_sharers("lazy", 0, reclaim);
	truncate_under_a_reader();
	lose_the_region();
	release_the_file_system();
	teardown_module();
	return report_status();
}
