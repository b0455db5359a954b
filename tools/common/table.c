// SPDX-License-Identifier: GPL-2.0-or-later
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

struct table {
	const char *const *headings;
	size_t columns;
	char **cells;
	size_t count;
};

struct table *table_new(const char *const *headings)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		err(1, NULL);
	table->headings = headings;
	while (headings[table->columns])
		table->columns++;
	return table;
}

void table_cell(struct table *table, const char *format, ...)
{
	va_list args;
	char **cells = reallocarray(table->cells, table->count + 1,
				    sizeof(*cells));

	if (!cells)
		err(1, NULL);
	table->cells = cells;
	va_start(args, format);
	if (vasprintf(&cells[table->count++], format, args) < 0)
		err(1, NULL);
	va_end(args);
}

static const char *heading(const struct table *table, size_t column)
{
	const char *text = table->headings[column];

	return text + (*text == '<');
}

static int width(const struct table *table, size_t column)
{
	size_t widest = strlen(heading(table, column));

	for (size_t i = column; i < table->count; i += table->columns)
		if (strlen(table->cells[i]) > widest)
			widest = strlen(table->cells[i]);
	return (int)widest;
}

static void print_cell(const struct table *table, size_t column,
		       const int *widths, const char *text)
{
	int left = *table->headings[column] == '<';
	int last = column + 1 == table->columns;

	if (left && last)
		printf("%s\n", text);
	else
		printf("%*s%s", left ? -widths[column] : widths[column], text,
		       last ? "\n" : "  ");
}

void table_print(struct table *table)
{
	int *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		err(1, NULL);
	for (size_t i = 0; i < table->columns; i++)
		widths[i] = width(table, i);
	for (size_t i = 0; i < table->columns; i++)
		print_cell(table, i, widths, heading(table, i));
	for (size_t i = 0; i < table->count; i++) {
		print_cell(table, i % table->columns, widths, table->cells[i]);
		free(table->cells[i]);
	}
	free(widths);
	free(table->cells);
	free(table);
}
