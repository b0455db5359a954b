// SPDX-License-Identifier: MIT
/*
 * Write the table that ld.so reads: format in loader/catalog.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mshare.h"

struct mshare_builder {
	struct mshare_catalog_entry *entries;
	size_t count;
	char *strings;
	size_t strings_size;
};

struct mshare_builder *mshare_builder_new(void)
{
	return calloc(1, sizeof(struct mshare_builder));
}

void mshare_builder_free(struct mshare_builder *builder)
{
	if (!builder)
		return;
	free(builder->entries);
	free(builder->strings);
	free(builder);
}

static int add_string(struct mshare_builder *builder, const char *string)
{
	size_t size = strlen(string) + 1;
	char *strings = realloc(builder->strings, builder->strings_size + size);

	if (!strings)
		return -ENOMEM;
	memcpy(strings + builder->strings_size, string, size);
	builder->strings = strings;
	builder->strings_size += size;
	return 0;
}

int mshare_builder_add(struct mshare_builder *builder, const struct stat *file,
		       const struct mshare_place *place, const char *path,
		       const char *image)
{
	struct mshare_catalog_entry *entries;
	size_t path_offset = builder->strings_size;
	bool is_split = place->placement == MSHARE_SPLIT;
	bool has_zone = place->placement != MSHARE_PAIRED;

	entries = reallocarray(builder->entries, builder->count + 1,
			       sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	builder->entries = entries;
	if (add_string(builder, path) || (is_split && add_string(builder, image)))
		return -ENOMEM;

	entries[builder->count++] = (struct mshare_catalog_entry) {
		.dev = file->st_dev,
		.ino = file->st_ino,
		.file_size = (uint64_t)file->st_size,
		.ctime_sec = file->st_ctim.tv_sec,
		.ctime_nsec = (uint32_t)file->st_ctim.tv_nsec,
		.placement = place->placement,
		.text_offset = place->text_offset,
		.text_file_offset = place->elf->text_offset,
		.text_size = place->elf->text_size,
		.claim_offset = place->claim_offset,
		.claim_size = place->claim_size,
		.data_offset = has_zone ? place->data_offset : 0,
		.data_size = has_zone ? place->data_size : 0,
		.path = (uint32_t)path_offset,
	};
	return 0;
}

static uint32_t buckets_for(size_t entries)
{
	uint32_t buckets = 1;

	while (buckets < 2 * entries)
		buckets *= 2;
	return buckets;
}

/* From last to first, so that each chain leads to ever higher entries. */
static void link_buckets(uint32_t *buckets, uint32_t nbuckets,
			 struct mshare_catalog_entry *entries, size_t count)
{
	for (size_t i = count; i-- > 0; ) {
		uint32_t hash = mshare_catalog_hash(entries[i].dev,
						    entries[i].ino, nbuckets);

		entries[i].next = buckets[hash];
		buckets[hash] = (uint32_t)i + 1;
	}
}

int mshare_builder_finish(const struct mshare_builder *builder,
			  const struct mshare_layout *layout, void **bytes,
			  size_t *size)
{
	uint32_t nbuckets = buckets_for(builder->count);
	size_t entries_size = builder->count * sizeof(*builder->entries);
	size_t entries_at = mshare_round_up(sizeof(struct mshare_catalog_header) +
					    nbuckets * sizeof(uint32_t), 8);
	size_t strings_at = entries_at + entries_size;
	struct mshare_catalog_header *header;

	*size = strings_at + builder->strings_size;
	if (*size > MSHARE_CATALOG_MAX)
		return -EFBIG;
	header = calloc(1, *size);
	if (!header)
		return -ENOMEM;
	*bytes = header;

	memcpy(header->magic, MSHARE_CATALOG_MAGIC, sizeof(header->magic));
	header->size = (uint32_t)*size;
	header->nbuckets = nbuckets;
	header->nentries = (uint32_t)builder->count;
	header->strings_size = (uint32_t)builder->strings_size;
	header->region_start = layout->start;
	header->region_size = layout->size;

	if (builder->count) {
		memcpy((char *)*bytes + entries_at, builder->entries, entries_size);
		memcpy((char *)*bytes + strings_at, builder->strings,
		       builder->strings_size);
		link_buckets((uint32_t *)(header + 1), nbuckets,
			     (void *)((char *)*bytes + entries_at),
			     builder->count);
	}
	return 0;
}
