/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where libraries go: hostile program headers, hostile entries, and all
 * libraries of this system.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "placement.h"
#include "region.h"
#include "report.h"
#include "segments.h"

static const struct mshare_info info = {
	.start = 0x7f9000000000,
	.size = 1024 * MSHARE_WINDOW_SIZE,
	.generation = 1,
	.catalog_size = 4096,
	.flags = MSHARE_SEALED,
};

/* A library as every linker makes it. */
static const Elf64_Phdr good[] = {
	{ .p_type = PT_PHDR, .p_vaddr = 0x40, .p_offset = 0x40 },
	{ .p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x1234,
	  .p_memsz = 0x1234, .p_align = 0x1000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x2000,
	  .p_offset = 0x2000, .p_filesz = 0x10800, .p_memsz = 0x10800,
	  .p_align = 0x1000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0x13000,
	  .p_offset = 0x13000, .p_filesz = 0x2010, .p_memsz = 0x2010,
	  .p_align = 0x1000 },
	{ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 0x16df0,
	  .p_offset = 0x15df0, .p_filesz = 0x300, .p_memsz = 0x4000,
	  .p_align = 0x1000 },
	{ .p_type = PT_DYNAMIC, .p_vaddr = 0x16e00, .p_offset = 0x15e00 },
};

enum { HEADERS, R1, RX, R2, RW, DYNAMIC, NPHDRS };

/* Read the headers after one number was changed. */
#define READ_WITH(segments, index, field, value) ({			\
	Elf64_Phdr ph_[NPHDRS];						\
	memcpy(ph_, good, sizeof(good));				\
	ph_[index].field = (value);					\
	mshare_segments_read(segments, ph_, NPHDRS);			\
})

#define REFUSED(index, field, value, reason) do {			\
	struct mshare_segments s_;					\
	check_eq(READ_WITH(&s_, index, field, value), reason,		\
		 "headers: " #index "." #field " = " #value);		\
} while (0)

static void test_headers(void)
{
	struct mshare_segments s;

	check_eq(mshare_segments_read(&s, good, NPHDRS), MSHARE_OK,
		 "headers: a usual library");
	check(s.text_vaddr == 0 && s.text_offset == 0 &&
	      s.text_size == 0x16000 && s.data_vaddr == 0x16000 &&
	      s.bss_vaddr == 0x18000 && s.end_vaddr == 0x1b000 && s.align == 0x1000,
	      "headers: its text and data");

	check_eq(mshare_segments_read(&s, good, 0), MSHARE_NO_TEXT,
		 "headers: none");
	check_eq(mshare_segments_read(&s, good, RW), MSHARE_NO_DATA,
		 "headers: no data");
	check_eq(mshare_segments_read(&s, good + RW, 1), MSHARE_NO_TEXT,
		 "headers: no text");

	REFUSED(RX, p_flags, PF_R | PF_W | PF_X, MSHARE_EXECUTABLE_DATA);
	REFUSED(RX, p_flags, PF_R | PF_W, MSHARE_DATA_NOT_LAST);
	REFUSED(R2, p_flags, PF_R | PF_W, MSHARE_TWO_DATA);
	REFUSED(RW, p_flags, PF_R | PF_W | PF_X, MSHARE_EXECUTABLE_DATA);
	REFUSED(RX, p_offset, 0x3000, MSHARE_TEXT_SPLIT);
	REFUSED(R2, p_vaddr, 0x14000, MSHARE_TEXT_SPLIT);
	REFUSED(RX, p_vaddr, 0x1000, MSHARE_TEXT_SPLIT);
	REFUSED(R2, p_memsz, 0x2011, MSHARE_TEXT_ZERO_FILLED);
	REFUSED(R2, p_filesz, 0x2011, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_vaddr, 0x15df0, MSHARE_SHARED_PAGE);
	REFUSED(RW, p_vaddr, 0, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_vaddr, 0x16000, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_memsz, ~0ULL, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_memsz, 0, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_vaddr, ~0ULL & ~0xfffULL, MSHARE_BAD_HEADERS);
	REFUSED(RW, p_align, 0x3000, MSHARE_BAD_HEADERS);
	READ_WITH(&s, RW, p_align, 0x10000);
	check(s.align == 0x10000 && s.data_align == 0x10000,
	      "headers: the data's alignment");
	READ_WITH(&s, RX, p_align, 0x10000);
	check(s.align == 0x10000 && s.data_align == 0x1000,
	      "headers: the text's alignment is not the data's");
	REFUSED(R1, p_vaddr, 1ULL << 63, MSHARE_BAD_HEADERS);
	REFUSED(R1, p_offset, 1ULL << 63, MSHARE_BAD_HEADERS);
}

/* Each byte of the headers takes other values; what is read must hold. */
static void test_header_bytes(void)
{
	Elf64_Phdr ph[NPHDRS];
	unsigned char *bytes = (unsigned char *)ph;
	bool sane = true;

	memcpy(ph, good, sizeof(good));
	for (size_t i = 0; i < sizeof(ph); i++) {
		unsigned char was = bytes[i];

		for (int flip = 1; flip < 256; flip++) {
			struct mshare_segments s;

			bytes[i] = was ^ flip;
			if (mshare_segments_read(&s, ph, NPHDRS))
				continue;
			sane &= s.text_size &&
				s.text_vaddr + s.text_size <= s.data_vaddr &&
				s.data_vaddr < s.end_vaddr &&
				s.end_vaddr < 1ULL << 49 &&
				!(s.align & (s.align - 1));
		}
		bytes[i] = was;
	}
	check(sane, "headers: no byte makes text or data absurd");
}

static void test_text_relocations(void)
{
	const Elf64_Dyn clean[] = { { DT_SONAME, { 1 } }, { DT_FLAGS, { DF_BIND_NOW } },
				    { DT_NULL, { 0 } }, { DT_TEXTREL, { 0 } } };
	const Elf64_Dyn tag[] = { { DT_TEXTREL, { 0 } }, { DT_NULL, { 0 } } };
	const Elf64_Dyn flag[] = { { DT_FLAGS, { DF_TEXTREL } } };

	check_eq(mshare_text_is_relocated(clean, 4), MSHARE_OK,
		 "text relocations: none before the end");
	check_eq(mshare_text_is_relocated(tag, 2), MSHARE_TEXT_RELOCATIONS,
		 "text relocations: by tag");
	check_eq(mshare_text_is_relocated(flag, 1), MSHARE_TEXT_RELOCATIONS,
		 "text relocations: by flag, without an end");
	check_eq(mshare_text_is_relocated(flag, 0), MSHARE_OK,
		 "text relocations: nothing to read");
}

/*
 * The entry for a library whose data begins at a window boundary.
 * @windows: how many the text takes
 */
static struct mshare_catalog_entry entry_for(const struct mshare_segments *s,
					     uint64_t *windows)
{
	uint64_t span = s->data_vaddr - s->text_vaddr;
	uint64_t align = s->align > MSHARE_WINDOW_SIZE ? s->align :
							 MSHARE_WINDOW_SIZE;
	uint64_t data = align + ((span + align - 1) & ~(align - 1));
	struct mshare_catalog_entry e = {
		.placement = MSHARE_PAIRED,
		.text_offset = data - span,
		.text_file_offset = s->text_offset,
		.text_size = s->text_size,
	};

	/* Where the base must be a multiple of something larger. */
	if (s->align > MSHARE_PAGE_SIZE)
		e.text_offset = data + s->text_vaddr % s->align;
	e.claim_offset = e.text_offset & ~(MSHARE_WINDOW_SIZE - 1);
	e.claim_size = e.text_offset - e.claim_offset + s->end_vaddr -
		       s->text_vaddr;
	*windows = (e.claim_offset + e.claim_size) / MSHARE_WINDOW_SIZE + 1;
	return e;
}

/* The same library, its data 100 windows further behind its text. */
static struct mshare_catalog_entry
split_entry_for(const struct mshare_segments *s)
{
	return (struct mshare_catalog_entry){
		.placement = MSHARE_SPLIT,
		.text_offset = 4 * MSHARE_WINDOW_SIZE,
		.text_file_offset = s->text_offset,
		.text_size = s->text_size,
		.claim_offset = 4 * MSHARE_WINDOW_SIZE,
		.claim_size = MSHARE_WINDOW_SIZE,
		.data_offset = 104 * MSHARE_WINDOW_SIZE + s->data_vaddr -
			       s->text_vaddr,
		.data_size = s->end_vaddr - s->data_vaddr,
	};
}

static void test_place_split(void)
{
	struct mshare_segments s;
	struct mshare_placement p = { 0 };
	struct mshare_catalog_entry e;

	mshare_segments_read(&s, good, NPHDRS);
	e = split_entry_for(&s);
	check_eq(mshare_place(&p, &e, &s, &info), MSHARE_OK, "split: placed");
	check_eq(p.claim, info.start + 4 * MSHARE_WINDOW_SIZE, "split: claim");
	check_eq(p.claim_size, MSHARE_WINDOW_SIZE, "split: its size");
	check_eq(p.text, p.claim, "split: text");
	check_eq(p.base, p.text, "split: base");
	check_eq(p.data, info.start + 104 * MSHARE_WINDOW_SIZE + 0x16000,
		 "split: data");
	check_eq(p.data_size, 0x5000, "split: its size");
	check_eq(p.data_offset, p.data - info.start, "split: its offset");
	check_eq(p.bss, p.data + 0x2000, "split: bss");
	check_eq(p.moved, 100 * MSHARE_WINDOW_SIZE, "split: how far it moved");
}

/* The library as it is, its data a zone's. */
static struct mshare_catalog_entry
relocated_entry_for(const struct mshare_segments *s)
{
	return (struct mshare_catalog_entry){
		.placement = MSHARE_RELOCATED,
		.text_offset = 5 * MSHARE_WINDOW_SIZE - 0x16000,
		.text_file_offset = s->text_offset,
		.text_size = s->text_size,
		.claim_offset = 4 * MSHARE_WINDOW_SIZE,
		.claim_size = MSHARE_WINDOW_SIZE,
		.data_offset = 5 * MSHARE_WINDOW_SIZE,
		.data_size = s->end_vaddr - s->data_vaddr,
	};
}

static void test_place_relocated(void)
{
	struct mshare_segments s;
	struct mshare_placement p = { 0 };
	struct mshare_catalog_entry e;

	mshare_segments_read(&s, good, NPHDRS);
	e = relocated_entry_for(&s);
	check_eq(mshare_place(&p, &e, &s, &info), MSHARE_OK,
		 "relocated: placed");
	check_eq(p.claim, info.start + 4 * MSHARE_WINDOW_SIZE,
		 "relocated: claim");
	check_eq(p.claim_size, MSHARE_WINDOW_SIZE, "relocated: its size");
	check_eq(p.text, info.start + e.text_offset, "relocated: text");
	check_eq(p.base, p.text, "relocated: base");
	check_eq(p.data, p.base + 0x16000, "relocated: data");
	check_eq(p.data_offset, e.data_offset, "relocated: its offset");
	check_eq(p.data_size, 0x5000, "relocated: its size");
	check_eq(p.bss, p.data + 0x2000, "relocated: bss");
	check_eq(p.moved, 0, "relocated: the data has not moved");
}

static void test_place(void)
{
	struct mshare_segments s;
	struct mshare_placement p = { 0 };
	struct mshare_catalog_entry e;
	uint64_t windows;

	mshare_segments_read(&s, good, NPHDRS);
	e = entry_for(&s, &windows);
	check_eq(mshare_place(&p, &e, &s, &info), MSHARE_OK, "place: usual");
	check_eq(p.claim, info.start + MSHARE_WINDOW_SIZE, "place: claim");
	check_eq(p.claim_offset, MSHARE_WINDOW_SIZE, "place: claim's offset");
	check_eq(p.claim_size, MSHARE_WINDOW_SIZE + 0x5000, "place: its size");
	check_eq(p.text, info.start + 2 * MSHARE_WINDOW_SIZE - 0x16000,
		 "place: text");
	check_eq(p.text_offset, 2 * MSHARE_WINDOW_SIZE - 0x16000,
		 "place: text's offset");
	check_eq(p.text_size, 0x16000, "place: text's size");
	check_eq(p.data, info.start + 2 * MSHARE_WINDOW_SIZE, "place: data");
	check_eq(p.data_size, 0x5000, "place: data's size");
	check_eq(p.data_offset, 0, "place: it is not in the region");
	check_eq(p.bss, p.data + 0x2000, "place: bss");
	check_eq(p.moved, 0, "place: the data has not moved");
	check_eq(p.base, p.text, "place: base");
	check_eq(mshare_claim_start(p.text), p.claim,
		 "place: the claim is found again from the text");
}

#define ENTRY_REFUSED(field, value) do {				\
	struct mshare_segments s_;					\
	struct mshare_placement p_;					\
	struct mshare_catalog_entry e_;					\
	uint64_t w_;							\
	mshare_segments_read(&s_, good, NPHDRS);			\
	e_ = entry_for(&s_, &w_);					\
	e_.field = (value);						\
	check_eq(mshare_place(&p_, &e_, &s_, &info), MSHARE_BAD_ENTRY,	\
		 "entry: " #field " = " #value);			\
} while (0)

static void test_entries(void)
{
	ENTRY_REFUSED(placement, 0);
	ENTRY_REFUSED(placement, MSHARE_SPLIT);
	ENTRY_REFUSED(placement, MSHARE_RELOCATED);
	ENTRY_REFUSED(placement, 4);
	ENTRY_REFUSED(text_offset, e_.text_offset + MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(text_offset, e_.text_offset + 1);
	ENTRY_REFUSED(text_offset, 0);
	ENTRY_REFUSED(text_offset, ~0ULL);
	ENTRY_REFUSED(text_file_offset, MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(text_size, e_.text_size - MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(text_size, e_.text_size + MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(text_size, 0);
	ENTRY_REFUSED(claim_offset, 0);
	ENTRY_REFUSED(claim_offset, e_.claim_offset - MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(claim_offset, ~0ULL << 21);
	ENTRY_REFUSED(claim_size, e_.claim_size - MSHARE_PAGE_SIZE);
	ENTRY_REFUSED(claim_size, e_.claim_size + 1);
	ENTRY_REFUSED(claim_size, ~0ULL);
	ENTRY_REFUSED(data_offset, e_.claim_offset + e_.claim_size);
	ENTRY_REFUSED(data_size, MSHARE_PAGE_SIZE);
}

/* @kind: of what has its data in a zone */
#define ZONE_REFUSED(kind, field, value) do {				\
	struct mshare_segments s_;					\
	struct mshare_placement p_;					\
	struct mshare_catalog_entry e_;					\
	mshare_segments_read(&s_, good, NPHDRS);			\
	e_ = kind ## _entry_for(&s_);					\
	e_.field = (value);						\
	check_eq(mshare_place(&p_, &e_, &s_, &info), MSHARE_BAD_ENTRY,	\
		 #kind ": " #field " = " #value);			\
} while (0)

#define SPLIT_REFUSED(field, value)	ZONE_REFUSED(split, field, value)
#define RELOCATED_REFUSED(field, value)	ZONE_REFUSED(relocated, field, value)

static void test_split_entries(void)
{
	SPLIT_REFUSED(placement, MSHARE_PAIRED);
	SPLIT_REFUSED(placement, MSHARE_RELOCATED);
	SPLIT_REFUSED(text_offset, e_.text_offset + 1);
	SPLIT_REFUSED(text_offset, ~0ULL);
	SPLIT_REFUSED(text_file_offset, MSHARE_PAGE_SIZE);
	SPLIT_REFUSED(text_size, e_.text_size + MSHARE_PAGE_SIZE);
	SPLIT_REFUSED(text_size, 0);
	SPLIT_REFUSED(claim_offset, 0);
	SPLIT_REFUSED(claim_offset, e_.claim_offset + MSHARE_WINDOW_SIZE);
	SPLIT_REFUSED(claim_size, 0);
	SPLIT_REFUSED(claim_size, e_.text_size);
	SPLIT_REFUSED(claim_size, 2 * MSHARE_WINDOW_SIZE);
	SPLIT_REFUSED(claim_size, ~0ULL << 21);
	SPLIT_REFUSED(data_offset, 0);
	SPLIT_REFUSED(data_offset, e_.data_offset + 1);
	SPLIT_REFUSED(data_offset, e_.text_offset + 0x16000);
	SPLIT_REFUSED(data_offset, ~0ULL << 12);
	SPLIT_REFUSED(data_size, 0);
	SPLIT_REFUSED(data_size, e_.data_size + MSHARE_PAGE_SIZE);
	SPLIT_REFUSED(data_size, ~0ULL);
}

static void test_relocated_entries(void)
{
	RELOCATED_REFUSED(placement, MSHARE_PAIRED);
	RELOCATED_REFUSED(text_offset, e_.text_offset - MSHARE_PAGE_SIZE);
	RELOCATED_REFUSED(text_file_offset, MSHARE_PAGE_SIZE);
	RELOCATED_REFUSED(claim_size, e_.claim_size + 0x5000);
	RELOCATED_REFUSED(data_offset, 0);
	RELOCATED_REFUSED(data_offset, e_.data_offset + MSHARE_PAGE_SIZE);
	RELOCATED_REFUSED(data_offset, e_.data_offset - MSHARE_PAGE_SIZE);
	RELOCATED_REFUSED(data_offset, e_.data_offset + MSHARE_WINDOW_SIZE);
	RELOCATED_REFUSED(data_size, 0);
	RELOCATED_REFUSED(data_size, e_.data_size + MSHARE_PAGE_SIZE);
}

/* Where the data of a split library may be. */
static void test_split_data(void)
{
	struct mshare_segments s;
	struct mshare_placement p;
	struct mshare_catalog_entry e;
	uint64_t room;

	mshare_segments_read(&s, good, NPHDRS);
	e = split_entry_for(&s);
	room = info.size - e.data_offset - e.data_size;

#define DATA_MOVED_BY(distance, reason) do {				\
	struct mshare_catalog_entry e_ = e;				\
	e_.data_offset += (distance);					\
	check_eq(mshare_place(&p, &e_, &s, &info), reason,		\
		 "split: data moved by " #distance);			\
} while (0)
	DATA_MOVED_BY(room, MSHARE_OK);
	DATA_MOVED_BY(room + MSHARE_PAGE_SIZE, MSHARE_BAD_ENTRY);
	DATA_MOVED_BY(-99 * MSHARE_WINDOW_SIZE - 0x16000, MSHARE_OK);
	DATA_MOVED_BY(-99 * MSHARE_WINDOW_SIZE - 0x17000, MSHARE_BAD_ENTRY);

	s.data_align = MSHARE_WINDOW_SIZE;
	DATA_MOVED_BY(MSHARE_WINDOW_SIZE, MSHARE_OK);
	DATA_MOVED_BY(MSHARE_PAGE_SIZE, MSHARE_MISALIGNED);
}

/* Everything moved together, so that only the region's bounds are left. */
static void test_bounds(void)
{
	struct mshare_segments s;
	struct mshare_placement p;
	struct mshare_catalog_entry e, moved;
	uint64_t windows, last;

	mshare_segments_read(&s, good, NPHDRS);
	e = entry_for(&s, &windows);
	last = info.size - 2 * MSHARE_WINDOW_SIZE - e.claim_offset;

#define MOVED_BY(distance, reason) do {					\
	moved = e;							\
	moved.claim_offset += (distance);				\
	moved.text_offset += (distance);				\
	check_eq(mshare_place(&p, &moved, &s, &info), reason,		\
		 "bounds: moved by " #distance);			\
} while (0)
	MOVED_BY(last, MSHARE_OK);
	MOVED_BY(last + MSHARE_WINDOW_SIZE, MSHARE_BAD_ENTRY);
	MOVED_BY(-MSHARE_WINDOW_SIZE, MSHARE_BAD_ENTRY);
	MOVED_BY(1ULL << 63, MSHARE_BAD_ENTRY);
	MOVED_BY(-2 * MSHARE_WINDOW_SIZE, MSHARE_BAD_ENTRY);

	s.align = 2 * MSHARE_WINDOW_SIZE;
	check_eq(mshare_place(&p, &e, &s, &info), MSHARE_MISALIGNED,
		 "bounds: a base that does not suit the alignment");
}

static void test_region(void)
{
	const struct mshare_file file = { .mode = S_IFREG | 0444,
					  .size = 1 << 30 };
	struct mshare_file f;
	struct mshare_info i;

#define FILE_REFUSED(field, value) do {					\
	f = file;							\
	f.field = (value);						\
	check_eq(mshare_region_check_file(&f), MSHARE_NOT_TRUSTED,	\
		 "region: file with " #field " = " #value);		\
} while (0)
	check_eq(mshare_region_check_file(&file), MSHARE_OK, "region: file");
	FILE_REFUSED(uid, 1);
	FILE_REFUSED(mode, S_IFREG | 0644);
	FILE_REFUSED(mode, S_IFREG | 0464);
	FILE_REFUSED(mode, S_IFREG | 0446);
	FILE_REFUSED(mode, S_IFDIR | 0444);
	FILE_REFUSED(mode, S_IFIFO | 0444);

#define INFO_REFUSED(field, value, reason) do {				\
	i = info;							\
	i.field = (value);						\
	check_eq(mshare_region_check_info(&i, &file), reason,		\
		 "region: " #field " = " #value);			\
} while (0)
	check_eq(mshare_region_check_info(&info, &file), MSHARE_OK,
		 "region: info");
	INFO_REFUSED(flags, 0, MSHARE_NOT_SEALED);
	INFO_REFUSED(flags, MSHARE_SEALED | MSHARE_RETIRED, MSHARE_IS_RETIRED);
	INFO_REFUSED(generation, 0, MSHARE_BAD_INFO);
	INFO_REFUSED(start, 0, MSHARE_BAD_INFO);
	INFO_REFUSED(start, info.start + 4096, MSHARE_BAD_INFO);
	INFO_REFUSED(start, 1ULL << 47, MSHARE_BAD_INFO);
	INFO_REFUSED(start, ~0ULL << 21, MSHARE_BAD_INFO);
	INFO_REFUSED(size, 0, MSHARE_BAD_INFO);
	INFO_REFUSED(size, 4096, MSHARE_BAD_INFO);
	INFO_REFUSED(size, 1ULL << 47, MSHARE_BAD_INFO);
	INFO_REFUSED(size, ~0ULL << 21, MSHARE_BAD_INFO);
	INFO_REFUSED(catalog_size, 0, MSHARE_BAD_INFO);
	INFO_REFUSED(catalog_size, MSHARE_CATALOG_MAX + 1, MSHARE_BAD_INFO);
	INFO_REFUSED(catalog_size, ~0U, MSHARE_BAD_INFO);

	f = file;
	f.size = MSHARE_CATALOG_OFFSET + info.catalog_size - 1;
	check_eq(mshare_region_check_info(&info, &f), MSHARE_BAD_INFO,
		 "region: a catalog longer than the file");
}

/* Compare what was read from a library with what its headers say. */
static bool agrees(const Elf64_Ehdr *ehdr, const struct mshare_segments *s)
{
	const Elf64_Phdr *ph = (const void *)((const char *)ehdr + ehdr->e_phoff);
	uint64_t base = 0x10000;

	for (int i = 0; i < ehdr->e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_flags & PF_W) {
			if (ph[i].p_vaddr < s->data_vaddr ||
			    ph[i].p_vaddr + ph[i].p_memsz > s->end_vaddr)
				return false;
		} else if (base + ph[i].p_vaddr - ph[i].p_offset !=
			   base + s->text_vaddr - s->text_offset) {
			return false;
		}
	}
	return true;
}

struct tally {
	int libraries, placeable, wrong;
};

static void try_library(const char *path, struct tally *tally)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	Elf64_Ehdr *ehdr;

	if (fd < 0 || fstat(fd, &st))
		return;
	ehdr = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (ehdr == MAP_FAILED)
		return;
	if (ehdr->e_ident[EI_CLASS] == ELFCLASS64) {
		struct mshare_info roomy = info;
		struct mshare_segments s;
		struct mshare_placement p;
		struct mshare_catalog_entry e;
		enum mshare_reason reason = mshare_segments_read(
			&s, (void *)((char *)ehdr + ehdr->e_phoff),
			ehdr->e_phnum);
		uint64_t windows;

		tally->libraries++;
		if (!reason) {
			e = entry_for(&s, &windows);
			roomy.size = windows * MSHARE_WINDOW_SIZE;
			reason = mshare_place(&p, &e, &s, &roomy);
			tally->wrong += reason || !agrees(ehdr, &s);
			tally->placeable++;
		} else {
			printf("%s: %s\n", path, mshare_reason_string(reason));
		}
	}
	munmap(ehdr, st.st_size);
}

static void test_system(void)
{
	FILE *cache = popen("/sbin/ldconfig -p", "r");
	struct tally tally = { 0 };
	char line[4096], path[4096];

	while (cache && fgets(line, sizeof(line), cache))
		if (sscanf(line, "%*s (libc6,x86-64%*[^)]) => %4095s", path) == 1 ||
		    sscanf(line, "%*s (libc6,x86-64) => %4095s", path) == 1)
			try_library(path, &tally);
	if (cache)
		pclose(cache);
	printf("%d libraries, %d of them can be placed\n", tally.libraries,
	       tally.placeable);
	check(tally.libraries > 20, "system: its libraries are found");
	check(tally.placeable * 10 >= tally.libraries * 9,
	      "system: nine libraries of ten can be placed");
	check_eq(tally.wrong, 0, "system: each of these gets its place");
}

static void test_reasons(void)
{
	bool told = true;

	for (int i = MSHARE_OK; i <= MSHARE_DATA_REFUSED; i++)
		told &= strcmp(mshare_reason_string(i), "unknown") != 0;
	check(told, "reasons: each has its words");
	check(!strcmp(mshare_reason_string(MSHARE_DATA_REFUSED + 1), "unknown"),
	      "reasons: any number has some");
}

int main(void)
{
	test_headers();
	test_header_bytes();
	test_text_relocations();
	test_place();
	test_place_split();
	test_place_relocated();
	test_entries();
	test_split_entries();
	test_relocated_entries();
	test_split_data();
	test_bounds();
	test_region();
	test_system();
	test_reasons();
	return report_status();
}
