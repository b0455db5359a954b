/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct progress - a bar on the terminal
 * @total:   bytes to go when it began
 * @done:    bytes done
 * @visible: standard error is a terminal
 */
struct progress {
	uint64_t total;
	uint64_t done;
	bool visible;
};

/**
 * progress_begin() - nothing is done yet
 * @progress: the bar
 * @total:    bytes to do
 */
void progress_begin(struct progress *progress, uint64_t total);

/**
 * progress_add() - some more is done
 * @progress: the bar
 * @bytes:    how much
 */
void progress_add(struct progress *progress, uint64_t bytes);

/**
 * progress_clear() - take the bar away, before a message or at the end
 * @progress: the bar
 */
void progress_clear(const struct progress *progress);

#endif /* PROGRESS_H */
