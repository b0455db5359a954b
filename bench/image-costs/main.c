// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image-costs: what images cost who makes them, in instructions
 *
 *	prove		find every reference from text to data, and that these
 *			are all: once for each version of a library
 *	compose		make the image of it: as often
 *	relocate	its data, for one region's address: once for each boot,
 *			or generation
 *	bind		it, to symbols of its own, and those of no other library:
 *			its names are read and looked up all the same
 */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "json.h"
#include "meter.h"
#include "table.h"

#define REPEATS	3

/* An address that many regions could give a library */
#define BASE	0x7f9000000000

const char *argp_program_version = "image-costs (ldmshare) " PACKAGE_VERSION;

static const char doc[] =
	"Count the guest instructions that images of libraries take: the first stage, and the second, which depends on the region's address.\n\n"
	"Needs a machine with one processor under QEMU's -icount; ./quickstart costs makes one."
	"\vExit status: 0 all is measured; 1 something failed; 2 wrong usage; 77 instructions cannot be counted here.\n\nSee doc/images.md.";

enum { OPT_JSON = 256 };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, "FILE", 0, "Write the figures to FILE, too", 0 },
	{ 0 }
};

/** struct request - the command line */
struct request {
	const char *json;
	char **libraries;
	int count;
};

/**
 * struct subject - one library at work
 * @path:	as it was named
 * @source:	it, read
 * @identity:	of it
 * @kind:	what becomes of it
 * @prove:	instructions
 * @compose:	instructions; no samples if it is not split
 * @relocate:	instructions
 * @bind:	instructions
 * @data:	what the last relocation gave, without its bytes
 */
struct subject {
	const char *path;
	struct image_source source;
	struct image_identity identity;
	int kind;
	struct samples prove, compose, relocate, bind;
	struct image_data data;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPT_JSON:
		request->json = arg;
		return 0;
	case ARGP_KEY_ARGS:
		request->libraries = state->argv + state->next;
		request->count = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void read_subject(struct subject *subject, const char *path)
{
	struct image_verdict verdict = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	*subject = (struct subject) { .path = path };
	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	if (image_read(fd, &subject->source, &verdict))
		errx(1, "%s: %s", path, verdict.why);
	image_identify(&subject->source, &st, path, &subject->identity);
	close(fd);
}

static void compose(struct subject *subject,
		    const struct image_references *references)
{
	const struct image_index empty = { .lock = -1 };
	struct image_verdict verdict = { 0 };
	struct image_file image = { 0 };
	struct image_place place;
	uint64_t start;

	if (image_index_place(&empty, subject->path, &subject->source, &place))
		errx(1, "%s: too large", subject->path);
	start = meter_read();
	if (image_compose(&subject->source, references, &place,
			  &subject->identity, &image, &verdict))
		errx(1, "%s: %s", subject->path, verdict.why);
	samples_add(&subject->compose, start);
	free(image.bytes);
}

static void first_stage(struct subject *subject)
{
	struct image_references references = { 0 };
	struct image_verdict verdict = { 0 };
	uint64_t start = meter_read();

	subject->kind = image_decide(&subject->source, IMAGE_OVERRIDE_NONE,
				     &references, &verdict);
	if (subject->kind < 0)
		errx(1, "%s: no memory", subject->path);
	samples_add(&subject->prove, start);
	if (subject->kind == IMAGE_SPLIT)
		compose(subject, &references);
	image_references_free(&references);
}

static void bind_data(struct subject *subject)
{
	uint64_t start = meter_read();
	struct image_binder *binder = image_binder_new();
	int library = binder ? image_binder_add(binder, &subject->source, BASE) :
			       -ENOMEM;

	if (library < 0 || image_bind(binder, library, -1, &subject->source,
				      &subject->data))
		errx(1, "%s: no memory", subject->path);
	image_binder_free(binder);
	samples_add(&subject->bind, start);
}

static void second_stage(struct subject *subject)
{
	uint64_t start = meter_read();

	if (image_relocate(&subject->source, BASE, &subject->data))
		errx(1, "%s: cannot be relocated", subject->path);
	samples_add(&subject->relocate, start);
	bind_data(subject);
	free(subject->data.bytes);
	subject->data.bytes = NULL;
}

static void set_samples(struct json_object *row, const char *key,
			const char *each_key, const struct samples *samples,
			uint64_t bytes)
{
	if (!samples->count)
		return;
	json_set_number(row, key, (uint64_t)samples_least(samples));
	json_set_fraction(row, each_key, samples_least(samples) / (double)bytes);
}

static struct json_object *row_of(const struct subject *subject)
{
	struct json_object *row = json_object_new_object();
	uint64_t text = subject->source.shape.text_size;

	json_set_string(row, "path", subject->path);
	json_set_string(row, "kind",
			image_kind_name((enum image_kind)subject->kind));
	json_set_number(row, "text", text);
	json_set_number(row, "data", subject->data.size);
	json_set_number(row, "relocations",
			subject->data.relative + subject->data.relr);
	set_samples(row, "prove", "prove_per_byte", &subject->prove, text);
	set_samples(row, "compose", "compose_per_byte", &subject->compose, text);
	set_samples(row, "relocate", "relocate_per_byte", &subject->relocate,
		    subject->data.size);
	set_samples(row, "bind", "bind_per_byte", &subject->bind,
		    subject->data.size);
	return row;
}

static struct json_object *measure(const char *path)
{
	struct json_object *row;
	struct subject subject;

	read_subject(&subject, path);
	for (unsigned int i = 0; i < REPEATS; i++) {
		first_stage(&subject);
		second_stage(&subject);
	}
	row = row_of(&subject);
	image_forget(&subject.source);
	return row;
}

static void print(struct json_object *rows)
{
	static const struct column columns[] = {
		{ "kind", "kind", COLUMN_TEXT },
		{ "text", "text", COLUMN_SIZE },
		{ "prove", "prove", COLUMN_NUMBER },
		{ "a byte", "prove_per_byte", COLUMN_NUMBER },
		{ "compose", "compose", COLUMN_NUMBER },
		{ "a byte", "compose_per_byte", COLUMN_NUMBER },
		{ "data", "data", COLUMN_SIZE },
		{ "relocations", "relocations", COLUMN_NUMBER },
		{ "relocate", "relocate", COLUMN_NUMBER },
		{ "a byte", "relocate_per_byte", COLUMN_NUMBER },
		{ "bind", "bind", COLUMN_NUMBER },
		{ "a byte", "bind_per_byte", COLUMN_NUMBER },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};

	table_print(rows, columns);
}

static void write_json(const char *path, struct json_object *rows)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "images", json_object_get(rows));
	json_write(path, object);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse,
		.args_doc = "LIBRARY...", .doc = doc,
	};
	struct json_object *rows = json_object_new_array();
	struct request request = { 0 };

	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &request);
	meter_start();
	for (int i = 0; i < request.count; i++)
		json_object_array_add(rows, measure(request.libraries[i]));
	print(rows);
	if (request.json)
		write_json(request.json, rows);
	json_object_put(rows);
	return 0;
}
