/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CANDIDATES_H
#define CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/**
 * struct candidate - a path that may be a library worth sharing
 * @path:  as it was found
 * @named: by the user: if it is left out, say why, whatever the reason
 */
struct candidate {
	char *path;
	bool named;
};

struct candidates {
	struct candidate *list;
	size_t count;
};

/**
 * find_candidates() - collect all paths the options ask for
 * @options:	what was asked for
 * @candidates:	receives them; paths may name a file twice
 *
 * Ends the program if a list cannot be read.
 */
void find_candidates(const struct options *options,
		     struct candidates *candidates);

/**
 * free_candidates() - forget them
 * @candidates: from find_candidates()
 */
void free_candidates(struct candidates *candidates);

#endif /* CANDIDATES_H */
