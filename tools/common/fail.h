/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FAIL_H
#define FAIL_H

/**
 * fail() - end the program with exit status 1
 * @result: a negative errno
 * @format: what it was about, as for printf
 */
__attribute__((noreturn, format(printf, 2, 3)))
void fail(int result, const char *format, ...);

#endif /* FAIL_H */
