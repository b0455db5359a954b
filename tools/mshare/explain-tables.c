// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page tables that a process has for itself, and what is in them.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explain.h"

#define PAGE		4096UL
#define WINDOW_PAGES	(MSHARE_WINDOW_SIZE / PAGE)
#define USER_END	(1UL << 47)

/* Entries of /proc/PID/pagemap */
#define PRESENT		(1UL << 63)
#define SWAPPED		(1UL << 62)

static void add_user(struct table *table, const char *user)
{
	for (size_t i = 0; i < table->count; i++)
		if (!strcmp(table->users[i], user))
			return;
	table->users = reallocarray(table->users, table->count + 1,
				    sizeof(*table->users));
	if (!table->users)
		err(1, NULL);
	table->users[table->count++] = user;
}

/* Addresses only rise. */
static struct table *table_of(struct tables *tables, uint64_t address)
{
	uint64_t window = address & -MSHARE_WINDOW_SIZE;

	if (tables->count && tables->list[tables->count - 1].address == window)
		return &tables->list[tables->count - 1];
	tables->list = reallocarray(tables->list, tables->count + 1,
				    sizeof(*tables->list));
	if (!tables->list)
		err(1, NULL);
	tables->list[tables->count] = (struct table) { .address = window };
	return &tables->list[tables->count++];
}

/*
 * The data of a split library, and its bss, are not mapped under its name; one
 * mapping can have the data of several.
 */
static const char *user_of(const struct subject *subject,
			   const struct mapping *mapping, uint64_t address)
{
	struct mshare_library library;

	if (subject->sharer && subject_entry(subject, address, &library))
		return library.path;
	return *mapping->path ? mapping->path : "anonymous";
}

static bool is_linked(const struct subject *subject, uint64_t address)
{
	uint64_t window;

	if (!subject->sharer)
		return false;
	window = (address - mshare_region_info(subject->region)->start) /
		 MSHARE_WINDOW_SIZE;
	return window < subject->windows &&
	       (subject->flags[window] & MSHARE_WINDOW_ATTACHED);
}

/* @end: in the same window as @address, or its end */
static int look(const struct subject *subject, int pagemap,
		const struct mapping *mapping, uint64_t address, uint64_t end,
		struct tables *tables)
{
	uint64_t entries[WINDOW_PAGES];
	size_t size = (end - address) / PAGE * sizeof(*entries);
	ssize_t n = pread(pagemap, entries, size,
			  (off_t)(address / PAGE * sizeof(*entries)));

	if (n < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(*entries); i++) {
		struct table *table;

		if (!(entries[i] & (PRESENT | SWAPPED)))
			continue;
		table = table_of(tables, address);
		table->pages++;
		add_user(table, user_of(subject, mapping, address + i * PAGE));
	}
	return 0;
}

static int look_at_mapping(const struct subject *subject, int pagemap,
			   const struct mapping *mapping, struct tables *tables)
{
	uint64_t address = mapping->start, end;
	int result = 0;

	for (; !result && address < mapping->end; address = end) {
		end = (address & -MSHARE_WINDOW_SIZE) + MSHARE_WINDOW_SIZE;
		if (end > mapping->end)
			end = mapping->end;
		if (!is_linked(subject, address))
			result = look(subject, pagemap, mapping, address, end,
				      tables);
	}
	return result;
}

int tables_find(const struct subject *subject, struct tables *tables)
{
	char path[64];
	int pagemap, result = 0;

	*tables = (struct tables) { 0 };
	snprintf(path, sizeof(path), "/proc/%d/pagemap", subject->pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	if (pagemap < 0)
		return -errno;
	/* What nobody may touch is only address space, of any size. */
	for (size_t i = 0; !result && i < subject->count; i++)
		if (strncmp(subject->mappings[i].perms, "---", 3) &&
		    subject->mappings[i].end <= USER_END)
			result = look_at_mapping(subject, pagemap,
						 &subject->mappings[i], tables);
	close(pagemap);
	return result;
}

uint64_t tables_used_by(const struct tables *tables, const char *path)
{
	uint64_t count = 0;

	for (size_t i = 0; i < tables->count; i++)
		for (size_t user = 0; user < tables->list[i].count; user++)
			count += !strcmp(tables->list[i].users[user], path);
	return count;
}

void tables_free(struct tables *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		free(tables->list[i].users);
	free(tables->list);
}
