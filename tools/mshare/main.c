// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare: look at regions, and retire them
 */
#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mshare.h"
#include "verbs.h"

#define ANY_NUMBER	SIZE_MAX

const char *argp_program_version = "mshare (ldmshare) " PACKAGE_VERSION;

/**
 * struct verb - one thing to do
 * @name:    as it is typed
 * @args:    its arguments, for --help
 * @doc:     what it does, for --help
 * @json:    whether there is output for programs
 * @least:   arguments it needs
 * @most:    arguments it takes
 * @run:     does it; NULL: image_main() does, with verbs and options of its own
 */
struct verb {
	const char *name;
	const char *args;
	const char *doc;
	bool json;
	size_t least;
	size_t most;
	int (*run)(const struct request *request);
};

static const struct verb verbs[] = {
	{ "list", "", "Show all regions.", true, 0, 0, list_regions },
	{ "stat", "[REGION]",
	  "Show what a region is doing and which libraries are in it; without REGION, of all.",
	  true, 0, 1, stat_regions },
	{ "windows", "[REGION]",
	  "Show each window of REGION (default: " MSHARE_REGION_DEFAULT
	  ") and how many processes have it linked.",
	  true, 0, 1, list_windows },
	{ "ps", "[REGION] [PID...]",
	  "Show how many windows of REGION (default: " MSHARE_REGION_DEFAULT
	  ") each process has; without PID, of all that have any.",
	  true, 0, ANY_NUMBER, list_processes },
	{ "explain", "PID",
	  "Show what a process shares of each of its libraries, why not more, and what its own page tables are for.",
	  true, 1, 1, explain_process },
	{ "drop", "REGION LIBRARY...",
	  "Retire libraries: processes that have them keep them, new ones load them as if there was no region.",
	  false, 2, ANY_NUMBER, drop_libraries },
	{ "unshare", "LIBRARY...",
	  "Take libraries out of sharing at once, also in processes that run: uprobes see them then. Shows in which processes they cannot.",
	  true, 1, ANY_NUMBER, unshare_libraries },
	{ "destroy", "REGION",
	  "Retire a whole region: it goes with the last process that uses it.",
	  false, 1, 1, destroy_region },
	{ "image", "VERB [FILE...]", NULL, true, 0, ANY_NUMBER, NULL },
};

static const char exit_status[] =
	"\vExit status: 0 success; 1 failure, explained on standard error; 2 wrong usage.\n\nSee mshare(1).";

enum { OPT_JSON = 256, OPT_MOUNTPOINT };

static const struct argp_option with_json[] = {
	{ "mountpoint", OPT_MOUNTPOINT, "DIR", 0,
	  "Where msharefs is mounted (default: " MSHARE_MOUNTPOINT ")", 0 },
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 0 },
	{ 0 }
};

static const struct argp_option without_json[] = {
	{ "mountpoint", OPT_MOUNTPOINT, "DIR", 0,
	  "Where msharefs is mounted (default: " MSHARE_MOUNTPOINT ")", 0 },
	{ 0 }
};

/** struct parsing - what parse_request() works on */
struct parsing {
	const struct verb *verb;
	struct request *request;
};

static error_t parse_request(int key, char *arg, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct request *request = parsing->request;

	switch (key) {
	case OPT_MOUNTPOINT:
		request->mountpoint = arg;
		break;
	case OPT_JSON:
		request->json = true;
		break;
	case ARGP_KEY_ARG:
		if (request->count == parsing->verb->most)
			argp_error(state, "too many arguments");
		request->args[request->count++] = arg;
		break;
	case ARGP_KEY_END:
		if (request->count < parsing->verb->least)
			argp_error(state, "missing argument");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* @argv: the verb and what follows it. */
static int run_verb(const struct verb *verb, int argc, char **argv)
{
	struct request request = { .mountpoint = MSHARE_MOUNTPOINT };
	struct parsing parsing = { .verb = verb, .request = &request };
	struct argp argp = {
		.options = verb->json ? with_json : without_json,
		.parser = parse_request,
		.args_doc = verb->args,
	};
	char *doc;
	int status;

	request.args = calloc((size_t)argc, sizeof(*request.args));
	if (!request.args || asprintf(&doc, "%s%s", verb->doc, exit_status) < 0 ||
	    asprintf(&argv[0], "mshare %s", verb->name) < 0)
		err(1, NULL);
	argp.doc = doc;
	argp_parse(&argp, argc, argv, 0, NULL, &parsing);

	status = verb->run(&request);
	free(request.args);
	free(doc);
	free(argv[0]);
	if (fflush(stdout) || ferror(stdout))
		err(1, "standard output");
	return status;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* Stops at the verb: what follows is the verb's. */
static error_t parse_verb(int key, char *arg, struct argp_state *state)
{
	const struct verb **verb = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		*verb = find_verb(arg);
		if (!*verb)
			argp_error(state, "%s: no such verb", arg);
		return ARGP_ERR_UNKNOWN;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a verb is missing");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static char *describe_verbs(void)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		err(1, NULL);
	fputs("Look at the regions in which processes share the page tables of libraries.\n\n",
	      out);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(out, "  mshare %s %s\n", verbs[i].name, verbs[i].args);
	fprintf(out, "\n'mshare VERB --help' tells more of each.%s", exit_status);
	if (fclose(out))
		err(1, NULL);
	return text;
}

int main(int argc, char **argv)
{
	char *doc = describe_verbs();
	const struct argp argp = {
		.parser = parse_verb,
		.args_doc = "VERB ...",
		.doc = doc,
	};
	const struct verb *verb = NULL;
	int index;

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, &index, &verb);
	free(doc);
	if (!verb->run)
		return image_main(argc - index, argv + index);
	return run_verb(verb, argc - index, argv + index);
}
