/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that map, unmap and move.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static void close_region(struct actor *actor, unsigned int region)
{
	if (actor->regions[region] >= 0)
		close(actor->regions[region]);
	actor->regions[region] = -1;
}

/* Give up the regions of which nothing is mapped; one of them, or -1. */
static int free_region(struct actor *actor)
{
	bool used[NR_REGIONS] = { false };
	int free = -1;

	for (unsigned int n = 0; n < ARENA_PAGES; n++)
		if (actor->pages[n].kind == TEXT || actor->pages[n].kind == PAD)
			used[actor->pages[n].region] = true;
	for (unsigned int i = 0; i < NR_REGIONS; i++)
		if (!used[i]) {
			close_region(actor, i);
			free = i;
		}
	return free;
}

/* The index of a live region in actor->regions; -1 if there is none just now. */
static int open_region(struct actor *actor)
{
	struct mshare_info info;
	char name[64];
	int fd, i;

	snprintf(name, sizeof(name), MOUNTPOINT "/fuzz%u",
		 pick(&actor->random, NR_NAMES));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (pread(fd, &info, sizeof(info), 0) != sizeof(info))
		fail(actor, "%s cannot be read: %m", name);
	for (i = 0; i < NR_REGIONS; i++)
		if (actor->regions[i] >= 0 &&
		    actor->generation[i] == info.generation) {
			close(fd);
			return i;
		}
	i = free_region(actor);
	if (i < 0) {
		close(fd);
		return -1;
	}
	actor->regions[i] = fd;
	actor->generation[i] = info.generation;
	return i;
}

static bool is_retired(int fd)
{
	struct mshare_info info;

	return pread(fd, &info, sizeof(info), 0) == sizeof(info) &&
	       info.flags & MSHARE_RETIRED;
}

/* No errno but EAGAIN, and that only of what was retired. */
static void check_refusal(struct actor *actor, int fd, unsigned int file)
{
	struct mshare_library_stat stat = {
		.region_offset = files[file].offset * PAGE,
	};
	int error = errno;

	if (error == EAGAIN && is_retired(fd))
		return;
	if (error == EAGAIN && !ioctl(fd, MSHAREFS_LIBRARY_STAT, &stat) &&
	    stat.flags & MSHARE_LIBRARY_RETIRED)
		return;
	fail(actor, "mmap of a text: %s", strerror(error));
}

static bool map_pad(struct actor *actor, int region, unsigned int base,
		    const struct file_info *file)
{
	unsigned int skip = file->offset % PAGES_PER_WINDOW;
	unsigned int offset = file->offset - skip;
	struct range range = {
		.first = base + offset,
		.n = (skip + file->pages + PAGES_PER_WINDOW - 1) &
		     -PAGES_PER_WINDOW,
	};
	struct page_model pad = { .kind = PAD, .region = region };
	bool ok;

	ok = mmap(address(range.first), range.n * PAGE, PROT_NONE,
		  MAP_PRIVATE | MAP_FIXED, actor->regions[region],
		  offset * PAGE) != MAP_FAILED;
	set_none(actor, range);
	if (ok)
		for (unsigned int n = 0; n < range.n; n++)
			actor->pages[range.first + n] = pad;
	else
		munmap(address(range.first), range.n * PAGE);
	return ok;
}

static void map_text_over(struct actor *actor, int region, unsigned int base,
			  unsigned int file)
{
	struct range range = { base + files[file].offset, files[file].pages };
	struct page_model page = {
		.kind = TEXT, .prot = PROT_READ | PROT_EXEC,
		.file = file, .region = region,
	};
	struct page_model text[MAX_PAGES];

	for (unsigned int n = 0; n < range.n; n++) {
		page.number = n;
		page.floor = version_of(actor, &page).done;
		text[n] = page;
	}
	if (mmap(address(range.first), range.n * PAGE, PROT_READ | PROT_EXEC,
		 MAP_PRIVATE | MAP_FIXED, actor->regions[region],
		 files[file].offset * PAGE) != MAP_FAILED) {
		memcpy(&actor->pages[range.first], text,
		       range.n * sizeof(text[0]));
		return;
	}
	check_refusal(actor, actor->regions[region], file);
	/* What was there may be gone or not. */
	munmap(address(range.first), range.n * PAGE);
	set_none(actor, range);
}

/** op_map - map a library, at the agreed address or elsewhere, with pads or not */
void op_map(struct actor *actor)
{
	unsigned int file = pick(&actor->random, NR_FILES);
	unsigned int slot = pick(&actor->random,
				 (ARENA_PAGES - REGION_PAGES) / PAGES_PER_WINDOW + 1);
	unsigned int base = pick(&actor->random, 2) ? slot * PAGES_PER_WINDOW :
						      AGREED_PAGE;
	bool pad = pick(&actor->random, 3);
	int region = open_region(actor);

	log_step(actor, "map file %u of region %d: pages %u+%u%s", file, region,
		 base + files[file].offset, files[file].pages,
		 pad ? ", over a pad" : "");
	if (region < 0)
		return;
	if (pad && !map_pad(actor, region, base, &files[file]))
		check_refusal(actor, actor->regions[region], file);
	map_text_over(actor, region, base, file);
}

/** op_map_anon - map memory over whatever is there */
void op_map_anon(struct actor *actor)
{
	struct page_model page = {
		.kind = ANON, .prot = PROT_READ | PROT_WRITE,
	};
	struct range range = pick_range(actor);

	log_step(actor, "map memory: pages %u+%u", range.first, range.n);
	if (mmap(address(range.first), range.n * PAGE, page.prot,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fail(actor, "mmap of memory: %m");
	for (unsigned int n = 0; n < range.n; n++)
		actor->pages[range.first + n] = page;
}

/** op_map_misaligned - what can never be linked cannot be mapped */
void op_map_misaligned(struct actor *actor)
{
	unsigned int file = pick(&actor->random, NR_FILES);
	unsigned int first = pick(&actor->random, ARENA_PAGES - REGION_PAGES);
	int region = open_region(actor);

	if ((first - files[file].offset) % PAGES_PER_WINDOW == 0)
		first++;
	log_step(actor, "map file %u of region %d at page %u", file, region,
		 first);
	if (region >= 0 &&
	    mmap(address(first), files[file].pages * PAGE, PROT_READ | PROT_EXEC,
		 MAP_PRIVATE | MAP_FIXED_NOREPLACE, actor->regions[region],
		 files[file].offset * PAGE) != MAP_FAILED)
		fail(actor, "a text was mapped where no window fits");
}

/* The beginning of the zone, all of it or some of it. */
static struct range pick_data(struct actor *actor)
{
	struct range data = { 0, ZONE_PAGES };

	if (pick(&actor->random, 2))
		return data;
	data.first = pick(&actor->random, ZONE_PAGES);
	data.n = 1 + pick(&actor->random, ZONE_PAGES - data.first);
	return data;
}

static void *map_data(struct actor *actor, int region, unsigned int at,
		      struct range data, int prot, int flags)
{
	return mmap(address(at), data.n * PAGE, prot, flags,
		    actor->regions[region], (ZONE_OFFSET + data.first) * PAGE);
}

/** op_map_data - map data, where it belongs or anywhere */
void op_map_data(struct actor *actor)
{
	struct range data = pick_data(actor);
	struct range at = { AGREED_PAGE + ZONE_OFFSET + data.first, data.n };
	int region = open_region(actor);

	if (pick(&actor->random, 2))
		at.first = pick(&actor->random, ARENA_PAGES - data.n);
	log_step(actor, "map data of region %d: pages %u+%u", region, at.first,
		 at.n);
	if (region < 0)
		return;
	if (map_data(actor, region, at.first, data, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_FIXED) == MAP_FAILED) {
		if (errno != EAGAIN || !is_retired(actor->regions[region]))
			fail(actor, "mmap of data: %m");
		/* What was there may be gone or not. */
		munmap(address(at.first), at.n * PAGE);
		set_none(actor, at);
		return;
	}
	for (unsigned int n = 0; n < at.n; n++)
		actor->pages[at.first + n] = (struct page_model){
			.kind = DATA, .prot = PROT_READ | PROT_WRITE,
			.file = FILE_DATA,
			.number = ZONE_FIRST + data.first + n,
		};
}

/** op_map_no_data - beyond the zone, shared, or with other permissions */
void op_map_no_data(struct actor *actor)
{
	static const struct {
		unsigned int offset;
		int prot, flags;
	} wrong[] = {
		{ ZONE_PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ 1, PROT_READ | PROT_WRITE, MAP_PRIVATE },
		{ 0, PROT_WRITE, MAP_PRIVATE },
		{ 0, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE },
		{ 0, PROT_READ | PROT_EXEC, MAP_PRIVATE },
		{ 0, PROT_READ, MAP_PRIVATE },
		{ 0, PROT_READ | PROT_WRITE, MAP_SHARED },
		{ 0, PROT_READ, MAP_SHARED },
	};
	unsigned int i = pick(&actor->random, sizeof(wrong) / sizeof(*wrong));
	struct range data = { wrong[i].offset, ZONE_PAGES };
	int region = open_region(actor);

	/* Where nothing ever is. */
	log_step(actor, "map data of region %d wrongly: %u", region, i);
	if (region < 0)
		return;
	if (map_data(actor, region, ARENA_PAGES, data, wrong[i].prot,
		     MAP_FIXED_NOREPLACE | wrong[i].flags) != MAP_FAILED)
		fail(actor, "data was mapped wrongly: %u", i);
}

/** op_unmap - unmap any pages */
void op_unmap(struct actor *actor)
{
	struct range range = pick_range(actor);

	if (!pick(&actor->random, 30))
		range = (struct range){ 0, ARENA_PAGES };
	log_step(actor, "munmap pages %u+%u", range.first, range.n);
	if (munmap(address(range.first), range.n * PAGE))
		fail(actor, "munmap: %m");
	set_none(actor, range);
}

static bool overlap(struct range a, struct range b)
{
	return a.first < b.first + b.n && b.first < a.first + a.n;
}

/* Where it fits its window, or a page beside that, or anywhere. */
static unsigned int pick_destination(struct actor *actor, struct range from)
{
	unsigned int to = pick(&actor->random, ARENA_PAGES);

	if (pick(&actor->random, 3))
		to = to - to % PAGES_PER_WINDOW + from.first % PAGES_PER_WINDOW;
	if (!pick(&actor->random, 4))
		to++;
	return to;
}

/** op_move - mremap to another place */
void op_move(struct actor *actor)
{
	struct range from = same_mapping(actor, pick_mapped(actor));
	struct range to = { pick_destination(actor, from), from.n };
	struct page_model *source = &actor->pages[from.first];
	bool keep = !pick(&actor->random, 4);
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED |
		    (keep ? MREMAP_DONTUNMAP : 0);

	if (!from.n || to.first + to.n > ARENA_PAGES || overlap(from, to))
		return;
	log_step(actor, "mremap pages %u+%u to %u%s", from.first, from.n,
		 to.first, keep ? ", MREMAP_DONTUNMAP" : "");
	if (mremap(address(from.first), from.n * PAGE, to.n * PAGE, flags,
		   address(to.first)) == MAP_FAILED) {
		/* Not one mapping; the destination may be empty already. */
		munmap(address(to.first), to.n * PAGE);
		set_none(actor, to);
		return;
	}
	if (keep && (source->kind == TEXT || source->kind == PAD))
		fail(actor, "MREMAP_DONTUNMAP of a text or pad");
	memcpy(&actor->pages[to.first], source, from.n * sizeof(*source));
	if (keep)
		forget_private(actor, from);
	else
		set_none(actor, from);
}

/** op_grow - no text or pad can grow */
void op_grow(struct actor *actor)
{
	struct range range = same_mapping(actor, pick_mapped(actor));
	char *old = address(range.first);

	if (!range.n || actor->pages[range.first].kind == ANON ||
	    actor->pages[range.first].kind == DATA)
		return;
	log_step(actor, "mremap pages %u+%u by one more", range.first, range.n);
	if (mremap(old, range.n * PAGE, (range.n + 1) * PAGE,
		   pick(&actor->random, 2) ? MREMAP_MAYMOVE : 0) != MAP_FAILED)
		fail(actor, "a text or pad has grown");
}
