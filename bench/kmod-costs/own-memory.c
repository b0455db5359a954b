// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a sharer pays for memory of its own: the kernel announces each change to
 * the notifiers of an mm, wherever it is.
 */
#include <err.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "figures.h"
#include "meter.h"

#define PAGES	64UL

/**
 * struct own - one process's work and what it cost
 * @text:	it has mapped and touched
 * @side:	so
 * @repeats:	how often
 * @cow:	the first writes to PAGES pages of a file
 * @drop_page:	MADV_DONTNEED of one page
 * @drop:	and of PAGES
 */
struct own {
	const struct text *text;
	enum side side;
	unsigned int repeats;
	struct samples cow;
	struct samples drop_page;
	struct samples drop;
};

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	pause();
	return NULL;
}

static char *map(int flags, int fd)
{
	char *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | flags, fd, 0);

	if (memory == MAP_FAILED || madvise(memory, PAGES * PAGE,
					    MADV_NOHUGEPAGE))
		err(1, "mmap");
	return memory;
}

static void write_pages(char *memory, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++)
		*(volatile char *)(memory + i * PAGE) = 1;
}

static void count_cow(struct own *own, int fd)
{
	char *memory = map(0, fd);
	uint64_t start;

	touch(memory, PAGES * PAGE, PAGE);
	start = meter_read();
	write_pages(memory, PAGES);
	samples_add(&own->cow, start);
	munmap(memory, PAGES * PAGE);
}

static void count_drop(struct samples *samples, unsigned long pages)
{
	char *memory = map(MAP_ANONYMOUS, -1);
	uint64_t start;

	write_pages(memory, PAGES);
	start = meter_read();
	if (madvise(memory, pages * PAGE, MADV_DONTNEED))
		err(1, "MADV_DONTNEED");
	samples_add(samples, start);
	munmap(memory, PAGES * PAGE);
}

static void run(void *arg)
{
	struct own *own = arg;
	int fd = text_open(own->text, STOCK);
	pthread_t thread;

	touch(text_map_new(own->text, own->side, 0), own->text->size, WINDOW);
	if (pthread_create(&thread, NULL, sleep_for_ever, NULL))
		errx(1, "no thread");
	for (unsigned int i = 0; i < own->repeats; i++) {
		count_cow(own, fd);
		count_drop(&own->drop_page, 1);
		count_drop(&own->drop, PAGES);
	}
}

void measure_own_memory(struct json_object *figures, const struct effort *effort)
{
	struct own *own = shared_memory(SIDES * sizeof(*own));
	double cow[SIDES], drop_page[SIDES], drop[SIDES];
	struct text text;

	text_create(&text, "own", 2);
	for (enum side side = 0; side < SIDES; side++) {
		own[side] = (struct own){
			.text = &text, .side = side,
			.repeats = 2 * effort->repeats,
		};
		in_subject(run, &own[side]);
		cow[side] = samples_least(&own[side].cow) / PAGES;
		drop_page[side] = samples_least(&own[side].drop_page);
		drop[side] = samples_least(&own[side].drop);
	}
	figures_add(figures, "COW fault in a thread", "instructions", cow, 103);
	figures_add(figures, "MADV_DONTNEED of a page", "instructions",
		    drop_page, 103);
	figures_add(figures, "MADV_DONTNEED of 64 pages", "instructions", drop,
		    103);
	text_destroy(&text);
	munmap(own, SIDES * sizeof(*own));
}
