// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second stage: the data of a library, relocated for the address it will have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

unsigned char *image_data_word(const struct image_data *data, uint64_t vaddr)
{
	uint64_t offset = vaddr - data->vaddr;

	return offset < data->size && data->size - offset >= 8 ?
		       data->bytes + offset : NULL;
}

/* What is not here cannot be relocated: ld.so, told that all is, would not. */
static int apply_rela(const struct image_source *source,
		      const struct image_table *table, uint64_t base,
		      struct image_data *data)
{
	const Elf64_Rela *rela = image_rows(source, table);

	for (size_t i = 0; i < table->count; i++) {
		uint64_t value = base + (uint64_t)rela[i].r_addend;
		unsigned char *word = image_data_word(data, rela[i].r_offset);

		if (ELF64_R_TYPE(rela[i].r_info) != R_X86_64_RELATIVE)
			continue;
		if (!word)
			return -ENOEXEC;
		memcpy(word, &value, sizeof(value));
		data->relative++;
	}
	return 0;
}

static int apply_relr(const struct image_source *source, uint64_t base,
		      struct image_data *data)
{
	struct image_relr walk = { .source = source };
	uint64_t place, value;

	while (image_relr_next(&walk, &place)) {
		unsigned char *word = image_data_word(data, place);

		if (!word)
			return -ENOEXEC;
		memcpy(&value, word, sizeof(value));
		value += base;
		memcpy(word, &value, sizeof(value));
		data->relr++;
	}
	return 0;
}

/*
 * ld.so takes for relocated what is not below its l_addr: so no linked address
 * may be, and no address of the library may be below.
 */
static bool is_far_below(const struct image_source *source, uint64_t base)
{
	return source->data_end < base && base <= UINT64_MAX - source->data_end;
}

/* Of relocations in both tables it is not known when they are applied. */
static bool tables_overlap(const struct image_source *source)
{
	struct image_span rela = image_table_span(&source->rela,
						  sizeof(Elf64_Rela));
	struct image_span jmprel = image_table_span(&source->jmprel,
						    sizeof(Elf64_Rela));

	return rela.start < jmprel.end && jmprel.start < rela.end;
}

/*
 * Functions that are bound when they are first called: until then each word
 * leads to what binds it, at its linked address.
 */
static void apply_lazy(const struct image_source *source, uint64_t base,
		       struct image_data *data)
{
	const Elf64_Rela *rela = image_rows(source, &source->jmprel);
	uint64_t value;

	for (size_t i = 0; i < source->jmprel.count && !source->binds_now; i++) {
		unsigned char *word = image_data_word(data, rela[i].r_offset);

		if (!word || ELF64_R_TYPE(rela[i].r_info) != R_X86_64_JUMP_SLOT)
			continue;
		memcpy(&value, word, sizeof(value));
		if (!image_is_text(source, value))
			continue;
		value += base;
		memcpy(word, &value, sizeof(value));
	}
}

/* Addresses that ld.so relocates where they are: elf_get_dynamic_info() */
static bool is_relocated_tag(const Elf64_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_HASH: case DT_PLTGOT: case DT_STRTAB: case DT_SYMTAB:
	case DT_JMPREL: case DT_VERSYM: case DT_GNU_HASH:
		return true;
	case DT_RELA:
		return entry->d_un.d_ptr;
	default:
		return false;
	}
}

static void relocate_tags(const struct image_source *source, uint64_t base,
			  struct image_data *data)
{
	Elf64_Dyn *dynamic = (Elf64_Dyn *)(data->bytes +
					   (source->dynamic.at - data->vaddr));

	for (size_t i = 0; i < source->dynamic.count; i++)
		if (is_relocated_tag(&dynamic[i]))
			dynamic[i].d_un.d_ptr += base;
}

static void drop_relr_tags(const struct image_source *source,
			   struct image_data *data)
{
	Elf64_Dyn *dynamic = (Elf64_Dyn *)(data->bytes +
					   (source->dynamic.at - data->vaddr));
	size_t kept = 0;

	for (size_t i = 0; i < source->dynamic.count; i++)
		if (dynamic[i].d_tag != DT_RELR &&
		    dynamic[i].d_tag != DT_RELRSZ &&
		    dynamic[i].d_tag != DT_RELRENT)
			dynamic[kept++] = dynamic[i];
	memset(&dynamic[kept], 0,
	       (source->dynamic.count - kept) * sizeof(*dynamic));
}

int image_relocate(const struct image_source *source, uint64_t base,
		   struct image_data *data)
{
	uint64_t head = source->data_start % MSHARE_PAGE_SIZE;
	uint64_t loaded = source->data_file_end - source->data_start;
	int err;

	*data = (struct image_data) { 0 };
	if (!is_far_below(source, base) || tables_overlap(source))
		return -ENOEXEC;
	*data = (struct image_data) {
		.vaddr = source->data_start - head,
		.size = mshare_round_up(head + loaded, MSHARE_PAGE_SIZE),
	};
	data->bytes = calloc(data->size + 1, 1);
	if (!data->bytes)
		return -ENOMEM;
	memcpy(data->bytes + head, source->bytes + source->data_offset, loaded);
	err = apply_rela(source, &source->rela, base, data);
	if (!err)
		err = apply_rela(source, &source->jmprel, base, data);
	if (!err)
		err = apply_relr(source, base, data);
	if (err) {
		free(data->bytes);
		*data = (struct image_data) { 0 };
		return err;
	}
	apply_lazy(source, base, data);
	relocate_tags(source, base, data);
	if (source->relr.count)
		drop_relr_tags(source, data);
	return 0;
}
