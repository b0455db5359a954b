/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

/**
 * struct names - a list of names that grows; begins as all zero
 * @list:  the names
 * @count: how many
 */
struct names {
	char **list;
	size_t count;
};

/**
 * names_add() - add a copy of a name, or end the program if there is no memory
 * @names: the list
 * @name:  the name
 */
void names_add(struct names *names, const char *name);

/**
 * names_free() - forget them
 * @names: the list
 */
void names_free(struct names *names);

#endif /* NAMES_H */
