// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Damaged libraries: real ones, cut at many lengths and with bits flipped in
 * all that mshare_elf_inspect() reads.  Run under ASan and UBSan, which end
 * the program at the first wrong access.
 *
 *	hostile-elf LIBRARY...
 */
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mshare.h"
#include "report.h"
#include "segments.h"

#define SEED		20250611

/**
 * struct victim - a library in memory, to be damaged and repaired
 * @name:	its path
 * @fd:		the copy
 * @bytes:	the same, mapped
 * @size:	its size
 * @loaded:	file bytes up to the end of the last segment
 * @refused:	damaged copies that were refused
 * @accepted:	damaged copies that were not
 * @unexplained: refusals without a reason
 * @unsound:	acceptances of a shape that is impossible or that ld.so refuses
 */
struct victim {
	const char *name;
	int fd;
	unsigned char *bytes;
	size_t size;
	size_t loaded;
	unsigned long refused;
	unsigned long accepted;
	unsigned long unexplained;
	unsigned long unsound;
};

/* What mshare.h promises of a shape. */
static bool is_sound(const struct mshare_elf *elf, uint64_t file_size)
{
	uint64_t offset = elf->text_offset;

	if (!elf->nsegments || elf->nsegments > MSHARE_SEGMENTS_MAX)
		return false;
	for (unsigned int i = 0; i < elf->nsegments; i++) {
		const struct mshare_segment *segment = &elf->segments[i];

		if (segment->offset != offset || !segment->size ||
		    segment->size % MSHARE_PAGE_SIZE ||
		    (segment->prot & ~PROT_EXEC) != PROT_READ)
			return false;
		offset += segment->size;
	}
	return offset - elf->text_offset == elf->text_size &&
	       offset <= mshare_round_up(file_size, MSHARE_PAGE_SIZE) &&
	       elf->text_vaddr % MSHARE_PAGE_SIZE == 0 &&
	       elf->data_vaddr >= elf->text_vaddr + elf->text_size &&
	       elf->end_vaddr > elf->data_vaddr &&
	       elf->align >= MSHARE_PAGE_SIZE && elf->align <= MSHARE_WINDOW_SIZE;
}

/* ld.so must find the same shape, or the library is in the region for nothing. */
static bool agrees_with_loader(const struct mshare_elf *elf, int fd)
{
	struct mshare_segments segments;
	Elf64_Ehdr header;
	Elf64_Phdr *phdr;
	size_t size;
	bool same;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return false;
	size = header.e_phnum * sizeof(*phdr);
	phdr = malloc(size);
	same = pread(fd, phdr, size, (off_t)header.e_phoff) == (ssize_t)size &&
	       !mshare_segments_read(&segments, phdr, header.e_phnum) &&
	       segments.text_vaddr == elf->text_vaddr &&
	       segments.text_offset == elf->text_offset &&
	       segments.text_size == elf->text_size &&
	       segments.data_vaddr == elf->data_vaddr &&
	       segments.end_vaddr == elf->end_vaddr &&
	       segments.align == elf->align;
	free(phdr);
	return same;
}

static bool inspect(struct victim *victim)
{
	struct mshare_elf elf;
	char why[256] = "";
	struct stat st;

	fstat(victim->fd, &st);
	if (mshare_elf_inspect(victim->fd, &elf, why, sizeof(why))) {
		victim->refused++;
		victim->unexplained += !*why;
		return false;
	}
	victim->accepted++;
	if (!is_sound(&elf, (uint64_t)st.st_size) ||
	    !agrees_with_loader(&elf, victim->fd)) {
		victim->unsound++;
		printf("unsound: %s\n", victim->name);
	}
	return true;
}

static bool copy_file(struct victim *victim)
{
	int original = open(victim->name, O_RDONLY);
	struct stat st;

	victim->fd = memfd_create("library", 0);
	if (original < 0 || fstat(original, &st) ||
	    ftruncate(victim->fd, st.st_size))
		return false;
	victim->size = (size_t)st.st_size;
	victim->bytes = mmap(NULL, victim->size, PROT_READ | PROT_WRITE,
			     MAP_SHARED, victim->fd, 0);
	if (victim->bytes == MAP_FAILED)
		return false;
	for (size_t done = 0; done < victim->size; ) {
		ssize_t n = read(original, victim->bytes + done,
				 victim->size - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	close(original);
	return true;
}

/* Ends of what is loaded, as the undamaged file says. */
static void find_loaded(struct victim *victim)
{
	Elf *elf = elf_begin(victim->fd, ELF_C_READ, NULL);
	GElf_Phdr ph;

	for (int i = 0; gelf_getphdr(elf, i, &ph); i++)
		if (ph.p_type == PT_LOAD &&
		    ph.p_offset + ph.p_filesz > victim->loaded)
			victim->loaded = ph.p_offset + ph.p_filesz;
	elf_end(elf);
}

/* From one byte too few to nothing: each cut keeps what the next one needs. */
static void cut(struct victim *victim)
{
	unsigned long accepted = victim->accepted;
	size_t length = victim->loaded;
	size_t step = 1;

	while (length >= step) {
		length -= step;
		if (ftruncate(victim->fd, (off_t)length))
			break;
		inspect(victim);
		step = 1 + (length > 4096 ? (size_t)rand() % (length / 64) : 0);
	}
	check(!length && victim->accepted == accepted,
	      "%s: never shared when it is cut short", victim->name);
}

static void flip_range(struct victim *victim, size_t start, size_t size)
{
	for (size_t i = start; i < start + size && i < victim->size; i++) {
		unsigned char good = victim->bytes[i];

		for (unsigned int bit = 0; bit < 8; bit++) {
			victim->bytes[i] = good ^ (unsigned char)(1u << bit);
			inspect(victim);
		}
		victim->bytes[i] = (unsigned char)rand();
		inspect(victim);
		victim->bytes[i] = good;
	}
}

/* Whole fields of program headers with numbers that overflow sums. */
static void poison_fields(struct victim *victim, size_t start, size_t size)
{
	static const uint64_t values[] = {
		0, 1, 0xfff, 0x1000, 0x7fffffff, 0xffffffff, 1UL << 47,
		INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX - 0xfff, UINT64_MAX,
	};
	uint64_t good;

	for (size_t at = start; at + 8 <= start + size; at += 8) {
		memcpy(&good, victim->bytes + at, 8);
		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			memcpy(victim->bytes + at, &values[i], 8);
			inspect(victim);
		}
		memcpy(victim->bytes + at, &good, 8);
	}
}

static void damage(struct victim *victim)
{
	unsigned long refused = victim->refused;
	size_t table, size;
	Elf64_Ehdr header;
	Elf64_Phdr ph;

	memcpy(&header, victim->bytes, sizeof(header));
	table = header.e_phoff;
	size = header.e_phnum * sizeof(ph);
	flip_range(victim, 0, sizeof(header));
	flip_range(victim, table, size);
	flip_range(victim, header.e_shoff, sizeof(Elf64_Shdr));
	poison_fields(victim, table, size);
	for (size_t at = table; at < table + size; at += sizeof(ph)) {
		memcpy(&ph, victim->bytes + at, sizeof(ph));
		if (ph.p_type == PT_DYNAMIC)
			flip_range(victim, ph.p_offset, ph.p_filesz);
	}
	check(victim->refused > refused, "%s: damage is noticed", victim->name);
	check(inspect(victim), "%s: repaired, it can be shared again",
	      victim->name);
}

static void test_library(const char *name)
{
	struct victim victim = { .name = name };

	if (!check(copy_file(&victim) && inspect(&victim), "%s: can be shared",
		   name))
		return;
	find_loaded(&victim);
	damage(&victim);
	cut(&victim);
	check_eq(victim.unexplained, 0, "%s: every refusal has a reason", name);
	check_eq(victim.unsound, 0, "%s: what is accepted is sound, and ld.so agrees",
		 name);
	printf("%s: %lu refused, %lu accepted\n", name, victim.refused,
	       victim.accepted);
	munmap(victim.bytes, victim.size);
	close(victim.fd);
}

int main(int argc, char **argv)
{
	elf_version(EV_CURRENT);
	srand(SEED);
	for (int i = 1; i < argc; i++)
		test_library(argv[i]);
	return report_status();
}
