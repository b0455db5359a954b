/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each counter of a region is moved by what it counts, by exactly as much, and
 * no other one is.
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
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	4
#define RX	(PROT_READ | PROT_EXEC)

/* By how much a counter must move. */
struct move {
	enum mshare_counter counter;
	int by;
};

/**
 * struct step - something a process does, and what it must count
 * @what:	for the report
 * @run:	in a child, which then exits unless it has executed a program
 * @moves:	the counters it moves, ends with a @by of 0
 */
struct step {
	const char *what;
	void (*run)(const struct test_region *region);
	struct move moves[8];
};

/* These depend on who runs where and when. */
static bool is_timing(enum mshare_counter counter)
{
	return counter == MSHARE_FAULTS_AGAIN || counter == MSHARE_FLUSHES ||
	       counter == MSHARE_FLUSHED_CPUS;
}

static int expected(const struct step *step, enum mshare_counter counter)
{
	for (const struct move *move = step->moves; move->by; move++)
		if (move->counter == counter)
			return move->by;
	return 0;
}

static void check_moves(const struct step *step, const struct mshare_stat *before,
			const struct mshare_stat *after)
{
	bool ok = true;

	for (int i = 0; i < MSHARE_NR_COUNTERS; i++) {
		long by = (long)(after->counters[i] - before->counters[i]);

		if (is_timing(i) || by == expected(step, i))
			continue;
		printf("counter %d moved by %ld, not %d\n", i, by,
		       expected(step, i));
		ok = false;
	}
	check(ok, "%s", step->what);
}

static void run_step(const struct step *step, const struct test_region *region)
{
	struct mshare_stat before = region_stat(region), after;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		step->run(region);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	after = region_stat(region);
	if (status)
		check(false, "%s: status %#x", step->what, status);
	check_moves(step, &before, &after);
}

static void need(bool ok)
{
	if (!ok)
		_exit(1);
}

static char *touched_text(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	need(text != MAP_FAILED && verify(text, region));
	return text;
}

static void touch(const char *page)
{
	(void)*(const volatile char *)page;
}

/* As a debugger does: permissions do not matter. */
static void poke(char *page)
{
	int fd = open("/proc/self/mem", O_RDWR);

	need(pwrite(fd, "x", 1, (off_t)page) == 1);
	close(fd);
}

static void read_all(const struct test_region *region)
{
	touched_text(region);
}

static void execute(const struct test_region *region)
{
	touched_text(region);
	execl("/bin/true", "true", NULL);
}

static void map_only(const struct test_region *region)
{
	need(map_text(region, NULL) != MAP_FAILED);
}

static void unmap(const struct test_region *region)
{
	need(!munmap(touched_text(region), region->size));
}

static void move(const struct test_region *region)
{
	char *text = touched_text(region), *to;

	to = mremap(text, region->size, region->size,
		    MREMAP_MAYMOVE | MREMAP_FIXED, text + 64 * WINDOW);
	touch(to);
}

static void unmap_part(const struct test_region *region)
{
	char *text = touched_text(region);

	need(!munmap(text + WINDOW + PAGE, PAGE));
	touch(text + WINDOW);
}

static void advise_part(const struct test_region *region)
{
	char *text = touched_text(region);

	need(!madvise(text + WINDOW + PAGE, PAGE, MADV_RANDOM));
	touch(text + WINDOW);
}

static void protect(const struct test_region *region)
{
	char *text = touched_text(region);

	need(!mprotect(text + 2 * WINDOW, PAGE, PROT_NONE));
	touch(text + 2 * WINDOW + PAGE);
}

static void drop_all(const struct test_region *region)
{
	char *text = touched_text(region);

	need(!madvise(text, region->size, MADV_DONTNEED));
	touch(text);
}

static void drop_page(const struct test_region *region)
{
	char *text = touched_text(region);

	need(!madvise(text + WINDOW, PAGE, MADV_DONTNEED));
	touch(text + WINDOW);
}

static void write_first(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	touch(text + WINDOW);
	poke(text);
}

static void write_linked(const struct test_region *region)
{
	poke(touched_text(region));
}

static void fork_written(const struct test_region *region)
{
	char *text = touched_text(region);
	int status;
	pid_t pid;

	poke(text);
	pid = fork();
	if (!pid) {
		/* The parent's page, in a table of the child's own. */
		touch(text + PAGE);
		_exit(0);
	}
	need(waitpid(pid, &status, 0) == pid && !status);
}

static void clear_refs(const struct test_region *region)
{
	int fd;

	touched_text(region);
	fd = open("/proc/self/clear_refs", O_WRONLY);
	need(write(fd, "4", 1) == 1);
	close(fd);
}

static void refused(const struct test_region *region)
{
	need(map_text(region, NULL) == MAP_FAILED && errno == EAGAIN);
}

static void map_locked(const struct test_region *region)
{
	need(!mlockall(MCL_FUTURE));
	refused(region);
}

static void map_limited(const struct test_region *region)
{
	struct rlimit limit = { 1UL << 40, 1UL << 40 };

	need(!setrlimit(RLIMIT_AS, &limit));
	refused(region);
}

static void map_readable_is_executable(const struct test_region *region)
{
	need(personality(READ_IMPLIES_EXEC) >= 0);
	refused(region);
}

static void punch(const struct test_region *region)
{
	int fd = open(region->file, O_WRONLY);

	touched_text(region);
	need(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			WINDOW, PAGE));
	close(fd);
}

#define N WINDOWS
#define READ_ALL { MSHARE_ATTACHES, N }, { MSHARE_FAULTS_REGISTERED, 1 }

static const struct step steps[] = {
	{ "mapping alone counts nothing", map_only, { { 0, 0 } } },
	{ "reading, exit", read_all,
	  { READ_ALL, { MSHARE_DETACHES_EXIT, N } } },
	{ "exec", execute, { READ_ALL, { MSHARE_DETACHES_EXIT, N } } },
	{ "munmap", unmap, { READ_ALL, { MSHARE_DETACHES_UNMAP, N } } },
	{ "mremap", move,
	  { { MSHARE_ATTACHES, N + 1 }, { MSHARE_FAULTS_REGISTERED, 2 },
	    { MSHARE_DETACHES_UNMAP, N }, { MSHARE_DETACHES_EXIT, 1 } } },
	{ "munmap of a part", unmap_part,
	  { READ_ALL, { MSHARE_DETACHES_SPLIT, 1 },
	    { MSHARE_FAULTS_COVERED, 1 }, { MSHARE_PRIVATE_UNCOVERED, 1 },
	    { MSHARE_FAULTS_PRIVATE, 1 }, { MSHARE_DETACHES_EXIT, N - 1 } } },
	{ "madvise of a part", advise_part,
	  { { MSHARE_ATTACHES, N + 1 }, { MSHARE_FAULTS_REGISTERED, 1 },
	    { MSHARE_DETACHES_SPLIT, 1 }, { MSHARE_FAULTS_COVERED, 1 },
	    { MSHARE_DETACHES_EXIT, N } } },
	{ "mprotect", protect,
	  { READ_ALL, { MSHARE_DETACHES_PROTECT, 1 },
	    { MSHARE_PRIVATE_PROTECT, 1 }, { MSHARE_FAULTS_PRIVATE, 1 },
	    { MSHARE_DETACHES_EXIT, N - 1 } } },
	{ "MADV_DONTNEED", drop_all,
	  { { MSHARE_ATTACHES, N + 1 }, { MSHARE_FAULTS_REGISTERED, 1 },
	    { MSHARE_DETACHES_CLEAR, N }, { MSHARE_DETACHES_EXIT, 1 } } },
	{ "MADV_DONTNEED of a page", drop_page,
	  { READ_ALL, { MSHARE_DETACHES_CLEAR, 1 },
	    { MSHARE_PRIVATE_REPLACED, 1 }, { MSHARE_FAULTS_PRIVATE, 1 },
	    { MSHARE_DETACHES_EXIT, N - 1 } } },
	{ "a write to a window nobody touched", write_first,
	  { { MSHARE_ATTACHES, 1 }, { MSHARE_FAULTS_REGISTERED, 1 },
	    { MSHARE_PRIVATE_WRITE, 1 }, { MSHARE_FAULTS_PRIVATE, 1 },
	    { MSHARE_DETACHES_EXIT, 1 } } },
	{ "a write to a linked page", write_linked,
	  { READ_ALL, { MSHARE_DETACHES_CLEAR, 1 },
	    { MSHARE_PRIVATE_REPLACED, 1 }, { MSHARE_FAULTS_PRIVATE, 1 },
	    { MSHARE_DETACHES_EXIT, N - 1 } } },
	{ "fork with private pages", fork_written,
	  { { MSHARE_ATTACHES, N }, { MSHARE_FAULTS_REGISTERED, 2 },
	    { MSHARE_DETACHES_CLEAR, 1 }, { MSHARE_PRIVATE_REPLACED, 1 },
	    { MSHARE_FAULTS_PRIVATE, 2 }, { MSHARE_DETACHES_FORK, N - 1 },
	    { MSHARE_PRIVATE_OWN_TABLE, 1 } } },
	{ "mmap with locked memory", map_locked,
	  { { MSHARE_REFUSALS_LOCKED, 1 } } },
	{ "mmap with a limit on address space", map_limited,
	  { { MSHARE_REFUSALS_LIMIT, 1 } } },
	{ "mmap with READ_IMPLIES_EXEC", map_readable_is_executable,
	  { { MSHARE_REFUSALS_EXEC, 1 } } },
	{ "a hole in the file", punch,
	  { READ_ALL, { MSHARE_DETACHES_HOST_CLEAR, 1 },
	    { MSHARE_DETACHES_EXIT, N - 1 } } },
};

static const struct step soft_dirty = {
	"clear_refs", clear_refs,
	{ READ_ALL, { MSHARE_DETACHES_SOFT_DIRTY, N } }
};

/* Only a kernel with CONFIG_MEM_SOFT_DIRTY takes it. */
static bool has_soft_dirty(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY);
	bool has = write(fd, "4", 1) == 1;

	close(fd);
	return has;
}

/* A region whose pages nobody has read yet. */

static void read_one(const struct test_region *region)
{
	touch(map_text(region, NULL));
}

/* Beside a link, where the host has no page. */
static void write_absent(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	touch(text);
	poke(text + 200 * PAGE);
}

static void read_truncated(const struct test_region *region)
{
	char *text = map_text(region, NULL);

	need(!truncate(region->file, WINDOW));
	need(touch_signal(text + WINDOW, false) == SIGBUS);
}

static const struct step lazy_steps[] = {
	{ "the host's first fault", read_one,
	  { { MSHARE_ATTACHES, 1 }, { MSHARE_FAULTS_REGISTERED, 1 },
	    { MSHARE_FAULTS_HOST, 1 }, { MSHARE_DETACHES_EXIT, 1 } } },
	{ "a write to a page the host does not have", write_absent,
	  { { MSHARE_ATTACHES, 1 }, { MSHARE_FAULTS_REGISTERED, 1 },
	    { MSHARE_DETACHES_FAULT, 1 }, { MSHARE_PRIVATE_WRITE, 1 },
	    { MSHARE_FAULTS_PRIVATE, 1 } } },
	/* Nothing is handed out: nothing becomes private. */
	{ "a truncated file", read_truncated, { { MSHARE_PRIVATE_HOST, 0 } } },
};

static const struct step refused_retired = {
	"mmap of a retired region", refused,
	{ { MSHARE_REFUSALS_RETIRED, 1 } }
};

static const struct step refused_unsealed = {
	"mmap of an unsealed region", refused,
	{ { MSHARE_REFUSALS_UNSEALED, 1 } }
};

static void unsealed(void)
{
	struct test_region region = { .size = WINDOW };

	region.fd = open(MOUNTPOINT "/.unsealed", O_RDWR | O_CREAT | O_EXCL, 0444);
	run_step(&refused_unsealed, &region);
	close(region.fd);
}

/* One invalidation is one shootdown, whatever it detaches. */
static void flushes(const struct test_region *region)
{
	uint64_t sent = region_stat(region).counters[MSHARE_FLUSHES], cpus;
	char *text = touched_text(region);
	struct mshare_stat stat;

	cpus = region_stat(region).counters[MSHARE_FLUSHED_CPUS];
	check_eq(region_stat(region).counters[MSHARE_FLUSHES], sent,
		 "attaching flushes nothing");
	munmap(text, region->size);
	stat = region_stat(region);
	check_eq(stat.counters[MSHARE_FLUSHES], sent + 1, "munmap sends one shootdown");
	cpus = stat.counters[MSHARE_FLUSHED_CPUS] - cpus;
	check(cpus >= 1 && cpus <= (uint64_t)sysconf(_SC_NPROCESSORS_ONLN),
	      "to the CPUs the process was on");
}

static int dump(const struct test_region *region, uint64_t *offset,
		struct mshare_window_stat *windows, unsigned int nr)
{
	struct mshare_window_dump dump = {
		.windows = (uintptr_t)windows, .offset = *offset, .nr = nr,
	};

	if (ioctl(region->fd, MSHAREFS_WINDOW_DUMP, &dump))
		return -errno;
	*offset = dump.offset;
	return (int)dump.nr;
}

/* The first window is touched, the others not. */
static void look_at_windows(const struct test_region *region, unsigned int links)
{
	struct mshare_window_stat windows[WINDOWS + 1];
	uint64_t offset = 0;
	bool ok = true;

	check_eq(dump(region, &offset, windows, WINDOWS + 1), WINDOWS,
		 "all windows are dumped");
	check_eq(offset, TEXT_OFFSET + region->size, "up to the last one's end");
	for (unsigned int i = 0; i < WINDOWS; i++)
		ok &= windows[i].offset == TEXT_OFFSET + i * WINDOW &&
		      windows[i].library == TEXT_OFFSET &&
		      windows[i].flags == MSHARE_WINDOW_LIVE &&
		      !windows[i].flushing && !windows[i].reserved &&
		      windows[i].links == (i ? 0 : links) &&
		      windows[i].attaches == (i ? 0 : 1);
	check(ok, "and are as they are, with %u links to the first", links);
}

static int dump_in_pieces(const void *arg)
{
	const struct test_region *region = arg;
	struct mshare_window_stat windows[3];
	struct mshare_window_dump bad = {
		.windows = (uintptr_t)windows, .nr = 1, .reserved = 1,
	};
	uint64_t offset = 1;

	check_eq(dump(region, &offset, windows, 3), 3, "three windows fit");
	check_eq(dump(region, &offset, windows, 3), WINDOWS - 3, "the rest follows");
	check_eq(dump(region, &offset, windows, 3), 0, "then there are no more");
	check_eq(dump(region, &offset, windows, 0), -EINVAL, "no room is an error");
	offset = 0;
	check_eq(dump(region, &offset, (void *)8, 1), -EFAULT, "so is a bad pointer");
	offset = -1UL;
	check_eq(dump(region, &offset, windows, 1), 0, "behind everything is nothing");
	check(ioctl(region->fd, MSHAREFS_WINDOW_DUMP, &bad) && errno == EINVAL,
	      "reserved must be 0");
	return report_status();
}

static int touch_and_look(const void *arg)
{
	touch(map_text(arg, NULL));
	look_at_windows(arg, 1);
	return report_status();
}

static void check_end(const struct test_region *region)
{
	struct mshare_stat stat = region_stat(region);

	check_eq(stat.nr_counters, MSHARE_NR_COUNTERS, "all counters are known");
	check_eq(stat.attached, 0, "nothing is attached at the end");
	check_eq(stat.sharers, 0, "no sharer is left");
	check_eq(sum_counters(&stat, MSHARE_DETACHES_HOST_CLEAR,
			      MSHARE_DETACHES_OTHER),
		 stat.counters[MSHARE_ATTACHES], "every link was taken back");
}

int main(void)
{
	struct test_region region;

	setup_module();
	unsealed();

	make_region(&region, "observe", WINDOWS, MAP_POPULATE);
	check_eq(in_child(touch_and_look, &region), 0, "a dump of the windows");
	look_at_windows(&region, 0);
	check_eq(in_child(dump_in_pieces, &region), 0, "a dump in pieces");
	flushes(&region);
	if (has_soft_dirty())
		run_step(&soft_dirty, &region);
	else
		unsupported("clear_refs: no CONFIG_MEM_SOFT_DIRTY");
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		run_step(&steps[i], &region);
	check_end(&region);
	unlink(region.name);
	run_step(&refused_retired, &region);
	drop_region(&region);

	make_region(&region, "lazy", 2, 0);
	for (size_t i = 0; i < sizeof(lazy_steps) / sizeof(*lazy_steps); i++)
		run_step(&lazy_steps[i], &region);
	check_end(&region);
	drop_region(&region);
	teardown_module();
	return report_status();
}
