/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <errno.h>
#include <sys/mman.h>

#include "headers.h"
#include "region.h"
#include "sys.h"

/* Kernels that do not know it (before 4.17) take the address as a hint. */
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif

/* Map at exactly this address, over nothing else: 0 or a negative errno. */
static long map_over_nothing(uint64_t address, uint64_t size, int prot, int fd,
			     uint64_t offset)
{
	long where = mshare_sys_map(address, size, prot,
				    MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd,
				    offset);

	if (where < 0)
		return where;
	if ((uint64_t)where != address) {
		mshare_sys_unmap(where, size);
		return -EEXIST;
	}
	return 0;
}

static uint64_t catalog_address(const struct mshare_info *info)
{
	return info->start + MSHARE_CATALOG_OFFSET;
}

static enum mshare_reason read_info(int fd, struct mshare_info *info)
{
	struct mshare_file file;
	enum mshare_reason reason;

	if (mshare_sys_stat(fd, &file) < 0)
		return MSHARE_UNREADABLE;
	reason = mshare_region_check_file(&file);
	if (reason)
		return reason;
	if (mshare_sys_read(fd, info, sizeof(*info), 0) != sizeof(*info))
		return MSHARE_UNREADABLE;
	return mshare_region_check_info(info, &file);
}

/*
 * The catalog has a place of its own in the region's first window: there it
 * can neither take a library's addresses nor cost a page table that stays.
 */
static enum mshare_reason map_catalog(struct mshare_session *session)
{
	const struct mshare_info *info = &session->info;
	uint64_t address = catalog_address(info);
	enum mshare_reason reason;

	if (map_over_nothing(address, info->catalog_size, PROT_READ,
			     session->fd, MSHARE_CATALOG_OFFSET) < 0)
		return MSHARE_CATALOG_UNMAPPABLE;
	reason = mshare_catalog_check(&session->catalog,
				      (const void *)(uintptr_t)address,
				      info->catalog_size, info);
	if (reason)
		mshare_sys_unmap(address, info->catalog_size);
	return reason;
}

enum mshare_reason mshare_session_open(struct mshare_session *session,
				       const char *name, uint64_t generation)
{
	enum mshare_reason reason;

	session->fd = mshare_sys_open(name);
	if (session->fd < 0)
		return session->fd == -ENOENT ? MSHARE_NO_REGION :
						MSHARE_UNREADABLE;
	reason = read_info(session->fd, &session->info);
	if (!reason && generation && session->info.generation != generation)
		reason = MSHARE_OTHER_GENERATION;
	if (!reason)
		reason = map_catalog(session);
	if (reason) {
		mshare_sys_close(session->fd);
		session->fd = -1;
	}
	return reason;
}

void mshare_session_close(struct mshare_session *session)
{
	mshare_sys_unmap(catalog_address(&session->info),
			 session->info.catalog_size);
	mshare_sys_close(session->fd);
	session->fd = -1;
}

static enum mshare_reason map_text(int fd,
				   const struct mshare_placement *placement)
{
	long failure = map_over_nothing(placement->claim, placement->claim_size,
					PROT_NONE, fd, placement->claim_offset);

	if (failure)
		return failure == -EEXIST ? MSHARE_RANGE_TAKEN :
					    MSHARE_PAD_REFUSED;
	if (mshare_sys_map(placement->text, placement->text_size,
			   PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd,
			   placement->text_offset) < 0) {
		mshare_sys_unmap(placement->claim, placement->claim_size);
		return MSHARE_TEXT_REFUSED;
	}
	return MSHARE_OK;
}

/*
 * Behind what the file fills, the last page holds zeros already: whoever
 * prepared the data saw to that, and nobody has to touch it here.
 */
static enum mshare_reason map_data(int fd,
				   const struct mshare_placement *placement)
{
	uint64_t end = placement->data + placement->data_size;
	int prot = PROT_READ | PROT_WRITE;
	long failure = map_over_nothing(placement->data, placement->data_size,
					prot, fd, placement->data_offset);

	if (failure)
		return failure == -EEXIST ? MSHARE_RANGE_TAKEN :
					    MSHARE_DATA_REFUSED;
	if (placement->bss != end &&
	    mshare_sys_map(placement->bss, end - placement->bss, prot,
			   MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) < 0) {
		mshare_sys_unmap(placement->data, placement->data_size);
		return MSHARE_DATA_REFUSED;
	}
	return MSHARE_OK;
}

/* The text is mapped: now what makes it a split library. */
static enum mshare_reason map_image(int fd,
				    const struct mshare_placement *placement,
				    const Elf64_Ehdr *header,
				    const Elf64_Phdr *phdr)
{
	enum mshare_reason reason;

	reason = mshare_image_check(placement, header, phdr);
	if (reason)
		return reason;
	reason = map_data(fd, placement);
	if (reason)
		return reason;
	reason = mshare_image_check_dynamic(placement, header);
	if (reason)
		mshare_sys_unmap(placement->data, placement->data_size);
	return reason;
}

enum mshare_reason mshare_map(const struct mshare_session *session,
			      const struct mshare_placement *placement,
			      const Elf64_Ehdr *header, const Elf64_Phdr *phdr)
{
	enum mshare_reason reason = map_text(session->fd, placement);

	if (reason || !placement->data_offset)
		return reason;
	reason = map_image(session->fd, placement, header, phdr);
	if (reason)
		mshare_sys_unmap(placement->claim, placement->claim_size);
	return reason;
}
