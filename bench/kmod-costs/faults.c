// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults on shared text: attaching a window, and the first one of a process,
 * which registers a notifier.
 */
#include <err.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "figures.h"
#include "meter.h"

#define WINDOWS	16

/**
 * struct faults - one process's work and what it cost
 * @text:	the text
 * @side:	how it is mapped
 * @vmas:	mappings the process has besides
 * @step:	which bytes of a window are touched
 * @mapping:	mmap and the first touch
 * @first:	the first touch of them
 * @window:	a touch of a further window
 */
struct faults {
	const struct text *text;
	enum side side;
	unsigned int vmas;
	size_t step;
	struct samples mapping;
	struct samples first;
	struct samples window;
};

/* As the mappings of libraries' data: of a file, and written. */
static void make_vmas(const struct faults *faults)
{
	int fd = text_open(faults->text, STOCK);

	for (unsigned int i = 0; i < faults->vmas; i++) {
		char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE, fd, 0);

		if (page == MAP_FAILED)
			err(1, "mmap");
		*page = 1;
	}
	close(fd);
}

static void run(void *arg)
{
	struct faults *faults = arg;
	const struct text *text = faults->text;
	int fd = text_open(text, faults->side);
	uint64_t start, touched;
	char *at;

	make_vmas(faults);
	start = meter_read();
	at = text_map(text, faults->side, fd, 0);
	touched = meter_read();
	touch(at, PAGE, PAGE);
	samples_add(&faults->mapping, start);
	samples_add(&faults->first, touched);

	for (unsigned int i = 1; i < WINDOWS; i++) {
		start = meter_read();
		touch(at + i * WINDOW, WINDOW, faults->step);
		samples_add(&faults->window, start);
	}
	if (faults->side == OURS && text_attached(text) != WINDOWS)
		errx(1, "not all windows are attached");
}

static void measure(struct faults *faults, const struct text *text,
		    enum side side, unsigned int vmas, size_t step,
		    unsigned int repeats)
{
	*faults = (struct faults){
		.text = text, .side = side, .vmas = vmas, .step = step,
	};
	for (unsigned int i = 0; i < repeats; i++)
		in_subject(run, faults);
}

static void windows(struct json_object *figures, const struct text *text,
		    struct faults *faults, size_t step, const char *name)
{
	double value[SIDES];

	for (enum side side = 0; side < SIDES; side++) {
		measure(&faults[side], text, side, 0, step, 1);
		value[side] = samples_least(&faults[side].window);
	}
	figures_add(figures, name, "instructions", value, 100);
}

static void first(struct json_object *figures, const struct text *text,
		  struct faults *faults, unsigned int vmas, unsigned int repeats)
{
	double mapping[SIDES], registration[SIDES] = { NO_STOCK };
	char name[64];

	for (enum side side = 0; side < SIDES; side++) {
		measure(&faults[side], text, side, vmas, WINDOW, repeats);
		mapping[side] = samples_least(&faults[side].mapping);
	}
	snprintf(name, sizeof(name), "first mmap and touch, %u VMAs", vmas);
	figures_add(figures, name, "instructions", mapping, NO_AIM);
	registration[OURS] = samples_least(&faults[OURS].first) -
			     samples_least(&faults[OURS].window);
	snprintf(name, sizeof(name), "  registration in it, %u VMAs", vmas);
	figures_add(figures, name, "instructions", registration, NO_AIM);
}

void measure_faults(struct json_object *figures, const struct effort *effort)
{
	struct faults *faults = shared_memory(SIDES * sizeof(*faults));
	struct text text;

	text_create(&text, "faults", WINDOWS);
	windows(figures, &text, faults, WINDOW, "window, one page touched");
	windows(figures, &text, faults, PAGE, "window, all pages touched");
	for (const unsigned int *vmas = effort->vmas; *vmas; vmas++)
		first(figures, &text, faults, *vmas, effort->repeats);
	text_destroy(&text);
	munmap(faults, SIDES * sizeof(*faults));
}
