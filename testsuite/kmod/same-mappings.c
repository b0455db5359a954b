/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharers that unmap, map over, protect, move and lock parts of their text.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"
#include "same.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

#define WINDOW_PAGES	((long)PAGES_PER_WINDOW)

/* A piece of the text: where it begins and how long it is, in pages. */
#define PIECE(window, page, pages)					\
	(((window) * WINDOW_PAGES + (page)) * 65536 + (pages))

static char *start_of(const struct trial *trial, long piece)
{
	return trial->text + (piece >> 16) * (long)PAGE;
}

static size_t size_of(long piece)
{
	return (piece & 0xffff) * PAGE;
}

#define A_PAGE		PIECE(1, 7, 1)
#define ACROSS		PIECE(2, -3, 6)
#define A_WINDOW	PIECE(1, 0, WINDOW_PAGES)
#define ALL		PIECE(0, 0, SAME_WINDOWS * WINDOW_PAGES)
#define BEYOND		PIECE(-1, 0, (SAME_WINDOWS + 2) * WINDOW_PAGES)

static void unmap(struct trial *trial, long piece)
{
	result(trial, munmap(start_of(trial, piece), size_of(piece)));
}

static void unmap_pieces(struct trial *trial, long arg __unused)
{
	for (unsigned int i = 0; i < SAME_WINDOWS; i++)
		unmap(trial, PIECE(i, 0, 1 + i));
	unmap(trial, PIECE(0, 100, WINDOW_PAGES));
	result(trial, munmap(page_at(trial, 0, 0) + 1, PAGE));
	result(trial, munmap(page_at(trial, 0, 1), 0));
}

static void map_over(struct trial *trial, long piece)
{
	char *at = start_of(trial, piece);
	size_t size = size_of(piece);

	result(trial, (long)mmap(at, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				 -1, 0));
	result(trial, (long)mmap(at, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	add_content(trial, at, size);
	memset(at, 0x77, size);
}

/* The file itself, as a private mapping, in the middle of the shared text. */
static void map_file_over(struct trial *trial, long piece)
{
	FILE *file = fopen(trial->region->file, "r");

	result(trial, (long)mmap(start_of(trial, piece), size_of(piece), PROT_READ,
				 MAP_PRIVATE | MAP_FIXED, fileno(file),
				 start_of(trial, piece) - trial->text));
	fclose(file);
}

static void map_itself_over(struct trial *trial, long piece)
{
	result(trial, munmap(start_of(trial, piece), size_of(piece)));
	result(trial, (long)map_again(trial, trial->text));
}

static void protect(struct trial *trial, long piece, int prot)
{
	result(trial, mprotect(start_of(trial, piece), size_of(piece), prot));
}

static void forbid(struct trial *trial, long piece)
{
	protect(trial, piece, PROT_NONE);
}

static void forbid_and_allow(struct trial *trial, long piece)
{
	protect(trial, piece, PROT_NONE);
	protect(trial, piece, PROT_READ | PROT_EXEC);
}

static void allow_what_is_allowed(struct trial *trial, long piece)
{
	protect(trial, piece, PROT_READ | PROT_EXEC);
}

static void read_only(struct trial *trial, long piece)
{
	protect(trial, piece, PROT_READ);
}

static void write_over(struct trial *trial, long piece)
{
	long data = status_kb("VmData:");

	protect(trial, piece, PROT_READ | PROT_WRITE);
	result(trial, status_kb("VmData:") - data);
	memset(start_of(trial, piece), 0x55, size_of(piece));
	protect(trial, piece, PROT_NONE);
	protect(trial, piece, PROT_READ | PROT_WRITE | PROT_EXEC);
	add_content(trial, start_of(trial, piece), size_of(piece));
	start_of(trial, piece)[1] = 0x66;
}

static void write_and_map_again(struct trial *trial, long piece)
{
	write_over(trial, piece);
	result(trial, (long)map_again(trial, trial->text));
}

static void protect_badly(struct trial *trial, long arg __unused)
{
	protect(trial, BEYOND, PROT_READ);
	protect(trial, PIECE(2, 0, 3 * WINDOW_PAGES), PROT_READ);
	result(trial, mprotect(trial->text + 1, PAGE, PROT_READ));
	result(trial, mprotect(trial->text, PAGE, PROT_READ | PROT_GROWSUP |
			       PROT_GROWSDOWN));
	result(trial, mprotect(trial->text, 0, PROT_NONE));
}

static void protect_with_key(struct trial *trial, long piece)
{
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);

	result(trial, key);
	result(trial, pkey_mprotect(start_of(trial, piece), size_of(piece),
				    PROT_READ | PROT_EXEC, key));
	result(trial, pkey_free(key));
	result(trial, pkey_mprotect(start_of(trial, A_PAGE), PAGE, PROT_READ, 15));
}

static char *elsewhere(const struct trial *trial, long piece)
{
	return start_of(trial, piece) + 8 * WINDOW;
}

static void move_to(struct trial *trial, long piece, char *to)
{
	result(trial, (long)mremap(start_of(trial, piece), size_of(piece),
				   size_of(piece), MREMAP_MAYMOVE | MREMAP_FIXED,
				   to));
}

static void move(struct trial *trial, long piece)
{
	trial->moved = trial->text + 8 * WINDOW;
	move_to(trial, piece, elsewhere(trial, piece));
}

static void move_there_and_back(struct trial *trial, long piece)
{
	move_to(trial, piece, elsewhere(trial, piece));
	add_content(trial, elsewhere(trial, piece), size_of(piece));
	result(trial, (long)mremap(elsewhere(trial, piece), size_of(piece),
				   size_of(piece), MREMAP_MAYMOVE | MREMAP_FIXED,
				   start_of(trial, piece)));
}

static void move_askew(struct trial *trial, long piece)
{
	trial->moved = trial->text + 8 * WINDOW + PAGE;
	move_to(trial, piece, elsewhere(trial, piece) + PAGE);
}

static void move_written(struct trial *trial, long arg __unused)
{
	write_over(trial, A_PAGE);
	trial->moved = trial->text + 8 * WINDOW;
	for (unsigned int i = 0; i < SAME_WINDOWS; i++)
		move(trial, PIECE(i, 0, WINDOW_PAGES));
}

static void move_onto(struct trial *trial, long piece)
{
	move_to(trial, piece, start_of(trial, piece) + 2 * WINDOW);
}

static void move_badly(struct trial *trial, long arg __unused)
{
	move_to(trial, PIECE(0, 0, 4), trial->text + 2 * PAGE);
	move_to(trial, BEYOND, elsewhere(trial, BEYOND));
	result(trial, (long)mremap(trial->text + 1, PAGE, PAGE, MREMAP_MAYMOVE));
}

static void shrink(struct trial *trial, long pages)
{
	result(trial, (long)mremap(trial->text, trial->region->size,
				   trial->region->size - pages * PAGE, 0));
}

static void lock(struct trial *trial, long piece)
{
	char *at = start_of(trial, piece);

	result(trial, mlock(at, size_of(piece)));
	result(trial, munlock(at, size_of(piece) / 2));
	result(trial, mlock2(at, size_of(piece), MLOCK_ONFAULT));
	result(trial, munlock(at, size_of(piece)));
	result(trial, mlock(at, size_of(piece)));
}

static void lock_all(struct trial *trial, long arg __unused)
{
	result(trial, mlockall(MCL_CURRENT));
	result(trial, munlockall());
	result(trial, mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
}

static void sync_all(struct trial *trial, long piece)
{
	char *at = start_of(trial, piece);

	result(trial, msync(at, size_of(piece), MS_ASYNC));
	result(trial, msync(at, size_of(piece), MS_SYNC));
	result(trial, msync(at, size_of(piece), MS_SYNC | MS_INVALIDATE));
}

static void look_at_core(struct trial *trial, long piece)
{
	static unsigned char vector[SAME_PAGES];

	result(trial, mincore(start_of(trial, piece), size_of(piece), vector));
	add_content(trial, vector, sizeof(vector));
}

static void seal(struct trial *trial, long piece)
{
	result(trial, syscall(SYS_mseal, start_of(trial, piece), size_of(piece), 0));
	protect(trial, A_PAGE, PROT_NONE);
	unmap(trial, A_PAGE);
	move_to(trial, A_WINDOW, elsewhere(trial, A_WINDOW));
	result(trial, madvise(trial->text, trial->region->size, MADV_DONTNEED));
}

static const struct operation operations[] = {
	{ "nothing", allow_what_is_allowed, 4, 0, ALL },

	{ "munmap of a page", unmap, 3, 1, A_PAGE },
	{ "munmap across two windows", unmap, 2, 2, ACROSS },
	{ "munmap of a window", unmap, 3, 0, A_WINDOW },
	{ "munmap of all", unmap, 0, 0, ALL },
	{ "munmap beyond both ends", unmap, 0, 0, BEYOND },
	{ "munmap of many pieces", unmap_pieces, 0, 4, 0 },

	{ "MAP_FIXED over a page", map_over, 3, 1, A_PAGE },
	{ "MAP_FIXED across two windows", map_over, 2, 2, ACROSS },
	{ "MAP_FIXED over a window", map_over, 3, 0, A_WINDOW },
	{ "MAP_FIXED over all", map_over, 0, 0, ALL },
	{ "the file over a page", map_file_over, 3, 1, A_PAGE },
	{ "the file over a window", map_file_over, 3, 0, A_WINDOW },
	{ "the text again, over what a page left", map_itself_over, 4, 0, A_PAGE },
	{ "the text again, over nothing", map_itself_over, 4, 0, ALL },

	{ "mprotect none of a page", forbid, 3, 1, A_PAGE },
	{ "mprotect none across two windows", forbid, 2, 2, ACROSS },
	{ "mprotect none of all", forbid, 0, 4, ALL },
	{ "mprotect none and back", forbid_and_allow, 3, 1, A_WINDOW },
	{ "mprotect r of a page", read_only, 3, 1, A_PAGE },
	{ "mprotect rw and written, a page", write_over, 3, 1, A_PAGE },
	{ "mprotect rw and written, all", write_over, 0, 4, ALL },
	{ "written, and the text again", write_and_map_again, 4, 0, A_WINDOW },
	{ "mprotect of what is not there", protect_badly, 2, 2, 0 },
	{ "pkey_mprotect of a page", protect_with_key, 3, 1, A_PAGE },
	{ "pkey_mprotect of a window", protect_with_key, 3, 1, A_WINDOW },

	{ "mremap of a page", move, 3, 1, A_PAGE },
	{ "mremap of a window", move, 4, 0, A_WINDOW },
	{ "mremap of all", move, 4, 0, ALL },
	{ "mremap of a page, and back", move_there_and_back, 3, 1, A_PAGE },
	{ "mremap of all, and back", move_there_and_back, 4, 0, ALL },
	{ "mremap to where no window fits", move_askew, 0, 4, ALL },
	{ "mremap of a written window", move_written, 3, 1, 0 },
	{ "mremap of a window onto another", move_onto, 3, 0, PIECE(0, 0, WINDOW_PAGES) },
	{ "mremap that is refused", move_badly, 4, 0, 0 },
	{ "mremap that shrinks", shrink, 3, 1, 3 },

	{ "mlock", lock, 4, 0, ALL },
	{ "mlock across two windows", lock, 4, 0, ACROSS },
	{ "mlockall", lock_all, 4, 0, 0 },
	{ "msync", sync_all, 4, 0, ALL },
	{ "mincore", look_at_core, 4, 0, ALL },
	{ "mseal", seal, 3, 1, ALL },
};

/* As on any file one may not write: all is said to be there, touched or not. */
static int look_as_nobody(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL);
	unsigned char vector[2] = { };

	if (setgid(65534) || setuid(65534))
		return 1;
	check(!mincore(text, 2 * PAGE, vector) && vector[0] && vector[1],
	      "mincore: a user is not told what is there");
	return report_status();
}

/* What a sharer gets that is not what a private mapping gives. */
static int differences(const void *arg)
{
	const struct test_region *region = arg;
	char *text = map_text(region, NULL), *to = text + 64 * WINDOW;
	unsigned char vector[2];

	check(!mincore(text, 2 * PAGE, vector) && !vector[0] && !vector[1],
	      "mincore: what was not touched is not there");
	check(verify(text, region), "all pages have their content");
	check(!mincore(text, 2 * PAGE, vector) && vector[0] && vector[1],
	      "mincore: what was touched is");
	check(mremap(text, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED &&
	      errno == EFAULT, "mremap: growing is refused");
	check(mremap(text, region->size, region->size,
		     MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) ==
	      MAP_FAILED && errno == EINVAL, "mremap: DONTUNMAP is refused");
	check(!mlock(text, region->size) && !status_kb("VmLck:"),
	      "mlock locks nothing");
	check_eq(windows_attached(region, 0), SAME_WINDOWS,
		 "none of it ends the sharing");
	return report_status();
}

static const struct also also[] = {
	{ "what is different", differences },
	{ "what nobody sees", look_as_nobody },
	{ 0 }
};

int main(void)
{
	return same_program("same-mappings", operations,
			    sizeof(operations) / sizeof(operations[0]), also);
}
