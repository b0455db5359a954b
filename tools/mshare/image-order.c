// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In which order images are made, and their data placed.
 *
 * A program that has all its data in the first window saves a page table by
 * that, one that lacks a single library saves nothing.  So the order is made
 * from its end: again and again that library is put last which can best be
 * spared, and the programs that load it do not count any more, so that what
 * only they load is next to go.
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "image-order.h"

/**
 * struct order - the order while it is made
 * @users:  libraries and programs
 * @demand: of each library: weights of the programs that load it, and nothing
 *	    that has been put last
 * @lost:   of each program: whether it loads something that has
 */
struct order {
	const struct users *users;
	uint64_t *demand;
	bool *lost;
};

static uint64_t weight(const struct users *users,
		       const struct using_program *program)
{
	return program->first ? users->nprograms : 1;
}

static uint64_t *demand_for(const struct order *order,
			    const struct used_library *library)
{
	return &order->demand[library - order->users->libraries];
}

/*
 * Whether @one can be spared rather than @other.  By demand for each page large
 * libraries of many programs would be spared for small ones of few: of its
 * powers from 1 to 3, 2 left fewest windows to the programs of a Debian.  What
 * nobody demands any more is in the order of its use.
 */
static bool is_less(const struct order *order, const struct used_library *one,
		    const struct used_library *other)
{
	uint64_t first = *demand_for(order, one), second;

	second = *demand_for(order, other);
	first *= first * other->pages;
	second *= second * one->pages;
	if (first == second) {
		first = one->users * other->pages;
		second = other->users * one->pages;
	}
	if (first == second)
		return strcmp(one->path, other->path) > 0;
	return first < second;
}

static size_t find_least(const struct order *order,
			 struct used_library *const *libraries, size_t count)
{
	size_t least = 0;

	for (size_t i = 1; i < count; i++)
		if (is_less(order, libraries[i], libraries[least]))
			least = i;
	return least;
}

static void lose_programs(struct order *order,
			  const struct used_library *library)
{
	const struct users *users = order->users;

	for (size_t i = 0; i < users->nprograms; i++) {
		const struct using_program *program = &users->programs[i];

		if (order->lost[i] || !program_loads(program, library))
			continue;
		order->lost[i] = true;
		for (size_t l = 0; l < program->count; l++)
			*demand_for(order, program->libraries[l]) -=
				weight(users, program);
	}
}

static void begin(struct order *order, const struct users *users)
{
	*order = (struct order) {
		.users = users,
		.demand = calloc(users->count + 1, sizeof(*order->demand)),
		.lost = calloc(users->nprograms + 1, sizeof(*order->lost)),
	};
	if (!order->demand || !order->lost)
		err(1, NULL);
	for (size_t i = 0; i < users->nprograms; i++) {
		const struct using_program *program = &users->programs[i];

		for (size_t l = 0; l < program->count; l++)
			*demand_for(order, program->libraries[l]) +=
				weight(users, program);
	}
}

struct used_library **order_by_use(const struct users *users)
{
	struct used_library **libraries = calloc(users->count + 1,
						 sizeof(*libraries));
	struct order order;

	if (!libraries)
		err(1, NULL);
	for (size_t i = 0; i < users->count; i++)
		libraries[i] = &users->libraries[i];
	begin(&order, users);
	for (size_t left = users->count; left; left--) {
		size_t least = find_least(&order, libraries, left);
		struct used_library *library = libraries[least];

		libraries[least] = libraries[left - 1];
		libraries[left - 1] = library;
		lose_programs(&order, library);
	}
	free(order.demand);
	free(order.lost);
	return libraries;
}
