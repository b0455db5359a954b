// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The second stage, against ld.so: what image_relocate() gives for an address
 * is what ld.so has made of the library there.
 *
 *	relocated DIRECTORY LIBRARY...
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"
#include "report.h"
#include "steps.h"

/* As good as any */
#define SOME_BASE	0x7f8000000000UL

/** struct tried - what a child tries */
struct tried {
	const struct image_source *source;
	const char *path;
};

/** struct differences - between our words and ld.so's */
struct differences {
	const struct tried *tried;
	const struct image_data *data;
	uint64_t base;
	size_t words;
	size_t different;
};

static void compare_word(struct differences *d, uint64_t place)
{
	uint64_t ours, theirs;

	memcpy(&ours, d->data->bytes + (place - d->data->vaddr), sizeof(ours));
	memcpy(&theirs, (void *)(d->base + place), sizeof(theirs));
	d->words++;
	if (ours != theirs && !d->different++)
		printf("%s: at %#lx %#lx, ld.so has %#lx\n", d->tried->path,
		       place, ours, theirs);
}

static void compare_all(struct differences *d)
{
	const struct image_source *source = d->tried->source;
	const Elf64_Rela *rela = image_rows(source, &source->rela);
	struct image_relr walk = { .source = source };
	uint64_t place;

	for (size_t i = 0; i < source->rela.count; i++)
		if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_RELATIVE)
			compare_word(d, rela[i].r_offset);
	while (image_relr_next(&walk, &place))
		compare_word(d, place);
}

/* What ld.so relocates in the dynamic section; RELR's tags are not there. */
static void compare_dynamic(struct differences *d)
{
	const struct image_source *source = d->tried->source;

	for (size_t i = 0; i < source->dynamic.count && !source->relr.count; i++)
		compare_word(d, source->dynamic.at + i * sizeof(Elf64_Dyn) +
				offsetof(Elf64_Dyn, d_un));
}

/* Functions that nobody has called yet; constructors may have called some. */
static bool compare_lazy(struct differences *d)
{
	const struct image_source *source = d->tried->source;
	const Elf64_Rela *rela = image_rows(source, &source->jmprel);
	size_t before = d->different, words = d->words;

	for (size_t i = 0; i < source->jmprel.count; i++)
		if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_JUMP_SLOT)
			compare_word(d, rela[i].r_offset);
	words = d->words - words;
	printf("%s: %zu functions, %zu of them bound\n", d->tried->path, words,
	       d->different - before);
	before = d->different - before;
	d->different -= before;
	return source->binds_now || !words || before < words;
}

/* 0: equal, 1: different, 2: cannot be loaded */
static int try_in_child(const void *arg)
{
	const struct tried *tried = arg;
	struct differences d = { .tried = tried };
	void *library = dlopen(tried->path, RTLD_LAZY);
	struct image_data data;
	struct link_map *map;

	if (!library || dlinfo(library, RTLD_DI_LINKMAP, &map)) {
		printf("%s\n", dlerror());
		return 2;
	}
	d.base = map->l_addr;
	if (image_relocate(tried->source, d.base, &data))
		return 1;
	d.data = &data;
	compare_all(&d);
	printf("%s: %zu words, %lu RELATIVE, %lu RELR\n", tried->path, d.words,
	       data.relative, data.relr);
	if (!d.words || d.words != data.relative + data.relr)
		return 1;
	compare_dynamic(&d);
	return !compare_lazy(&d) || d.different;
}

static void check_relr_is_gone(const struct image_source *source)
{
	struct image_data data;
	const Elf64_Dyn *dynamic;
	bool found = false, ended = false;
	size_t kept = 0;

	if (!check(source->relr.count && !image_relocate(source, SOME_BASE, &data),
		   "a library with RELR is relocated"))
		return;
	dynamic = (void *)(data.bytes + (source->dynamic.at - data.vaddr));
	for (size_t i = 0; i < source->dynamic.count; i++) {
		found |= dynamic[i].d_tag == DT_RELR ||
			 dynamic[i].d_tag == DT_RELRSZ;
		ended |= dynamic[i].d_tag == DT_NULL;
		kept += !ended;
	}
	check(!found, "RELR's tags are gone");
	check_eq(kept, source->dynamic.count - 3, "the others are still there");
	free(data.bytes);
}

/* ld.so would leave out what we are told to have done. */
static void check_others_are_refused(struct image_source *source,
				     const char *name)
{
	Elf64_Rela *rela = image_rows(source, &source->rela), kept;
	struct image_data data;
	size_t i = 0;

	while (i < source->rela.count &&
	       ELF64_R_TYPE(rela[i].r_info) != R_X86_64_RELATIVE)
		i++;
	if (i == source->rela.count)
		return;
	kept = rela[i];
	rela[i].r_offset = source->shape.text_vaddr;
	check_eq(image_relocate(source, SOME_BASE, &data), -ENOEXEC,
		 "%s: not with a relocation of text", name);
	rela[i].r_offset = mshare_round_up(source->data_file_end,
					   MSHARE_PAGE_SIZE) - 4;
	check_eq(image_relocate(source, SOME_BASE, &data), -ENOEXEC,
		 "%s: nor of what is not in the file", name);
	rela[i] = kept;
}

/* ld.so could not tell what is relocated, or would relocate it later. */
static void check_doubts_are_refused(struct image_source *source,
				     const char *name)
{
	const struct image_table jmprel = source->jmprel;
	struct image_data data;

	check_eq(image_relocate(source, source->data_end, &data), -ENOEXEC,
		 "%s: not below its linked addresses", name);
	check_eq(image_relocate(source, -source->data_end + 1, &data), -ENOEXEC,
		 "%s: nor where addresses wrap", name);
	if (!source->rela.count)
		return;
	source->jmprel = source->rela;
	check_eq(image_relocate(source, SOME_BASE, &data), -ENOEXEC,
		 "%s: nor with one table in the other", name);
	source->jmprel = jmprel;
}

static void compare(const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	struct tried stock, image;
	struct made made;

	if (access(path, R_OK)) {
		unsupported("%s: it is not here", name);
		return;
	}
	if (!check(make_image(&made, path, directory), "%s: an image is made",
		   name)) {
		unmake(&made);
		return;
	}
	stock = (struct tried) { &made.source, path };
	image = (struct tried) { &made.image, made.image_path };
	check_eq(in_child(try_in_child, &stock), 0,
		 "%s: as ld.so relocates it", name);
	check_eq(in_child(try_in_child, &image), 0,
		 "%s: its image as ld.so relocates that", name);
	check_others_are_refused(&made.image, name);
	check_doubts_are_refused(&made.image, name);
	if (strstr(name, "relr"))
		check_relr_is_gone(&made.image);
	unmake(&made);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		compare(argv[i], argv[1]);
	return report_status();
}
