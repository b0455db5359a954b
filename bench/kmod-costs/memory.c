// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Kernel memory of a sharer, as it is charged to its control group: many
 * mappings of one text by one process, each at a displacement of its own and
 * so a sharer of its own.  What a window costs is the difference between texts
 * of few and of many windows; what a sharer costs is what remains above the
 * same mappings on a stock system.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "figures.h"

#define ROOT	"/sys/fs/cgroup"
#define GROUP	ROOT "/kmod-costs"
#define FEW	4
#define MANY	32

/**
 * struct memory - one process's mappings and what is charged for them
 * @text:	the text
 * @side:	how it is mapped
 * @mappings:	how often
 * @bytes:	of slab, for all
 */
struct memory {
	const struct text *text;
	enum side side;
	unsigned int mappings;
	long bytes;
};

static void write_string(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(1, "%s", path);
	close(fd);
}

static long slab_bytes(void)
{
	FILE *file = fopen(GROUP "/memory.stat", "r");
	char line[128];
	long bytes = -1;

	if (!file)
		err(1, GROUP "/memory.stat");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "slab_unreclaimable %ld", &bytes);
	fclose(file);
	if (bytes < 0)
		errx(1, GROUP "/memory.stat: no slab_unreclaimable");
	return bytes;
}

static void run(void *arg)
{
	struct memory *memory = arg;
	long before;

	write_string(GROUP "/cgroup.procs", "0");
	touch(text_map_new(memory->text, memory->side, 0), PAGE, PAGE);
	before = slab_bytes();
	for (unsigned int i = 1; i <= memory->mappings; i++)
		touch(text_map_new(memory->text, memory->side, i), PAGE, PAGE);
	memory->bytes = slab_bytes() - before;
}

static void measure(struct memory *memory, unsigned int windows,
		    unsigned int mappings, double each[SIDES])
{
	struct text text;

	text_create(&text, "memory", windows);
	for (enum side side = 0; side < SIDES; side++) {
		*memory = (struct memory){
			.text = &text, .side = side, .mappings = mappings,
		};
		in_subject(run, memory);
		each[side] = (double)memory->bytes / mappings;
	}
	text_destroy(&text);
}

void measure_memory(struct json_object *figures, const struct effort *effort)
{
	struct memory *memory = shared_memory(sizeof(*memory));
	double few[SIDES], many[SIDES];
	double window[SIDES] = { NO_STOCK }, sharer[SIDES] = { NO_STOCK };

	write_string(ROOT "/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755))
		err(1, GROUP);
	measure(memory, FEW, effort->mappings, few);
	measure(memory, MANY, effort->mappings, many);
	rmdir(GROUP);

	figures_add(figures, "slab of a mapping, 4 windows", "bytes", few, NO_AIM);
	figures_add(figures, "slab of a mapping, 32 windows", "bytes", many,
		    NO_AIM);
	window[OURS] = (many[OURS] - few[OURS]) / (MANY - FEW);
	sharer[OURS] = few[OURS] - few[STOCK] - FEW * window[OURS];
	figures_add(figures, "  each window", "bytes", window, 64);
	figures_add(figures, "  each sharer besides", "bytes", sharer, 1024);
	munmap(memory, sizeof(*memory));
}
