/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A split library is mapped completely or not at all: each system call fails in
 * turn, each byte of the image's headers is wrong in turn, its dynamic section
 * lies where it may not, something is in the way.  A file without a name stands
 * in for the region.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "headers.h"
#include "report.h"
#include "session.h"
#include "sys.h"

#define START		0x7f9000000000
#define SIZE		(16 * MSHARE_WINDOW_SIZE)
#define TEXT		(2 * MSHARE_WINDOW_SIZE)
#define TEXT_SIZE	0x3000
#define MOVED		(4 * MSHARE_WINDOW_SIZE)
#define DATA		(TEXT + MOVED + 0x4000)
#define DATA_SIZE	0x5000
#define BSS		(DATA + 0x2000)

enum { R, RX, RW, DYNAMIC, TLS, STACK, NPHDRS };

/* The original: its data begins at 0x4000. */
static const Elf64_Ehdr header = {
	.e_ident = ELFMAG,
	.e_type = ET_DYN,
	.e_phoff = sizeof(Elf64_Ehdr),
	.e_shoff = 0x5678,
	.e_phentsize = sizeof(Elf64_Phdr),
	.e_phnum = NPHDRS,
};

static const Elf64_Phdr phdr[NPHDRS] = {
	[R] = { .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x800,
		.p_memsz = 0x800, .p_align = 0x1000 },
	[RX] = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x1000,
		 .p_offset = 0x1000, .p_filesz = 0x1800, .p_memsz = 0x1800,
		 .p_align = 0x1000 },
	[RW] = { .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x4100,
		 .p_offset = 0x3100, .p_filesz = 0x1000, .p_memsz = 0x4800,
		 .p_align = 0x1000 },
	[DYNAMIC] = { .p_type = PT_DYNAMIC, .p_vaddr = 0x4200,
		      .p_offset = 0x3200, .p_filesz = 0x40, .p_memsz = 0x40 },
	[TLS] = { .p_type = PT_TLS, .p_vaddr = 0x9000, .p_memsz = 8 },
	[STACK] = { .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
};

static const struct mshare_placement good = {
	.claim = START + TEXT,
	.claim_size = MSHARE_WINDOW_SIZE,
	.claim_offset = TEXT,
	.text = START + TEXT,
	.text_size = TEXT_SIZE,
	.text_offset = TEXT,
	.base = START + TEXT,
	.data = START + DATA,
	.bss = START + BSS,
	.data_size = DATA_SIZE,
	.data_offset = DATA,
	.moved = MOVED,
};

static struct mshare_session session;
static int calls, fail_call, fail_errno;

long mshare_sys_map(uint64_t address, uint64_t size, int prot, int flags,
		    int fd, uint64_t offset)
{
	void *p;

	if (++calls == fail_call)
		return -fail_errno;
	p = mmap((void *)address, size, prot, flags, fd, offset);
	return p == MAP_FAILED ? -errno : (long)p;
}

void mshare_sys_unmap(uint64_t address, uint64_t size)
{
	if (munmap((void *)address, size))
		abort();
}

/* The others are another test's. */
int mshare_sys_open(const char *name)
{
	(void)name;
	abort();
}

int mshare_sys_stat(int fd, struct mshare_file *file)
{
	(void)fd;
	(void)file;
	abort();
}

long mshare_sys_read(int fd, void *bytes, size_t size, uint64_t offset)
{
	(void)fd;
	(void)bytes;
	(void)size;
	(void)offset;
	abort();
}

void mshare_sys_close(int fd)
{
	(void)fd;
	abort();
}

static void put(const void *bytes, size_t size, uint64_t offset)
{
	if (pwrite(session.fd, bytes, size, offset) != (ssize_t)size)
		abort();
}

static void put_dynamic(Elf64_Sxword tag, uint64_t offset)
{
	const Elf64_Dyn dynamic[] = { { tag, { 0 } }, { DT_NULL, { 0 } } };

	put(dynamic, sizeof(dynamic), offset);
}

/* An image as the original's headers say. */
static void put_image(const Elf64_Phdr *original)
{
	Elf64_Ehdr ehdr = header;
	Elf64_Phdr moved[NPHDRS];

	ehdr.e_shoff = 0x1234;
	ehdr.e_shnum = 40;
	memcpy(moved, original, sizeof(moved));
	for (int i = 0; i < NPHDRS; i++) {
		if (moved[i].p_vaddr >= 0x4000 && moved[i].p_vaddr <= 0x9000)
			moved[i].p_vaddr += MOVED;
		moved[i].p_paddr = 42;
	}
	put(&ehdr, sizeof(ehdr), TEXT);
	put(moved, sizeof(moved), TEXT + sizeof(ehdr));
	put_dynamic(DT_SONAME, DATA + 0x200);
}

struct found {
	int lines;
	char perms[16][5];
	uintptr_t start[16];
};

/* What is mapped of the region's addresses. */
static struct found look(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	struct found found = { 0 };
	char line[1024], perms[5];
	uintptr_t start, end;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) == 3 &&
		    end > START && start < START + SIZE && found.lines < 16) {
			found.start[found.lines] = start;
			strcpy(found.perms[found.lines++], perms);
		}
	if (maps)
		fclose(maps);
	return found;
}

static bool is_there(const struct found *found, uintptr_t start,
		     const char *perms)
{
	for (int i = 0; i < found->lines; i++)
		if (found->start[i] == start)
			return !strcmp(found->perms[i], perms);
	return false;
}

static enum mshare_reason map(const struct mshare_placement *placement,
			      const Elf64_Phdr *original)
{
	calls = 0;
	return mshare_map(&session, placement, &header, original);
}

static void unmap(const struct mshare_placement *placement)
{
	mshare_sys_unmap(placement->claim, placement->claim_size);
	mshare_sys_unmap(placement->data, placement->data_size);
}

static void test_good(void)
{
	struct mshare_placement full = good;
	struct found found;

	put_image(phdr);
	put("dirt", 4, BSS);
	check_eq(map(&good, phdr), MSHARE_OK, "an image is mapped");
	check_eq(calls, 4, "by four calls");
	found = look();
	check_eq(found.lines, 4, "that is four mappings");
	check(is_there(&found, START + TEXT, "r-xp"), "its text");
	check(is_there(&found, START + TEXT + TEXT_SIZE, "---p"), "the pad");
	check(is_there(&found, START + DATA, "rw-p"), "its data");
	check(is_there(&found, START + BSS, "rw-p"), "its bss");
	check_eq(*(int *)(START + BSS), 0, "which is empty");
	check(mshare_image_phdr(good.text)[RW].p_vaddr == 0x4100 + MOVED,
	      "its program headers say where its data is");
	unmap(&good);

	full.bss = full.data + full.data_size;
	check_eq(map(&full, phdr), MSHARE_OK, "an image without bss");
	check_eq(calls, 3, "is mapped by three calls");
	unmap(&full);
}

static void test_calls(void)
{
	static const struct {
		const char *call;
		int error;
		enum mshare_reason reason;
	} failing[] = {
		{ "mmap of the pad", ENOMEM, MSHARE_PAD_REFUSED },
		{ "mmap of the pad", EEXIST, MSHARE_RANGE_TAKEN },
		{ "mmap of the text", EAGAIN, MSHARE_TEXT_REFUSED },
		{ "mmap of the data", EAGAIN, MSHARE_DATA_REFUSED },
		{ "mmap of the data", EEXIST, MSHARE_RANGE_TAKEN },
		{ "mmap of the bss", ENOMEM, MSHARE_DATA_REFUSED },
	};
	static const int number[] = { 1, 1, 2, 3, 3, 4 };

	put_image(phdr);
	for (size_t i = 0; i < sizeof(number) / sizeof(number[0]); i++) {
		fail_call = number[i];
		fail_errno = failing[i].error;
		check_eq(map(&good, phdr), failing[i].reason,
			 "%s fails with %d: the reason", failing[i].call,
			 failing[i].error);
		check_eq(look().lines, 0, "%s fails with %d: nothing is left",
			 failing[i].call, failing[i].error);
	}
	fail_call = 0;
}

/* Somebody else has one page of what the library needs. */
static void test_taken(uint64_t offset, const char *what)
{
	void *page = mmap((void *)(START + offset), 4096,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_FIXED_NOREPLACE, -1, 0);
	struct found found;

	if (!check(page == (void *)(START + offset), "%s taken: by us", what))
		return;
	*(int *)page = 42;
	check_eq(map(&good, phdr), MSHARE_RANGE_TAKEN, "%s taken: the reason",
		 what);
	found = look();
	check(found.lines == 1 && is_there(&found, START + offset, "rw-p") &&
	      *(int *)page == 42, "%s taken: only that is left", what);
	munmap(page, 4096);
}

/* Is this byte of the headers free to be anything? */
static bool is_free(size_t i)
{
	if (i < sizeof(Elf64_Ehdr))
		return (i >= offsetof(Elf64_Ehdr, e_shoff) &&
			i < offsetof(Elf64_Ehdr, e_flags)) ||
		       i >= offsetof(Elf64_Ehdr, e_shnum);
	i = (i - sizeof(Elf64_Ehdr)) % sizeof(Elf64_Phdr);
	return i >= offsetof(Elf64_Phdr, p_paddr) &&
	       i < offsetof(Elf64_Phdr, p_filesz);
}

static void test_bytes(void)
{
	size_t size = sizeof(header) + sizeof(phdr), tried = 0;
	bool refused = true, clean = true;

	put_image(phdr);
	for (size_t i = 0; i < size; i++) {
		unsigned char was, now;

		if (is_free(i) || pread(session.fd, &was, 1, TEXT + i) != 1)
			continue;
		for (int flip = 1; flip < 256; flip <<= 1) {
			now = was ^ flip;
			put(&now, 1, TEXT + i);
			refused &= map(&good, phdr) == MSHARE_OTHER_IMAGE;
			clean &= look().lines == 0;
			tried++;
		}
		put(&was, 1, TEXT + i);
	}
	check(refused, "headers: none of %zu with one bit wrong is accepted",
	      tried);
	check(clean, "headers: and nothing is left of any");
	check_eq(map(&good, phdr), MSHARE_OK, "headers: as they were");
	unmap(&good);
}

static void test_table(uint64_t phoff, int phnum, const char *what)
{
	Elf64_Ehdr far = header;

	far.e_phoff = phoff;
	far.e_phnum = phnum;
	put(&far, sizeof(far), TEXT);
	check_eq(mshare_map(&session, &good, &far, phdr), MSHARE_OTHER_IMAGE,
		 "headers: program headers %s", what);
	check_eq(look().lines, 0, "headers: program headers %s: nothing is left",
		 what);
}

static void test_tables(void)
{
	test_table(4096 - sizeof(phdr) + 8, NPHDRS, "beyond the first page");
	test_table(64, 73, "too many");
	test_table(68, NPHDRS, "not aligned");
	test_table(~7ULL, NPHDRS, "at the end of all addresses");
}

/* A dynamic section at @vaddr of the original, and its image. */
static void test_dynamic(uint64_t vaddr, uint64_t size, int type,
			 enum mshare_reason reason, const char *what)
{
	Elf64_Phdr original[NPHDRS];

	memcpy(original, phdr, sizeof(original));
	original[DYNAMIC].p_vaddr = vaddr;
	original[DYNAMIC].p_memsz = size;
	original[DYNAMIC].p_type = type;
	put_image(original);
	check_eq(map(&good, original), reason, "dynamic section %s", what);
	if (reason == MSHARE_OK)
		unmap(&good);
	check_eq(look().lines, 0, "dynamic section %s: nothing is left", what);
}

static void test_dynamics(void)
{
	static const enum mshare_reason bad = MSHARE_BAD_HEADERS;
	Elf64_Phdr two[NPHDRS];

	test_dynamic(0x8f00, 0x100, PT_DYNAMIC, MSHARE_OK, "at the end");
	test_dynamic(0x8f00, 0x110, PT_DYNAMIC, bad, "beyond the end");
	test_dynamic(0x9000, 0x10, PT_DYNAMIC, bad, "behind the end");
	test_dynamic(0x4200, ~0ULL, PT_DYNAMIC, bad, "without end");
	test_dynamic(0x4204, 0x40, PT_DYNAMIC, bad, "not aligned");
	test_dynamic(0x1000, 0x40, PT_DYNAMIC, bad, "in the text");
	test_dynamic(1ULL << 40, 0x40, PT_DYNAMIC, bad, "nowhere");
	test_dynamic(0x4200, 0x40, PT_NOTE, bad, "missing");

	put_image(phdr);
	put_dynamic(DT_TEXTREL, DATA + 0x200);
	check_eq(map(&good, phdr), MSHARE_TEXT_RELOCATIONS,
		 "text relocations: the reason");
	check_eq(look().lines, 0, "text relocations: nothing is left");

	memcpy(two, phdr, sizeof(two));
	two[TLS] = two[DYNAMIC];
	two[TLS].p_vaddr += 0x100;
	put_image(two);
	put_dynamic(DT_TEXTREL, DATA + 0x300);
	check_eq(map(&good, two), MSHARE_TEXT_RELOCATIONS,
		 "two dynamic sections: the last counts");
}

int main(void)
{
	session.fd = memfd_create("region", MFD_CLOEXEC);
	if (session.fd < 0 || ftruncate(session.fd, SIZE))
		abort();
	test_good();
	test_calls();
	put_image(phdr);
	test_taken(TEXT, "text");
	test_taken(TEXT + MSHARE_WINDOW_SIZE - 4096, "pad");
	test_taken(DATA, "data");
	test_taken(DATA + DATA_SIZE - 4096, "bss");
	test_bytes();
	test_tables();
	test_dynamics();
	return report_status();
}
