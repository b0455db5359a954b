/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests of mshare-preload need of the machine.
 */
#ifndef LDMSHARE_TEST_LIVE_H
#define LDMSHARE_TEST_LIVE_H

#include <stdbool.h>
#include <stddef.h>

#define MOUNTPOINT	"/sys/fs/mshare"

/** load_module - insert mshare.ko; ends the test if that cannot be done */
void load_module(void);

/** unload_module - unmount msharefs and remove it, within 10 seconds */
bool unload_module(void);

/**
 * run - run a shell command
 *
 * Returns its exit status, or -1 if a signal ended it.
 */
__attribute__((format(printf, 1, 2)))
int run(const char *format, ...);

/**
 * says - whether a shell command succeeds and prints something
 * @words: what must be in its output
 */
bool says(const char *command, const char *words);

/** page_tables_kb - PageTables of /proc/meminfo */
long page_tables_kb(void);

/**
 * regions - names of all regions that have one, in any order
 * @names: receives them, each behind a blank
 * @size:  bytes at @names
 */
void regions(char *names, size_t size);

#endif /* LDMSHARE_TEST_LIVE_H */
