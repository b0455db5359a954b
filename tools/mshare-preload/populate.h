/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POPULATE_H
#define POPULATE_H

#include <stdint.h>

#include "mshare.h"
#include "options.h"
#include "selection.h"

/**
 * populate() - make the region and make it live
 * @options:	what was asked for
 * @selection:	the libraries in their places; those that cannot be mapped, or
 *		changed meanwhile, are left out
 * @layout:	the region
 *
 * Ends the program if that is not possible; then nothing is left of it.
 *
 * Return: the region's generation.
 */
uint64_t populate(const struct options *options, struct selection *selection,
		  const struct mshare_layout *layout);

#endif /* POPULATE_H */
