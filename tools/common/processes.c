// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "processes.h"

int process_number(const char *text)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < 1 || number > INT_MAX)
		return -1;
	return (int)number;
}

void for_each_process(void (*fn)(int pid, void *context), void *context)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		err(1, "/proc");
	while ((entry = readdir(proc)))
		if (process_number(entry->d_name) > 0)
			fn(process_number(entry->d_name), context);
	closedir(proc);
}

/** struct mappings - what for_each_mapping() was asked to do */
struct mappings {
	void (*fn)(int pid, const char *line, void *context);
	void *context;
};

static void read_mappings(int pid, void *context)
{
	const struct mappings *mappings = context;
	char path[64], line[PATH_MAX + 256];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps))
		mappings->fn(pid, line, mappings->context);
	if (maps)
		fclose(maps);
}

void for_each_mapping(void (*fn)(int pid, const char *line, void *context),
		      void *context)
{
	struct mappings mappings = { fn, context };

	for_each_process(read_mappings, &mappings);
}

void read_command(int pid, char *command, size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(command, (int)size, file))
		snprintf(command, size, "?");
	command[strcspn(command, "\n")] = '\0';
	if (file)
		fclose(file);
}
