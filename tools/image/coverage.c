// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which bytes are code: what unwind tables, symbols and linkers' sections
 * cover is swept, what else is entered is followed.
 */
#include <string.h>

#include "code.h"
#include "steps.h"

/** struct coverage - image_cover() at work */
struct coverage {
	struct code *code;
	struct image_addresses *starts;	/* of ranges that are swept */
	struct image_addresses *ends;
	struct image_addresses entries;	/* of functions without a range */
};

static int add_range(struct coverage *coverage, uint64_t start, uint64_t end)
{
	int err = image_addresses_add(coverage->starts, start);

	return err ? err : image_addresses_add(coverage->ends, end);
}

/* Code from linkers: not every linker gives it unwind tables. */
static int add_plts(struct coverage *coverage)
{
	const struct image_source *source = coverage->code->source;
	int err = 0;

	for (size_t i = 1; i < source->nshdr && !err; i++) {
		const Elf64_Shdr *section = &source->shdr[i];
		const char *name = image_section_name(source, i);

		if (image_is_code_section(section) &&
		    (!strcmp(name, ".plt") || !strncmp(name, ".plt.", 5) ||
		     !strcmp(name, ".iplt")))
			err = add_range(coverage, section->sh_addr,
					section->sh_addr + section->sh_size);
	}
	return err;
}

/**
 * add_functions() - functions that have a symbol but no unwind table
 * @symbols: symbols
 * @count:   how many
 * @starts:  what is known from unwind tables, sorted
 * @ends:    the same
 */
static int add_functions(struct coverage *coverage, const Elf64_Sym *symbols,
			 size_t count, const struct image_addresses *starts,
			 const struct image_addresses *ends)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		uint64_t start = symbols[i].st_value;
		uint64_t size = symbols[i].st_size;
		unsigned char type = ELF64_ST_TYPE(symbols[i].st_info);

		if ((type != STT_FUNC && type != STT_GNU_IFUNC) ||
		    symbols[i].st_shndx == SHN_UNDEF ||
		    !code_is_area(coverage->code, start) ||
		    image_addresses_until(starts, start) !=
			    image_addresses_until(ends, start))
			continue;
		if (size && code_is_area(coverage->code, start + size - 1))
			err = add_range(coverage, start, start + size);
		else
			err = image_addresses_add(&coverage->entries, start);
	}
	return err;
}

static int add_symbols(struct coverage *coverage)
{
	const struct image_source *source = coverage->code->source;
	/* Copies of the lists' heads: what is added comes behind these. */
	struct image_addresses starts, ends;
	int err = 0;

	image_addresses_sort(coverage->starts);
	image_addresses_sort(coverage->ends);
	err = image_addresses_copy(&starts, coverage->starts);
	if (err)
		return err;
	err = image_addresses_copy(&ends, coverage->ends);
	if (!err)
		err = add_functions(coverage,
				    image_rows(source, &source->dynsym),
				    source->dynsym.count, &starts, &ends);
	for (size_t i = 1; i < source->nshdr && !err; i++) {
		const Elf64_Shdr *section = &source->shdr[i];

		if (section->sh_type == SHT_SYMTAB)
			err = add_functions(coverage,
					    (const Elf64_Sym *)(source->bytes +
								section->sh_offset),
					    section->sh_size / sizeof(Elf64_Sym),
					    &starts, &ends);
	}
	image_addresses_free(&starts);
	image_addresses_free(&ends);
	return err;
}

/*
 * Ranges may lie in each other: each start and end is a place where
 * instructions begin, and every byte is swept once.
 */
static int sweep(struct coverage *coverage)
{
	const struct image_addresses *starts = coverage->starts;
	const struct image_addresses *ends = coverage->ends;
	size_t s = 0, e = 0;
	uint64_t from = 0;
	int err = 0;

	image_addresses_sort(coverage->starts);
	image_addresses_sort(coverage->ends);
	while (e < ends->count && !err) {
		/* An end first: a range of no bytes is none. */
		bool is_start = s < starts->count &&
				starts->list[s] < ends->list[e];
		uint64_t to = is_start ? starts->list[s] : ends->list[e];

		if (s > e && from < to)
			err = code_sweep(coverage->code, from, to);
		s += is_start;
		e += !is_start;
		from = to;
	}
	return err;
}

/* Put together of pieces of many files, run from the first to the last */
static int enter_pieces(struct code *code)
{
	static const char *const names[] = { ".init", ".fini" };
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !err; i++) {
		const Elf64_Shdr *section = image_section(code->source, names[i]);

		if (section)
			err = code_enter(code, section->sh_addr);
	}
	return err;
}

/* Where code is entered that no range covers */
static int enter(struct coverage *coverage,
		 const struct image_addresses *pointers)
{
	const struct image_source *source = coverage->code->source;
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)source->bytes;
	struct code *code = coverage->code;
	int err = enter_pieces(code);

	if (!err)
		err = code_enter(code, source->init);
	if (!err)
		err = code_enter(code, source->fini);
	if (!err)
		err = code_enter(code, header->e_entry);
	for (size_t i = 0; i < pointers->count && !err; i++)
		err = code_enter(code, pointers->list[i]);
	for (size_t i = 0; i < coverage->entries.count && !err; i++)
		err = code_enter(code, coverage->entries.list[i]);
	return err;
}

int image_cover(struct code *code, struct image_unwind *unwind,
		const struct image_addresses *pointers)
{
	struct coverage coverage = {
		.code = code, .starts = &unwind->starts, .ends = &unwind->ends,
	};
	int err = add_symbols(&coverage);

	if (!err)
		err = add_plts(&coverage);
	if (!err)
		err = sweep(&coverage);
	if (!err)
		err = enter(&coverage, pointers);
	if (!err)
		err = code_settle(code);
	image_addresses_free(&coverage.entries);
	return err;
}
