// SPDX-License-Identifier: GPL-2.0
/*
 * Module entry and exit.
 */
#define pr_fmt(fmt) "mshare: " fmt

#include <linux/module.h>

#include "compat.h"
#include "mshare.h"

static int __init mshare_init(void)
{
	int ret;

	/* Xen PV must see every page-table change through its own calls. */
	if (cpu_feature_enabled(X86_FEATURE_XENPV)) {
		pr_err("not on Xen PV: page tables cannot be shared there\n");
		return -ENODEV;
	}

	ret = mshare_foreign_init();
	if (ret)
		return ret;
	ret = mshare_region_init();
	if (ret)
		return ret;
	ret = mshare_hold_init();
	if (ret)
		goto err_region;
	ret = mshare_worker_init();
	if (ret)
		goto err_hold;
	ret = mshare_fs_init();
	if (ret)
		goto err_worker;
	return 0;

err_worker:
	mshare_worker_exit();
err_hold:
	mshare_hold_exit();
err_region:
	mshare_region_exit();
	return ret;
}

/* No file system, file or library is left: each of them holds the module. */
static void __exit mshare_exit(void)
{
	mshare_fs_exit();
	mshare_hold_exit();
	mshare_region_exit();
	mshare_worker_exit();
}

module_init(mshare_init);
module_exit(mshare_exit);
MODULE_DESCRIPTION("Shared page tables for regions of libraries (msharefs)");
MODULE_LICENSE("GPL");
MODULE_ALIAS_FS("msharefs");
