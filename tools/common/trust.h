/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRUST_H
#define TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/**
 * is_trusted() - whether everybody may be given this library's text
 * @fd:		the library
 * @file:	its fstat
 * @given:	the path it was found by
 * @path:	the same, resolved
 * @why:	receives the reason if not
 * @why_size:	bytes at @why
 */
bool is_trusted(int fd, const struct stat *file, const char *given,
		const char *path, char *why, size_t why_size);

#endif /* TRUST_H */
