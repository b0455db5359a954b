// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

void names_add(struct names *names, const char *name)
{
	char **list = reallocarray(names->list, names->count + 1,
				   sizeof(*list));

	if (!list)
		err(1, NULL);
	names->list = list;
	list[names->count] = strdup(name);
	if (!list[names->count++])
		err(1, NULL);
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}
