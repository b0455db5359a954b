/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process: begins the others, kills some, and ends all.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

#define MAX_WORKERS	32

/* A machine that has other work gets more time, up to thrice, for these. */
#define LEAST_STEPS	500

/**
 * struct slot - a worker, and those that were it before
 * @pid:	0: none
 * @incarnation: how many were before
 * @killed:	by us
 */
struct slot {
	pid_t pid;
	unsigned int incarnation;
	bool killed;
};

struct supervisor {
	struct world *world;
	const struct plan *plan;
	struct generations *generations;
	struct random *random;
	struct slot slots[MAX_WORKERS];
	pid_t helpers[2];
	unsigned int processes;		/* begun */
	unsigned int bad;
};

/* A child that does not outlive us. */
static pid_t begin(struct supervisor *supervisor)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	generations_close_inherited(supervisor->generations);
	return 0;
}

static void begin_worker(struct supervisor *supervisor, unsigned int i)
{
	struct slot *slot = &supervisor->slots[i];
	pid_t pid = begin(supervisor);

	if (!pid)
		work(supervisor->world, supervisor->plan->seed, i,
		     slot->incarnation, supervisor->plan->steps);
	slot->pid = pid;
	slot->incarnation++;
	slot->killed = false;
	supervisor->processes++;
}

static void ended(struct supervisor *supervisor, pid_t pid, int status)
{
	for (unsigned int i = 0; i < supervisor->plan->processes; i++) {
		struct slot *slot = &supervisor->slots[i];

		if (slot->pid != pid)
			continue;
		slot->pid = 0;
		if (!status || (slot->killed && WIFSIGNALED(status) &&
				WTERMSIG(status) == SIGKILL))
			return;
		printf("fuzz: process %u.%u (pid %d) ended with %#x\n", i,
		       slot->incarnation - 1, pid, status);
		supervisor->bad++;
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		if (supervisor->helpers[i] != pid)
			continue;
		supervisor->helpers[i] = 0;
		if (!status)
			return;
		printf("fuzz: a process of the system ended with %#x\n", status);
		supervisor->bad++;
	}
	/* Or somebody's orphan. */
}

/* Returns whether there are children left. */
static bool reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended(supervisor, pid, status);
	return !pid;
}

static void wait_a_while(long milliseconds)
{
	struct timespec time = { .tv_nsec = milliseconds * 1000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigtimedwait(&set, NULL, &time);
}

static bool should_stop(const struct supervisor *supervisor, time_t end)
{
	const struct plan *plan = supervisor->plan;

	if (supervisor->bad || stopping(supervisor->world))
		return true;
	if (plan->seconds && supervisor->world->steps < LEAST_STEPS)
		end += 2 * plan->seconds;
	if (plan->seconds)
		return time(NULL) >= end;
	for (unsigned int i = 0; i < plan->processes; i++)
		if (supervisor->slots[i].pid)
			return false;
	return true;
}

static void kill_one(struct supervisor *supervisor)
{
	struct slot *slot = &supervisor->slots[pick(supervisor->random,
						supervisor->plan->processes)];

	if (slot->pid) {
		slot->killed = true;
		kill(slot->pid, SIGKILL);
	}
}

/* What hangs is worth more than that something does. */
static void show_processes(void)
{
	fflush(stdout);
	if (system("for p in $(pgrep fuzz); do echo \"== $p\";"
		   " cat /proc/$p/wchan /proc/$p/stack; echo; done"))
		printf("fuzz: no pgrep\n");
}

static void end_all(struct supervisor *supervisor)
{
	__atomic_store_n(&supervisor->world->stop, true, __ATOMIC_SEQ_CST);
	for (int tries = 0; reap(supervisor); tries++) {
		if (tries == 600)
			show_processes();
		wait_a_while(100);
	}
}

/**
 * supervise - run processes until the time is over, all have done their steps,
 *	or something was wrong
 * @world:	shared
 * @plan:	what was asked for
 * @generations: regions
 * @random:	what is killed when
 *
 * Returns how many processes there were; all failures are in world->failures.
 */
unsigned int supervise(struct world *world, const struct plan *plan,
		       struct generations *generations, struct random *random)
{
	struct supervisor supervisor = {
		.world = world, .plan = plan, .generations = generations,
		.random = random,
	};
	time_t end = time(NULL) + plan->seconds;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);

	supervisor.helpers[0] = begin(&supervisor);
	if (!supervisor.helpers[0])
		change_files(world, plan->seed ^ 0xf11e5);
	supervisor.helpers[1] = begin(&supervisor);
	if (!supervisor.helpers[1])
		press(world, plan->seed ^ 0x9e55);
	for (unsigned int i = 0; i < plan->processes; i++)
		begin_worker(&supervisor, i);

	while (reap(&supervisor) && !should_stop(&supervisor, end)) {
		for (unsigned int i = 0; plan->seconds && i < plan->processes; i++)
			if (!supervisor.slots[i].pid)
				begin_worker(&supervisor, i);
		generations_step(generations, world);
		if (plan->seconds && !pick(random, 4))
			kill_one(&supervisor);
		wait_a_while(20 + pick(random, 200));
	}
	end_all(&supervisor);
	world->failures += supervisor.bad;
	return supervisor.processes;
}
