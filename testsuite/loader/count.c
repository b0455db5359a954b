/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Count what a program executes in user space, one step at a time.
 *
 *	count COMMAND...
 *
 * Prints "instructions N" and "calls N" (system calls), from the first
 * instruction after exec to the end, at fixed addresses so that the numbers
 * are the same on every run.  The command's output goes to /dev/null.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		if (personality(ADDR_NO_RANDOMIZE) < 0 ||
		    ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			err(125, "ptrace");
		execvp(argv[0], argv);
		err(127, "%s", argv[0]);
	}
	return pid;
}

/* Resume with @how until the program ends; how often did it stop? */
static long count_stops(char **argv, enum __ptrace_request how)
{
	pid_t pid = start(argv);
	long stops = 0;
	int status;

	for (;;) {
		if (waitpid(pid, &status, 0) != pid)
			err(1, "waitpid");
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) != SIGTRAP)
			errx(1, "stopped by signal %d", WSTOPSIG(status));
		if (ptrace(how, pid, NULL, NULL))
			err(1, "ptrace");
		stops++;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		errx(1, "%s failed", argv[0]);
	return stops;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: count COMMAND...");
	printf("instructions %ld\n", count_stops(argv + 1, PTRACE_SINGLESTEP));
	/* Each call stops twice; the last, exit_group, once. */
	printf("calls %ld\n", count_stops(argv + 1, PTRACE_SYSCALL) / 2);
	return 0;
}
