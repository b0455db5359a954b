/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that can be done to a region, by threads that know nothing of each other:
 * each call ends with what msharefs.h says, each text that can be mapped has
 * its content, and in the end nothing is left.
 *
 *	raced [SEED [THREADS [STEPS]]]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define FILE_PATH	"/var/tmp/mshare-raced"
#define NEW		MOUNTPOINT "/.raced"
#define LIVE		MOUNTPOINT "/raced"
#define WINDOWS		6
#define SIZE		((1 + WINDOWS) * WINDOW)
#define PAGES		4
#define RX		(PROT_READ | PROT_EXEC)

/* What was done, and how it ended. */
enum deed {
	DONATE, CREATE, DATA, UNMAP, UNSHARE, SEAL, STAT, MMAP, READ, OTHER, NR_DEEDS
};

static const char *const names[] = {
	"DONATE", "CREATE_MAPPING", "SET_DATA", "UNMAP", "UNSHARE", "SEAL",
	"statistics", "mmap", "reading", "other calls",
};

/* All a call may end with here; 0 ends the list. */
static const int allowed[NR_DEEDS][8] = {
	[DONATE] = { EPERM, EEXIST, EINVAL },
	[CREATE] = { EPERM, EEXIST, ERANGE, ENXIO, EBUSY },
	[DATA] = { EPERM, EEXIST, ERANGE, ENXIO },
	[UNMAP] = { ENOENT },
	[UNSHARE] = { ENOENT, EINVAL },
	[SEAL] = { EPERM, ENXIO, EBUSY },
	[STAT] = { ENOENT },
	[MMAP] = { EAGAIN, EINVAL },
	[OTHER] = { ENOENT, EEXIST, EPERM, EBUSY, EINVAL, EFBIG },
};

static atomic_int bad[NR_DEEDS], done[NR_DEEDS];

static void count(enum deed deed, long ret)
{
	int err = ret < 0 ? errno : 0;

	if (!err) {
		atomic_fetch_add(&done[deed], 1);
		return;
	}
	for (int i = 0; i < 8 && allowed[deed][i]; i++)
		if (err == allowed[deed][i])
			return;
	printf("%s: errno %d\n", names[deed], err);
	atomic_fetch_add(&bad[deed], 1);
}

struct racer {
	pthread_t thread;
	uint64_t random;
	char *place;		/* where this thread maps texts */
	int fd, file;
	int steps;
};

static unsigned int pick(struct racer *racer, unsigned int n)
{
	racer->random = racer->random * 6364136223846793005UL +
			1442695040888963407UL;
	return (racer->random >> 33) % n;
}

static void reopen(struct racer *racer)
{
	const char *path = pick(racer, 3) ? NEW : LIVE;

	close(racer->fd);
	racer->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
	count(OTHER, racer->fd);
	count(OTHER, ftruncate(racer->fd, SIZE));
}

/* The child calls nothing of the C library that could wait for a thread. */
static void donate_by_child(struct racer *racer)
{
	struct mshare_donate donate = { .start = REGION_START };
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(ioctl(racer->fd, MSHAREFS_DONATE, &donate) ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		exit(1);
	errno = WEXITSTATUS(status);
	count(DONATE, errno ? -1 : 0);
}

/* In window w is the file from page w on: a library of its own. */
static void create(struct racer *racer)
{
	uint64_t w = 1 + pick(racer, WINDOWS);

	errno = create_mapping(racer->fd, racer->file, w * WINDOW, PAGES * PAGE,
			       w * PAGE, RX, pick(racer, 2) ? MAP_POPULATE : 0);
	count(CREATE, errno ? -1 : 0);
}

/* And as data. */
static void create_zone(struct racer *racer)
{
	uint64_t w = 1 + pick(racer, WINDOWS);

	errno = set_data(racer->fd, racer->file, w * WINDOW, PAGES * PAGE,
			 w * PAGE);
	count(DATA, errno ? -1 : 0);
}

static void unmap(struct racer *racer)
{
	struct mshare_unmap unmap = {
		.region_offset = (1 + pick(racer, WINDOWS)) * WINDOW,
	};

	count(UNMAP, ioctl(racer->fd, MSHAREFS_UNMAP, &unmap));
}

static void unshare_library(struct racer *racer)
{
	struct mshare_unshare unshare = {
		.region_offset = (1 + pick(racer, WINDOWS)) * WINDOW,
	};

	count(UNSHARE, ioctl(racer->fd, MSHAREFS_UNSHARE, &unshare));
}

static bool has_content(const char *text, long first)
{
	for (long i = 0; i < PAGES; i++)
		if (page_number(text + i * PAGE) != first + i)
			return false;
	return true;
}

static void use(struct racer *racer)
{
	long w = 1 + pick(racer, WINDOWS);
	char *at = racer->place + w * WINDOW;
	int prot = pick(racer, 3) ? RX : PROT_READ | PROT_WRITE;
	char *text = mmap(at, PAGES * PAGE, prot, MAP_PRIVATE | MAP_FIXED,
			  racer->fd, w * WINDOW);

	count(MMAP, text == MAP_FAILED ? -1 : 0);
	if (text == MAP_FAILED)
		return;
	errno = EILSEQ;
	count(READ, has_content(text, w) ? 0 : -1);
	if (pick(racer, 3))
		munmap(text, PAGES * PAGE);
}

static void look(struct racer *racer)
{
	struct mshare_window_stat windows[WINDOWS];
	struct mshare_stat stat;
	struct mshare_library_stat library = {
		.region_offset = pick(racer, SIZE),
	};
	struct mshare_process_stat process = {};
	struct mshare_window_dump dump = {
		.windows = (uintptr_t)windows, .nr = WINDOWS,
	};

	count(STAT, ioctl(racer->fd, MSHAREFS_STAT, &stat));
	count(STAT, ioctl(racer->fd, MSHAREFS_LIBRARY_STAT, &library));
	count(STAT, ioctl(racer->fd, MSHAREFS_PROCESS_STAT, &process));
	count(STAT, ioctl(racer->fd, MSHAREFS_WINDOW_DUMP, &dump));
}

static void unlink_one(struct racer *racer)
{
	count(OTHER, unlink(pick(racer, 2) ? NEW : LIVE));
}

static void rename_one(struct racer *racer)
{
	(void)racer;
	count(OTHER, rename(NEW, LIVE));
}

static void seal(struct racer *racer)
{
	count(SEAL, ioctl(racer->fd, MSHAREFS_SEAL));
}

static void catalog(struct racer *racer)
{
	char byte = 'c';

	count(OTHER, pwrite(racer->fd, &byte, 1,
			    MSHARE_CATALOG_OFFSET + pick(racer, 3 * PAGE)));
	count(OTHER, pread(racer->fd, &byte, 1, pick(racer, 4 * PAGE)));
}

static const struct {
	void (*act)(struct racer *racer);
	unsigned int often;
} steps[] = {
	{ reopen, 1 }, { unlink_one, 1 }, { rename_one, 1 }, { unmap, 1 },
	{ unshare_library, 1 }, { seal, 2 }, { donate_by_child, 3 },
	{ catalog, 2 }, { look, 3 }, { create, 12 }, { create_zone, 4 },
	{ use, 33 },
};

static void step(struct racer *racer)
{
	unsigned int i = 0, n = pick(racer, 64);

	while (n >= steps[i].often)
		n -= steps[i++].often;
	steps[i].act(racer);
}

static void *race(void *arg)
{
	struct racer *racer = arg;

	racer->file = open(FILE_PATH, O_RDONLY | O_CLOEXEC);
	racer->fd = open(NEW, O_RDWR | O_CREAT | O_CLOEXEC, 0444);
	count(OTHER, ftruncate(racer->fd, SIZE));
	for (int i = 0; i < racer->steps; i++)
		step(racer);
	munmap(racer->place, SIZE);
	close(racer->file);
	return NULL;
}

/* The regions are held by descriptors, with names or without. */
static void check_regions(const struct racer *racers, int n)
{
	uint64_t attached = 0, sharers = 0;

	for (int i = 0; i < n; i++) {
		struct mshare_stat stat = {};

		if (ioctl(racers[i].fd, MSHAREFS_STAT, &stat))
			attached++;
		attached += stat.attached;
		sharers += stat.sharers;
		close(racers[i].fd);
	}
	check_eq(attached, 0, "nothing is attached at the end");
	check_eq(sharers, 0, "no sharer is left");
}

static bool is_writable(const char *path)
{
	int fd = open(path, O_WRONLY);

	close(fd);
	return fd >= 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	int n = argc > 2 ? atoi(argv[2]) : 6;
	int steps = argc > 3 ? atoi(argv[3]) : 800;
	struct racer *racers = calloc(n, sizeof(*racers));

	setup_module();
	make_file(FILE_PATH, PAGES_PER_WINDOW);
	for (int i = 0; i < n; i++) {
		racers[i].random = seed * 1000003 + i;
		racers[i].place = (char *)REGION_START + i * 32 * WINDOW;
		racers[i].steps = steps;
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	}
	for (int i = 0; i < n; i++)
		pthread_join(racers[i].thread, NULL);
	for (int deed = 0; deed < NR_DEEDS; deed++) {
		printf("seed %lu: %s: %d times\n", seed, names[deed], done[deed]);
		check_eq(bad[deed], 0, "%s: what may be, and nothing else",
			 names[deed]);
	}
	check(done[SEAL] && done[READ] && done[DATA],
	      "regions were sealed and read");
	check_regions(racers, n);
	unlink(NEW);
	unlink(LIVE);
	check(is_writable(FILE_PATH), "without them their file can be written");
	unlink(FILE_PATH);
	free(racers);
	teardown_module();
	return report_status();
}
