/* SPDX-License-Identifier: MIT */
#include "lookup.h"

#define ENTRY_ALIGN	8U

enum mshare_reason mshare_catalog_check(struct mshare_catalog *catalog,
					const void *bytes, size_t size,
					const struct mshare_info *info)
{
	static const char magic[8] = MSHARE_CATALOG_MAGIC;
	const struct mshare_catalog_header *header = bytes;
	const char *first = bytes;
	uint64_t entries, strings;

	if ((uintptr_t)bytes % ENTRY_ALIGN || size < sizeof(*header))
		return MSHARE_BAD_CATALOG;
	if (__builtin_memcmp(header->magic, magic, sizeof(magic)))
		return MSHARE_BAD_CATALOG;
	if (header->size != info->catalog_size || header->size > size)
		return MSHARE_BAD_CATALOG;
	if (header->region_start != info->start ||
	    header->region_size != info->size)
		return MSHARE_BAD_CATALOG;
	if (header->nbuckets == 0 || header->nbuckets & (header->nbuckets - 1))
		return MSHARE_BAD_CATALOG;

	/* 32-bit counts of small things: none of these can overflow. */
	entries = sizeof(*header) +
		  (uint64_t)header->nbuckets * sizeof(uint32_t);
	entries = (entries + ENTRY_ALIGN - 1) & ~(uint64_t)(ENTRY_ALIGN - 1);
	strings = entries + (uint64_t)header->nentries *
			    sizeof(struct mshare_catalog_entry);
	if (strings + header->strings_size != header->size)
		return MSHARE_BAD_CATALOG;

	catalog->buckets = (const uint32_t *)(header + 1);
	catalog->nbuckets = header->nbuckets;
	catalog->entries = (const void *)(first + entries);
	catalog->nentries = header->nentries;
	catalog->strings = first + strings;
	catalog->strings_size = header->strings_size;
	return MSHARE_OK;
}

const struct mshare_catalog_entry *
mshare_catalog_find(const struct mshare_catalog *catalog, uint64_t dev,
		    uint64_t ino)
{
	uint32_t bucket = mshare_catalog_hash(dev, ino, catalog->nbuckets);
	uint32_t i = catalog->buckets[bucket], last = 0;

	/* Only upwards, so that the walk ends. */
	while (i > last && i <= catalog->nentries) {
		const struct mshare_catalog_entry *entry =
			&catalog->entries[i - 1];

		if (entry->dev == dev && entry->ino == ino)
			return entry;
		last = i;
		i = entry->next;
	}
	return NULL;
}

enum mshare_reason
mshare_catalog_is_file(const struct mshare_catalog_entry *entry,
		       const struct mshare_file *file)
{
	if (entry->dev != file->dev || entry->ino != file->ino ||
	    entry->file_size != file->size ||
	    entry->ctime_sec != file->ctime_sec ||
	    entry->ctime_nsec != file->ctime_nsec)
		return MSHARE_FILE_CHANGED;
	return MSHARE_OK;
}

/* The string at an offset, or NULL; *next is the offset behind it. */
static const char *string_at(const struct mshare_catalog *catalog,
			     uint32_t offset, uint32_t *next)
{
	uint32_t i;

	for (i = offset; i < catalog->strings_size; i++)
		if (catalog->strings[i] == '\0') {
			*next = i + 1;
			return catalog->strings + offset;
		}
	return NULL;
}

const char *mshare_catalog_path(const struct mshare_catalog *catalog,
				const struct mshare_catalog_entry *entry)
{
	uint32_t next;
	const char *path = string_at(catalog, entry->path, &next);

	return path ? path : "";
}

const char *mshare_catalog_image(const struct mshare_catalog *catalog,
				 const struct mshare_catalog_entry *entry)
{
	const char *image = NULL;
	uint32_t next;

	if (entry->placement == MSHARE_SPLIT &&
	    string_at(catalog, entry->path, &next))
		image = string_at(catalog, next, &next);
	return image ? image : "";
}
