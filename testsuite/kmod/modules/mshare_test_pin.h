/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/mshare_test_pin: a driver that pins pages of its process for as long as
 * the descriptor is open, as RDMA and VFIO do, and reads them.
 */
#ifndef MSHARE_TEST_PIN_H
#define MSHARE_TEST_PIN_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PIN_DEVICE	"/dev/mshare_test_pin"
#define PIN_MAX		64

/**
 * struct pin_range - pin pages of the caller, once for each open
 * @addr:	page-aligned
 * @pages:	PIN_MAX at most; all are pinned or none
 * @longterm:	FOLL_LONGTERM
 */
struct pin_range {
	__u64 addr;
	__u32 pages;
	__u32 longterm;
};

/**
 * struct pin_read - what is in a pinned page
 * @buffer:	gets the page's 4096 bytes
 * @page:	which, counted from 0
 * @reserved:	0
 */
struct pin_read {
	__u64 buffer;
	__u32 page;
	__u32 reserved;
};

#define PIN_PAGES	_IOW('p', 0, struct pin_range)
#define PIN_READ	_IOW('p', 1, struct pin_read)

#endif /* MSHARE_TEST_PIN_H */
