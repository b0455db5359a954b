// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the paths come from: the command line, a list, ld.so's cache.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "candidates.h"
#include "ldcache.h"

static void add(struct candidates *candidates, const char *path, bool named)
{
	struct candidate *list = reallocarray(candidates->list,
					      candidates->count + 1,
					      sizeof(*list));

	if (!list)
		err(1, NULL);
	candidates->list = list;
	list[candidates->count].path = strdup(path);
	list[candidates->count].named = named;
	if (!list[candidates->count++].path)
		err(1, NULL);
}

static void add_list(struct candidates *candidates, const char *from)
{
	bool is_stdin = !strcmp(from, "-");
	FILE *file = is_stdin ? stdin : fopen(from, "re");
	size_t size = 0;
	char *line = NULL;

	if (!file)
		err(1, "%s", from);
	while (getline(&line, &size, file) >= 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*line && *line != '#')
			add(candidates, line, true);
	}
	if (ferror(file))
		err(1, "%s", from);
	free(line);
	if (!is_stdin)
		fclose(file);
}

static void add_cached(const char *path, void *candidates)
{
	add(candidates, path, false);
}

void find_candidates(const struct options *options,
		     struct candidates *candidates)
{
	*candidates = (struct candidates) { 0 };
	for (size_t i = 0; i < options->nfiles; i++)
		add(candidates, options->files[i], true);
	if (options->from)
		add_list(candidates, options->from);
	if (options->cache)
		for_each_cached(add_cached, candidates);
}

void free_candidates(struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		free(candidates->list[i].path);
	free(candidates->list);
}
