// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Second stage: the data of a library, relocated for the address it will have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

/* A word of the data, or NULL: then it is bss, or belongs to nobody. */
static unsigned char *word_of(const struct image_data *data, uint64_t vaddr)
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
		unsigned char *word = word_of(data, rela[i].r_offset);

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
		unsigned char *word = word_of(data, place);

		if (!word)
			return -ENOEXEC;
		memcpy(&value, word, sizeof(value));
		value += base;
		memcpy(word, &value, sizeof(value));
		data->relr++;
	}
	return 0;
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
	if (source->relr.count)
		drop_relr_tags(source, data);
	return 0;
}
