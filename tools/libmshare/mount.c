// SPDX-License-Identifier: MIT
/*
 * Where msharefs is.
 */
#include <errno.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "mshare.h"

bool mshare_is_mounted(const char *mountpoint)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char *directory = realpath(mountpoint, NULL);
	struct mntent *entry;
	bool found = false;

	/* To the end: of several mounts on one directory, the last counts. */
	while (mounts && directory && (entry = getmntent(mounts)))
		if (!strcmp(entry->mnt_dir, directory))
			found = !strcmp(entry->mnt_type, "msharefs");
	free(directory);
	if (mounts)
		endmntent(mounts);
	return found;
}

int mshare_mount(const char *mountpoint)
{
	if (mshare_is_mounted(mountpoint))
		return 0;
	/* Not MS_NOEXEC: ld.so maps text from here with PROT_EXEC. */
	if (mount("msharefs", mountpoint, "msharefs", MS_NOSUID | MS_NODEV,
		  NULL))
		return -errno;
	return 0;
}
