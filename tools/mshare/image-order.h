/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IMAGE_ORDER_H
#define IMAGE_ORDER_H

#include <stddef.h>

/**
 * order_by_use() - sort libraries so that what is used together lies together
 * @paths:    resolved paths of libraries; reordered
 * @programs: receives for each the path of the only program that loads it,
 *	      free(); NULL: there are more, or none
 * @count:    how many
 *
 * Data gets its place in the order in which images are made, and a process
 * pays a page of page tables for each window of data that it touches.  So what
 * most programs load for each page of its data comes first.  Programs are those
 * below the directories of PROGRAM_DIRECTORIES; what they load is what they and
 * their libraries need (DT_NEEDED).  Among equals, the path decides.
 */
void order_by_use(char **paths, char **programs, size_t count);

#endif /* IMAGE_ORDER_H */
