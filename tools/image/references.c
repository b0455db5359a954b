// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every reference from text to data, or the reason why that cannot be told.
 */
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "steps.h"

/**
 * struct search - image_find_references() at work
 * @known: where text and data refer to each other, or NULL: find it out
 * @by: how far the data has moved since
 */
struct search {
	const struct image_source *source;
	const struct image_references *known;
	int64_t by;
	struct image_references *references;
	struct image_verdict *verdict;
	bool prove;
	struct image_unwind unwind;
	struct image_addresses anchors;	/* that anything refers to */
	struct image_addresses targets;	/* that data refers to */
	struct image_addresses slots;	/* data that is relocated */
	struct image_addresses tables;	/* where jump tables begin */
	struct code code;
};

/* Objects that others refer to: tables may begin there. */
static int add_symbols(struct search *search)
{
	const struct image_source *source = search->source;
	const Elf64_Sym *symbols = image_rows(source, &source->dynsym);
	int err = 0;

	for (size_t i = 0; i < source->dynsym.count && !err; i++)
		if (ELF64_ST_TYPE(symbols[i].st_info) == STT_OBJECT &&
		    symbols[i].st_shndx != SHN_UNDEF)
			err = image_addresses_add(&search->anchors,
						  symbols[i].st_value);
	for (size_t i = 0; i < search->targets.count && !err; i++)
		err = image_addresses_add(&search->anchors,
					  search->targets.list[i]);
	return err;
}

/* Headers, symbols, and three kinds of relocations */
#define TABLES	5

/* The ELF header and the program headers, as far as both lie in the text */
static struct image_span headers_span(const struct image_source *source)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)source->bytes;
	uint64_t vaddr = source->shape.text_vaddr - source->shape.text_offset;

	return (struct image_span) {
		vaddr + (source->shape.text_offset ? header->e_phoff : 0),
		vaddr + header->e_phoff + source->nphdr * sizeof(Elf64_Phdr),
	};
}

static bool overlap(const struct image_span *a, const struct image_span *b)
{
	return a->start < b->end && b->start < a->end;
}

/* Nothing may be written twice. */
static int check_tables(struct search *search, const struct image_span *tables)
{
	const struct image_addresses *slots = &search->slots;
	struct image_span dynamic = image_table_span(&search->source->dynamic,
						     sizeof(Elf64_Dyn));
	size_t next = image_addresses_until(slots, dynamic.start - 8);

	for (size_t i = 0; i < TABLES; i++)
		for (size_t j = 0; j < i; j++)
			if (overlap(&tables[i], &tables[j]))
				return image_refuse(search->verdict,
						    IMAGE_DAMAGED,
						    "tables overlap at %#lx",
						    tables[i].start);
	if (next < slots->count && slots->list[next] < dynamic.end)
		return image_refuse(search->verdict, IMAGE_DYNAMIC,
				    "the dynamic section is relocated");
	return 0;
}

static bool is_in_code(const struct image_source *source,
		       const struct image_span *span)
{
	for (size_t i = 1; i < source->nshdr; i++) {
		const Elf64_Shdr *section = &source->shdr[i];
		const struct image_span code = {
			section->sh_addr, section->sh_addr + section->sh_size,
		};

		if (image_is_code_section(section) && overlap(span, &code))
			return true;
	}
	return false;
}

/*
 * What is changed for another reason must not be code, too: then only known
 * displacements change there, and instructions stay what they are.
 */
static int check_code(struct search *search, const struct image_span *tables)
{
	const struct image_sites *sites = &search->references->sites;

	for (size_t i = 0; i < TABLES; i++)
		if (is_in_code(search->source, &tables[i]))
			return image_refuse(search->verdict, IMAGE_DAMAGED,
					    "the table at %#lx is code, too",
					    tables[i].start);
	for (size_t i = 0; i < sites->count; i++) {
		uint64_t place = sites->list[i].place;

		if (sites->list[i].kind != IMAGE_SITE_CODE &&
		    is_in_code(search->source,
			       &(struct image_span) { place, place + 4 }))
			return image_refuse(search->verdict, IMAGE_DAMAGED,
					    "the distance at %#lx is code, too",
					    place);
	}
	return 0;
}

static int check_sites(struct search *search)
{
	struct image_sites *sites = &search->references->sites;
	const struct image_source *source = search->source;
	const struct image_span tables[TABLES] = {
		headers_span(source),
		image_table_span(&source->dynsym, sizeof(Elf64_Sym)),
		image_table_span(&source->rela, sizeof(Elf64_Rela)),
		image_table_span(&source->jmprel, sizeof(Elf64_Rela)),
		image_table_span(&source->relr, 8),
	};
	const struct image_span dynamic = image_table_span(&source->dynamic,
							   sizeof(Elf64_Dyn));
	int err = check_tables(search, tables);

	if (!err)
		err = check_code(search, tables);
	if (err)
		return err;
	image_sites_sort(sites);
	for (size_t i = 0; i < sites->count; i++) {
		uint64_t place = sites->list[i].place;

		if (overlap(&(struct image_span) { place, place + 4 }, &dynamic))
			return image_refuse(search->verdict, IMAGE_DAMAGED,
					    "a reference at %#lx, inside of the dynamic section",
					    place);

		if (i && place - sites->list[i - 1].place < 4)
			return image_refuse(search->verdict, IMAGE_DAMAGED,
					    "two references overlap at %#lx",
					    place);
		for (size_t t = 0; t < TABLES; t++)
			if (place + 4 > tables[t].start && place < tables[t].end)
				return image_refuse(search->verdict,
						    IMAGE_DAMAGED,
						    "a reference at %#lx, inside of a table",
						    place);
	}
	return 0;
}

/* That what was found is all there is */
static int prove_rest(struct search *search)
{
	int err = code_check_gaps(&search->code,
				  &search->references->uncovered);

	if (!err)
		err = add_symbols(search);
	if (err)
		return err;
	image_addresses_unique(&search->anchors);
	return image_check_tables(search->source, &search->code,
				  &search->anchors, &search->slots,
				  &search->tables, search->verdict);
}

/* All instructions, decoded, and what they jump through */
static int search_code(struct search *search)
{
	int err = code_begin(&search->code, search->source,
			     &search->references->sites, &search->anchors,
			     search->verdict);

	if (err)
		return err;
	err = image_cover(&search->code, &search->unwind, &search->targets);
	return err ? err : code_find_jump_tables(&search->code, &search->unwind,
						 &search->targets,
						 &search->slots,
						 &search->tables);
}

/* Only the displacements of known instructions, and words of known tables */
static int reread_code(struct search *search)
{
	const struct image_source *source = search->source;
	const struct image_sites *known = &search->known->sites;
	int err = 0;

	for (size_t i = 0; i < known->count && !err; i++) {
		struct image_site site = known->list[i];
		const unsigned char *at;
		int32_t displacement;

		if (site.kind == IMAGE_SITE_JUMP) {
			site.place += (uint64_t)search->by;
			site.origin += (uint64_t)search->by;
		} else if (site.kind != IMAGE_SITE_CODE) {
			continue;
		}
		at = image_at(source, site.place, 4);
		if (!at)
			return image_refuse(search->verdict, IMAGE_DAMAGED,
					    "nothing at %#lx", site.place);
		memcpy(&displacement, at, sizeof(displacement));
		site.target = site.origin + (uint64_t)(int64_t)displacement;
		err = image_sites_add(&search->references->sites, &site);
	}
	return err;
}

static int search_all(struct search *search)
{
	const struct image_source *source = search->source;
	struct image_references *references = search->references;
	struct image_verdict *verdict = search->verdict;
	int err;

	err = image_read_relocations(source, &search->targets, &search->slots,
				     verdict);
	if (!err)
		err = image_read_unwind(source, &search->unwind,
					&references->sites, verdict);
	if (!err) {
		image_addresses_unique(&search->unwind.lsdas);
		err = image_read_lsdas(source, &search->unwind.lsdas,
				       &references->sites, verdict);
	}
	if (!err)
		err = search->known ? reread_code(search) : search_code(search);
	if (!err)
		err = check_sites(search);
	if (!err && search->prove)
		err = prove_rest(search);
	return err;
}

static int find(struct search *search)
{
	struct image_references *references = search->references;
	int err;

	*references = (struct image_references) { 0 };
	err = search_all(search);
	references->instructions = search->code.instructions;
	references->code_bytes = search->code.size;
	code_end(&search->code);
	image_unwind_free(&search->unwind);
	image_addresses_free(&search->anchors);
	image_addresses_free(&search->targets);
	image_addresses_free(&search->slots);
	image_addresses_free(&search->tables);
	return err;
}

int image_find_references(const struct image_source *source, bool prove,
			  struct image_references *references,
			  struct image_verdict *verdict)
{
	return find(&(struct search) {
		.source = source, .references = references, .verdict = verdict,
		.prove = prove,
	});
}

int image_reread_references(const struct image_source *image,
			    const struct image_references *known,
			    int64_t displacement,
			    struct image_references *references,
			    struct image_verdict *verdict)
{
	return find(&(struct search) {
		.source = image, .known = known, .by = displacement,
		.references = references, .verdict = verdict,
	});
}

void image_references_free(struct image_references *references)
{
	free(references->sites.list);
	*references = (struct image_references) { 0 };
}
