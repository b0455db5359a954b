/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns that are as wide as what is in them. */
#ifndef TABLE_H
#define TABLE_H

struct table;

/**
 * table_new() - begin a table
 * @headings: one string for each column, ended by NULL; a leading '<' is not
 *	      printed and aligns the column to the left, others go right
 *
 * Ends the program if there is no memory, as all of these do.
 */
struct table *table_new(const char *const *headings);

/**
 * table_cell() - fill the next cell, row by row
 * @table: the table
 * @format: as for printf
 */
__attribute__((format(printf, 2, 3)))
void table_cell(struct table *table, const char *format, ...);

/**
 * table_print() - write it to standard output and forget it
 * @table: the table
 */
void table_print(struct table *table);

#endif /* TABLE_H */
