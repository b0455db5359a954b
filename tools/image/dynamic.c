// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The dynamic section and the tables it names.
 *
 * Which values are addresses decides what moves: a tag nobody knows is a
 * reason to refuse.
 */
#include <errno.h>
#include <string.h>

#include "image.h"
#include "steps.h"

/* Newer than glibc 2.36's elf.h: linkers name .plt with them. */
#define DT_X86_64_PLT_		0x70000000
#define DT_X86_64_PLTSZ_	0x70000001
#define DT_X86_64_PLTENT_	0x70000003

enum image_tag image_tag(int64_t tag)
{
	switch (tag) {
	case DT_PLTGOT: case DT_HASH: case DT_STRTAB: case DT_SYMTAB:
	case DT_RELA: case DT_INIT: case DT_FINI: case DT_JMPREL:
	case DT_INIT_ARRAY: case DT_FINI_ARRAY: case DT_PREINIT_ARRAY:
	case DT_RELR: case DT_GNU_HASH: case DT_TLSDESC_PLT:
	case DT_TLSDESC_GOT: case DT_VERSYM: case DT_VERDEF: case DT_VERNEED:
	case DT_X86_64_PLT_:
		return IMAGE_TAG_ADDRESS;
	case DT_NEEDED: case DT_PLTRELSZ: case DT_RELASZ: case DT_RELAENT:
	case DT_STRSZ: case DT_SYMENT: case DT_SONAME: case DT_RPATH:
	case DT_SYMBOLIC: case DT_PLTREL: case DT_DEBUG: case DT_BIND_NOW:
	case DT_INIT_ARRAYSZ: case DT_FINI_ARRAYSZ: case DT_RUNPATH:
	case DT_FLAGS: case DT_PREINIT_ARRAYSZ: case DT_RELRSZ:
	case DT_RELRENT: case DT_FLAGS_1: case DT_VERDEFNUM:
	case DT_VERNEEDNUM: case DT_RELACOUNT: case DT_AUXILIARY:
	case DT_FILTER: case DT_X86_64_PLTSZ_: case DT_X86_64_PLTENT_:
		return IMAGE_TAG_VALUE;
	default:
		return IMAGE_TAG_UNKNOWN;
	}
}

/**
 * struct tags - values of the tags that matter here, 0 where there is none
 */
struct tags {
	uint64_t rela, relasz;
	uint64_t jmprel, pltrelsz;
	uint64_t relr, relrsz;
	uint64_t symtab, strtab, strsz;
	uint64_t soname;
};

static void take(struct image_source *source, struct tags *tags,
		 const Elf64_Dyn *dyn)
{
	switch (dyn->d_tag) {
	case DT_RELA: tags->rela = dyn->d_un.d_ptr; break;
	case DT_RELASZ: tags->relasz = dyn->d_un.d_val; break;
	case DT_JMPREL: tags->jmprel = dyn->d_un.d_ptr; break;
	case DT_PLTRELSZ: tags->pltrelsz = dyn->d_un.d_val; break;
	case DT_RELR: tags->relr = dyn->d_un.d_ptr; break;
	case DT_RELRSZ: tags->relrsz = dyn->d_un.d_val; break;
	case DT_SYMTAB: tags->symtab = dyn->d_un.d_ptr; break;
	case DT_STRTAB: tags->strtab = dyn->d_un.d_ptr; break;
	case DT_STRSZ: tags->strsz = dyn->d_un.d_val; break;
	case DT_SONAME: tags->soname = dyn->d_un.d_val; break;
	case DT_INIT: source->init = dyn->d_un.d_ptr; break;
	case DT_FINI: source->fini = dyn->d_un.d_ptr; break;
	case DT_PLTGOT: source->pltgot = dyn->d_un.d_ptr; break;
	case DT_BIND_NOW: source->binds_now = true; break;
	case DT_FLAGS: source->binds_now |= dyn->d_un.d_val & DF_BIND_NOW; break;
	case DT_FLAGS_1: source->binds_now |= dyn->d_un.d_val & DF_1_NOW; break;
	}
}

/* The dynamic section itself must be data: its addresses are rewritten. */
static int find_dynamic(struct image_source *source,
			struct image_verdict *verdict)
{
	bool found = false;

	for (size_t i = 0; i < source->nphdr; i++) {
		const Elf64_Phdr *ph = &source->phdr[i];
		int err;

		if (ph->p_type != PT_DYNAMIC)
			continue;
		if (found)
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "two dynamic sections");
		err = image_check_table(source, ph->p_vaddr,
					ph->p_filesz / 16 * 16, 16,
					"the dynamic section",
					&source->dynamic, verdict);
		if (err)
			return err;
		if (source->dynamic.offset != ph->p_offset)
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "the dynamic section is in two places");
		/* Of one that is not writable ld.so relocates nothing. */
		if (!image_is_data(source, ph->p_vaddr) ||
		    !(ph->p_flags & PF_W))
			return image_refuse(verdict, IMAGE_DYNAMIC,
					    "a dynamic section that is not data");
		found = true;
	}
	return found ? 0 : image_refuse(verdict, IMAGE_DAMAGED,
					"no dynamic section");
}

static int read_tags(struct image_source *source, struct tags *tags,
		     struct image_verdict *verdict)
{
	const Elf64_Dyn *dyn = image_rows(source, &source->dynamic);

	for (size_t i = 0; i < source->dynamic.count; i++) {
		if (dyn[i].d_tag == DT_NULL) {
			source->dynamic.count = i;
			return 0;
		}
		if (image_tag(dyn[i].d_tag) == IMAGE_TAG_UNKNOWN)
			return image_refuse(verdict, IMAGE_DYNAMIC,
					    "unknown dynamic tag %#lx",
					    dyn[i].d_tag);
		if ((dyn[i].d_tag == DT_PLTREL && dyn[i].d_un.d_val != DT_RELA) ||
		    (dyn[i].d_tag == DT_RELAENT &&
		     dyn[i].d_un.d_val != sizeof(Elf64_Rela)) ||
		    (dyn[i].d_tag == DT_SYMENT &&
		     dyn[i].d_un.d_val != sizeof(Elf64_Sym)) ||
		    (dyn[i].d_tag == DT_RELRENT && dyn[i].d_un.d_val != 8))
			return image_refuse(verdict, IMAGE_DAMAGED,
					    "dynamic tag %#lx has value %#lx",
					    dyn[i].d_tag, dyn[i].d_un.d_val);
		take(source, tags, &dyn[i]);
	}
	return image_refuse(verdict, IMAGE_DAMAGED,
			    "a dynamic section without end");
}

/* Only the section header says how many symbols there are. */
static int find_symbols(struct image_source *source, const struct tags *tags,
			struct image_verdict *verdict)
{
	for (size_t i = 1; i < source->nshdr; i++) {
		const Elf64_Shdr *section = &source->shdr[i];

		if (section->sh_type == SHT_DYNSYM &&
		    (section->sh_flags & SHF_ALLOC) &&
		    section->sh_addr == tags->symtab)
			return image_check_table(source, section->sh_addr,
						 section->sh_size,
						 sizeof(Elf64_Sym),
						 "the symbol table",
						 &source->dynsym, verdict);
	}
	return image_refuse(verdict, IMAGE_DAMAGED,
			    "no section of dynamic symbols");
}

static void find_soname(struct image_source *source, const struct tags *tags)
{
	const char *strings = (char *)image_at(source, tags->strtab, tags->strsz);

	source->soname = "";
	if (strings && tags->soname < tags->strsz && !strings[tags->strsz - 1])
		source->soname = strings + tags->soname;
}

static int check_read_only(const struct image_source *source,
			   const struct image_table *table, const char *what,
			   struct image_verdict *verdict)
{
	if (table->count && !image_is_text(source, table->at))
		return image_refuse(verdict, IMAGE_DYNAMIC,
				    "%s are not in read-only memory", what);
	return 0;
}

int image_read_dynamic(struct image_source *source,
		       struct image_verdict *verdict)
{
	struct tags tags = { 0 };
	int err = find_dynamic(source, verdict);

	if (!err)
		err = read_tags(source, &tags, verdict);
	if (!err)
		err = image_check_table(source, tags.rela, tags.relasz,
					sizeof(Elf64_Rela), "DT_RELA",
					&source->rela, verdict);
	if (!err)
		err = image_check_table(source, tags.jmprel, tags.pltrelsz,
					sizeof(Elf64_Rela), "DT_JMPREL",
					&source->jmprel, verdict);
	if (!err)
		err = image_check_table(source, tags.relr, tags.relrsz, 8,
					"DT_RELR", &source->relr, verdict);
	if (!err)
		err = find_symbols(source, &tags, verdict);
	if (!err)
		err = check_read_only(source, &source->rela, "relocations",
				      verdict);
	if (!err)
		err = check_read_only(source, &source->jmprel, "relocations",
				      verdict);
	if (!err)
		err = check_read_only(source, &source->relr, "relocations",
				      verdict);
	if (!err)
		err = check_read_only(source, &source->dynsym, "symbols",
				      verdict);
	if (!err)
		find_soname(source, &tags);
	return err;
}
