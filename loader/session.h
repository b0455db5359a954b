/* SPDX-License-Identifier: MIT */
/*
 * The region while libraries are being loaded.
 *
 * A session is open from the first library that might be placed until no more
 * are mapped, at the latest until anybody else's code runs: neither the
 * region's descriptor nor the catalog's mapping reaches the program.
 */
#ifndef MSHARE_SESSION_H
#define MSHARE_SESSION_H

#include <elf.h>
#include <stdint.h>

#include <linux/msharefs.h>

#include "lookup.h"
#include "placement.h"
#include "reason.h"

/**
 * struct mshare_session - an open region
 * @fd:		its descriptor
 * @info:	what it is; accepted
 * @catalog:	its catalog; accepted
 */
struct mshare_session {
	int fd;
	struct mshare_info info;
	struct mshare_catalog catalog;
};

/**
 * mshare_session_open() - open a region and map its catalog
 * @session:	filled in if all is well
 * @name:	the region's path
 * @generation:	the generation it must be, or 0 if any will do
 *
 * Return: MSHARE_OK, or why not; then nothing is left open or mapped.
 */
enum mshare_reason mshare_session_open(struct mshare_session *session,
				       const char *name, uint64_t generation);

/**
 * mshare_session_close() - unmap the catalog and close the region
 * @session: an open session
 */
void mshare_session_close(struct mshare_session *session);

/**
 * mshare_map() - claim a library's addresses and map what the region has of it
 * @session:	an open session
 * @placement:	from mshare_place()
 * @header:	the ELF header of the library's file, accepted by the libc
 * @phdr:	its program headers
 *
 * That is the text, and the data if the library is split.  The rest of the
 * claim is the pad, which cannot be accessed.  A paired library's data goes
 * over its tail with MAP_FIXED; a split one is complete, and its program
 * headers are mshare_image_phdr()'s.
 *
 * Return: MSHARE_OK, or why not; then nothing is left mapped.
 */
enum mshare_reason mshare_map(const struct mshare_session *session,
			      const struct mshare_placement *placement,
			      const Elf64_Ehdr *header, const Elf64_Phdr *phdr);

#endif /* MSHARE_SESSION_H */
