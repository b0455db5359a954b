// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "live.h"
#include "report.h"

#define UNLOAD_TRIES	100

int run(const char *format, ...)
{
	char command[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void load_module(void)
{
	if (!check(!run("insmod /lib/modules/$(uname -r)/updates/mshare.ko"),
		   "the module can be loaded"))
		exit(1);
}

/* What a region held goes in the background: wait, but not for ever. */
bool unload_module(void)
{
	if (umount(MOUNTPOINT))
		return false;
	for (int tries = 0; tries < UNLOAD_TRIES; tries++) {
		if (!run("rmmod mshare 2>/dev/null"))
			return true;
		usleep(100000);
	}
	return false;
}

bool says(const char *command, const char *words)
{
	static char output[1 << 16];
	FILE *pipe;
	size_t n;

	fflush(stdout);
	pipe = popen(command, "r");
	n = fread(output, 1, sizeof(output) - 1, pipe);
	output[n] = '\0';
	if (!pclose(pipe) && strstr(output, words))
		return true;
	printf("%s printed:\n%s\n", command, output);
	return false;
}

long page_tables_kb(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "PageTables: %ld", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb;
}

void regions(char *names, size_t size)
{
	DIR *directory = opendir(MOUNTPOINT);
	struct dirent *entry;
	size_t used = 0;

	*names = '\0';
	while (directory && (entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		used += (size_t)snprintf(names + used, size - used, " %s",
					 entry->d_name);
		if (used >= size)
			break;
	}
	if (directory)
		closedir(directory);
}
