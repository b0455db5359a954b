/* SPDX-License-Identifier: GPL-2.0 */
/*
 * /dev/mshare_test_notifier: a secondary MMU, as KVM is one, that remembers one
 * page of its process without holding it, and counts what it is told.
 */
#ifndef MSHARE_TEST_NOTIFIER_H
#define MSHARE_TEST_NOTIFIER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define NOTIFIER_DEVICE	"/dev/mshare_test_notifier"

/* How it listens to the process */
enum notifier_kind {
	NOTIFIER_RANGE,		/* mmu_notifier, as KVM */
	NOTIFIER_FLUSH,		/* mmu_notifier, as an IOMMU for SVA */
	NOTIFIER_INTERVAL,	/* mmu_interval_notifier, as HMM and RDMA ODP */
};

/**
 * struct notifier_register - listen to the caller's mm, once for each open
 * @kind:	enum notifier_kind
 * @reserved:	0
 * @start:	of the range to listen to (NOTIFIER_INTERVAL)
 * @size:	its size
 */
struct notifier_register {
	__u32 kind;
	__u32 reserved;
	__u64 start;
	__u64 size;
};

/**
 * struct notifier_stat - what became of the page
 * @told:	times an invalidation covered its address
 * @freed:	it had been given to somebody else, or to nobody, when told
 * @lost:	it is so now, and it was never told
 */
struct notifier_stat {
	__u64 told;
	__u64 freed;
	__u64 lost;
};

#define NOTIFIER_REGISTER	_IOW('n', 0, struct notifier_register)
/* Remember the page at an address of the caller. */
#define NOTIFIER_KEEP		_IOW('n', 1, __u64)
#define NOTIFIER_STAT		_IOR('n', 2, struct notifier_stat)

#endif /* MSHARE_TEST_NOTIFIER_H */
