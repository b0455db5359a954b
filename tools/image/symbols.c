// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dynamic symbols of a library or a program, and what it needs.
 */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

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

	/* Lists may overlap: no more are looked at than there can be. */
	while (symbols->nnames++ < VERSIONS &&
	       gelf_getvernaux(data, offset, &name)) {
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

static void read_needed(struct image_symbols *symbols, Elf_Data *data)
{
	GElf_Dyn dyn;

	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_SONAME)
			symbols->soname = image_symbols_string(symbols,
							       dyn.d_un.d_val);
		if (dyn.d_tag == DT_NEEDED &&
		    symbols->nneeded < IMAGE_NEEDED_MAX)
			symbols->needed[symbols->nneeded++] =
				image_symbols_string(symbols, dyn.d_un.d_val);
	}
}

static void read_section(struct image_symbols *symbols, unsigned int type,
			 Elf_Data *data)
{
	switch (type) {
	case SHT_DYNAMIC:
		read_needed(symbols, data);
		break;
	case SHT_GNU_verdef:
		read_definitions(symbols, data);
		break;
	case SHT_GNU_verneed:
		read_needs(symbols, data);
		break;
	case SHT_GNU_versym:
		if (data->d_size / sizeof(Elf64_Half) >= symbols->count)
			symbols->indices = data->d_buf;
	}
}

/* The section that holds the dynamic symbols, or NULL */
static Elf_Scn *find_symbols(Elf *elf, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, header) &&
		    header->sh_type == SHT_DYNSYM)
			return section;
	return NULL;
}

static const Elf_Data *data_of(Elf_Scn *section)
{
	const Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;

	return data && data->d_buf && data->d_size ? data : NULL;
}

/* Symbols, and a copy of what they are called in. */
static int read_symbols(struct image_symbols *symbols)
{
	GElf_Shdr header;
	Elf_Scn *section = find_symbols(symbols->elf, &header);
	const Elf_Data *list = data_of(section);
	const Elf_Data *strings =
		list ? data_of(elf_getscn(symbols->elf, header.sh_link)) : NULL;

	if (!strings || ((char *)strings->d_buf)[strings->d_size - 1])
		return 0;
	symbols->strings = malloc(strings->d_size);
	if (!symbols->strings)
		return -ENOMEM;
	memcpy(symbols->strings, strings->d_buf, strings->d_size);
	symbols->size = strings->d_size;
	symbols->list = list->d_buf;
	symbols->count = list->d_size / sizeof(*symbols->list);
	return 0;
}

static int read_all(struct image_symbols *symbols)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	int err = read_symbols(symbols);

	while (!err && (section = elf_nextscn(symbols->elf, section))) {
		Elf_Data *data = elf_getdata(section, NULL);

		if (data && gelf_getshdr(section, &header) &&
		    (header.sh_flags & SHF_ALLOC))
			read_section(symbols, header.sh_type, data);
	}
	return err;
}

int image_symbols_open(Elf *elf, struct image_symbols *symbols)
{
	int err = -ENOMEM;

	*symbols = (struct image_symbols) {
		.elf = elf,
		.soname = "",
		.versions = calloc(VERSIONS, sizeof(*symbols->versions)),
		.needed = calloc(IMAGE_NEEDED_MAX, sizeof(*symbols->needed)),
	};
	if (elf && symbols->versions && symbols->needed)
		err = read_all(symbols);
	if (err)
		image_symbols_close(symbols);
	return err;
}

void image_symbols_close(struct image_symbols *symbols)
{
	free(symbols->strings);
	free(symbols->versions);
	free(symbols->needed);
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
