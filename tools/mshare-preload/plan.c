// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The layout, and how it is shown.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "format.h"
#include "plan.h"
#include "table.h"

void plan_layout(const struct options *options, struct selection *selection,
		 struct mshare_layout *layout)
{
	struct mshare_place *places = calloc(selection->count + 1,
					     sizeof(*places));
	int result;

	if (!places)
		err(1, NULL);
	for (size_t i = 0; i < selection->count; i++)
		places[i].elf = &selection->libraries[i].elf;
	result = mshare_layout(places, selection->count, options->base, layout);
	if (result == -EINVAL)
		errx(1, "--base %#" PRIx64 ": no room for %s above it",
		     options->base, format_size(layout->size).text);
	if (result == -EFBIG)
		errx(1, "the libraries need more addresses than regions may have: leave some out (--exclude)");
	if (result)
		fail(result, "no layout");

	for (size_t i = 0; i < selection->count; i++)
		selection->libraries[i].place = places[i];
	free(places);
}

static uint64_t data_offset(const struct library *library)
{
	return library->place.text_offset + library->elf.data_vaddr -
	       library->elf.text_vaddr;
}

static void print_head(const struct options *options,
		       const struct selection *selection,
		       const struct mshare_layout *layout)
{
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	printf("region       %s, %zu libraries\n", options->name,
	       selection->count);
	printf("addresses    %#" PRIx64 "-%#" PRIx64 ", %s, %lu windows, in %u aligned GiB\n",
	       layout->start, layout->start + layout->size,
	       format_size(layout->size).text,
	       layout->size / MSHARE_WINDOW_SIZE, layout->gibs);
	if (options->base)
		printf("entropy      none: --base\n");
	else
		printf("entropy      %.1f bits\n", layout->entropy_bits);
	printf("collision    %.2g for all of it: process addresses are random over %s (vm.mmap_rnd_bits %u%s)\n\n",
	       mshare_collision_probability(layout->size, bits),
	       format_size(MSHARE_PAGE_SIZE << bits).text, bits,
	       known ? "" : ", the default; root can read it");
}

static void print_table(const struct options *options,
			const struct selection *selection,
			const struct mshare_layout *layout)
{
	static const char *const headings[] = {
		"text at", "text", "windows", "data at", "claim", "collision",
		"<library", NULL
	};
	struct table *table = table_new(headings);
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	print_head(options, selection, layout);
	for (size_t i = 0; i < selection->count; i++) {
		const struct library *library = &selection->libraries[i];
		const struct mshare_place *place = &library->place;

		table_cell(table, "%#" PRIx64, layout->start + place->text_offset);
		table_cell(table, "%s", format_size(library->elf.text_size).text);
		table_cell(table, "%" PRIu64, place->text_windows);
		table_cell(table, "%#" PRIx64, layout->start + data_offset(library));
		table_cell(table, "%s", format_size(place->claim_size).text);
		table_cell(table, "%.2g",
			   mshare_collision_probability(place->claim_size, bits));
		table_cell(table, "%s", library->path);
	}
	table_print(table);
}

static void set_number(struct json_object *object, const char *key,
		       uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void set_string(struct json_object *object, const char *key,
		       const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static struct json_object *region_json(const struct options *options,
				       const struct mshare_layout *layout,
				       uint64_t generation)
{
	struct json_object *region = json_object_new_object();
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	set_string(region, "name", options->name);
	set_number(region, "generation", generation);
	set_number(region, "start", layout->start);
	set_number(region, "size", layout->size);
	set_number(region, "windows", layout->size / MSHARE_WINDOW_SIZE);
	set_number(region, "gibs", layout->gibs);
	set_number(region, "mmap_rnd_bits", bits);
	json_object_object_add(region, "entropy_bits",
			       json_object_new_double(layout->entropy_bits));
	json_object_object_add(region, "collision_probability",
		json_object_new_double(mshare_collision_probability(layout->size,
								    bits)));
	return region;
}

static struct json_object *library_json(const struct library *library,
					unsigned int bits)
{
	struct json_object *object = json_object_new_object();
	const struct mshare_place *place = &library->place;

	set_string(object, "path", library->path);
	set_number(object, "text_offset", place->text_offset);
	set_number(object, "text_size", library->elf.text_size);
	set_number(object, "text_windows", place->text_windows);
	set_number(object, "data_offset", data_offset(library));
	set_number(object, "align", library->elf.align);
	set_number(object, "claim_offset", place->claim_offset);
	set_number(object, "claim_size", place->claim_size);
	json_object_object_add(object, "collision_probability",
		json_object_new_double(mshare_collision_probability(place->claim_size,
								    bits)));
	return object;
}

static struct json_object *skipped_json(const struct skipped *skipped)
{
	struct json_object *object = json_object_new_object();

	set_string(object, "path", skipped->path);
	set_string(object, "reason", skipped->reason);
	return object;
}

static void print_json(const struct options *options,
		       const struct selection *selection,
		       const struct mshare_layout *layout, uint64_t generation)
{
	struct json_object *plan = json_object_new_object();
	struct json_object *libraries = json_object_new_array();
	struct json_object *skipped = json_object_new_array();
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	json_object_object_add(plan, "region",
			       region_json(options, layout, generation));
	json_object_object_add(plan, "libraries", libraries);
	for (size_t i = 0; i < selection->count; i++)
		json_object_array_add(libraries,
				      library_json(&selection->libraries[i], bits));
	json_object_object_add(plan, "skipped", skipped);
	for (size_t i = 0; i < selection->nskipped; i++)
		json_object_array_add(skipped,
				      skipped_json(&selection->skipped[i]));
	puts(json_object_to_json_string_ext(plan, JSON_C_TO_STRING_PRETTY |
						  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(plan);
}

void print_plan(const struct options *options,
		const struct selection *selection,
		const struct mshare_layout *layout, uint64_t generation)
{
	if (options->json)
		print_json(options, selection, layout, generation);
	else
		print_table(options, selection, layout);
}
