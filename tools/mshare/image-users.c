// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which libraries programs load.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image-users.h"
#include "ldcache.h"
#include "mshare.h"

#define PROGRAM_DIRECTORIES \
	{ "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", NULL }

/** struct alias - a name in ld.so's cache, and the library it stands for */
struct alias {
	char *name;
	struct used_library *library;
};

/**
 * struct search - what is known while users are looked for
 * @users:    receives them; its libraries are sorted by path
 * @aliases:  sorted by name once all are there
 * @naliases: how many
 */
struct search {
	struct users *users;
	struct alias *aliases;
	size_t naliases;
};

/* ---- what is in a file ------------------------------------------------- */

/**
 * struct object - what is in an ELF file
 * @needed:  names of libraries
 * @pages:   of its data in memory, from the first to the last
 * @is_program: a loader is asked for to run it
 */
struct object {
	struct names needed;
	uint64_t pages;
	bool is_program;
};

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

static void read_segments(Elf *elf, struct object *object)
{
	uint64_t start = UINT64_MAX, end = 0;
	GElf_Phdr phdr;
	size_t count;

	if (elf_getphdrnum(elf, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr))
			continue;
		if (phdr.p_type == PT_INTERP)
			object->is_program = true;
		if (phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_W))
			continue;
		if (phdr.p_vaddr < start)
			start = phdr.p_vaddr;
		if (phdr.p_vaddr + phdr.p_memsz > end)
			end = phdr.p_vaddr + phdr.p_memsz;
	}
	if (start < end)
		object->pages = (end - 1) / MSHARE_PAGE_SIZE -
				start / MSHARE_PAGE_SIZE + 1;
}

/*
 * Return: 0; -errno; -ENOEXEC: it is no 64-bit ELF file.  Whatever fails,
 * @object needs nothing.
 */
static int read_object(const char *path, struct object *object)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = 0;
	Elf *elf;

	*object = (struct object) { 0 };
	if (fd < 0)
		return -errno;
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF &&
	    gelf_getclass(elf) == ELFCLASS64) {
		read_needed(elf, &object->needed);
		read_segments(elf, object);
	} else {
		result = -ENOEXEC;
	}
	elf_end(elf);
	close(fd);
	return result;
}

/* ---- from names to libraries ------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct used_library *)a)->path,
		      ((const struct used_library *)b)->path);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct alias *)a)->name,
		      ((const struct alias *)b)->name);
}

static struct used_library *find_path(const struct users *users,
				      const char *path)
{
	const struct used_library key = { .path = (char *)path };

	return bsearch(&key, users->libraries, users->count, sizeof(key),
		       by_path);
}

static void add_alias(const char *path, void *arg)
{
	struct search *search = arg;
	char *resolved = realpath(path, NULL);
	struct used_library *library = NULL;
	struct alias *aliases;

	if (resolved)
		library = find_path(search->users, resolved);
	free(resolved);
	if (!library)
		return;
	aliases = reallocarray(search->aliases, search->naliases + 1,
			       sizeof(*aliases));
	if (!aliases)
		err(1, NULL);
	search->aliases = aliases;
	aliases[search->naliases++] = (struct alias) {
		strdup(strrchr(path, '/') + 1), library,
	};
	if (!aliases[search->naliases - 1].name)
		err(1, NULL);
}

static struct used_library *find_library(const struct search *search,
					 char *name)
{
	const struct alias key = { .name = name };
	const struct alias *alias;

	if (!search->naliases)
		return NULL;
	alias = bsearch(&key, search->aliases, search->naliases, sizeof(key),
			by_name);
	return alias ? alias->library : NULL;
}

/* ---- who uses what ----------------------------------------------------- */

static void add_library(struct using_program *program,
			struct used_library *library)
{
	program->libraries = reallocarray(program->libraries,
					  program->count + 1,
					  sizeof(*program->libraries));
	if (!program->libraries)
		err(1, NULL);
	program->libraries[program->count++] = library;
}

bool program_loads(const struct using_program *program,
		   const struct used_library *library)
{
	for (size_t i = 0; i < program->count; i++)
		if (program->libraries[i] == library)
			return true;
	return false;
}

/* No deeper than there are libraries: each is entered once. */
static void add_needed(const struct search *search,
		       struct using_program *program, const struct names *names)
{
	for (size_t i = 0; i < names->count; i++) {
		struct used_library *library = find_library(search,
							    names->list[i]);

		if (!library || program_loads(program, library))
			continue;
		add_library(program, library);
		add_needed(search, program, &library->needed);
	}
}

static bool is_known(const struct users *users, const struct stat *file)
{
	for (size_t i = 0; i < users->nprograms; i++)
		if (users->programs[i].dev == file->st_dev &&
		    users->programs[i].ino == file->st_ino)
			return true;
	return false;
}

static struct using_program *new_program(struct users *users,
					 const struct stat *file)
{
	struct using_program *program;

	users->programs = reallocarray(users->programs, users->nprograms + 1,
				       sizeof(*users->programs));
	if (!users->programs)
		err(1, NULL);
	program = &users->programs[users->nprograms++];
	*program = (struct using_program) {
		.dev = file->st_dev, .ino = file->st_ino,
	};
	return program;
}

/* @object: has been read from @path, which may be a library itself */
static void add_program(struct search *search, const char *path,
			const struct stat *file, const struct object *object,
			bool first)
{
	struct using_program *program = new_program(search->users, file);
	struct used_library *library = find_path(search->users, path);

	program->first = first;
	if (library)
		add_library(program, library);
	add_needed(search, program, &object->needed);
	for (size_t i = 0; i < program->count; i++) {
		library = program->libraries[i];
		if (!library->users++ && object->is_program)
			library->user = strdup(path);
	}
}

static void look_at(struct search *search, const char *path,
		    const struct stat *file)
{
	struct object object;

	if (is_known(search->users, file))
		return;
	if (!read_object(path, &object) && object.is_program)
		add_program(search, path, file, &object, false);
	names_free(&object.needed);
}

static void find_programs(struct search *search)
{
	static char *const directories[] = PROGRAM_DIRECTORIES;
	FTS *tree = fts_open(directories, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (!tree)
		err(1, NULL);
	while ((entry = fts_read(tree)))
		if (entry->fts_info == FTS_F &&
		    (entry->fts_statp->st_mode & S_IXUSR))
			look_at(search, entry->fts_path, entry->fts_statp);
	fts_close(tree);
}

static void add_first(struct search *search, const char *name)
{
	char *path = realpath(name, NULL);
	struct object object;
	struct stat file;
	int result = !path || stat(path, &file) ? -errno :
						 read_object(path, &object);

	if (result)
		errx(1, "--first=%s: %s", name, strerror(-result));
	if (!is_known(search->users, &file))
		add_program(search, path, &file, &object, true);
	names_free(&object.needed);
	free(path);
}

/* ---- all of it --------------------------------------------------------- */

static void read_libraries(struct search *search, char **paths)
{
	struct users *users = search->users;

	for (size_t i = 0; i < users->count; i++) {
		struct used_library *library = &users->libraries[i];
		struct object object;

		read_object(paths[i], &object);
		*library = (struct used_library) {
			.path = paths[i],
			.pages = object.pages ? object.pages : 1,
			.needed = object.needed,
		};
	}
	qsort(users->libraries, users->count, sizeof(*users->libraries),
	      by_path);
	for_each_cached(add_alias, search);
	if (search->naliases)
		qsort(search->aliases, search->naliases,
		      sizeof(*search->aliases), by_name);
}

void users_find(char **paths, size_t count, const struct names *first,
		struct users *users)
{
	struct search search = { .users = users };

	elf_version(EV_CURRENT);
	*users = (struct users) { .count = count };
	users->libraries = calloc(count ? count : 1, sizeof(*users->libraries));
	if (!users->libraries)
		err(1, NULL);
	read_libraries(&search, paths);
	for (size_t i = 0; i < first->count; i++)
		add_first(&search, first->list[i]);
	find_programs(&search);
	for (size_t i = 0; i < search.naliases; i++)
		free(search.aliases[i].name);
	free(search.aliases);
}

void users_free(struct users *users)
{
	for (size_t i = 0; i < users->count; i++) {
		names_free(&users->libraries[i].needed);
		free(users->libraries[i].user);
	}
	for (size_t i = 0; i < users->nprograms; i++)
		free(users->programs[i].libraries);
	free(users->programs);
	free(users->libraries);
}
