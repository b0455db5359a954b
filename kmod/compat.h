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

#if LINUX_VERSION_MAJOR != 6 || LINUX_VERSION_PATCHLEVEL != 12
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

/*
 * What backing_file_open() takes to name the user's file moved within 6.12.y,
 * from its path to the file itself.  The compiler sees which it is, wherever
 * the module is built, and stops if it is neither.
 */
#define MSHARE_BACKING_BY_PATH						\
	__same_type(backing_file_open,					\
		    struct file *(const struct path *, int,		\
				  const struct path *, const struct cred *))

static inline struct file *mshare_backing_file_open(struct file *user, int flags,
						    const struct path *real,
						    const struct cred *cred)
{
	return backing_file_open(__builtin_choose_expr(MSHARE_BACKING_BY_PATH,
						       &user->f_path, user),
				 flags, real, cred);
}

#endif /* MSHARE_COMPAT_H */
