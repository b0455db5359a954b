// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fork, exec and exit of a process that uses the text, and of a child that uses
 * it as well.
 */
#include <err.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "figures.h"
#include "meter.h"

#define WINDOWS		16
#define FAULT_AROUND	(64UL << 10)	/* what the kernel maps at one fault */

/* How much of the text is touched. */
struct use {
	const char *name;
	size_t size;
	size_t step;
};

static const struct use uses[] = {
	{ "text mapped only", 0, PAGE },
	{ "one page of text", PAGE, PAGE },
	{ "a quarter of a window", WINDOW / 4, FAULT_AROUND },
	{ "a page of 16 windows", WINDOWS * WINDOW, WINDOW },
	{ "all of 16 windows", WINDOWS * WINDOW, FAULT_AROUND },
};

/**
 * struct processes - one process's work and what it cost
 * @text:	the text
 * @side:	how it is mapped
 * @use:	how much of it is used
 * @repeats:	how often
 * @idle:	a program that exits at once
 * @began:	when a child began what is counted
 * @fork:	fork, in the parent
 * @again:	fork, a child that touches as much, its exit
 * @exit:	exit of one that has
 * @exec:	exec of @idle, and its end
 */
struct processes {
	const struct text *text;
	enum side side;
	const struct use *use;
	unsigned int repeats;
	const char *idle;
	uint64_t began;
	struct samples fork;
	struct samples again;
	struct samples exit;
	struct samples exec;
};

enum child { EXITS, TOUCHES, TOUCHES_AND_EXITS, TOUCHES_AND_EXECUTES };

static void be_child(struct processes *processes, enum child what, char *text)
{
	if (what != EXITS)
		touch(text, processes->use->size, processes->use->step);
	if (what == TOUCHES_AND_EXITS || what == TOUCHES_AND_EXECUTES)
		processes->began = meter_read();
	if (what == TOUCHES_AND_EXECUTES)
		execl(processes->idle, processes->idle, NULL);
	_exit(what == TOUCHES_AND_EXECUTES);
}

/* The child runs when its parent waits for it, not before. */
static void fork_once(struct processes *processes, enum child what, char *text,
		      struct samples *forks)
{
	uint64_t start = meter_read();
	pid_t pid = fork();
	int status;

	if (!pid)
		be_child(processes, what, text);
	if (forks)
		samples_add(forks, start);
	processes->began = start;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		errx(1, "a child failed");
}

static void run(void *arg)
{
	struct processes *processes = arg;
	char *text = text_map_new(processes->text, processes->side, 0);

	touch(text, processes->use->size, processes->use->step);
	for (unsigned int i = 0; i < processes->repeats; i++) {
		fork_once(processes, EXITS, text, &processes->fork);
		fork_once(processes, TOUCHES, text, NULL);
		samples_add(&processes->again, processes->began);
		fork_once(processes, TOUCHES_AND_EXITS, text, NULL);
		samples_add(&processes->exit, processes->began);
		fork_once(processes, TOUCHES_AND_EXECUTES, text, NULL);
		samples_add(&processes->exec, processes->began);
	}
}

static void report(struct json_object *figures, const struct use *use,
		   const char *what, const struct samples *stock,
		   const struct samples *ours, double aim)
{
	const double value[SIDES] = {
		[STOCK] = samples_least(stock), [OURS] = samples_least(ours),
	};
	char name[64];

	snprintf(name, sizeof(name), "%s, %s", what, use->name);
	figures_add(figures, name, "instructions", value, aim);
}

static void measure(struct json_object *figures, const struct text *text,
		    const struct use *use, struct processes *processes,
		    const struct effort *effort)
{
	const struct processes *stock = &processes[STOCK];
	const struct processes *ours = &processes[OURS];
	double aim = use->size ? 100 : 103;

	for (enum side side = 0; side < SIDES; side++) {
		processes[side] = (struct processes){
			.text = text, .side = side, .use = use,
			.repeats = effort->repeats, .idle = effort->idle,
		};
		in_subject(run, &processes[side]);
	}
	report(figures, use, "fork", &stock->fork, &ours->fork, 103);
	report(figures, use, "exec", &stock->exec, &ours->exec, aim);
	report(figures, use, "exit", &stock->exit, &ours->exit, aim);
	report(figures, use, "fork, touch, exit", &stock->again, &ours->again,
	       aim);
}

void measure_processes(struct json_object *figures, const struct effort *effort)
{
	struct processes *processes = shared_memory(SIDES * sizeof(*processes));
	struct text text;

	text_create(&text, "processes", WINDOWS);
	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++)
		measure(figures, &text, &uses[i], processes, effort);
	text_destroy(&text);
	munmap(processes, SIDES * sizeof(*processes));
}
