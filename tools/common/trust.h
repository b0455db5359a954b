/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TRUST_H
#define TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/**
 * is_public() - whether everybody may be given a file's text
 * @fd:		the file
 * @file:	its fstat
 * @given:	the path it was found by
 * @path:	the same, resolved
 * @why:	receives the reason if not
 * @why_size:	bytes at @why
 */
bool is_public(int fd, const struct stat *file, const char *given,
	       const char *path, char *why, size_t why_size);

/**
 * is_trusted() - the same of a file that may be written in place
 * @fd:		the library
 * @file:	its fstat
 * @given:	the path it was found by
 * @path:	the same, resolved
 * @why:	receives the reason if not
 * @why_size:	bytes at @why
 *
 * Its ctime must be old enough to tell the next change.
 */
bool is_trusted(int fd, const struct stat *file, const char *given,
		const char *path, char *why, size_t why_size);

#endif /* TRUST_H */
