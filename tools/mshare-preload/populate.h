/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POPULATE_H
#define POPULATE_H

#include <stdint.h>

#include "data-directory.h"
#include "mshare.h"
#include "options.h"
#include "selection.h"

/**
 * struct outcome - a region that is live
 * @generation: its number
 * @kept:	data of older generations that is still used
 */
struct outcome {
	uint64_t generation;
	struct data_kept kept;
};

/**
 * populate() - make the region and make it live
 * @options:	what was asked for
 * @selection:	the libraries in their places; those that cannot be mapped, or
 *		changed meanwhile, are left out
 * @layout:	the region
 * @outcome:	receives what became of it
 *
 * Ends the program if that is not possible; then nothing is left of it.
 */
void populate(const struct options *options, struct selection *selection,
	      const struct mshare_layout *layout, struct outcome *outcome);

#endif /* POPULATE_H */
