// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mshare image: the command line, and what its verbs share
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "image-verbs.h"
#include "json.h"
#include "ldcache.h"
#include "trust.h"
#include "verbs.h"

/** struct image_verb - one thing to do with images */
struct image_verb {
	const char *name;
	bool needs_files;
	int (*run)(const struct image_request *request);
};

static const struct image_verb verbs[] = {
	{ "build", true, image_build },
	{ "list", false, image_list },
	{ "show", true, image_show },
	{ "verify", true, image_verify_all },
	{ "why", true, image_why },
};

static const char doc[] =
	"Make and look at images: copies of shared libraries whose data has moved away from their text.\n\n"
	"  build     Make the images of FILEs, of those that changed.\n"
	"  list      Show all libraries of the set.\n"
	"  show      Show what an image, or a library's image, says of itself.\n"
	"  verify    Compare images with the libraries they were made of.\n"
	"  why       Decide about FILEs, and say why; make nothing.\n"
	"\vExit status: 0 success; 1 failure, explained on standard error; 2 wrong usage.\n\nSee mshare-image(1).";

enum { OPT_ALL = 'a', OPT_DIRECTORY = 256, OPT_FIRST, OPT_JSON, OPT_NO_RUN, OPT_OVERRIDES };

#define OVERRIDES	PKGDATADIR "/image-overrides"

static const struct argp_option options[] = {
	{ "all", OPT_ALL, NULL, 0, "All libraries in ld.so's cache", 0 },
	{ "directory", OPT_DIRECTORY, "DIR", 0,
	  "Where the images are (default: " IMAGE_DIRECTORY ")", 0 },
	{ "first", OPT_FIRST, "PROGRAM", 0,
	  "build: place what it loads before all else", 0 },
	{ "json", OPT_JSON, NULL, 0, "Print JSON", 0 },
	{ "no-run", OPT_NO_RUN, NULL, 0,
	  "verify: do not load the libraries", 0 },
	{ "overrides", OPT_OVERRIDES, "FILE", 0,
	  "List of reviewed exceptions (default: " OVERRIDES ")", 0 },
	{ 0 }
};

/** struct parsing - what parse() works on */
struct parsing {
	const struct image_verb *verb;
	struct image_request *request;
};

static const struct image_verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static void check_request(const struct parsing *parsing,
			  struct argp_state *state)
{
	const struct image_request *request = parsing->request;

	if (!parsing->verb)
		argp_error(state, "a verb is missing");
	if (parsing->verb->needs_files && !request->count && !request->all)
		argp_error(state, "missing argument: FILE or --all");
	if (!parsing->verb->needs_files && (request->count || request->all))
		argp_error(state, "too many arguments");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsing *parsing = state->input;
	struct image_request *request = parsing->request;

	switch (key) {
	case OPT_ALL:
		request->all = true;
		break;
	case OPT_DIRECTORY:
		request->directory = arg;
		break;
	case OPT_FIRST:
		names_add(&request->first, arg);
		break;
	case OPT_JSON:
		request->json = true;
		break;
	case OPT_NO_RUN:
		request->no_run = true;
		break;
	case OPT_OVERRIDES:
		request->overrides = arg;
		break;
	case ARGP_KEY_ARG:
		if (parsing->verb) {
			request->files[request->count++] = arg;
			break;
		}
		parsing->verb = find_verb(arg);
		if (!parsing->verb)
			argp_error(state, "%s: no such verb", arg);
		break;
	case ARGP_KEY_END:
		check_request(parsing, state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int image_main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "VERB [FILE...]",
		.doc = doc,
	};
	struct image_request request = {
		.directory = IMAGE_DIRECTORY,
		.overrides = OVERRIDES,
	};
	struct parsing parsing = { .request = &request };
	int status;

	request.files = calloc((size_t)argc, sizeof(*request.files));
	if (!request.files || asprintf(&argv[0], "mshare image") < 0)
		err(1, NULL);
	argp_parse(&argp, argc, argv, 0, NULL, &parsing);
	status = parsing.verb->run(&request);
	free(argv[0]);
	names_free(&request.first);
	free(request.files);
	if (fflush(stdout) || ferror(stdout))
		err(1, "standard output");
	return status;
}

/* ---- one library ------------------------------------------------------- */

int library_open(const char *path, struct library *library)
{
	*library = (struct library) { .fd = -1, .kind = IMAGE_REFUSED };
	library->path = realpath(path, NULL);
	if (!library->path)
		return -errno;
	library->fd = open(library->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (library->fd < 0 || fstat(library->fd, &library->file))
		return -errno;
	if (!is_trusted(library->fd, &library->file, path, library->path,
			library->verdict.why, sizeof(library->verdict.why)))
		library->verdict.reason = IMAGE_NOT_TRUSTED;
	return 0;
}

int library_examine(const struct image_request *request,
		    struct library *library)
{
	enum image_override override;
	int result;

	if (library->verdict.reason == IMAGE_NOT_TRUSTED)
		return 0;
	result = image_read(library->fd, &library->source, &library->verdict);
	if (result)
		return result == -ENOEXEC ? 0 : result;
	result = image_find_override(request->overrides, &library->source,
				     &override);
	if (result)
		fail(result, "%s", request->overrides);
	result = image_decide(&library->source, override, &library->references,
			      &library->verdict);
	if (result < 0)
		return result;
	library->kind = (enum image_kind)result;
	return 0;
}

void library_close(struct library *library)
{
	image_references_free(&library->references);
	image_forget(&library->source);
	if (library->fd >= 0)
		close(library->fd);
	free(library->path);
}

/* ---- many -------------------------------------------------------------- */

static void add_file(const char *path, void *arg)
{
	struct files *files = arg;
	char **paths = reallocarray(files->paths, files->count + 1,
				    sizeof(*paths));
	char *resolved = realpath(path, NULL);

	if (!resolved)
		resolved = strdup(path);
	if (!paths || !resolved)
		err(1, NULL);
	files->paths = paths;
	paths[files->count++] = resolved;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

uint64_t file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

/* Also what is found by several names is done once. */
void files_find(const struct image_request *request, struct files *files)
{
	size_t kept = 0;

	*files = (struct files) { 0 };
	for (size_t i = 0; i < request->count; i++)
		add_file(request->files[i], files);
	if (request->all)
		for_each_cached(add_file, files);
	if (!files->count)
		return;
	qsort(files->paths, files->count, sizeof(*files->paths), by_name);
	for (size_t i = 1; i < files->count; i++) {
		if (strcmp(files->paths[i], files->paths[kept]))
			files->paths[++kept] = files->paths[i];
		else
			free(files->paths[i]);
	}
	files->count = kept + 1;
	for (size_t i = 0; i < files->count; i++)
		files->bytes += file_size(files->paths[i]);
}

void files_free(struct files *files)
{
	for (size_t i = 0; i < files->count; i++)
		free(files->paths[i]);
	free(files->paths);
}

void tally_add(struct tally *tally, enum image_kind kind,
	       enum image_reason reason, uint64_t text)
{
	tally->kinds[kind]++;
	tally->text[kind] += text;
	if (kind != IMAGE_SPLIT)
		tally->reasons[reason]++;
}

struct json_object *tally_describe(const struct tally *tally)
{
	struct json_object *object = json_object_new_object();
	struct json_object *text = json_object_new_object();
	struct json_object *reasons = json_object_new_object();

	for (unsigned int i = 0; i <= IMAGE_REFUSED; i++) {
		json_set_number(object, image_kind_name(i), tally->kinds[i]);
		json_set_number(text, image_kind_name(i), tally->text[i]);
	}
	for (unsigned int i = 1; i < IMAGE_REASONS; i++)
		json_set_number(reasons, image_reason_name(i),
				tally->reasons[i]);
	json_object_object_add(object, "text", text);
	json_object_object_add(object, "reasons", reasons);
	return object;
}

void tally_print(const struct tally *tally)
{
	const char *comma = " (";

	printf("%" PRIu64 " split, %" PRIu64 " paired, %" PRIu64 " refused",
	       tally->kinds[IMAGE_SPLIT], tally->kinds[IMAGE_PAIRED],
	       tally->kinds[IMAGE_REFUSED]);
	for (unsigned int i = 1; i < IMAGE_REASONS; i++) {
		if (!tally->reasons[i])
			continue;
		printf("%s%s %" PRIu64, comma, image_reason_name(i),
		       tally->reasons[i]);
		comma = ", ";
	}
	puts(*comma == ',' ? ")" : "");
}
