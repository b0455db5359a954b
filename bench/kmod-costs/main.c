// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmod-costs: what the module costs, next to mappings of the same file
 */
#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#include "figures.h"
#include "json.h"
#include "meter.h"

const char *argp_program_version = "kmod-costs (ldmshare) " PACKAGE_VERSION;

static const char doc[] =
	"Count what sharing costs and saves in the kernel, next to the same work with mappings of the same file, in guest instructions.\n\n"
	"Needs root, the module, and a machine with one processor under QEMU's -icount; ./quickstart costs makes one."
	"\vExit status: 0 all is measured, whether an aim is met or not; 1 something failed; 2 wrong usage; 77 instructions cannot be counted here.\n\nSee doc/kmod-costs.md.";

enum { OPT_JSON = 256, OPT_QUICK };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, "FILE", 0, "Write the figures to FILE, too", 0 },
	{ "quick", OPT_QUICK, NULL, 0, "Fewer and smaller measurements", 0 },
	{ 0 }
};

static const struct effort thorough = {
	.repeats = 15, .vmas = { 10, 100, 1000 }, .sharers = { 1, 100, 1000 },
	.mappings = 2000,
};

static const struct effort quick = {
	.repeats = 5, .vmas = { 10, 100 }, .sharers = { 1, 100 },
	.mappings = 500,
};

/** struct request - the command line */
struct request {
	const char *json;
	struct effort effort;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPT_JSON:
		request->json = arg;
		return 0;
	case OPT_QUICK:
		request->effort = quick;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* It is installed beside this program. */
static char *idle_program(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("-idle"));

	if (n < 0)
		err(1, "/proc/self/exe");
	strcpy(path + n, "-idle");
	if (access(path, X_OK))
		err(1, "%s", path);
	return path;
}

/* Where things lie decides how many page tables there are: not by chance. */
static void fix_addresses(char **argv)
{
	int persona = personality(0xffffffff);

	if (persona < 0)
		err(1, "personality");
	if (persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality((unsigned int)persona | ADDR_NO_RANDOMIZE) < 0)
		err(1, "personality");
	execv("/proc/self/exe", argv);
	err(1, "/proc/self/exe");
}

static void write_json(const char *path, struct json_object *figures)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "figures", json_object_get(figures));
	json_write(path, object);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .doc = doc,
	};
	struct json_object *figures = json_object_new_array();
	struct request request = { .effort = thorough };

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &request);
	fix_addresses(argv);
	request.effort.idle = idle_program();
	meter_start();
	texts_begin();

	measure_faults(figures, &request.effort);
	measure_processes(figures, &request.effort);
	measure_own_memory(figures, &request.effort);
	measure_invalidation(figures, &request.effort);
	measure_memory(figures, &request.effort);
	texts_end();

	figures_print(figures);
	if (request.json)
		write_json(request.json, figures);
	json_object_put(figures);
	return 0;
}
