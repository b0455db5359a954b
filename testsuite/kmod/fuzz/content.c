/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files hold, and how it changes.
 *
 * Every word of a page tells the file, the page, its own place and, in one
 * byte, the version of the page's content: a word that is read while a newer
 * version is written is either the old or the new one, wherever the copy is
 * cut.  Readers know which versions there were from before to after they read.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

/*
 * One that fills its windows, and can be of huge pages; one that does not; one
 * that begins inside a window and has a gap.  The first and the last are a
 * tmpfs's.  The catalog has the first window.
 */
const struct file_info files[NR_FILES] = {
	[FILE_STEADY] = {
		.path = "/tmp/mshare-fuzz-steady",
		.pages = 3 * PAGES_PER_WINDOW,
		.offset = PAGES_PER_WINDOW,
		.segments = {
			{ 0, 768, PROT_READ },
			{ 768, 768, PROT_READ | PROT_EXEC },
		},
	},
	[FILE_HOLES] = {
		.path = "/var/tmp/mshare-fuzz-holes",
		.pages = 600,
		.holes = true,
		.offset = 4 * PAGES_PER_WINDOW,
		.segments = {
			{ 0, 100, PROT_READ },
			{ 100, 500, PROT_READ | PROT_EXEC },
		},
	},
	[FILE_SHM] = {
		.path = "/tmp/mshare-fuzz-shm",
		.pages = 700,
		.holes = true,
		.offset = 6 * PAGES_PER_WINDOW + 16,
		.segments = {
			{ 0, 300, PROT_READ },
			{ 310, 390, PROT_READ | PROT_EXEC },
		},
	},
};

static unsigned int version_shift(unsigned int index)
{
	return index == WORD_CODE ? 8 : 0;
}

/* A word without its version. */
static uint64_t plain_word(unsigned int file, unsigned int number,
			   unsigned int index)
{
	uint64_t x = ((uint64_t)file << 40) | (number << 12) | index;

	x = (x ^ 0x6c646d7368617265UL) * 0x9e3779b97f4a7c15UL;
	x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9UL;
	/* mov $..., %eax; ret; int3; int3 */
	if (index == WORD_CODE)
		x = (x & 0xffffff0000UL) | 0xccccc300000000b8UL;
	return x & ~(0xffUL << version_shift(index));
}

/**
 * word_is - may a word be what was read from a page?
 * @word:	what was read
 * @file:	file
 * @number:	page of it
 * @index:	word of that
 * @bounds:	which versions are right
 * @seen:	lowered to the version it is, if it is one
 */
bool word_is(uint64_t word, unsigned int file, unsigned int number,
	     unsigned int index, struct bounds bounds, uint32_t *seen)
{
	unsigned int shift = version_shift(index);
	uint64_t plain = plain_word(file, number, index);
	uint8_t after = (uint8_t)(word >> shift) - (uint8_t)bounds.oldest;
	bool zeros = (int32_t)(bounds.hole - bounds.oldest) > 0;

	if ((word & ~(0xffUL << shift)) == plain &&
	    after <= bounds.newest - bounds.oldest) {
		if (bounds.oldest + after < *seen)
			*seen = bounds.oldest + after;
		return true;
	}
	/* A copy onto zeros may have been cut anywhere. */
	for (unsigned int i = 0; zeros && i < sizeof(word); i++) {
		uint8_t byte = word >> (8 * i);

		if (byte && byte != (uint8_t)(plain >> (8 * i)) &&
		    8 * i != shift)
			return false;
	}
	if (zeros)
		*seen = bounds.oldest;
	return zeros;
}

static void fill_page(uint64_t *page, unsigned int file, unsigned int number,
		      uint32_t version)
{
	for (unsigned int i = 0; i < WORDS; i++)
		page[i] = plain_word(file, number, i) |
			  (uint64_t)(uint8_t)version << version_shift(i);
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	check(false, "fuzz: %s: %s", what, strerror(errno));
	exit(1);
}

static void make_file_of(const char *path, unsigned int file,
			 unsigned int pages)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	uint64_t page[WORDS];

	need(fd >= 0, path);
	for (unsigned int n = 0; n < pages; n++) {
		fill_page(page, file, n, 0);
		need(write(fd, page, PAGE) == (ssize_t)PAGE, path);
	}
	/* Clean pages can be reclaimed. */
	need(!fsync(fd), path);
	close(fd);
}

/** make_files - write all files, version 0 */
void make_files(void)
{
	for (unsigned int i = 0; i < NR_FILES; i++)
		make_file_of(files[i].path, i, files[i].pages);
	make_file_of(DATA_PATH, FILE_DATA, DATA_PAGES);
}

/** data_is_unchanged - is all that was written to pages of data private? */
bool data_is_unchanged(void)
{
	uint64_t page[WORDS], want[WORDS];
	int fd = open(DATA_PATH, O_RDONLY);
	bool ok = fd >= 0;

	for (unsigned int n = 0; n < DATA_PAGES && ok; n++) {
		fill_page(want, FILE_DATA, n, 0);
		ok = read(fd, page, PAGE) == (ssize_t)PAGE &&
		     !memcmp(page, want, PAGE);
	}
	close(fd);
	return ok;
}

/** remove_files - undo make_files() */
void remove_files(void)
{
	for (unsigned int i = 0; i < NR_FILES; i++)
		unlink(files[i].path);
	unlink(DATA_PATH);
}

static void begin(struct world *world, unsigned int file, struct range range,
		  bool hole, bool gone)
{
	for (unsigned int n = range.first; n < range.first + range.n; n++) {
		struct page_version *version = &world->version[file][n];
		uint32_t next = version->done + 1;

		if (hole)
			__atomic_store_n(&version->hole, next, __ATOMIC_SEQ_CST);
		if (gone)
			__atomic_store_n(&version->gone, next, __ATOMIC_SEQ_CST);
		__atomic_store_n(&version->begun, next, __ATOMIC_SEQ_CST);
	}
}

static void write_pages(struct world *world, int fd, unsigned int file,
			struct range range)
{
	uint64_t page[WORDS];

	for (unsigned int n = range.first; n < range.first + range.n; n++) {
		struct page_version *version = &world->version[file][n];

		fill_page(page, file, n, version->begun);
		need(pwrite(fd, page, PAGE, n * PAGE) == (ssize_t)PAGE,
		     "rewriting a file");
		__atomic_store_n(&version->done, version->begun,
				 __ATOMIC_SEQ_CST);
	}
}

/*
 * Make a huge page of a file's, if nobody holds one of these just now: the host
 * loses its page of PTEs.  Not of a file that may be too short to be touched.
 */
static void collapse(struct world *world, int fd, unsigned int file,
		     unsigned int page)
{
	unsigned int first = page - page % PAGES_PER_WINDOW;
	bool huge = false;
	char *mine;

	if (files[file].holes)
		return;
	mine = mmap(ARENA, WINDOW, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE,
		    fd, first * PAGE);
	need(mine == ARENA, "mapping a file");
	for (unsigned int tries = 0; tries < 8 && !huge; tries++) {
		(void)*(volatile char *)mine;
		huge = !madvise(mine, WINDOW, MADV_COLLAPSE);
	}
	world->huge += huge;
	munmap(mine, WINDOW);
}

enum change { OVERWRITE, WRITE_BACK, COLLAPSE, PUNCH, SHORTEN, NR_CHANGES };

static void change_file(struct world *world, struct random *random, int fd,
			unsigned int file)
{
	enum change change = pick(random, files[file].holes ? NR_CHANGES : PUNCH);
	struct range range;

	if (pick(random, 2)) {
		range.first = pick(random, HOT_PAGES) * HOT_DISTANCE;
		range.n = 1;
	} else {
		range.first = pick(random, files[file].pages);
		range.n = 1 + pick(random, pick(random, 8) ? 24 : 400);
	}
	if (change == SHORTEN || range.n > files[file].pages - range.first)
		range.n = files[file].pages - range.first;

	switch (change) {
	case PUNCH:
		begin(world, file, range, true, false);
		need(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				range.first * PAGE, range.n * PAGE),
		     "punching a hole");
		break;
	case SHORTEN:
		begin(world, file, range, true, true);
		need(!ftruncate(fd, range.first * PAGE), "shortening a file");
		need(!ftruncate(fd, files[file].pages * PAGE),
		     "making a file longer");
		break;
	case WRITE_BACK:
		need(!fsync(fd), "fsync");
		return;
	case COLLAPSE:
		collapse(world, fd, file, range.first);
		return;
	default:
		begin(world, file, range, false, false);
	}
	write_pages(world, fd, file, range);
}

/**
 * change_files - change the files at random until all stops
 * @world:	shared
 * @seed:	of this process's own sequence
 */
void change_files(struct world *world, uint64_t seed)
{
	struct random random = { .state = seed };
	int fd[NR_FILES];

	for (unsigned int i = 0; i < NR_FILES; i++) {
		fd[i] = open(files[i].path, O_RDWR);
		need(fd[i] >= 0, files[i].path);
	}
	while (!stopping(world)) {
		unsigned int file = pick(&random, NR_FILES);

		change_file(world, &random, fd[file], file);
		/* Give the others time to see it. */
		usleep(pick(&random, 20000));
	}
	_exit(0);
}
