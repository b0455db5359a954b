// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lists that grow: of addresses, and of references.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

int image_addresses_add(struct image_addresses *addresses, uint64_t vaddr)
{
	if (addresses->count == addresses->room) {
		size_t room = 2 * addresses->room + 64;
		uint64_t *list = reallocarray(addresses->list, room,
					      sizeof(*list));

		if (!list)
			return -ENOMEM;
		addresses->list = list;
		addresses->room = room;
	}
	addresses->list[addresses->count++] = vaddr;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void image_addresses_sort(struct image_addresses *addresses)
{
	if (addresses->count)
		qsort(addresses->list, addresses->count,
		      sizeof(*addresses->list), by_address);
}

void image_addresses_unique(struct image_addresses *addresses)
{
	size_t kept = 0;

	image_addresses_sort(addresses);
	if (!addresses->count)
		return;
	for (size_t i = 1; i < addresses->count; i++)
		if (addresses->list[i] != addresses->list[kept])
			addresses->list[++kept] = addresses->list[i];
	addresses->count = kept + 1;
}

int image_addresses_copy(struct image_addresses *copy,
			 const struct image_addresses *addresses)
{
	*copy = (struct image_addresses) { 0 };
	copy->list = malloc((addresses->count + 1) * sizeof(*copy->list));
	if (!copy->list)
		return -ENOMEM;
	if (addresses->count)
		memcpy(copy->list, addresses->list,
		       addresses->count * sizeof(*copy->list));
	copy->count = addresses->count;
	copy->room = addresses->count + 1;
	return 0;
}

void image_addresses_free(struct image_addresses *addresses)
{
	free(addresses->list);
	*addresses = (struct image_addresses) { 0 };
}

int image_sites_add(struct image_sites *sites, const struct image_site *site)
{
	if (sites->count == sites->room) {
		size_t room = 2 * sites->room + 64;
		struct image_site *list = reallocarray(sites->list, room,
						       sizeof(*list));

		if (!list)
			return -ENOMEM;
		sites->list = list;
		sites->room = room;
	}
	sites->list[sites->count++] = *site;
	return 0;
}

size_t image_addresses_until(const struct image_addresses *addresses,
			     uint64_t vaddr)
{
	size_t low = 0, high = addresses->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (addresses->list[middle] <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool image_addresses_have(const struct image_addresses *addresses,
			  uint64_t vaddr)
{
	size_t until = image_addresses_until(addresses, vaddr);

	return until && addresses->list[until - 1] == vaddr;
}

static int by_place(const void *a, const void *b)
{
	const struct image_site *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

void image_sites_sort(struct image_sites *sites)
{
	size_t kept = 0;

	if (!sites->count)
		return;
	qsort(sites->list, sites->count, sizeof(*sites->list), by_place);
	for (size_t i = 1; i < sites->count; i++)
		if (sites->list[i].place != sites->list[kept].place)
			sites->list[++kept] = sites->list[i];
	sites->count = kept + 1;
}

const struct image_site *image_sites_at(const struct image_sites *sites,
					uint64_t place)
{
	const struct image_site key = { .place = place };

	return sites->count ? bsearch(&key, sites->list, sites->count,
				      sizeof(key), by_place) : NULL;
}
