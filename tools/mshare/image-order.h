/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IMAGE_ORDER_H
#define IMAGE_ORDER_H

#include "image-users.h"

/**
 * order_by_use() - sort libraries so that what is used together lies together
 * @users: libraries, and what loads them
 *
 * Data gets its place in the order in which images are made, and a process
 * pays a page of page tables for each window of data that it touches.  So those
 * libraries come first with which most programs have all that they need.  A
 * program that was named counts as much as all that were not.
 *
 * Return: the libraries of @users in their order; free().
 */
struct used_library **order_by_use(const struct users *users);

#endif /* IMAGE_ORDER_H */
