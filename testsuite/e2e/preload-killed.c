// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare-preload killed: at the beginning and the end of each system call it
 * makes, at moments in between, while pages are read in, and at some system
 * calls while it makes a region of images and their file of data.
 *
 * There is a whole region afterwards or none, never a half one; another region
 * is not disturbed; and nothing is left in the kernel.  Programs run whatever
 * there is, and whatever a killed run left on disk, the next one takes away.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "report.h"
#include "traced.h"

#define LIBDIR		"/usr/lib/x86_64-linux-gnu/"
#define CACHE		"/var/cache/ldmshare"
#define LOADER		"../ld-linux-x86-64.so.2"	/* from run-tests' directory */
#define MOMENTS		40
#define IMAGE_KILLS	30
#define SEED		1
#define STOPS_LEAST	30	/* from creation to the end */

/*
 * The host mm of one region has at least 10 pages of tables.  If one kill in
 * twenty lost one, it would be seen.
 */
#define LEAK_KB_MAX	512

/** struct tally - what was left behind, over all kills */
struct tally {
	unsigned int kills;
	unsigned int live;		/* a whole region */
	unsigned int half;		/* anything else */
	unsigned int keeper_lost;
};

static char *const small[] = {
	"mshare-preload", LIBDIR "libc.so.6", LIBDIR "libcrypto.so.3", NULL
};

static char *const large[] = {
	"mshare-preload", LIBDIR "libc.so.6", LIBDIR "libLLVM-14.so.1", NULL
};

static char *const split[] = {
	"mshare-preload", LIBDIR "libc.so.6", LIBDIR "libz.so.1", NULL
};

static bool is_whole(void)
{
	return says("mshare stat --json system", "\"state\":\"live\"") &&
	       says("mshare stat --json system", "libc.so.6\"");
}

static void look(struct tally *tally)
{
	char names[512];

	tally->kills++;
	regions(names, sizeof(names));
	tally->keeper_lost += !strstr(names, " keeper");
	if (!strcmp(names, " keeper"))
		return;
	if (strstr(names, " system") &&
	    strlen(names) == strlen(" system keeper") && is_whole()) {
		tally->live++;
		run("mshare destroy system");
		return;
	}
	tally->half++;
	printf("after kill %u:%s\n", tally->kills, names);
}

static void report_tally(const struct tally *tally, const char *how)
{
	printf("%s: %u kills, %u live regions\n", how, tally->kills, tally->live);
	check_eq(tally->half, 0, "killed %s: no half region", how);
	check_eq(tally->keeper_lost, 0, "killed %s: another region stays", how);
	check(tally->live < tally->kills,
	      "killed %s: mostly there is no region", how);
}

/* Up to where it begins to make something: what it looks at before varies. */
static pid_t start_until_creation(char *const argv[])
{
	struct ptrace_syscall_info info;
	pid_t pid = trace_start(argv);

	while (trace_next(pid, &info))
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		    info.entry.nr == SYS_openat && info.entry.args[2] & O_CREAT)
			break;
	return pid;
}

/* One stop later each time, until there are no more: then it has ended. */
static void kill_at_stops(void)
{
	struct tally tally = { 0 };
	unsigned int stops;
	bool ended = false;

	for (stops = 0; !ended; stops++) {
		pid_t pid = start_until_creation(small);

		for (unsigned int i = 0; i < stops && !ended; i++)
			ended = !trace_next(pid, NULL);
		trace_kill(pid);
		look(&tally);
	}
	check(stops > STOPS_LEAST,
	      "killed at each system call until it ended");
	check(tally.live > 1, "killed behind its last step, it is done");
	report_tally(&tally, "at each system call");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void kill_after(double seconds)
{
	struct timespec delay = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};
	pid_t pid = trace_start(large);

	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	nanosleep(&delay, NULL);
	trace_kill(pid);
}

/* Most of its time is spent inside the kernel, reading pages in. */
static void kill_at_moments(void)
{
	struct tally tally = { 0 };
	double begin, duration;

	/* Twice: the first time reads the files. */
	check_eq(trace_finish(trace_start(large)), 0, "it can be done");
	begin = now();
	check_eq(trace_finish(trace_start(large)), 0, "and again");
	duration = now() - begin;
	run("mshare destroy system");
	for (int i = 0; i < MOMENTS; i++) {
		kill_after(duration * i / MOMENTS);
		look(&tally);
	}
	report_tally(&tally, "at any moment");
}

/** struct aftermath - what was wrong after kills, beside regions */
struct aftermath {
	unsigned int broken;	/* a program did not run */
	unsigned int refused;	/* another mshare-preload failed */
	unsigned int unused;	/* its images were not used */
	unsigned int leaked;	/* files of data, more than the one */
};

static unsigned int data_files(void)
{
	DIR *directory = opendir(CACHE);
	struct dirent *entry;
	unsigned int count = 0;

	while (directory && (entry = readdir(directory)))
		count += !strncmp(entry->d_name, "data-", 5) ||
			 !strncmp(entry->d_name, ".data-", 6);
	if (directory)
		closedir(directory);
	return count;
}

static void try_again(struct aftermath *aftermath)
{
	aftermath->refused += trace_finish(trace_start(split)) != 0;
	aftermath->unused += !says("LD_MSHARE=verbose " LOADER " /bin/true 2>&1",
				   ", data at ");
	aftermath->leaked += data_files() - 1;
	run("mshare destroy system");
}

static unsigned int stops_from_creation(char *const argv[])
{
	pid_t pid = start_until_creation(argv);
	unsigned int stops = 0;

	while (trace_next(pid, NULL))
		stops++;
	trace_kill(pid);
	return stops;
}

/* In each part of its work once, at a random stop */
static void kill_with_images(void)
{
	struct aftermath aftermath = { 0 };
	struct tally tally = { 0 };
	unsigned int stops;

	check(!run("mshare image build %s %s >/dev/null", split[1], split[2]),
	      "images are made");
	stops = stops_from_creation(split);
	run("mshare destroy system");
	printf("%u stops, seed %d\n", stops, SEED);
	srandom(SEED);
	for (unsigned int i = 0; i < IMAGE_KILLS; i++) {
		unsigned int part = stops / IMAGE_KILLS;
		unsigned int stop = i * part + (unsigned int)random() % part;
		pid_t pid = start_until_creation(split);

		while (stop-- && trace_next(pid, NULL))
			;
		trace_kill(pid);
		aftermath.broken += run(LOADER " /bin/true") != 0;
		look(&tally);
		try_again(&aftermath);
	}
	report_tally(&tally, "with images");
	check_eq(aftermath.broken, 0, "killed with images: programs run");
	check_eq(aftermath.refused, 0, "killed with images: the next run succeeds");
	check_eq(aftermath.unused, 0, "killed with images: and its images are used");
	check_eq(aftermath.leaked, 0,
		 "killed with images: no data is left but the next run's");
	run("mshare-preload --no-images %s && mshare destroy system", split[1]);
	check_eq(data_files(), 0, "data of a region that has gone goes");
	run("rm -r " CACHE);
}

int main(void)
{
	long before, growth;

	load_module();
	check_eq(run("mshare-preload --name=keeper " LIBDIR "libc.so.6"), 0,
		 "a region is made");
	before = page_tables_kb();
	kill_at_stops();
	kill_at_moments();
	kill_with_images();
	check(says("mshare list --json", "\"generation\":1,"),
	      "the first region is what it was");
	growth = page_tables_kb() - before;
	printf("PageTables grew by %ld kB\n", growth);
	check(growth < LEAK_KB_MAX, "no host mm is left behind");
	check_eq(run("mshare destroy keeper"), 0, "the region can be destroyed");
	check(unload_module(), "the module can be unloaded");
	return report_status();
}
