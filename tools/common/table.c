// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "table.h"

#define CELL_MAX	32	/* of anything but COLUMN_TEXT */

/* The words of one cell: in @buffer, or the row's own string. */
static const char *cell(struct json_object *row, const struct column *column,
			char *buffer)
{
	struct json_object *value = json_object_object_get(row, column->key);

	switch (column->kind) {
	case COLUMN_TEXT:
		return json_object_get_string(value);
	case COLUMN_NUMBER:
		snprintf(buffer, CELL_MAX, "%" PRIu64,
			 json_object_get_uint64(value));
		break;
	case COLUMN_SIZE:
		snprintf(buffer, CELL_MAX, "%s",
			 format_size(json_object_get_uint64(value)).text);
		break;
	case COLUMN_ADDRESS:
		snprintf(buffer, CELL_MAX, "%#" PRIx64,
			 json_object_get_uint64(value));
		break;
	case COLUMN_FRACTION:
		snprintf(buffer, CELL_MAX, "%.2g",
			 json_object_get_double(value));
		break;
	}
	return buffer;
}

static int width(struct json_object *rows, const struct column *column)
{
	size_t widest = strlen(column->heading);
	char buffer[CELL_MAX];

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		size_t length = strlen(cell(row, column, buffer));

		if (length > widest)
			widest = length;
	}
	return (int)widest;
}

static void print_cell(const struct column *column, int width, const char *text)
{
	int is_last = !column[1].heading;

	if (column->kind != COLUMN_TEXT)
		printf("%*s", width, text);
	else
		printf("%-*s", is_last ? 0 : width, text);
	fputs(is_last ? "\n" : "  ", stdout);
}

void table_print(struct json_object *rows, const struct column *columns)
{
	size_t count = 0;
	char buffer[CELL_MAX];
	int *widths;

	while (columns[count].heading)
		count++;
	widths = calloc(count, sizeof(*widths));
	if (!widths)
		err(1, NULL);
	for (size_t c = 0; c < count; c++) {
		widths[c] = width(rows, &columns[c]);
		print_cell(&columns[c], widths[c], columns[c].heading);
	}
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		for (size_t c = 0; c < count; c++)
			print_cell(&columns[c], widths[c],
				   cell(row, &columns[c], buffer));
	}
	free(widths);
}
