/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader that never leaves its CPU while its page goes: nothing but the
 * module's shootdown makes it forget a stale TLB entry.
 *
 *	stale [SCENARIO...]	all of them, or those named
 *
 * With delays from the module (kmod/inject) the moments that matter last long
 * enough to be met in each round; without them they are met by chance.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define WINDOWS	2
#define ROUNDS	12
#define OLD	'x'	/* in every byte of the page before it goes */

/*
 * In each round, counted from 1: go, the reader is about to touch the page,
 * has read it, the page is gone, the reader has looked once more.  It sleeps
 * between rounds only.
 */
struct race {
	const struct test_region *region;
	int fd;			/* the library's file, O_RDWR */
	char *text;
	sem_t go, done;
	atomic_int touching, reading, gone;
	bool stop;
	int saw;		/* the byte it read at last, or -signal */
	pthread_t helper;
	atomic_bool helped;
};

struct scenario {
	const char *name;
	int want;		/* what the reader must see at last */
	void (*run)(struct race *race, int round);
	const char *what;
};

static char *page_of(const struct race *race)
{
	return race->text + WINDOW;
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

static sigjmp_buf after_fault;

static void on_fault(int sig)
{
	siglongjmp(after_fault, sig);
}

/* No system call from the first read to the last. */
static int read_until_gone(struct race *race, int round)
{
	volatile char *page = page_of(race);
	int sig = sigsetjmp(after_fault, 0);

	if (sig)
		return -sig;
	atomic_store(&race->touching, round);
	(void)*page;
	atomic_store(&race->reading, round);
	while (atomic_load(&race->gone) < round)
		(void)*page;
	return *page;
}

/* Real-time: a kernel thread on its CPU would make it forget, too. */
static void *reader(void *arg)
{
	struct sched_param priority = { .sched_priority = 1 };
	struct race *race = arg;

	pin(1);
	sched_setscheduler(0, SCHED_FIFO, &priority);
	for (int round = 1; ; round++) {
		sem_wait(&race->go);
		if (race->stop)
			return NULL;
		race->saw = read_until_gone(race, round);
		sem_post(&race->done);
	}
}

/* The page is in the host's table, and its window not attached. */
static void prepare(struct race *race)
{
	char page[PAGE];

	memset(page, OLD, sizeof(page));
	if (pwrite(race->fd, page, PAGE, WINDOW) != (ssize_t)PAGE)
		exit(1);
	race->text = map_text(race->region, NULL);
	(void)*(volatile char *)page_of(race);
	madvise(page_of(race), WINDOW, MADV_DONTNEED);
	arm_faults();
}

/* A moment between the reader's first touch and its end: no one matters. */
static void pause_in_touch(struct race *race, int round)
{
	await(&race->touching, round);
	usleep(round % 4 * 4000);
}

static void punch(const struct race *race)
{
	if (fallocate(race->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      WINDOW, PAGE))
		exit(1);
}

static void drop(const struct race *race)
{
	if (madvise(page_of(race), WINDOW, MADV_DONTNEED))
		exit(1);
}

static void unmap(const struct race *race)
{
	if (munmap(page_of(race), WINDOW))
		exit(1);
}

static void *help_drop(void *arg)
{
	struct race *race = arg;

	drop(race);
	atomic_store(&race->helped, true);
	return NULL;
}

static void *help_punch(void *arg)
{
	struct race *race = arg;

	punch(race);
	atomic_store(&race->helped, true);
	return NULL;
}

/* Somebody else detaches the reader; go on before that is complete. */
static void have_detached(struct race *race, void *(*help)(void *))
{
	atomic_store(&race->helped, false);
	if (pthread_create(&race->helper, NULL, help, race))
		exit(1);
	while (!atomic_load(&race->helped) && windows_attached(race->region, 0))
		;
}

static void truncate_read(struct race *race, int round)
{
	await(&race->reading, round);
	if (ftruncate(race->fd, WINDOW))
		exit(1);
}

static void unmap_read(struct race *race, int round)
{
	await(&race->reading, round);
	unmap(race);
}

static void punch_touched(struct race *race, int round)
{
	pause_in_touch(race, round);
	punch(race);
}

static void drop_touched(struct race *race, int round)
{
	pause_in_touch(race, round);
	drop(race);
}

static void punch_dropped(struct race *race, int round)
{
	await(&race->reading, round);
	have_detached(race, help_drop);
	punch(race);
}

static void unmap_punched(struct race *race, int round)
{
	await(&race->reading, round);
	have_detached(race, help_punch);
	unmap(race);
}

static const struct scenario scenarios[] = {
	{ "truncate-read", -SIGBUS, truncate_read,
	  "a page truncated under its reader is never stale [inv 2]" },
	{ "unmap-read", -SIGSEGV, unmap_read,
	  "a page unmapped under its reader is never stale [inv 3]" },
	{ "punch-touched", 0, punch_touched,
	  "a page punched while it is first touched is never stale [inv 4]" },
	{ "drop-touched", OLD, drop_touched,
	  "a page dropped while it is first touched has its content" },
	{ "punch-dropped", 0, punch_dropped,
	  "a page punched while its sharer's flush is not done is never stale [inv 11]" },
	{ "unmap-punched", -SIGSEGV, unmap_punched,
	  "a page unmapped while its host's flush is not done is never stale [inv 11]" },
};

static int run_rounds(struct race *race, const struct scenario *scenario)
{
	int wrong = 0;

	for (int round = 1; round <= ROUNDS && !wrong; round++) {
		prepare(race);
		race->helper = 0;
		sem_post(&race->go);
		scenario->run(race, round);
		atomic_store(&race->gone, round);
		sem_wait(&race->done);
		if (race->saw != scenario->want) {
			printf("%s, round %d: the reader saw %d, not %d\n",
			       scenario->name, round, race->saw, scenario->want);
			wrong++;
		}
		if (race->helper)
			pthread_join(race->helper, NULL);
		munmap(race->text, race->region->size);
	}
	return wrong;
}

static void run(const struct scenario *scenario)
{
	struct test_region region;
	struct race race = { .region = &region };
	pthread_t thread;

	make_region(&region, scenario->name, WINDOWS, 0);
	sem_init(&race.go, 0, 0);
	sem_init(&race.done, 0, 0);
	race.fd = open(region.file, O_RDWR);
	if (race.fd < 0 || pthread_create(&thread, NULL, reader, &race))
		exit(1);
	check_eq(run_rounds(&race, scenario), 0, "%s", scenario->what);
	race.stop = true;
	sem_post(&race.go);
	pthread_join(thread, NULL);
	check_eq(module_count("caught"), 0,
		 "%s: nobody attached during an invalidation [inv 4]",
		 scenario->name);
	close(race.fd);
	drop_region(&region);
}

/* Where a page goes at once: no journal, no disk. */
static void use_tmpfs(void)
{
	if (unshare(CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/var/tmp", "tmpfs", 0, "mode=1777"))
		exit(1);
}

static bool is_wanted(const char *name, char **names)
{
	bool wanted = !*names;

	for (; *names; names++)
		wanted |= !strcmp(name, *names);
	return wanted;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault,
				    .sa_flags = SA_NODEFER };

	(void)argc;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	use_tmpfs();
	setup_module();
	pin(0);
	for (unsigned int i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (is_wanted(scenarios[i].name, argv + 1))
			run(&scenarios[i]);
	teardown_module();
	return report_status();
}
