/* SPDX-License-Identifier: MIT */
/*
 * The system calls the loader makes on a region: no others, sandboxes kill.
 *
 * Each libc's glue supplies them; a test supplies them so that they fail.
 * All return a negative errno on failure.
 */
#ifndef MSHARE_SYS_H
#define MSHARE_SYS_H

#include <stddef.h>
#include <stdint.h>

#include "lookup.h"

/* openat(AT_FDCWD, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) */
int mshare_sys_open(const char *name);

/* fstat */
int mshare_sys_stat(int fd, struct mshare_file *file);

/* pread */
long mshare_sys_read(int fd, void *bytes, size_t size, uint64_t offset);

/* mmap: the address, or a negative errno */
long mshare_sys_map(uint64_t address, uint64_t size, int prot, int flags,
		    int fd, uint64_t offset);

/* munmap */
void mshare_sys_unmap(uint64_t address, uint64_t size);

/* close */
void mshare_sys_close(int fd);

#endif /* MSHARE_SYS_H */
