/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mshare explain knows of a process; one file for each part of it.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "mshare.h"

#define EXPLANATION_MAX	512

/**
 * struct mapping - one line of /proc/PID/maps
 * @start:   first address
 * @end:     behind the last
 * @perms:   such as "r-xp"
 * @ino:     of its file
 * @deleted: the file has lost its name
 * @path:    of the file, or what else the kernel calls it; "" if nothing
 */
struct mapping {
	uint64_t start;
	uint64_t end;
	char perms[5];
	uint64_t ino;
	bool deleted;
	char *path;
};

/**
 * struct subject - the process that is looked at
 * @pid:      which
 * @mappings: by address
 * @count:    how many
 * @region:   the one it has mapped; if it has none, the live one; or NULL
 * @sharer:   whether it has mapped it
 * @live:     whether it is the live one
 * @born:     when the live region was made, seconds since 1970; 0: none
 * @flags:    MSHARE_WINDOW_* of each window of @region
 * @windows:  how many
 * @index:    of the images
 * @loader:   the mapping of its ld.so; NULL: it has none
 * @nothing:  why it shares nothing at all, if that is known; ""
 */
struct subject {
	int pid;
	struct mapping *mappings;
	size_t count;
	struct mshare_region *region;
	bool sharer;
	bool live;
	double born;
	unsigned char *flags;
	size_t windows;
	struct image_index index;
	const struct mapping *loader;
	char nothing[EXPLANATION_MAX];
};

/**
 * subject_open() - find out what there is to know
 * @subject:	receives it
 * @mountpoint:	where msharefs is
 * @pid:	the process
 *
 * Return: 0; -ESRCH: no such process, or it is a kernel thread or a zombie;
 * -EACCES, -EPERM: only root may ask; another errno of reading /proc.
 */
int subject_open(struct subject *subject, const char *mountpoint, int pid);

/**
 * subject_close() - forget it
 * @subject: of subject_open(), whatever that returned
 */
void subject_close(struct subject *subject);

/**
 * subject_entry() - what the region has in a range of addresses
 * @subject: the process
 * @address: of text, data or pad of a library
 * @library: receives the library
 *
 * Return: whether the region gives that address to one.
 */
bool subject_entry(const struct subject *subject, uint64_t address,
		   struct mshare_library *library);

/**
 * explain_nothing() - why a process shares nothing, whatever it loads
 * @subject: the process, complete but for that
 *
 * Sets its loader, too.
 */
void explain_nothing(struct subject *subject);

/**
 * explain_shared() - what there is to say of a library that is shared
 * @subject: the process
 * @library: the library, in the region
 * @private: windows of it that the process has page tables of its own for
 * @why:     receives it: at most EXPLANATION_MAX bytes
 */
void explain_shared(const struct subject *subject,
		    const struct mshare_library *library, uint64_t private,
		    char *why);

/**
 * explain_stock() - why a library is used as on a stock system
 * @subject: the process
 * @mapping: the library's first executable mapping
 * @why:     receives it: at most EXPLANATION_MAX bytes; "" where it is the
 *	     same for all, @subject->nothing
 */
void explain_stock(const struct subject *subject, const struct mapping *mapping,
		   char *why);

/**
 * struct table - a page of page-table entries that a process has for itself
 * @address: of the window it maps
 * @pages:   entries of it that are in use
 * @users:   what these are pages of: paths, or what the kernel calls it
 * @count:   how many
 */
struct table {
	uint64_t address;
	uint64_t pages;
	const char **users;
	size_t count;
};

/**
 * struct tables - all of a process
 * @list:  by address
 * @count: how many
 */
struct tables {
	struct table *list;
	size_t count;
};

/**
 * tables_find() - the page tables that a process has for itself
 * @subject: the process; the tables refer to it
 * @tables:  receives them; tables_free() in any case
 *
 * Tables without an entry in use, and those above them, are not among them.
 *
 * Return: 0; a negative errno of reading /proc/PID/pagemap.
 */
int tables_find(const struct subject *subject, struct tables *tables);

/**
 * tables_used_by() - how many have pages of a library
 * @tables: the tables
 * @path:   the library's
 */
uint64_t tables_used_by(const struct tables *tables, const char *path);

/**
 * tables_free() - forget them
 * @tables: of tables_find()
 */
void tables_free(struct tables *tables);

#endif /* EXPLAIN_H */
