// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The layout, and how it is shown.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "fail.h"
#include "format.h"
#include "json.h"
#include "plan.h"
#include "table.h"

void plan_layout(const struct options *options, struct selection *selection,
		 struct mshare_layout *layout)
{
	struct mshare_place *places = calloc(selection->count, sizeof(*places));
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

static struct json_object *region_json(const struct options *options,
				       const struct mshare_layout *layout,
				       uint64_t generation)
{
	struct json_object *region = json_object_new_object();
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	json_set_string(region, "name", options->name);
	json_set_number(region, "generation", generation);
	json_set_number(region, "start", layout->start);
	json_set_number(region, "size", layout->size);
	json_set_number(region, "windows", layout->size / MSHARE_WINDOW_SIZE);
	json_set_number(region, "gibs", layout->gibs);
	json_set_number(region, "mmap_rnd_bits", bits);
	json_set_fraction(region, "entropy_bits", layout->entropy_bits);
	json_set_fraction(region, "collision_probability",
			  mshare_collision_probability(layout->size, bits));
	return region;
}

static struct json_object *library_json(const struct library *library,
					const struct mshare_layout *layout)
{
	struct json_object *object = json_object_new_object();
	const struct mshare_place *place = &library->place;
	uint64_t data_offset = place->text_offset + library->elf.data_vaddr -
			       library->elf.text_vaddr;
	bool known;

	json_set_string(object, "path", library->path);
	json_set_number(object, "text_size", library->elf.text_size);
	json_set_number(object, "text_offset", place->text_offset);
	json_set_number(object, "text_address", layout->start + place->text_offset);
	json_set_number(object, "text_windows", place->text_windows);
	json_set_number(object, "data_offset", data_offset);
	json_set_number(object, "data_address", layout->start + data_offset);
	json_set_number(object, "align", library->elf.align);
	json_set_number(object, "claim_offset", place->claim_offset);
	json_set_number(object, "claim_size", place->claim_size);
	json_set_fraction(object, "collision_probability",
			  mshare_collision_probability(place->claim_size,
						       mshare_mmap_random_bits(&known)));
	return object;
}

static struct json_object *libraries_json(const struct selection *selection,
					  const struct mshare_layout *layout)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < selection->count; i++)
		json_object_array_add(array,
				      library_json(&selection->libraries[i],
						   layout));
	return array;
}

static struct json_object *skipped_json(const struct selection *selection)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < selection->nskipped; i++) {
		struct json_object *object = json_object_new_object();

		json_set_string(object, "path", selection->skipped[i].path);
		json_set_string(object, "reason", selection->skipped[i].reason);
		json_object_array_add(array, object);
	}
	return array;
}

static void print_head(const struct options *options, size_t libraries,
		       const struct mshare_layout *layout)
{
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	printf("region     %s, %zu libraries\n", options->name, libraries);
	printf("addresses  %#" PRIx64 "-%#" PRIx64 ": %s, %lu windows, in %u aligned GiB\n",
	       layout->start, layout->start + layout->size,
	       format_size(layout->size).text,
	       layout->size / MSHARE_WINDOW_SIZE, layout->gibs);
	if (options->base)
		printf("entropy    none: --base\n");
	else
		printf("entropy    %.1f bits\n", layout->entropy_bits);
	printf("collision  %.2g for all of it: addresses of processes are random over %s\n"
	       "           (vm.mmap_rnd_bits is %u%s)\n\n",
	       mshare_collision_probability(layout->size, bits),
	       format_size(MSHARE_PAGE_SIZE << bits).text, bits,
	       known ? "" : " by default; only root can read it");
}

static void print_libraries(struct json_object *libraries)
{
	static const struct column columns[] = {
		{ "text at", "text_address", COLUMN_ADDRESS },
		{ "text", "text_size", COLUMN_SIZE },
		{ "windows", "text_windows", COLUMN_NUMBER },
		{ "data at", "data_address", COLUMN_ADDRESS },
		{ "claim", "claim_size", COLUMN_SIZE },
		{ "collision", "collision_probability", COLUMN_FRACTION },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};

	table_print(libraries, columns);
}

void print_plan(const struct options *options,
		const struct selection *selection,
		const struct mshare_layout *layout, uint64_t generation)
{
	struct json_object *libraries = libraries_json(selection, layout);
	struct json_object *plan;

	if (!options->json) {
		print_head(options, selection->count, layout);
		print_libraries(libraries);
		json_object_put(libraries);
		return;
	}
	plan = json_object_new_object();
	json_object_object_add(plan, "region",
			       region_json(options, layout, generation));
	json_object_object_add(plan, "libraries", libraries);
	json_object_object_add(plan, "skipped", skipped_json(selection));
	json_print(plan);
}
