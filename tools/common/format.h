/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers for people. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct size_text - a size in words
 * @text: such as "1.7 MiB"
 */
struct size_text {
	char text[32];
};

/**
 * format_size() - bytes for people
 * @bytes: how many
 */
struct size_text format_size(uint64_t bytes);

/**
 * parse_size() - the reverse: digits with an optional K, M or G
 * @text:  what was typed
 * @bytes: receives the size
 *
 * Return: 0; -1 if it is no size.
 */
int parse_size(const char *text, uint64_t *bytes);

#endif /* FORMAT_H */
