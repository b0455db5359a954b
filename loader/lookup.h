/* SPDX-License-Identifier: MIT */
/*
 * Reading a catalog whose bytes may be anything.
 *
 * Every number is checked against the catalog's own bounds before it is used;
 * the bytes are trusted to stay what they are while they are read (a sealed
 * region never changes).
 */
#ifndef MSHARE_LOOKUP_H
#define MSHARE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include <linux/msharefs.h>

#include "catalog.h"
#include "reason.h"

/**
 * struct mshare_catalog - a catalog that mshare_catalog_check() accepted
 * @buckets:	nbuckets numbers
 * @nbuckets:	a power of two
 * @entries:	nentries entries
 * @nentries:	how many
 * @strings:	strings_size bytes
 * @strings_size: how many
 */
struct mshare_catalog {
	const uint32_t *buckets;
	uint32_t nbuckets;
	const struct mshare_catalog_entry *entries;
	uint32_t nentries;
	const char *strings;
	uint32_t strings_size;
};

/**
 * struct mshare_file - a file as fstat(2) describes it
 * @dev:	st_dev
 * @ino:	st_ino
 * @size:	st_size
 * @ctime_sec:	st_ctim.tv_sec
 * @ctime_nsec:	st_ctim.tv_nsec
 * @mode:	st_mode
 * @uid:	st_uid
 */
struct mshare_file {
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	int64_t	 ctime_sec;
	uint32_t ctime_nsec;
	uint32_t mode;
	uint32_t uid;
};

/**
 * mshare_catalog_check() - find the four parts of a catalog
 * @catalog:	filled in if the catalog is good
 * @bytes:	the catalog's first byte, 8-aligned
 * @size:	readable bytes
 * @info:	the region it was found in
 *
 * Return: MSHARE_OK or MSHARE_BAD_CATALOG.
 */
enum mshare_reason mshare_catalog_check(struct mshare_catalog *catalog,
					const void *bytes, size_t size,
					const struct mshare_info *info);

/**
 * mshare_catalog_find() - the entry for a file
 * @catalog:	an accepted catalog
 * @dev:	st_dev
 * @ino:	st_ino
 *
 * Only device and inode are compared: mshare_catalog_is_file() compares the
 * rest, which costs a system call to know.
 *
 * Return: the entry, or NULL.
 */
const struct mshare_catalog_entry *
mshare_catalog_find(const struct mshare_catalog *catalog, uint64_t dev,
		    uint64_t ino);

/**
 * mshare_catalog_is_file() - is it still the file that was catalogued?
 * @entry:	from mshare_catalog_find()
 * @file:	the file now
 *
 * Return: MSHARE_OK or MSHARE_FILE_CHANGED.
 */
enum mshare_reason
mshare_catalog_is_file(const struct mshare_catalog_entry *entry,
		       const struct mshare_file *file);

/**
 * mshare_catalog_path() - the path an entry was made from, for people only
 * @catalog:	an accepted catalog
 * @entry:	one of its entries
 *
 * Return: a string that ends inside the catalog; "" if there is none.
 */
const char *mshare_catalog_path(const struct mshare_catalog *catalog,
				const struct mshare_catalog_entry *entry);

/**
 * mshare_catalog_image() - the path of the image that a library comes from
 * @catalog:	an accepted catalog
 * @entry:	one of its entries
 *
 * Return: a string that ends inside the catalog; "" if there is none, or if the
 * library is not split.
 */
const char *mshare_catalog_image(const struct mshare_catalog *catalog,
				 const struct mshare_catalog_entry *entry);

#endif /* MSHARE_LOOKUP_H */
