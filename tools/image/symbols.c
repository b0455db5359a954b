// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names and versions of a library's dynamic symbols.
 */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>

#include "image.h"
#include "steps.h"

/* Indices of versions; the bit above these hides one from new references. */
#define VERSIONS	0x8000
#define VERSION_HIDDEN	0x8000

const char *image_symbols_string(const struct image_symbols *symbols,
				 uint64_t offset)
{
	return offset < symbols->size ? symbols->strings + offset : "";
}

static void name_version(struct image_symbols *symbols, size_t index,
			 uint64_t name)
{
	index &= VERSIONS - 1;
	if (index > 1)
		symbols->versions[index] = image_symbols_string(symbols, name);
}

/* To the next of a list: only forwards, so that there is an end. */
static bool advance(int *offset, uint32_t distance)
{
	if (!distance || distance > (uint32_t)(INT32_MAX - *offset))
		return false;
	*offset += (int)distance;
	return true;
}

/* Versions that the library has */
static void read_definitions(struct image_symbols *symbols, Elf_Data *data)
{
	GElf_Verdef definition;
	GElf_Verdaux name;
	int offset = 0, at;

	while (gelf_getverdef(data, offset, &definition)) {
		at = offset;
		if (advance(&at, definition.vd_aux) &&
		    gelf_getverdaux(data, at, &name))
			name_version(symbols, definition.vd_ndx, name.vda_name);
		if (!advance(&offset, definition.vd_next))
			break;
	}
}

/* Versions that it needs of one other library */
static void read_names(struct image_symbols *symbols, Elf_Data *data, int offset)
{
	GElf_Vernaux name;

	while (gelf_getvernaux(data, offset, &name)) {
		name_version(symbols, name.vna_other, name.vna_name);
		if (!advance(&offset, name.vna_next))
			break;
	}
}

static void read_needs(struct image_symbols *symbols, Elf_Data *data)
{
	GElf_Verneed need;
	int offset = 0, at;

	while (gelf_getverneed(data, offset, &need)) {
		at = offset;
		if (advance(&at, need.vn_aux))
			read_names(symbols, data, at);
		if (!advance(&offset, need.vn_next))
			break;
	}
}

static void read_versions(const struct image_source *source,
			  struct image_symbols *symbols)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	while ((section = elf_nextscn(symbols->elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);

		if (!data || !gelf_getshdr(section, &header) ||
		    !(header.sh_flags & SHF_ALLOC))
			continue;
		if (header.sh_type == SHT_GNU_verdef)
			read_definitions(symbols, data);
		else if (header.sh_type == SHT_GNU_verneed)
			read_needs(symbols, data);
		else if (header.sh_type == SHT_GNU_versym &&
			 data->d_size / sizeof(Elf64_Half) >=
				 source->dynsym.count)
			symbols->indices = data->d_buf;
	}
}

int image_symbols_open(const struct image_source *source, const char *strings,
		       struct image_symbols *symbols)
{
	*symbols = (struct image_symbols) {
		.strings = strings,
		.size = source->strings.count,
		.elf = elf_memory((char *)source->bytes, source->size),
		.versions = calloc(VERSIONS, sizeof(*symbols->versions)),
	};
	if (!symbols->versions || !symbols->elf) {
		image_symbols_close(symbols);
		return -ENOMEM;
	}
	read_versions(source, symbols);
	return 0;
}

void image_symbols_close(struct image_symbols *symbols)
{
	free(symbols->versions);
	elf_end(symbols->elf);
}

const char *image_symbols_version(const struct image_symbols *symbols,
				  size_t symbol, bool *hidden)
{
	size_t index = symbols->indices ? symbols->indices[symbol] : 0;
	const char *version = symbols->versions[index & (VERSIONS - 1)];

	*hidden = index & VERSION_HIDDEN;
	return version ? version : "";
}
