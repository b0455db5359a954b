/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was measured, next to what it is measured against. */
#ifndef FIGURES_H
#define FIGURES_H

#include <json-c/json.h>

#include "subject.h"

#define NO_STOCK	(-1.0)	/* nothing on a stock system does this */
#define NO_AIM		0.0

/**
 * figures_add() - one more figure
 * @figures:	array of objects
 * @name:	what it is
 * @unit:	"instructions" or "bytes"
 * @value:	by enum side; NO_STOCK: only ours
 * @aim:	at most this many percent of stock, or, with NO_STOCK, this
 *		value; NO_AIM: none is set
 */
void figures_add(struct json_object *figures, const char *name,
		 const char *unit, const double value[SIDES], double aim);

/** figures_print() - as a table */
void figures_print(struct json_object *figures);

/**
 * struct effort - how much to do
 * @repeats:	samples of each
 * @vmas:	numbers of VMAs, ends with 0
 * @sharers:	numbers of sharers, ends with 0
 * @mappings:	how many are measured for their memory
 * @idle:	path of a program that exits at once
 */
struct effort {
	unsigned int repeats;
	unsigned int vmas[4];
	unsigned int sharers[4];
	unsigned int mappings;
	const char *idle;
};

/* Each measures one kind of thing. */
void measure_faults(struct json_object *figures, const struct effort *effort);
void measure_own_memory(struct json_object *figures, const struct effort *effort);
void measure_processes(struct json_object *figures, const struct effort *effort);
void measure_invalidation(struct json_object *figures,
			  const struct effort *effort);
void measure_memory(struct json_object *figures, const struct effort *effort);

#endif /* FIGURES_H */
