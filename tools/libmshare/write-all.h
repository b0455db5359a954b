/* SPDX-License-Identifier: MIT */
#ifndef WRITE_ALL_H
#define WRITE_ALL_H

#include <stddef.h>
#include <stdint.h>

/**
 * write_all() - pwrite(2) until all is written
 * @fd:	    a file
 * @bytes:  what to write
 * @size:   how much
 * @offset: where
 *
 * Return: 0; pwrite's errno; -EIO: it writes nothing.
 */
int write_all(int fd, const void *bytes, size_t size, uint64_t offset);

#endif /* WRITE_ALL_H */
