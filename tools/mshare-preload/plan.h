/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PLAN_H
#define PLAN_H

#include <stdint.h>

#include "mshare.h"
#include "options.h"
#include "populate.h"
#include "selection.h"

/**
 * plan_layout() - give the selected libraries their places
 * @options:	what was asked for
 * @selection:	the libraries; their places are filled in
 * @layout:	receives the region's address and size
 *
 * Ends the program if they do not fit.
 */
void plan_layout(const struct options *options, struct selection *selection,
		 struct mshare_layout *layout);

/**
 * print_plan() - show it as a table or as JSON
 * @options:	what was asked for
 * @selection:	the libraries in their places
 * @layout:	the region
 * @outcome:	what became of it; all 0 if it is not live
 */
void print_plan(const struct options *options,
		const struct selection *selection,
		const struct mshare_layout *layout,
		const struct outcome *outcome);

#endif /* PLAN_H */
