/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations that make processes, and write to them before they run.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_DEPTH	3

/* What a parent wrote to its child. */
struct poke {
	unsigned int page;
	uint32_t own;
};

static void wait_for(struct actor *actor, unsigned int child)
{
	pid_t pid = actor->children[child];
	int status;

	if (waitpid(pid, &status, 0) != pid)
		fail(actor, "waitpid: %m");
	actor->children[child] = 0;
	/* One that failed has said so itself. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		_exit(1);
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		fail(actor, "child %d ended with %#x", pid, status);
}

/** op_reap - wait for one child */
void op_reap(struct actor *actor)
{
	unsigned int child = pick(&actor->random, NR_CHILDREN);

	if (!actor->children[child])
		return;
	log_step(actor, "wait for %d", actor->children[child]);
	wait_for(actor, child);
}

/** reap_all - wait for all children */
void reap_all(struct actor *actor)
{
	for (unsigned int i = 0; i < NR_CHILDREN; i++)
		if (actor->children[i])
			wait_for(actor, i);
}

static bool poke_by_proc(pid_t pid, uint64_t *word, uint64_t value)
{
	char path[64];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ok = fd >= 0 &&
	     pwrite(fd, &value, sizeof(value), (uintptr_t)word) == sizeof(value);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* As a debugger does that attaches. */
static bool poke_by_ptrace(pid_t pid, uint64_t *word, uint64_t value)
{
	int status;
	bool ok;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return false;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) ||
	    waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		return false;
	ok = !ptrace(PTRACE_POKEDATA, pid, word, value);
	ptrace(PTRACE_DETACH, pid, 0, 0);
	return ok;
}

/* Write to a text of a child that waits; tell it by the pipe. */
static void poke_child(struct actor *actor, pid_t pid, int pipe)
{
	for (unsigned int i = pick(&actor->random, 3); i; i--) {
		struct range range = pick_mapped(actor);
		struct poke poke = {
			range.first, next_random(&actor->random) | 1
		};
		const struct page_model *page = &actor->pages[range.first];
		uint64_t *word = word_at(poke.page, WORD_OWN);
		bool ok;

		if (!range.n || page->kind == PAD || page->dontfork)
			continue;
		log_step(actor, "write page %u of child %d", poke.page, pid);
		ok = pick(&actor->random, 2) ?
		     poke_by_proc(pid, word, own_word(poke.own)) :
		     poke_by_ptrace(pid, word, own_word(poke.own));
		if (ok && write(pipe, &poke, sizeof(poke)) != sizeof(poke))
			fail(actor, "pipe: %m");
	}
}

static void begin_child(struct actor *actor, pid_t parent, int pipe)
{
	size_t length = strlen(actor->name);
	struct poke poke;

	/* Whoever kills a worker means its family. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	snprintf(actor->name + length, sizeof(actor->name) - length, "+%u",
		 actor->step);
	actor->random.state = next_random(&actor->random);
	actor->depth++;
	actor->step = 0;
	memset(actor->children, 0, sizeof(actor->children));
	if (actor->userfault >= 0)
		close(actor->userfault);
	actor->userfault = -1;
	become_child(actor);
	announce(actor->world);
	while (read(pipe, &poke, sizeof(poke)) == sizeof(poke)) {
		actor->pages[poke.page].own = poke.own;
		log_step(actor, "  page %u was written", poke.page);
	}
	close(pipe);
}

__attribute__((noreturn))
static void run_child(struct actor *actor)
{
	unsigned int steps = pick(&actor->random, 25);

	while (steps-- &&
	       !stopping(actor->world))
		do_step(actor);
	switch (pick(&actor->random, 4)) {
	case 0:
		raise(SIGKILL);
		break;
	case 1:
		reap_all(actor);
		execl("/bin/true", "true", NULL);
		break;
	}
	reap_all(actor);
	_exit(0);
}

/** op_fork - a child that does random things, too */
void op_fork(struct actor *actor)
{
	unsigned int child = actor->depth ? 0 : pick(&actor->random, NR_CHILDREN);
	pid_t pid, parent = getpid();
	int pipes[2];

	if (actor->depth == MAX_DEPTH)
		return;
	if (actor->children[child])
		wait_for(actor, child);
	log_step(actor, "fork");
	if (pipe2(pipes, O_CLOEXEC))
		fail(actor, "pipe: %m");
	pid = fork();
	if (pid < 0)
		fail(actor, "fork: %m");
	if (!pid) {
		close(pipes[1]);
		begin_child(actor, parent, pipes[0]);
		run_child(actor);
	}
	close(pipes[0]);
	actor->children[child] = pid;
	poke_child(actor, pid, pipes[1]);
	close(pipes[1]);
}

/** op_spawn - vfork and exec */
void op_spawn(struct actor *actor)
{
	int status;
	pid_t pid;

	log_step(actor, "vfork and exec");
	pid = vfork();
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail(actor, "vfork: %m");
}
