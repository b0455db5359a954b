/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IMAGE_USERS_H
#define IMAGE_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "names.h"

/**
 * struct used_library - a library, and who loads it
 * @path:   resolved; of users_find()'s caller
 * @pages:  of its data, 1 at least
 * @needed: DT_NEEDED
 * @users:  files that load it
 * @user:   the first of them, if it is a program, or NULL
 */
struct used_library {
	char *path;
	uint64_t pages;
	struct names needed;
	unsigned int users;
	char *user;
};

/**
 * struct using_program - a file that libraries are loaded for
 * @dev:       it may have many names
 * @ino:       the same
 * @first:     it was named
 * @libraries: that it and its libraries need, of those that are of interest, and
 *	       itself, if it is one
 * @count:     how many
 */
struct using_program {
	dev_t dev;
	ino_t ino;
	bool first;
	struct used_library **libraries;
	size_t count;
};

/**
 * struct users - libraries, and what loads them
 * @libraries: sorted by path
 * @count:     how many
 * @programs:  that there are
 * @nprograms: how many
 */
struct users {
	struct used_library *libraries;
	size_t count;
	struct using_program *programs;
	size_t nprograms;
};

/**
 * users_find() - find out which programs load which libraries
 * @paths: resolved paths of libraries
 * @count: how many
 * @first: paths of programs, or of what programs load at run time
 * @users: receives them; users_free()
 *
 * Programs are those below the directories of PROGRAM_DIRECTORIES, and @first.
 * What they load is what they and their libraries need (DT_NEEDED).
 *
 * Ends the program if one of @first is no ELF file or cannot be read.
 */
void users_find(char **paths, size_t count, const struct names *first,
		struct users *users);

/**
 * program_loads() - whether a library is loaded for a program
 * @program: the program
 * @library: the library
 */
bool program_loads(const struct using_program *program,
		   const struct used_library *library);

/**
 * users_free() - forget them
 * @users: of users_find()
 */
void users_free(struct users *users);

#endif /* IMAGE_USERS_H */
