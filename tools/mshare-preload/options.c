// SPDX-License-Identifier: GPL-2.0-or-later
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data-file.h"
#include "format.h"
#include "image.h"
#include "mshare.h"
#include "options.h"

const char *argp_program_version = "mshare-preload (ldmshare) " PACKAGE_VERSION;

enum { OPT_BASE = 256, OPT_CACHE, OPT_DATA_DIR, OPT_DRY_RUN, OPT_FROM, OPT_IMAGES,
       OPT_JSON, OPT_MIN_TEXT, OPT_MOUNTPOINT, OPT_NO_IMAGES };

static const struct argp_option descriptions[] = {
	{ NULL, 0, NULL, 0, "Which libraries:", 1 },
	{ "cache", OPT_CACHE, NULL, 0,
	  "Those in ld.so's cache (the default if none are named)", 0 },
	{ "from", OPT_FROM, "LIST", 0,
	  "Those in the file LIST, one path a line ('-': standard input)", 0 },
	{ "exclude", 'x', "PATTERN", 0,
	  "None whose path or last component matches PATTERN (repeatable)", 0 },
	{ "min-text", OPT_MIN_TEXT, "SIZE", 0,
	  "None without an image and with less text than SIZE, e.g. 512K or 2M (default: 1M)", 0 },
	{ "images", OPT_IMAGES, "DIR", 0,
	  "The images in DIR instead of their originals (default: "
	  IMAGE_DIRECTORY ")", 0 },
	{ "no-images", OPT_NO_IMAGES, NULL, 0, "No images", 0 },
	{ NULL, 0, NULL, 0, "Where:", 2 },
	{ "name", 'n', "NAME", 0,
	  "The region's name (default: " MSHARE_REGION_DEFAULT ")", 0 },
	{ "base", OPT_BASE, "ADDRESS", 0,
	  "The region's address, for tests (default: random)", 0 },
	{ "mountpoint", OPT_MOUNTPOINT, "DIR", 0,
	  "Where msharefs is; mounted there if it is not (default: "
	  MSHARE_MOUNTPOINT ")", 0 },
	{ "data-dir", OPT_DATA_DIR, "DIR", 0,
	  "Where the data of split libraries is kept (default: "
	  DATA_DIRECTORY ")", 0 },
	{ NULL, 0, NULL, 0, "What to do and say:", 3 },
	{ "dry-run", OPT_DRY_RUN, NULL, 0,
	  "Print the layout and stop; needs neither root nor the module", 0 },
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 0 },
	{ "verbose", 'v', NULL, 0, "Name each library as it is mapped", 0 },
	{ NULL, 0, NULL, 0, NULL, -1 },
	{ 0 }
};

static void add(char ***list, size_t *count, char *text)
{
	char **grown = reallocarray(*list, *count + 1, sizeof(*grown));

	if (!grown)
		err(1, NULL);
	grown[(*count)++] = text;
	*list = grown;
}

static void parse_base(struct argp_state *state, const char *text,
		       uint64_t *base)
{
	char *end;

	errno = 0;
	*base = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || !*base ||
	    *base % MSHARE_WINDOW_SIZE)
		argp_error(state, "--base %s: not a multiple of 2 MiB", text);
}

/* A leading dot means "not published" to msharefs. */
static void parse_name(struct argp_state *state, const char *text,
		       const char **name)
{
	if (!*text || *text == '.' || strchr(text, '/') || strlen(text) > 32)
		argp_error(state, "--name %s: not a name of 1 to 32 characters without '/' or leading '.'",
			   text);
	*name = text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPT_CACHE:
		options->cache = true;
		break;
	case OPT_FROM:
		options->from = arg;
		break;
	case 'x':
		add(&options->excludes, &options->nexcludes, arg);
		break;
	case OPT_MIN_TEXT:
		if (parse_size(arg, &options->min_text))
			argp_error(state, "--min-text %s: not a size", arg);
		break;
	case OPT_IMAGES:
		options->images = arg;
		break;
	case OPT_NO_IMAGES:
		options->images = NULL;
		break;
	case OPT_DATA_DIR:
		options->data_dir = arg;
		break;
	case 'n':
		parse_name(state, arg, &options->name);
		break;
	case OPT_BASE:
		parse_base(state, arg, &options->base);
		break;
	case OPT_MOUNTPOINT:
		options->mountpoint = arg;
		break;
	case OPT_DRY_RUN:
		options->dry_run = true;
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case 'v':
		options->verbose = true;
		break;
	case ARGP_KEY_ARG:
		add(&options->files, &options->nfiles, arg);
		break;
	case ARGP_KEY_END:
		if (!options->nfiles && !options->from)
			options->cache = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void parse_options(int argc, char **argv, struct options *options)
{
	static const struct argp argp = {
		.options = descriptions,
		.parser = parse,
		.args_doc = "[LIBRARY...]",
		.doc = "Put the text of common shared libraries into a region whose page "
		       "tables all processes share, and make it live.\v"
		       "Exit status: 0 the region is live, or the layout is printed; "
		       "1 it is not, and why is on standard error; 2 wrong usage.\n\n"
		       "See mshare-preload(8).",
	};

	*options = (struct options) {
		.name = MSHARE_REGION_DEFAULT,
		.mountpoint = MSHARE_MOUNTPOINT,
		.min_text = 1 << 20,
		.images = IMAGE_DIRECTORY,
		.data_dir = DATA_DIRECTORY,
	};
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, options);
}

void free_options(struct options *options)
{
	free(options->excludes);
	free(options->files);
}
