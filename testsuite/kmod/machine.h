/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests ask of the machine: settings, memory cgroups, swap.
 */
#ifndef LDMSHARE_TEST_MACHINE_H
#define LDMSHARE_TEST_MACHINE_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * write_value - write a string to a file of /proc, /sys or a cgroup
 *
 * Returns false with errno set.
 */
bool write_value(const char *path, const char *value);

/** read_value - the first number in such a file after a word, -1 if none */
long read_value(const char *path, const char *word);

/**
 * wait_until_umounted - unmount what is in use for a moment longer
 *
 * Returns false if it still is after some seconds.
 */
bool wait_until_umounted(const char *dir);

/**
 * struct unserved - memory that is never there
 * @uffd:	readable when somebody waits for it; closed, it is served
 * @page:	a page: whoever touches it waits
 */
struct unserved {
	int uffd;
	char *page;
};

/** unserved_page - make such a page, or end the test, as failed */
struct unserved unserved_page(void);

/** cgroup - the path of a file of a test's cgroup: static storage */
const char *cgroup(const char *name, const char *file);

/**
 * make_cgroup - make a memory cgroup
 * @name:	its name
 * @max:	memory.max, such as "64M"
 * @swap_max:	memory.swap.max
 *
 * Ends the test, as failed, if that cannot be done.
 */
void make_cgroup(const char *name, const char *max, const char *swap_max);

/** enter_cgroup - move this process there; "" is the root */
void enter_cgroup(const char *name);

/** remove_cgroup - once all its processes are gone */
void remove_cgroup(const char *name);

/**
 * swap_on - make a swap file and use it
 * @mib:	its size
 *
 * Ends the test, as failed, if that cannot be done.
 */
void swap_on(unsigned int mib);

/** swap_off - bring everything back, and remove the file; returns swapoff(2)'s */
int swap_off(void);

/**
 * eventually - repeat something that may be too early, for 10 seconds at most
 * @fn:		returns true when it is done
 * @arg:	what it is given
 *
 * Returns whether it was.
 */
bool eventually(bool (*fn)(const void *arg), const void *arg);

#endif /* LDMSHARE_TEST_MACHINE_H */
