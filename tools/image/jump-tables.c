// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Jump tables in the data: distances to code that no relocation tells of.
 * libgmp's hand-written code has them.
 *
 * jump-code.c knows them by the instructions that jump through them.  Where a
 * table ends, and whether an index can be negative or step over something, no
 * instruction tells.  So a library is refused unless
 *
 * - nothing else refers to a table, or to anything before its end: where a word
 *   is relocated, where the next table begins, or where its section ends;
 * - each of its words is zero, which is not used or pads, or leads to an
 *   instruction of the function that jumps;
 * - no other word of the data leads to an instruction, counted from any table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"

/* With more, too many words of the data lead somewhere by chance. */
#define TABLES_MAX	64

/**
 * struct search - code_find_jump_tables() at work
 * @code:   the code
 * @unwind: where functions are
 * @slots:  places that relocations fill
 * @tables: receives where tables begin
 * @ends:   of these
 * @jumps:  through tables
 * @count:  how many
 * @others: addresses that something else refers to
 */
struct search {
	struct code *code;
	const struct image_unwind *unwind;
	const struct image_addresses *slots;
	struct image_addresses *tables;
	uint64_t ends[TABLES_MAX];
	struct jump *jumps;
	size_t count;
	struct image_addresses others;
};

static int refuse(const struct search *search, uint64_t table)
{
	return image_refuse(search->code->verdict, IMAGE_TABLE,
			    "distances to code at %#lx: what belongs to them cannot be told",
			    table);
}

/* ---- who refers to what ------------------------------------------------ */

static int add_jump(struct search *search, const struct jump *jump)
{
	struct jump *jumps = reallocarray(search->jumps, search->count + 1,
					  sizeof(*jumps));

	if (!jumps)
		return -ENOMEM;
	search->jumps = jumps;
	jumps[search->count++] = *jump;
	return image_addresses_add(search->tables, jump->table);
}

static int sort_sites(struct search *search)
{
	const struct image_sites *sites = search->code->sites;
	struct jump jump;
	int err = 0;

	for (size_t i = 0; i < sites->count && !err; i++) {
		const struct image_site *site = &sites->list[i];

		err = code_is_jump(search->code, site, &jump) ?
			      add_jump(search, &jump) :
			      image_addresses_add(&search->others,
						  site->target);
	}
	return err;
}

/* The first of a list from an address on, or @end */
static uint64_t next_from(const struct image_addresses *list, uint64_t vaddr,
			  uint64_t end)
{
	size_t next = vaddr ? image_addresses_until(list, vaddr - 1) : 0;

	return next < list->count && list->list[next] < end ?
		       list->list[next] : end;
}

/* A table inside of an object that has a name is referred to by that. */
static int add_symbols(struct search *search)
{
	const struct image_source *source = search->code->source;
	const Elf64_Sym *symbols = image_rows(source, &source->dynsym);
	int err = 0;

	for (size_t i = 0; i < source->dynsym.count && !err; i++) {
		uint64_t start = symbols[i].st_value;
		uint64_t end = start + symbols[i].st_size;

		if (symbols[i].st_shndx == SHN_UNDEF)
			continue;
		err = image_addresses_add(&search->others, start);
		if (!err && next_from(search->tables, start, end) < end)
			err = image_addresses_add(&search->others,
						  next_from(search->tables,
							    start, end));
	}
	return err;
}

static int sort_references(struct search *search,
			   const struct image_addresses *pointers)
{
	int err = image_addresses_copy(&search->others, pointers);

	if (!err)
		err = sort_sites(search);
	image_addresses_unique(search->tables);
	if (!err)
		err = add_symbols(search);
	image_addresses_unique(&search->others);
	return err;
}

/* ---- one table --------------------------------------------------------- */

static bool is_slot(const struct search *search, uint64_t at)
{
	size_t until = image_addresses_until(search->slots, at + 3);

	return until && search->slots->list[until - 1] + 8 > at;
}

/* Return: behind the table's last word; @table: it cannot be told. */
static uint64_t find_end(const struct search *search, uint64_t table)
{
	size_t hint = 0;
	uint64_t end = image_section_end(search->code->source, table, &hint);

	if (table % 4 || is_slot(search, table))
		return table;
	end = next_from(search->slots, table, end);
	end = next_from(search->tables, table + 1, end);
	return next_from(&search->others, table, end) < end ? table : end;
}

/* Where the word at @at leads, counted from @table; 0: to no instruction */
static uint64_t target_of(const struct code *code, uint64_t table, uint64_t at)
{
	const unsigned char *bytes = image_at(code->source, at, 4);
	uint64_t target;
	int32_t word;

	if (!bytes)
		return 0;
	memcpy(&word, bytes, sizeof(word));
	target = table + (uint64_t)(int64_t)word;
	return code_is_area(code, target) &&
	       (code->flags[target - code->base] & CODE_START) ? target : 0;
}

static bool is_zero(const struct code *code, uint64_t at)
{
	const unsigned char *bytes = image_at(code->source, at, 4);

	return bytes && !memcmp(bytes, "\0\0\0\0", 4);
}

static int add_words(const struct search *search, uint64_t table, uint64_t end)
{
	int err = end > table ? 0 : refuse(search, table);

	for (uint64_t at = table; at + 4 <= end && !err; at += 4) {
		uint64_t target = target_of(search->code, table, at);

		if (target)
			err = image_sites_add(search->code->sites,
					      &(struct image_site) {
				.place = at, .origin = table, .target = target,
				.kind = IMAGE_SITE_JUMP,
			});
		else if (!is_zero(search->code, at))
			err = refuse(search, table);
	}
	return err;
}

/* ---- all of them ------------------------------------------------------- */

/* Whether no function begins or ends between two addresses */
static bool is_one_function(const struct image_unwind *unwind, uint64_t a,
			    uint64_t b)
{
	return image_addresses_until(&unwind->starts, a) ==
		       image_addresses_until(&unwind->starts, b) &&
	       image_addresses_until(&unwind->ends, a) ==
		       image_addresses_until(&unwind->ends, b);
}

/* @first: the first of the sites that are words of tables */
static int check_jump(const struct search *search, const struct jump *jump,
		      size_t first)
{
	const struct image_sites *sites = search->code->sites;

	if (jump->displacement % 4)
		return refuse(search, jump->table);
	for (size_t i = first; i < sites->count; i++)
		if (sites->list[i].origin == jump->table &&
		    !is_one_function(search->unwind, jump->pc,
				     sites->list[i].target))
			return refuse(search, jump->table);
	return 0;
}

/* Behind the last table that begins at or before an address */
static uint64_t last_end(const struct search *search, uint64_t at)
{
	size_t until = image_addresses_until(search->tables, at);

	return until ? search->ends[until - 1] : 0;
}

static int check_rest(const struct search *search)
{
	const struct image_source *source = search->code->source;
	const struct image_addresses *tables = search->tables;

	for (uint64_t at = mshare_round_up(source->data_start, 4);
	     tables->count && at + 4 <= source->data_file_end; at += 4) {
		if (is_slot(search, at) || at < last_end(search, at))
			continue;
		for (size_t i = 0; i < tables->count; i++)
			if (target_of(search->code, tables->list[i], at))
				return refuse(search, tables->list[i]);
	}
	return 0;
}

static int find_tables(struct search *search)
{
	const struct image_addresses *tables = search->tables;
	size_t first = search->code->sites->count;
	int err = 0;

	if (tables->count > TABLES_MAX)
		return refuse(search, tables->list[TABLES_MAX]);
	for (size_t i = 0; i < tables->count && !err; i++) {
		search->ends[i] = find_end(search, tables->list[i]);
		err = add_words(search, tables->list[i], search->ends[i]);
	}
	for (size_t i = 0; i < search->count && !err; i++)
		err = check_jump(search, &search->jumps[i], first);
	return err ? err : check_rest(search);
}

int code_find_jump_tables(struct code *code, const struct image_unwind *unwind,
			  const struct image_addresses *pointers,
			  const struct image_addresses *slots,
			  struct image_addresses *tables)
{
	struct search search = {
		.code = code, .unwind = unwind, .slots = slots, .tables = tables,
	};
	int err = sort_references(&search, pointers);

	if (!err)
		err = find_tables(&search);
	image_addresses_free(&search.others);
	free(search.jumps);
	return err;
}
