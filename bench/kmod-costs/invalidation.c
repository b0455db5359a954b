// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A change of the library's file, while many processes use it.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "meter.h"

#define WINDOWS	5	/* each is changed once */

/**
 * struct crowd - processes that have touched a page of each window, and wait
 * @text:	the text
 * @side:	how it is mapped
 * @count:	how many
 * @punch:	a hole in the page they all have touched
 */
struct crowd {
	const struct text *text;
	enum side side;
	unsigned int count;
	struct samples punch;
};

static void be_one(const struct crowd *crowd, int ready, int go)
{
	char byte = 0;

	touch(text_map_new(crowd->text, crowd->side, 0), crowd->text->size,
	      WINDOW);
	if (write(ready, &byte, 1) != 1)
		_exit(1);
	_exit(read(go, &byte, 1) != 0);
}

static void start(const struct crowd *crowd, int ready[2], int go[2])
{
	char byte;

	if (pipe(ready) || pipe(go))
		err(1, "pipe");
	for (unsigned int i = 0; i < crowd->count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid) {
			close(go[1]);
			be_one(crowd, ready[1], go[0]);
		}
		if (read(ready[0], &byte, 1) != 1)
			errx(1, "a process of many failed");
	}
}

static void punch_holes(struct crowd *crowd)
{
	int fd = open(crowd->text->file, O_WRONLY);

	if (fd < 0)
		err(1, "%s", crowd->text->file);
	for (unsigned int i = 0; i < WINDOWS; i++) {
		uint64_t before = meter_read();

		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(i * WINDOW), PAGE))
			err(1, "%s", crowd->text->file);
		samples_add(&crowd->punch, before);
	}
	close(fd);
}

static void run(void *arg)
{
	struct crowd *crowd = arg;
	int ready[2], go[2], status;

	start(crowd, ready, go);
	punch_holes(crowd);
	close(go[1]);
	for (unsigned int i = 0; i < crowd->count; i++)
		if (wait(&status) < 0 || status)
			errx(1, "a process of many failed");
}

static void report_slope(struct json_object *figures, const double first[SIDES],
			 const double last[SIDES], unsigned int more)
{
	double slope[SIDES];

	for (enum side side = 0; side < SIDES; side++)
		slope[side] = (last[side] - first[side]) / more;
	figures_add(figures, "  each further sharer", "instructions", slope,
		    NO_AIM);
}

void measure_invalidation(struct json_object *figures,
			  const struct effort *effort)
{
	struct crowd *crowd = shared_memory(sizeof(*crowd));
	double first[SIDES], value[SIDES] = { 0 };
	const unsigned int *count;
	struct text text;
	char name[64];

	text_create(&text, "invalidation", WINDOWS);
	for (count = effort->sharers; *count; count++) {
		for (enum side side = 0; side < SIDES; side++) {
			*crowd = (struct crowd){
				.text = &text, .side = side, .count = *count,
			};
			in_subject(run, crowd);
			value[side] = samples_least(&crowd->punch);
			if (count == effort->sharers)
				first[side] = value[side];
		}
		snprintf(name, sizeof(name), "host invalidation, %u sharers",
			 *count);
		figures_add(figures, name, "instructions", value, NO_AIM);
	}
	report_slope(figures, first, value, count[-1] - effort->sharers[0]);
	text_destroy(&text);
	munmap(crowd, sizeof(*crowd));
}
