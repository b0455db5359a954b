// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which libraries programs load: in which order images are made, and which are
 * one program's alone.
 */
#include <err.h>
#include <fcntl.h>
#include <fts.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image-order.h"
#include "ldcache.h"
#include "mshare.h"
#include "names.h"

#define PROGRAM_DIRECTORIES \
	{ "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", NULL }

/**
 * struct node - a library in the order
 * @path:   of struct order's caller
 * @names:  what it needs
 * @data:   bytes of writable segments in memory
 * @users:  programs that load it
 * @user:   the first of them
 * @seen:   the last program that was found to
 */
struct node {
	char *path;
	struct names names;
	uint64_t data;
	unsigned int users;
	char *user;
	unsigned int seen;
};

/** struct program - a file, which may have many names */
struct program {
	dev_t dev;
	ino_t ino;
};

/** struct alias - a name in ld.so's cache, and the file it stands for */
struct alias {
	char *name;
	struct node *node;
};

/**
 * struct order - libraries, and how they are found
 * @nodes:    sorted by path while users are counted
 * @count:    how many
 * @aliases:  sorted by name once all are there
 * @naliases: how many
 * @programs: counted so far
 * @nprograms: how many
 */
struct order {
	struct node *nodes;
	size_t count;
	struct alias *aliases;
	size_t naliases;
	struct program *programs;
	unsigned int nprograms;
};

/* ---- what is in a file ------------------------------------------------- */

static void read_needed(Elf *elf, struct names *names)
{
	GElf_Shdr header;
	Elf_Scn *section = NULL;
	Elf_Data *data;
	GElf_Dyn dyn;

	while ((section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &header) ||
		    header.sh_type != SHT_DYNAMIC)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 0; data && gelf_getdyn(data, i, &dyn); i++) {
			const char *name = dyn.d_tag == DT_NEEDED ?
				elf_strptr(elf, header.sh_link, dyn.d_un.d_val) :
				NULL;

			if (name)
				names_add(names, name);
		}
	}
}

static uint64_t data_size(Elf *elf)
{
	GElf_Phdr phdr;
	uint64_t size = 0;
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, (int)i, &phdr) &&
		    phdr.p_type == PT_LOAD && (phdr.p_flags & PF_W))
			size += phdr.p_memsz;
	return size;
}

/* Whether a loader is asked for to run it */
static bool is_program(Elf *elf)
{
	GElf_Phdr phdr;
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf, (int)i, &phdr) &&
		    phdr.p_type == PT_INTERP)
			return true;
	return false;
}

/*
 * What is no ELF file needs nothing, and what cannot be read.
 * Return: whether it is a program.
 */
static bool read_file(const char *path, struct names *names, uint64_t *data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool program = false;
	Elf *elf = NULL;

	if (fd < 0)
		return false;
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF &&
	    gelf_getclass(elf) == ELFCLASS64) {
		read_needed(elf, names);
		*data = data_size(elf);
		program = is_program(elf);
	}
	elf_end(elf);
	close(fd);
	return program;
}

/* ---- from names to libraries ------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path,
		      ((const struct node *)b)->path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct alias *)a)->name,
		      ((const struct alias *)b)->name);
}

static void add_alias(const char *path, void *arg)
{
	struct order *order = arg;
	struct node key = { .path = realpath(path, NULL) }, *node;
	struct alias *aliases;

	node = key.path ? bsearch(&key, order->nodes, order->count,
				  sizeof(key), by_path) : NULL;
	free(key.path);
	if (!node)
		return;
	aliases = reallocarray(order->aliases, order->naliases + 1,
			       sizeof(*aliases));
	if (!aliases)
		err(1, NULL);
	order->aliases = aliases;
	aliases[order->naliases++] = (struct alias) {
		strdup(strrchr(path, '/') + 1), node,
	};
	if (!aliases[order->naliases - 1].name)
		err(1, NULL);
}

static struct node *find_node(const struct order *order, char *name)
{
	const struct alias key = { .name = name };
	const struct alias *alias;

	if (!order->naliases)
		return NULL;
	alias = bsearch(&key, order->aliases, order->naliases, sizeof(key),
			by_name);
	return alias ? alias->node : NULL;
}

/* ---- who uses what ----------------------------------------------------- */

/* No deeper than there are libraries: each is entered once for a program. */
static void count_user(const struct order *order, const char *program,
		       const struct names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct node *node = find_node(order, names->list[i]);

		if (!node || node->seen == order->nprograms)
			continue;
		node->seen = order->nprograms;
		if (!node->users++)
			node->user = strdup(program);
		count_user(order, program, &node->names);
	}
}

/* Whether the file is a program that was not there yet */
static bool add_program(struct order *order, const struct stat *file)
{
	struct program *programs;

	for (unsigned int i = 0; i < order->nprograms; i++)
		if (order->programs[i].dev == file->st_dev &&
		    order->programs[i].ino == file->st_ino)
			return false;
	programs = reallocarray(order->programs, order->nprograms + 1,
				sizeof(*programs));
	if (!programs)
		err(1, NULL);
	order->programs = programs;
	programs[order->nprograms++] = (struct program) { file->st_dev,
							  file->st_ino };
	return true;
}

static void count_program(struct order *order, const char *path,
			  const struct stat *file)
{
	struct names names = { 0 };
	uint64_t data;

	if (read_file(path, &names, &data) && add_program(order, file))
		count_user(order, path, &names);
	names_free(&names);
}

static void count_programs(struct order *order)
{
	static char *const directories[] = PROGRAM_DIRECTORIES;
	FTS *tree = fts_open(directories, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (!tree)
		err(1, NULL);
	while ((entry = fts_read(tree)))
		if (entry->fts_info == FTS_F &&
		    (entry->fts_statp->st_mode & S_IXUSR))
			count_program(order, entry->fts_path, entry->fts_statp);
	fts_close(tree);
}

/* ---- the order --------------------------------------------------------- */

static uint64_t pages_of(const struct node *node)
{
	return node->data / MSHARE_PAGE_SIZE + 1;
}

/*
 * Most programs that load it for each page of its data first: the windows at the
 * beginning, which most programs touch, are to serve as many as they can.
 */
static int by_use(const void *a, const void *b)
{
	const struct node *one = a, *other = b;
	uint64_t first = (uint64_t)one->users * pages_of(other);
	uint64_t second = (uint64_t)other->users * pages_of(one);

	if (first != second)
		return first > second ? -1 : 1;
	return strcmp(one->path, other->path);
}

static void read_libraries(struct order *order, char **paths)
{
	for (size_t i = 0; i < order->count; i++) {
		struct node *node = &order->nodes[i];

		node->path = paths[i];
		read_file(node->path, &node->names, &node->data);
	}
	qsort(order->nodes, order->count, sizeof(*order->nodes), by_path);
	for_each_cached(add_alias, order);
	if (order->naliases)
		qsort(order->aliases, order->naliases, sizeof(*order->aliases),
		      by_name);
}

static void forget(struct order *order)
{
	for (size_t i = 0; i < order->count; i++) {
		names_free(&order->nodes[i].names);
		free(order->nodes[i].user);
	}
	free(order->programs);
	for (size_t i = 0; i < order->naliases; i++)
		free(order->aliases[i].name);
	free(order->aliases);
	free(order->nodes);
}

void order_by_use(char **paths, char **programs, size_t count)
{
	struct order order = { .count = count };

	elf_version(EV_CURRENT);
	order.nodes = calloc(count ? count : 1, sizeof(*order.nodes));
	if (!order.nodes)
		err(1, NULL);
	read_libraries(&order, paths);
	count_programs(&order);
	qsort(order.nodes, count, sizeof(*order.nodes), by_use);
	for (size_t i = 0; i < count; i++) {
		struct node *node = &order.nodes[i];

		paths[i] = node->path;
		programs[i] = node->users == 1 ? node->user : NULL;
		if (programs[i])
			node->user = NULL;
	}
	forget(&order);
}
