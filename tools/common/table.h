/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same output for people: columns as wide as what is in them. */
#ifndef TABLE_H
#define TABLE_H

#include <json-c/json.h>

enum column_kind {
	COLUMN_TEXT,		/* to the left; all others to the right */
	COLUMN_NUMBER,
	COLUMN_SIZE,		/* bytes, shown as "1.7 MiB" */
	COLUMN_ADDRESS,
	COLUMN_FRACTION,
};

/**
 * struct column - one column of a table
 * @heading: what stands above it; NULL ends an array of columns
 * @key:     the member of each row's object that stands in it
 * @kind:    how
 */
struct column {
	const char *heading;
	const char *key;
	enum column_kind kind;
};

/**
 * table_print() - write an array of objects to standard output, one a line
 * @rows:    the array
 * @columns: which members, in which order
 */
void table_print(struct json_object *rows, const struct column *columns);

#endif /* TABLE_H */
