/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything at once and at random: what processes do to a text they share, to
 * each other's, and what the system does to files, memory and regions; every
 * access is compared with a model, every region's counters with each other.
 *
 * A seed decides what each process does, in which order.  It does not decide
 * how processes and threads are scheduled: to see a failure again may take the
 * same seed several times.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

static const char usage[] =
"usage: fuzz [--seed N] [--seconds N | --steps N] [--processes N]\n"
"\n"
"  --seed N       what is done is the same for the same N; default: the time\n"
"  --seconds N    end after so many, default 60; processes are killed and begun\n"
"  --steps N      each process does so many operations, none is killed\n"
"  --processes N  at a time, besides their children; 1 to 32, default 6\n"
"\n"
"Loads the module; nothing of it may be in use.  Exits with 0 if all was right,\n"
"1 if something was not, 2 if it was used wrongly.\n";

static void refuse(void)
{
	fputs(usage, stderr);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (!*text || *end)
		refuse();
	return value;
}

static struct plan parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 't' },
		{ "steps", required_argument, NULL, 'n' },
		{ "processes", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct plan plan = { .seed = time(NULL), .processes = 6 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 's':
			plan.seed = number(optarg);
			break;
		case 't':
			plan.seconds = number(optarg);
			break;
		case 'n':
			plan.steps = number(optarg);
			break;
		case 'p':
			plan.processes = number(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			refuse();
		}
	}
	if (optind < argc || (plan.seconds && plan.steps) ||
	    !plan.processes || plan.processes > 32)
		refuse();
	if (!plan.seconds && !plan.steps)
		plan.seconds = 60;
	return plan;
}

/* The arena must be free in every process. */
static void without_random_addresses(char **argv)
{
	int persona = personality(0xffffffff);

	if (persona & ADDR_NO_RANDOMIZE) {
		prctl(PR_SET_NAME, "fuzz");
		return;
	}
	personality(persona | ADDR_NO_RANDOMIZE);
	execv("/proc/self/exe", argv);
	perror("fuzz: /proc/self/exe");
	exit(1);
}

static void print_operations(const struct world *world)
{
	printf("  %-28s %lu\n", "huge pages made of a file's", world->huge);
	for (unsigned int i = 0; operation_name(i); i++)
		printf("  %-28s %lu\n", operation_name(i), world->operations[i]);
}

static void check_regions(struct generations *generations)
{
	struct mshare_stat sums;
	int wrong = generations_finish(generations, &sums);
	uint64_t host = sum_counters(&sums, MSHARE_DETACHES_HOST_CLEAR,
				     MSHARE_DETACHES_HOST_OTHER);

	printf("%llu attaches, %lu detaches by the host, %lu windows made private, %llu private pages, %llu faults in the host\n",
	       sums.counters[MSHARE_ATTACHES], host,
	       sum_counters(&sums, MSHARE_PRIVATE_WRITE, MSHARE_PRIVATE_HOST),
	       sums.counters[MSHARE_FAULTS_PRIVATE],
	       sums.counters[MSHARE_FAULTS_HOST]);
	check(wrong >= 0, "no sharer is left");
	check_eq(wrong, 0, "each region ended with its counters in balance");
	check(sums.counters[MSHARE_ATTACHES] && host,
	      "windows were attached, and detached by the host");
}

int main(int argc, char **argv)
{
	struct plan plan = parse(argc, argv);
	struct random random = { .state = plan.seed };
	struct generations *generations;
	struct world *world;
	unsigned int processes;

	without_random_addresses(argv);
	printf("seed %lu\n", plan.seed);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (world == MAP_FAILED)
		return 1;
	setup_module();
	make_files();
	generations = generations_create(&random);
	processes = supervise(world, &plan, generations, &random);
	printf("seed %lu: %lu operations by %u processes and their children, %lu accesses judged, %lu overlapped\n",
	       plan.seed, world->steps, processes, world->judged, world->raced);
	print_operations(world);
	check_eq(world->failures, 0, "every access had the result it must have");
	check(data_is_unchanged(), "the file of the data is unchanged");
	check_regions(generations);
	remove_files();
	teardown_module();
	return report_status();
}
