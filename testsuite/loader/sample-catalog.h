/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes a catalog as mshare-preload does, for tests that break it. */
#ifndef LDMSHARE_TEST_SAMPLE_CATALOG_H
#define LDMSHARE_TEST_SAMPLE_CATALOG_H

#include <stdlib.h>
#include <string.h>

#include <linux/msharefs.h>

#include "catalog.h"

/* One library to write. */
struct sample {
	struct mshare_catalog_entry entry;	/* all but path and next */
	const char *path;
	const char *image;			/* if it is split */
};

static inline size_t sample_entries_offset(uint32_t nbuckets)
{
	return (sizeof(struct mshare_catalog_header) +
		nbuckets * sizeof(uint32_t) + 7) & ~(size_t)7;
}

static inline void sample_add_string(char *strings, size_t *end,
				     const char *string)
{
	strcpy(strings + *end, string);
	*end += strlen(string) + 1;
}

/**
 * sample_catalog - write a catalog
 * @samples:	its libraries
 * @n:		how many
 * @nbuckets:	a power of two
 * @info:	the region; its catalog_size is set
 *
 * Return: the catalog, to be freed.
 */
static inline void *sample_catalog(const struct sample *samples, uint32_t n,
				   uint32_t nbuckets, struct mshare_info *info)
{
	size_t entries_offset = sample_entries_offset(nbuckets);
	size_t strings_offset = entries_offset +
				n * sizeof(struct mshare_catalog_entry);
	size_t size = strings_offset, path = 0;
	struct mshare_catalog_entry *entries;
	struct mshare_catalog_header *header;
	uint32_t *buckets, i;
	char *strings;

	for (i = 0; i < n; i++) {
		size += strlen(samples[i].path) + 1;
		if (samples[i].image)
			size += strlen(samples[i].image) + 1;
	}
	header = calloc(1, size);
	if (!header)
		abort();
	buckets = (uint32_t *)(header + 1);
	entries = (void *)((char *)header + entries_offset);
	strings = (char *)header + strings_offset;

	memcpy(header->magic, MSHARE_CATALOG_MAGIC, sizeof(header->magic));
	header->size = size;
	header->nbuckets = nbuckets;
	header->nentries = n;
	header->strings_size = size - strings_offset;
	header->region_start = info->start;
	header->region_size = info->size;
	info->catalog_size = size;

	for (i = 0; i < n; i++) {
		entries[i] = samples[i].entry;
		entries[i].path = path;
		sample_add_string(strings, &path, samples[i].path);
		if (samples[i].image)
			sample_add_string(strings, &path, samples[i].image);
	}
	/* From the last to the first: the chains must rise. */
	for (i = n; i-- > 0;) {
		uint32_t bucket = mshare_catalog_hash(entries[i].dev,
						      entries[i].ino, nbuckets);

		entries[i].next = buckets[bucket];
		buckets[bucket] = i + 1;
	}
	return header;
}

#endif /* LDMSHARE_TEST_SAMPLE_CATALOG_H */
