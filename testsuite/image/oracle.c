// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the decoder finds, against what the linker knows: in a library linked
 * with -q, each reference from text to data has a relocation.
 *
 *	oracle LIBRARY...
 */
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "report.h"

/* Whether a kept relocation is a 32-bit distance to data */
static bool refers_to_data(const struct image_source *source,
			   const Elf64_Rela *rela, const Elf64_Sym *symbol)
{
	switch (ELF64_R_TYPE(rela->r_info)) {
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
	case R_X86_64_GOTTPOFF:
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
		return true;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return symbol->st_shndx && symbol->st_shndx < source->nshdr &&
		       source->shdr[symbol->st_shndx].sh_addr >=
			       source->data_start;
	default:
		return false;
	}
}

static bool is_site(const struct image_sites *sites, uint64_t place)
{
	for (size_t i = 0; i < sites->count; i++)
		if (sites->list[i].place == place)
			return true;
	return false;
}

/** struct comparison - relocations and sites of one library */
struct comparison {
	size_t kept;		/* relocations that refer to data */
	size_t missed;		/* of these, not found by the decoder */
	size_t of_linker;	/* sites in what only the linker makes */
};

static void compare_section(const struct made *made, const Elf64_Shdr *section,
			    struct comparison *comparison)
{
	const struct image_source *source = &made->source;
	const Elf64_Shdr *symtab = &source->shdr[section->sh_link];
	const Elf64_Rela *rela = (void *)(source->bytes + section->sh_offset);
	const Elf64_Sym *symbols = (void *)(source->bytes + symtab->sh_offset);

	for (size_t i = 0; i < section->sh_size / sizeof(*rela); i++) {
		if (!image_is_text(source, rela[i].r_offset) ||
		    !refers_to_data(source, &rela[i],
				    &symbols[ELF64_R_SYM(rela[i].r_info)]))
			continue;
		comparison->kept++;
		if (!is_site(&made->references.sites, rela[i].r_offset)) {
			printf("missed: %#lx\n", rela[i].r_offset);
			comparison->missed++;
		}
	}
}

static void count_linker_made(const struct made *made,
			      struct comparison *comparison)
{
	static const char *const names[] = { ".plt", ".plt.got", ".plt.sec" };

	for (size_t n = 0; n < 3; n++) {
		const Elf64_Shdr *plt = image_section(&made->source, names[n]);

		for (size_t i = 0; plt && i < made->references.sites.count; i++)
			comparison->of_linker +=
				made->references.sites.list[i].place -
				plt->sh_addr < plt->sh_size;
	}
}

static void compare(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct comparison comparison = { 0 };
	struct made made;

	if (access(path, R_OK)) {
		unsupported("%s: no compiler made it", name);
		return;
	}
	if (!check(make_decision(&made, path), "%s: can be split", name)) {
		unmake(&made);
		return;
	}
	for (size_t i = 1; i < made.source.nshdr; i++)
		if (made.source.shdr[i].sh_type == SHT_RELA &&
		    !(made.source.shdr[i].sh_flags & SHF_ALLOC))
			compare_section(&made, &made.source.shdr[i],
					&comparison);
	count_linker_made(&made, &comparison);
	check(comparison.kept > 10, "%s: has kept relocations", name);
	check_eq(comparison.missed, 0, "%s: no reference is missed", name);
	check_eq(made.references.sites.count,
		 comparison.kept + comparison.of_linker,
		 "%s: nothing else is taken for one", name);
	unmake(&made);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		compare(argv[i]);
	return report_status();
}
