// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ldcache.h"

/* ldconfig -p is the cache's public face; its file format is glibc's own. */
#define LDCONFIG	"LC_ALL=C /sbin/ldconfig -p"

/* "	libz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1" */
static const char *path_in_cache_line(char *line)
{
	char *abi = strstr(line, " (libc6,x86-64");
	char *arrow = abi ? strstr(abi, ") => ") : NULL;

	if (!arrow)
		return NULL;
	line[strcspn(line, "\n")] = '\0';
	return arrow + strlen(") => ");
}

void for_each_cached(void (*use)(const char *path, void *arg), void *arg)
{
	FILE *cache = popen(LDCONFIG, "re");
	size_t size = 0;
	char *line = NULL;
	const char *path;

	if (!cache)
		err(1, "ldconfig");
	while (getline(&line, &size, cache) >= 0) {
		path = path_in_cache_line(line);
		if (path)
			use(path, arg);
	}
	free(line);
	if (pclose(cache))
		errx(1, "ldconfig -p failed: ld.so's cache cannot be read");
}
