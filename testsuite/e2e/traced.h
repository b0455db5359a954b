/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command that stops at the beginning and the end of each of its system
 * calls, to be killed or overtaken there.
 */
#ifndef LDMSHARE_TEST_TRACED_H
#define LDMSHARE_TEST_TRACED_H

#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include <linux/ptrace.h>

/**
 * trace_start - run a command until it has begun
 * @argv: the command; its output is thrown away
 *
 * Returns its process, which dies with this one.
 */
pid_t trace_start(char *const argv[]);

/**
 * trace_next - let it go on to the beginning or the end of a system call
 * @pid:  the process
 * @info: receives what it is about; may be NULL
 *
 * Returns false when it has ended.
 */
bool trace_next(pid_t pid, struct ptrace_syscall_info *info);

/**
 * trace_kill - kill it, and wait until it and its children have gone
 * @pid: the process, in whatever state
 */
void trace_kill(pid_t pid);

/**
 * trace_finish - let it go on to its end
 * @pid: the process
 *
 * Returns its exit status, or -1 if a signal ended it.
 */
int trace_finish(pid_t pid);

#endif /* LDMSHARE_TEST_TRACED_H */
