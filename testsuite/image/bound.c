// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * References to symbols that are bound in advance, against ld.so: libraries of
 * a process, bound for the addresses they have, are what ld.so made of them.
 *
 *	bound LIBRARY...	loaded into this process
 *
 * This program is not position-independent: its own symbols are known.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image.h"
#include "report.h"
#include "steps.h"

#define LIBRARIES_MAX	128

/**
 * struct loaded - a library of this process
 * @path:   its file
 * @base:   where it is
 * @source: read
 * @number: in the binder
 */
struct loaded {
	const char *path;
	uint64_t base;
	struct image_source source;
	int number;
};

/**
 * struct counts - words that refer to symbols
 * @symbols:   all that ld.so has bound
 * @bound:     those of them that are bound in advance
 * @different: to something else
 */
struct counts {
	unsigned long symbols;
	unsigned long bound;
	unsigned long different;
};

static bool read_library(struct loaded *loaded)
{
	struct image_verdict verdict = { 0 };
	int fd = open(loaded->path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 ? -1 : image_read(fd, &loaded->source, &verdict);

	if (fd >= 0)
		close(fd);
	if (!err)
		return true;
	image_forget(&loaded->source);
	return false;
}

static size_t read_libraries(struct link_map *map, struct loaded *loaded,
			     struct image_binder *binder)
{
	size_t count = 0;

	for (; map && count < LIBRARIES_MAX; map = map->l_next) {
		struct loaded *one = &loaded[count];

		*one = (struct loaded) { .path = map->l_name,
					 .base = map->l_addr };
		if (!*one->path || !strncmp(one->path, "linux-vdso", 10) ||
		    !read_library(one))
			continue;
		one->number = image_binder_add(binder, &one->source, one->base);
		if (one->number < 0)
			abort();
		count++;
	}
	return count;
}

static uint64_t word(const unsigned char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static void compare_one(const struct loaded *loaded, const Elf64_Rela *rela,
			const struct image_data *before,
			const struct image_data *data, struct counts *counts)
{
	const unsigned char *ours = image_data_word(data, rela->r_offset);
	uint64_t is = word((unsigned char *)(loaded->base + rela->r_offset));

	if (!ours)
		return;
	counts->symbols++;
	if (word(ours) == word(image_data_word(before, rela->r_offset)))
		return;
	counts->bound++;
	if (word(ours) == is)
		return;
	if (counts->different++ < 20)
		printf("%s: at %#lx %#lx, ld.so has %#lx\n", loaded->path,
		       rela->r_offset, word(ours), is);
}

static void compare_table(const struct loaded *loaded,
			  const struct image_table *table,
			  const struct image_data *before,
			  const struct image_data *data, struct counts *counts)
{
	const Elf64_Rela *rela = image_rows(&loaded->source, table);

	for (size_t i = 0; i < table->count; i++)
		switch (ELF64_R_TYPE(rela[i].r_info)) {
		case R_X86_64_64:
		case R_X86_64_GLOB_DAT:
		case R_X86_64_JUMP_SLOT:
			compare_one(loaded, &rela[i], before, data, counts);
		}
}

/* @program: its number in the binder, or negative */
static void compare(const struct loaded *loaded, struct image_binder *binder,
		    int program, struct counts *counts)
{
	const struct image_source *source = &loaded->source;
	struct image_data before, data;

	if (image_relocate(source, loaded->base, &before) ||
	    image_relocate(source, loaded->base, &data) ||
	    image_bind(binder, loaded->number, program, source, &data)) {
		check(false, "%s is bound", loaded->path);
		return;
	}
	compare_table(loaded, &source->rela, &before, &data, counts);
	if (source->binds_now)
		compare_table(loaded, &source->jmprel, &before, &data, counts);
	free(before.bytes);
	free(data.bytes);
}

static struct counts compare_libraries(const struct loaded *loaded, size_t count,
				       struct image_binder *binder, int program,
				       const char *what)
{
	struct counts counts = { 0 };

	for (size_t i = 0; i < count; i++)
		compare(&loaded[i], binder, program, &counts);
	printf("%s: %lu references, %lu bound in advance, %lu of them to something else\n",
	       what, counts.symbols, counts.bound, counts.different);
	return counts;
}

int main(int argc, char **argv)
{
	static struct loaded loaded[LIBRARIES_MAX];
	struct image_binder *binder = image_binder_new();
	struct counts any, this;
	struct link_map *map;
	size_t count;
	int program;

	for (int i = 1; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW | RTLD_GLOBAL))
			unsupported("%s: %s", argv[i], dlerror());
	if (!binder || dlinfo(dlopen(NULL, RTLD_NOW), RTLD_DI_LINKMAP, &map))
		return 1;
	count = read_libraries(map, loaded, binder);
	check(count > 5, "there are many libraries: %zu", count);
	program = image_binder_add_program(binder, "/proc/self/exe");
	check(program >= 0 &&
	      program == image_binder_add_program(binder, "/proc/self/exe"),
	      "a program is added once");
	check(image_binder_add_program(binder, "/etc/passwd") == -ENOEXEC &&
	      image_binder_add_program(binder, "/nowhere") == -ENOENT,
	      "what is no program is not");

	any = compare_libraries(loaded, count, binder, -1, "for any program");
	check(any.bound >= 0.9 * (double)any.symbols,
	      "nine of ten references to symbols are bound in advance");
	check(any.different <= 0.01 * (double)any.bound,
	      "one of a hundred to something else, at most");
	this = compare_libraries(loaded, count, binder, program,
				 "for this program");
	check(this.bound >= 0.9 * (double)this.symbols &&
	      this.different <= 0.0005 * (double)this.bound &&
	      this.different < any.different,
	      "for this program five of ten thousand: what is opened later");
	image_binder_free(binder);
	return report_status();
}
