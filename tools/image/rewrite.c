// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Move the data: change every number that depends on how far it is from the
 * text, or on where it is.
 */
#include <string.h>

#include "steps.h"

/** struct rewriting - image_rewrite() at work */
struct rewriting {
	const struct image_source *source;
	int64_t by;
	unsigned char *bytes;
};

static void move(const struct rewriting *rewriting, uint64_t *address)
{
	if (image_is_data(rewriting->source, *address))
		*address += (uint64_t)rewriting->by;
}

/* A word of the copy, by its address; its place was checked. */
static void move_word(const struct rewriting *rewriting, uint64_t vaddr)
{
	const struct image_source *source = rewriting->source;
	const unsigned char *original = image_at(source, vaddr, 8);
	uint64_t word;

	if (!original)
		return;
	memcpy(&word, original, sizeof(word));
	move(rewriting, &word);
	memcpy(rewriting->bytes + (original - source->bytes), &word,
	       sizeof(word));
}

static int move_sites(const struct rewriting *rewriting,
		      const struct image_sites *sites,
		      struct image_verdict *verdict)
{
	const struct image_source *source = rewriting->source;

	for (size_t i = 0; i < sites->count; i++) {
		const struct image_site *site = &sites->list[i];
		const unsigned char *at = image_at(source, site->place, 4);
		int64_t by = site->kind == IMAGE_SITE_JUMP ? -rewriting->by :
							     rewriting->by;
		int64_t distance = (int64_t)(site->target - site->origin) + by;
		int32_t value = (int32_t)distance;

		if (!at || value != distance)
			return image_refuse(verdict, IMAGE_TOO_FAR,
					    "the data would be out of reach from %#lx",
					    site->place);
		memcpy(rewriting->bytes + (at - source->bytes), &value,
		       sizeof(value));
	}
	return 0;
}

bool image_symbol_moves(const struct image_source *source,
			const Elf64_Sym *symbol)
{
	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx >= source->nshdr ||
	    ELF64_ST_TYPE(symbol->st_info) == STT_TLS)
		return false;
	return image_section_moves(source, &source->shdr[symbol->st_shndx]);
}

static void move_symbols(const struct rewriting *rewriting)
{
	const struct image_table *table = &rewriting->source->dynsym;
	Elf64_Sym *symbols = (Elf64_Sym *)(rewriting->bytes + table->offset);

	for (size_t i = 0; i < table->count; i++)
		if (image_symbol_moves(rewriting->source, &symbols[i]))
			symbols[i].st_value += (uint64_t)rewriting->by;
}

static void move_rela(const struct rewriting *rewriting,
		      const struct image_table *table)
{
	Elf64_Rela *rela = (Elf64_Rela *)(rewriting->bytes + table->offset);

	for (size_t i = 0; i < table->count; i++) {
		move(rewriting, &rela[i].r_offset);
		if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_RELATIVE)
			move(rewriting, (uint64_t *)&rela[i].r_addend);
	}
}

static void move_relr(const struct rewriting *rewriting)
{
	const struct image_source *source = rewriting->source;
	struct image_relr walk = { .source = source };
	uint64_t *entries = (uint64_t *)(rewriting->bytes + source->relr.offset);
	uint64_t place;

	while (image_relr_next(&walk, &place))
		move_word(rewriting, place);
	for (size_t i = 0; i < source->relr.count; i++)
		if (!(entries[i] & 1))
			move(rewriting, &entries[i]);
}

static void move_dynamic(const struct rewriting *rewriting)
{
	const struct image_table *table = &rewriting->source->dynamic;
	Elf64_Dyn *dynamic = (Elf64_Dyn *)(rewriting->bytes + table->offset);

	for (size_t i = 0; i < table->count; i++)
		if (image_tag(dynamic[i].d_tag) == IMAGE_TAG_ADDRESS)
			move(rewriting, &dynamic[i].d_un.d_ptr);
}

/* The GOT's first word is the dynamic section's linked address. */
static void move_got(const struct rewriting *rewriting)
{
	const struct image_source *source = rewriting->source;
	const Elf64_Shdr *got = image_section(source, ".got");
	const uint64_t candidates[] = { source->pltgot, got ? got->sh_addr : 0 };

	for (size_t i = 0; i < 2; i++) {
		const unsigned char *word = image_at(source, candidates[i], 8);

		if (word && image_is_data(source, candidates[i]) &&
		    !memcmp(word, &source->dynamic.at, 8))
			move_word(rewriting, candidates[i]);
	}
}

static void move_headers(const struct rewriting *rewriting)
{
	const struct image_source *source = rewriting->source;
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)source->bytes;

	for (size_t i = 0; i < source->nphdr; i++) {
		Elf64_Phdr ph = source->phdr[i];

		if (ph.p_type == PT_GNU_STACK)
			continue;
		move(rewriting, &ph.p_vaddr);
		move(rewriting, &ph.p_paddr);
		memcpy(rewriting->bytes + header->e_phoff + i * sizeof(ph), &ph,
		       sizeof(ph));
	}
}

int image_rewrite(const struct image_source *source,
		  const struct image_references *references,
		  int64_t displacement, unsigned char *bytes,
		  struct image_verdict *verdict)
{
	const struct rewriting rewriting = {
		.source = source, .by = displacement, .bytes = bytes,
	};
	int err = move_sites(&rewriting, &references->sites, verdict);

	if (err)
		return err;
	move_symbols(&rewriting);
	move_rela(&rewriting, &source->rela);
	move_rela(&rewriting, &source->jmprel);
	move_relr(&rewriting);
	move_dynamic(&rewriting);
	move_got(&rewriting);
	move_headers(&rewriting);
	return 0;
}
