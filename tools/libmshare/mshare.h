/* SPDX-License-Identifier: MIT */
/*
 * libmshare: regions of shared library text, for tools
 *
 * Three independent parts:
 *
 *   before	mshare_elf_inspect()	which part of a library is its text
 *		mshare_layout()		where each library goes
 *		mshare_builder_*()	the catalog that ld.so will read
 *   making	mshare_new_*()		create, donate, map, seal, publish
 *   looking	mshare_region_*()	what is live and what it does
 *
 * Functions return 0 or a negative errno unless they say otherwise.
 */
#ifndef MSHARE_H
#define MSHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <linux/msharefs.h>

#include "catalog.h"

#define MSHARE_PAGE_SIZE	4096UL
#define MSHARE_GIB		(1UL << 30)
#define MSHARE_MOUNTPOINT	"/sys/fs/mshare"
#define MSHARE_REGION_DEFAULT	"system"
#define MSHARE_SEGMENTS_MAX	8

/**
 * mshare_round_down() - the last multiple of a unit at or below a value
 * @value: the value
 * @unit:  a power of two
 */
static inline uint64_t mshare_round_down(uint64_t value, uint64_t unit)
{
	return value & ~(unit - 1);
}

/**
 * mshare_round_up() - the first multiple of a unit at or above a value
 * @value: the value
 * @unit:  a power of two
 */
static inline uint64_t mshare_round_up(uint64_t value, uint64_t unit)
{
	return mshare_round_down(value + unit - 1, unit);
}

/* ---- what is in a library ---------------------------------------------- */

/**
 * struct mshare_segment - one segment of a library's text, in whole pages
 * @offset:	where in the file
 * @size:	bytes
 * @prot:	PROT_READ, or PROT_READ | PROT_EXEC
 */
struct mshare_segment {
	uint64_t offset;
	uint64_t size;
	uint32_t prot;
};

/**
 * struct mshare_elf - the shape of a library that can be shared
 * @text_vaddr:	linked address of the first page of text
 * @text_offset: where that page is in the file
 * @text_size:	bytes of text: all segments before the writable one
 * @data_vaddr:	linked address of the first page of the writable segment
 * @end_vaddr:	linked address behind the last page in memory, bss included
 * @align:	largest alignment of a segment: a page up to a window
 * @nsegments:	segments of text
 * @segments:	they follow each other without gaps
 */
struct mshare_elf {
	uint64_t text_vaddr;
	uint64_t text_offset;
	uint64_t text_size;
	uint64_t data_vaddr;
	uint64_t end_vaddr;
	uint64_t align;
	unsigned int nsegments;
	struct mshare_segment segments[MSHARE_SEGMENTS_MAX];
};

/**
 * mshare_elf_inspect() - find out whether and how a library can be shared
 * @fd:		the file, open for reading; its offset is left anywhere
 * @elf:	receives the shape
 * @why:	receives one sentence (no newline) when the answer is no
 * @why_size:	bytes at @why
 *
 * The file may be anything: nothing in it is believed before it is checked.
 *
 * Return: 0; -ENOEXEC with the reason in @why.
 */
int mshare_elf_inspect(int fd, struct mshare_elf *elf, char *why,
		       size_t why_size);

/**
 * mshare_elf_inspect_bytes() - the same for a file that was read already
 * @bytes:	the whole file; not written to
 * @size:	bytes of it
 * @elf:	receives the shape
 * @why:	receives one sentence (no newline) when the answer is no
 * @why_size:	bytes at @why
 *
 * Return: 0; -ENOEXEC with the reason in @why.
 */
int mshare_elf_inspect_bytes(void *bytes, size_t size, struct mshare_elf *elf,
			     char *why, size_t why_size);

/* ---- where libraries go ------------------------------------------------ */

/**
 * struct mshare_range - bytes, or addresses
 * @start: the first
 * @end:   behind the last
 */
struct mshare_range {
	uint64_t start;
	uint64_t end;
};

/*
 * Images have their places in a group of one GiB, which only moves as a whole:
 * how far a library's data is from its text stands in the text.
 */
#define MSHARE_GROUPS_MAX	64

/**
 * struct mshare_split - where an image is in its group
 * @group: which, below MSHARE_GROUPS_MAX
 * @text:  its text, in whole windows
 * @data:  its data, in whole pages
 */
struct mshare_split {
	uint32_t group;
	struct mshare_range text;
	struct mshare_range data;
};

/**
 * mshare_split_measure() - find out what an image takes of its group
 * @elf:	the shape of the image's file
 * @group:	its group
 * @offset:	where the windows of its text begin in the group
 * @split:	receives it
 *
 * Return: 0; -ERANGE: no such group, or the image does not stay inside it.
 */
int mshare_split_measure(const struct mshare_elf *elf, uint32_t group,
			 uint64_t offset, struct mshare_split *split);

/**
 * mshare_split_agrees() - whether an image can be used together with others
 * @split:	the image
 * @others:	those used already, in any group
 * @count:	how many
 *
 * No two texts share a window, no two libraries' data a page, and the windows
 * from a group's first data to its last have no text in them.
 */
bool mshare_split_agrees(const struct mshare_split *split,
			 const struct mshare_split *others, size_t count);

/**
 * struct mshare_place - one library in a layout
 * @elf:	in: its shape; that of its image, if it is split
 * @placement:	in: how its data shall lie
 * @split:	in, if it is split: where it is in its group
 * @claim_offset: out: window boundary where what the loader claims begins
 * @claim_size:	out: bytes claimed: text, data and bss; unless it is paired,
 *		the whole windows of its text
 * @text_offset: out: region offset of the text
 * @text_windows: out: windows the text touches
 * @data_offset: out: region offset of the data's first page
 * @data_size:	out: bytes of data, bss included
 */
struct mshare_place {
	const struct mshare_elf *elf;
	enum mshare_placement_kind placement;
	struct mshare_split split;
	uint64_t claim_offset;
	uint64_t claim_size;
	uint64_t text_offset;
	uint64_t text_windows;
	uint64_t data_offset;
	uint64_t data_size;
};

/*
 * One for each group of images, one for each relocated library, as many as a
 * system may have of these: the module looks for a zone in a list.
 */
#define MSHARE_RELOCATED_MAX	192
#define MSHARE_ZONES_MAX	(MSHARE_GROUPS_MAX + MSHARE_RELOCATED_MAX)

/**
 * struct mshare_zone - windows that only hold data
 * @offset: where in the region
 * @size:   bytes
 */
struct mshare_zone {
	uint64_t offset;
	uint64_t size;
};

/**
 * struct mshare_layout - a region that is not there yet
 * @start:	agreed address of its first byte
 * @size:	bytes, a multiple of MSHARE_WINDOW_SIZE
 * @entropy_bits: log2 of the number of addresses @start was drawn from
 * @gibs:	aligned GiB the region touches: one private page-table page
 *		of each sharer for each that it uses
 * @zones:	one for each group that is used, and for each relocated library
 * @nzones:	how many
 */
struct mshare_layout {
	uint64_t start;
	uint64_t size;
	double entropy_bits;
	unsigned int gibs;
	struct mshare_zone zones[MSHARE_ZONES_MAX];
	size_t nzones;
};

/**
 * mshare_layout() - give each library its place, and the region its address
 * @places:	the libraries; the stock ones in the order they shall lie
 * @count:	how many
 * @base:	the region's address, or 0 to draw one at random
 * @layout:	receives the region's address and size
 *
 * Those that are split agree with each other (mshare_split_agrees()).  Unless
 * @base is given, each group lies inside one aligned GiB.
 *
 * Return: 0; -EINVAL: @base is not a window boundary in user space or the
 * region does not fit above it; -EFBIG: the libraries need more addresses
 * than there are to draw from, or more than MSHARE_RELOCATED_MAX are relocated.
 */
int mshare_layout(struct mshare_place *places, size_t count, uint64_t base,
		  struct mshare_layout *layout);

/**
 * mshare_mmap_random_bits() - over how many pages mmap_base is spread, log2
 * @known: receives whether the system told: else it is x86-64's default
 */
unsigned int mshare_mmap_random_bits(bool *known);

/**
 * mshare_collision_probability() - chance that a process has a range in use
 * @size:	bytes of the range
 * @bits:	as mshare_mmap_random_bits() gives it
 */
double mshare_collision_probability(uint64_t size, unsigned int bits);

/**
 * mshare_placement_name() - split, relocated or paired
 * @placement: which; "?" for any other number
 */
const char *mshare_placement_name(uint32_t placement);

/* ---- catalog ----------------------------------------------------------- */

struct mshare_builder;

/**
 * mshare_builder_new() - begin a catalog
 *
 * Return: the catalog; NULL: no memory.
 */
struct mshare_builder *mshare_builder_new(void);

/**
 * mshare_builder_add() - name one library
 * @builder:	the catalog
 * @file:	the library's file, by fstat
 * @place:	where it is
 * @path:	its name, for people
 * @image:	its image's, if it is split
 */
int mshare_builder_add(struct mshare_builder *builder, const struct stat *file,
		       const struct mshare_place *place, const char *path,
		       const char *image);

/**
 * mshare_builder_finish() - the bytes ld.so reads
 * @builder:	the catalog
 * @layout:	the region it will stand in
 * @bytes:	receives them; free() when done
 * @size:	receives how many
 *
 * Return: 0; -ENOMEM; -EFBIG: more than MSHARE_CATALOG_MAX.
 */
int mshare_builder_finish(const struct mshare_builder *builder,
			  const struct mshare_layout *layout, void **bytes,
			  size_t *size);

/**
 * mshare_builder_free() - forget it
 * @builder: the catalog, or NULL
 */
void mshare_builder_free(struct mshare_builder *builder);

/* ---- making a region --------------------------------------------------- */

struct mshare_new;

/**
 * mshare_is_mounted() - whether msharefs is there
 * @mountpoint: where
 */
bool mshare_is_mounted(const char *mountpoint);

/**
 * mshare_mount() - make sure msharefs is mounted
 * @mountpoint: where
 *
 * Return: 0: it is, now; -ENOENT: no such directory; -ENODEV: the module is
 * not loaded; other: mount(2)'s.
 */
int mshare_mount(const char *mountpoint);

/**
 * mshare_new_create() - begin a region that dies with this process
 * @mountpoint:	where msharefs is mounted
 * @name:	the name it gets when published
 * @layout:	its address and size
 * @new:	receives it
 *
 * A helper child gives its address space away to be the region's host.
 *
 * Return: 0; open(2)'s, ftruncate(2)'s, fork(2)'s or MSHAREFS_DONATE's error.
 */
int mshare_new_create(const char *mountpoint, const char *name,
		      const struct mshare_layout *layout,
		      struct mshare_new **new);

/**
 * mshare_new_map() - put one segment of a library in and read it all
 * @new:	the region
 * @fd:		the library, opened O_RDONLY
 * @segment:	which part
 * @offset:	where in the region
 *
 * Return: 0; MSHAREFS_CREATE_MAPPING's error.
 */
int mshare_new_map(struct mshare_new *new, int fd,
		   const struct mshare_segment *segment, uint64_t offset);

/**
 * mshare_new_forget() - take a library out again
 * @new:	the region
 * @place:	the library
 */
int mshare_new_forget(struct mshare_new *new,
		      const struct mshare_place *place);

/**
 * mshare_new_set_data() - give a data zone its data
 * @new:	the region
 * @zone:	the zone
 * @fd:		a file of root's, opened O_RDONLY, that nobody can write to
 * @offset:	where the zone's data begins in it
 *
 * Return: 0; MSHAREFS_SET_DATA's error.
 */
int mshare_new_set_data(struct mshare_new *new, const struct mshare_zone *zone,
			int fd, uint64_t offset);

/**
 * mshare_new_seal() - write the catalog; the region never changes again
 * @new:	the region
 * @catalog:	the catalog's bytes
 * @size:	how many
 * @generation:	receives the region's number
 *
 * Return: 0; write(2)'s or MSHAREFS_SEAL's error.
 */
int mshare_new_seal(struct mshare_new *new, const void *catalog, size_t size,
		    uint64_t *generation);

/**
 * mshare_new_publish() - make a sealed region live
 * @new:	the region
 *
 * The region takes its name in one step; the one that had it before serves
 * the processes it has until the last is gone.
 */
int mshare_new_publish(struct mshare_new *new);

/**
 * mshare_new_close() - let go: a region not published is gone
 * @new: the region, or NULL
 */
void mshare_new_close(struct mshare_new *new);

/* ---- looking at regions ------------------------------------------------ */

struct mshare_region;

/**
 * mshare_region_open() - look at one
 * @mountpoint:	where msharefs is mounted
 * @name:	which
 * @region:	receives it
 *
 * Return: 0; open(2)'s or read(2)'s error; -EBADMSG: not a region, or its
 * catalog is damaged.
 */
int mshare_region_open(const char *mountpoint, const char *name,
		       struct mshare_region **region);

/**
 * mshare_region_info() - address, size, generation, as they were at open
 * @region: the region
 */
const struct mshare_info *mshare_region_info(const struct mshare_region *region);

/**
 * mshare_region_stat() - its counters
 * @region: the region
 * @stat:   receives them
 */
int mshare_region_stat(const struct mshare_region *region,
		       struct mshare_stat *stat);

/**
 * mshare_region_library() - counters of the first library above an offset
 * @region: the region
 * @offset: where to look
 * @stat:   receives them
 *
 * Return: 0; -ENOENT: no library there or above.
 */
int mshare_region_library(const struct mshare_region *region, uint64_t offset,
			  struct mshare_library_stat *stat);

/**
 * mshare_region_windows() - some of its windows
 * @region:  the region
 * @offset:  region offset to begin with, then to go on with
 * @windows: receives them
 * @count:   room there, at least 1
 *
 * Return: how many, 0 at the end; MSHAREFS_WINDOW_DUMP's error.
 */
int mshare_region_windows(const struct mshare_region *region, uint64_t *offset,
			  struct mshare_window_stat *windows, size_t count);

/**
 * mshare_region_process() - what one process has of it
 * @region:  the region
 * @pid:     the process
 * @windows: receives MSHARE_WINDOW_* flags, one byte a window of the region
 * @count:   bytes at @windows
 */
int mshare_region_process(const struct mshare_region *region, int pid,
			  unsigned char *windows, size_t count);

/**
 * mshare_region_drop() - retire one library of a live region
 * @region: the region
 * @offset: any offset inside its text
 *
 * Processes that have it keep it; new ones load it as if it was not there.
 *
 * Return: 0; MSHAREFS_UNMAP's error.
 */
int mshare_region_drop(const struct mshare_region *region, uint64_t offset);

/**
 * mshare_region_open_mapped() - look at one that a process has mapped
 * @pid:	the process
 * @range:	a mapping of the region, as in /proc/PID/maps
 * @region:	receives it
 *
 * How to get at a region that has no name any more.  Needs root.
 *
 * Return: as mshare_region_open().
 */
int mshare_region_open_mapped(int pid, const char *range,
			      struct mshare_region **region);

/**
 * mshare_region_unshare() - take one library out of sharing now
 * @region:	the region, sealed
 * @offset:	any offset inside its text
 * @unshare:	receives what became of the mappings processes have
 *
 * Return: 0; MSHAREFS_UNSHARE's error.
 */
int mshare_region_unshare(const struct mshare_region *region, uint64_t offset,
			  struct mshare_unshare *unshare);

/**
 * mshare_destroy() - take a region's name away
 * @mountpoint:	where msharefs is mounted
 * @name:	which
 *
 * It goes when the last process that uses it has gone.
 *
 * Return: 0; unlink(2)'s error.
 */
int mshare_destroy(const char *mountpoint, const char *name);

/**
 * struct mshare_library - one library of a live region's catalog
 * @path:	its name
 * @image:	the name of its image, if it is split; else NULL
 * @entry:	what the catalog says
 */
struct mshare_library {
	const char *path;
	const char *image;
	struct mshare_catalog_entry entry;
};

/**
 * mshare_region_entry() - one library of its catalog
 * @region:	the region
 * @index:	from 0
 * @library:	receives it; valid as long as @region
 *
 * Return: 0; -ENOENT: there are no more.
 */
int mshare_region_entry(const struct mshare_region *region, size_t index,
			struct mshare_library *library);

/**
 * mshare_library_is_stale() - whether its file is another one by now
 * @library: the library
 */
bool mshare_library_is_stale(const struct mshare_library *library);

/**
 * mshare_region_close() - look away
 * @region: the region, or NULL
 */
void mshare_region_close(struct mshare_region *region);

#endif /* MSHARE_H */
