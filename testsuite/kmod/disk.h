/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file system of its own, ext4 in a file, for what a region must let go of.
 */
#ifndef LDMSHARE_TEST_DISK_H
#define LDMSHARE_TEST_DISK_H

#include <stdbool.h>

#define DISK	"/var/tmp/mshare-disk"

/** make_disk - mount one at DISK; ends the test, as failed, if it cannot */
void make_disk(void);

/** disk_file - a file on it for make_region(..., @name, ...) */
void disk_file(const char *name);

/** disk_free - KiB free */
long disk_free(void);

/**
 * disk_let_go - unmount it, trying for some time: a region lets go in the
 * background
 *
 * Its image is removed, too.
 */
bool disk_let_go(void);

#endif /* LDMSHARE_TEST_DISK_H */
