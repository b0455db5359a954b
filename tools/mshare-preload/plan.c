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

static struct mshare_place place_wanted(const struct library *library)
{
	return (struct mshare_place) {
		.elf = &library->elf, .placement = library->place.placement,
		.split = library->image.split,
	};
}

void plan_layout(const struct options *options, struct selection *selection,
		 struct mshare_layout *layout)
{
	struct mshare_place *places = calloc(selection->count, sizeof(*places));
	int result;

	if (!places)
		err(1, NULL);
	for (size_t i = 0; i < selection->count; i++)
		places[i] = place_wanted(&selection->libraries[i]);
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

static bool is_in_zone(const struct mshare_place *place,
		       const struct mshare_zone *zone)
{
	return place->placement != MSHARE_PAIRED &&
	       place->data_offset - zone->offset < zone->size;
}

static struct json_object *zone_json(const struct selection *selection,
				     const struct mshare_layout *layout,
				     const struct mshare_zone *zone)
{
	struct json_object *object = json_object_new_object();
	uint64_t libraries = 0, bytes = 0;

	for (size_t i = 0; i < selection->count; i++)
		if (is_in_zone(&selection->libraries[i].place, zone)) {
			libraries++;
			bytes += selection->libraries[i].place.data_size;
		}
	json_set_number(object, "offset", zone->offset);
	json_set_number(object, "address", layout->start + zone->offset);
	json_set_number(object, "size", zone->size);
	json_set_number(object, "libraries", libraries);
	json_set_number(object, "data_pages", bytes / MSHARE_PAGE_SIZE);
	return object;
}

static struct json_object *zones_json(const struct selection *selection,
				      const struct mshare_layout *layout)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < layout->nzones; i++)
		json_object_array_add(array, zone_json(selection, layout,
						       &layout->zones[i]));
	return array;
}

static struct json_object *region_json(const struct options *options,
				       const struct mshare_layout *layout,
				       const struct outcome *outcome)
{
	struct json_object *region = json_object_new_object();
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	json_set_string(region, "name", options->name);
	json_set_number(region, "generation", outcome->generation);
	json_set_number(region, "start", layout->start);
	json_set_number(region, "size", layout->size);
	json_set_number(region, "windows", layout->size / MSHARE_WINDOW_SIZE);
	json_set_number(region, "gibs", layout->gibs);
	json_set_number(region, "mmap_rnd_bits", bits);
	json_set_fraction(region, "entropy_bits", layout->entropy_bits);
	json_set_fraction(region, "collision_probability",
			  mshare_collision_probability(layout->size, bits));
	json_set_number(region, "old_data_files", outcome->kept.files);
	json_set_number(region, "old_data_bytes", outcome->kept.bytes);
	return region;
}

static struct json_object *library_json(const struct library *library,
					const struct mshare_layout *layout)
{
	struct json_object *object = json_object_new_object();
	const struct mshare_place *place = &library->place;
	/* The claim of a paired library has its data in it. */
	uint64_t range = place->claim_size +
			 (has_zone(library) ? place->data_size : 0);
	bool known;

	json_set_string(object, "path", library->path);
	json_set_string(object, "kind", mshare_placement_name(place->placement));
	if (is_split(library))
		json_set_string(object, "image", library->image.path);
	json_set_number(object, "text_size", library->elf.text_size);
	json_set_number(object, "text_offset", place->text_offset);
	json_set_number(object, "text_address", layout->start + place->text_offset);
	json_set_number(object, "text_windows", place->text_windows);
	json_set_number(object, "data_offset", place->data_offset);
	json_set_number(object, "data_address", layout->start + place->data_offset);
	json_set_number(object, "data_pages", place->data_size / MSHARE_PAGE_SIZE);
	json_set_number(object, "align", library->elf.align);
	json_set_number(object, "claim_offset", place->claim_offset);
	json_set_number(object, "claim_size", place->claim_size);
	json_set_fraction(object, "collision_probability",
			  mshare_collision_probability(range,
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

static struct json_object *skipped_json(const struct skipped *skipped,
					size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_new_object();

		json_set_string(object, "path", skipped[i].path);
		json_set_string(object, "reason", skipped[i].reason);
		json_object_array_add(array, object);
	}
	return array;
}

static size_t count_placement(const struct selection *selection,
			      enum mshare_placement_kind placement)
{
	size_t count = 0;

	for (size_t i = 0; i < selection->count; i++)
		count += selection->libraries[i].place.placement == placement;
	return count;
}

static uint64_t number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(json_object_object_get(object, key));
}

static void print_zones(struct json_object *zones)
{
	for (size_t i = 0; i < json_object_array_length(zones); i++) {
		struct json_object *zone = json_object_array_get_idx(zones, i);
		uint64_t address = number(zone, "address");
		uint64_t size = number(zone, "size");

		printf("data zone  %#" PRIx64 "-%#" PRIx64 ": %" PRIu64 " pages of %" PRIu64 " libraries in %lu windows\n",
		       address, address + size, number(zone, "data_pages"),
		       number(zone, "libraries"),
		       size / MSHARE_WINDOW_SIZE);
	}
}

static void print_head(const struct options *options,
		       const struct selection *selection,
		       const struct mshare_layout *layout,
		       struct json_object *zones)
{
	bool known;
	unsigned int bits = mshare_mmap_random_bits(&known);

	printf("region     %s, %zu libraries: %zu split, %zu relocated, %zu paired\n",
	       options->name, selection->count,
	       count_placement(selection, MSHARE_SPLIT),
	       count_placement(selection, MSHARE_RELOCATED),
	       count_placement(selection, MSHARE_PAIRED));
	printf("addresses  %#" PRIx64 "-%#" PRIx64 ": %s, %lu windows, in %u aligned GiB\n",
	       layout->start, layout->start + layout->size,
	       format_size(layout->size).text,
	       layout->size / MSHARE_WINDOW_SIZE, layout->gibs);
	print_zones(zones);
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
		{ "kind", "kind", COLUMN_TEXT },
		{ "text at", "text_address", COLUMN_ADDRESS },
		{ "text", "text_size", COLUMN_SIZE },
		{ "windows", "text_windows", COLUMN_NUMBER },
		{ "data at", "data_address", COLUMN_ADDRESS },
		{ "pages", "data_pages", COLUMN_NUMBER },
		{ "claim", "claim_size", COLUMN_SIZE },
		{ "collision", "collision_probability", COLUMN_FRACTION },
		{ "library", "path", COLUMN_TEXT },
		{ NULL, NULL, COLUMN_TEXT }
	};

	table_print(libraries, columns);
}

void print_plan(const struct options *options,
		const struct selection *selection,
		const struct mshare_layout *layout,
		const struct outcome *outcome)
{
	struct json_object *libraries = libraries_json(selection, layout);
	struct json_object *zones = zones_json(selection, layout);
	struct json_object *plan;

	if (!options->json) {
		print_head(options, selection, layout, zones);
		print_libraries(libraries);
		json_object_put(libraries);
		json_object_put(zones);
		return;
	}
	plan = json_object_new_object();
	json_object_object_add(plan, "region",
			       region_json(options, layout, outcome));
	json_object_object_add(plan, "zones", zones);
	json_object_object_add(plan, "libraries", libraries);
	json_object_object_add(plan, "skipped",
			       skipped_json(selection->skipped,
					    selection->nskipped));
	json_object_object_add(plan, "images_unused",
			       skipped_json(selection->unused,
					    selection->nunused));
	json_print(plan);
}
