/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a test program reports: one line for each thing it has checked, which
 * lib/ldmshare.exp relays to DejaGnu.
 *
 *	check(fd >= 0, "the region can be opened");
 *	check_eq(read(fd, buf, 8), 8, "its head can be read");
 *	return report_status();
 *
 * The exit status must agree with the lines: 0 if nothing failed, 1 if
 * something did, 77 if all was unsupported.  A program that prints nothing,
 * crashes or hangs has failed.
 *
 * With LDMSHARE_STOP in its environment it ends at the first failure: what
 * comes after that could do harm (kmod/inject).
 */
#ifndef LDMSHARE_TEST_REPORT_H
#define LDMSHARE_TEST_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct report {
	int passed;
	int failed;
};

/* One for the program, whichever of its files report. */
__attribute__((weak)) struct report report;

/* One line at once: it must not mix with another process's. */
static inline void report_line(const char *result, const char *fmt, va_list ap)
{
	char what[512];

	vsnprintf(what, sizeof(what), fmt, ap);
	printf("%s: %s\n", result, what);
	fflush(stdout);
}

/**
 * check - report whether @ok, and return it
 * @ok:		what must be true
 * @fmt:	what that shows: the same words on every run
 */
__attribute__((format(printf, 2, 3)))
static inline bool check(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok)
		report.passed++;
	else
		report.failed++;

	va_start(ap, fmt);
	report_line(ok ? "PASS" : "FAIL", fmt, ap);
	va_end(ap);
	if (!ok && getenv("LDMSHARE_STOP"))
		_exit(1);
	return ok;
}

/**
 * check_eq - like check(), and show both values if they differ
 * @got:	what was measured
 * @want:	what it must be
 * @fmt:	what that shows
 */
#define check_eq(got, want, ...) ({					\
	long long got_ = (long long)(got), want_ = (long long)(want);	\
	if (got_ != want_)						\
		printf("%s:%d: " #got " is %lld (%#llx), not %lld (%#llx)\n", \
		       __FILE__, __LINE__, got_, got_, want_, want_);	\
	check(got_ == want_, __VA_ARGS__);				\
})

/**
 * unsupported - report that something cannot be tested here
 * @fmt:	what, and why not
 */
__attribute__((format(printf, 1, 2)))
static inline void unsupported(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_line("UNSUPPORTED", fmt, ap);
	va_end(ap);
}

/** report_status - the exit status that agrees with what was reported */
static inline int report_status(void)
{
	if (report.failed)
		return 1;
	return report.passed ? 0 : 77;
}

/**
 * in_child - run a function in a forked child that reports on its own
 * @fn:		returns the child's exit status: report_status(), say
 * @arg:	what it is given
 *
 * Returns that status, 128 + the signal that killed it, or -1.
 */
static inline int in_child(int (*fn)(const void *arg), const void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		report = (struct report){ 0 };
		_exit(fn(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif /* LDMSHARE_TEST_REPORT_H */
