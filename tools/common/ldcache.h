/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LDCACHE_H
#define LDCACHE_H

/**
 * for_each_cached() - all libraries for x86-64 in ld.so's cache
 * @use: is called with the path of each; the same file may come twice
 * @arg: what @use is given
 *
 * Ends the program if the cache cannot be read.
 */
void for_each_cached(void (*use)(const char *path, void *arg), void *arg);

#endif /* LDCACHE_H */
