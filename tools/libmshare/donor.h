/* SPDX-License-Identifier: MIT */
#ifndef MSHARE_DONOR_H
#define MSHARE_DONOR_H

#include <stdint.h>

/**
 * mshare_donate() - give an unsealed region a host mm
 * @fd:	   the region, opened for writing
 * @start: the address it shall have
 *
 * Return: 0; fork(2)'s or MSHAREFS_DONATE's negative errno; -EINTR: the helper
 * was killed.
 */
int mshare_donate(int fd, uint64_t start);

#endif /* MSHARE_DONOR_H */
