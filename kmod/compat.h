/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Everything that differs between the kernels this module accepts: 6.12.y.
 *
 * Before 6.5 pte_offset_map_lock() does not recheck the PMD, so that a walker
 * could go on in a table that was detached under it; kernels after 6.12 have
 * not passed the test suite.
 */
#ifndef MSHARE_COMPAT_H
#define MSHARE_COMPAT_H

#include <linux/backing-file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0) || \
	LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#error "mshare is for Linux 6.12.y: no other kernel has passed its tests"
#endif

#ifndef CONFIG_X86_64
#error "mshare is for x86-64"
#endif

#ifndef CONFIG_MMU_NOTIFIER
#error "mshare needs CONFIG_MMU_NOTIFIER"
#endif

/*
 * A linked page of PTEs is walked through many mms: its lock must be its own,
 * not the mm's.
 */
#ifndef CONFIG_SPLIT_PTE_PTLOCKS
#error "mshare needs split page-table locks (CONFIG_NR_CPUS >= 4)"
#endif

static inline struct file *mshare_backing_file_open(struct file *user, int flags,
						    const struct path *real,
						    const struct cred *cred)
{
#ifdef MSHARE_BACKING_FILE_TAKES_FILE
	return backing_file_open(user, flags, real, cred);
#else
	return backing_file_open(&user->f_path, flags, real, cred);
#endif
}

#endif /* MSHARE_COMPAT_H */
