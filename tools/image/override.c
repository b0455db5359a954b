// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The list of reviewed exceptions: a line for each library,
 *
 *	BUILD-ID split|refuse EVIDENCE
 *
 * and comments that begin with #.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

static void spell(const struct image_source *source, char *text)
{
	for (size_t i = 0; i < source->build_id_size; i++)
		sprintf(text + 2 * i, "%02x", source->build_id[i]);
}

static int read_line(char *line, const char *build_id,
		     enum image_override *override)
{
	char *id = strtok(line, " \t\n");
	char *word = id ? strtok(NULL, " \t\n") : NULL;
	char *evidence = word ? strtok(NULL, "\n") : NULL;
	enum image_override said;

	if (!id || *id == '#')
		return 0;
	if (!evidence)
		return -EBADMSG;
	if (!strcmp(word, "split"))
		said = IMAGE_OVERRIDE_SPLIT;
	else if (!strcmp(word, "refuse"))
		said = IMAGE_OVERRIDE_REFUSE;
	else
		return -EBADMSG;
	if (*build_id && !strcmp(id, build_id))
		*override = said;
	return 0;
}

int image_find_override(const char *list, const struct image_source *source,
			enum image_override *override)
{
	char build_id[2 * IMAGE_BUILD_ID_MAX + 1] = "";
	FILE *file = fopen(list, "re");
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	*override = IMAGE_OVERRIDE_NONE;
	if (!file)
		return errno == ENOENT ? 0 : -errno;
	spell(source, build_id);
	while (!err && getline(&line, &size, file) >= 0)
		err = read_line(line, build_id, override);
	free(line);
	fclose(file);
	return err;
}
