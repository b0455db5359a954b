/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "disk.h"
#include "machine.h"
#include "report.h"

#define IMAGE	DISK ".img"

void make_disk(void)
{
	if (!system("modprobe -q loop; truncate -s 64M " IMAGE " && "
		    "mkfs.ext4 -q " IMAGE " && mkdir -p " DISK " && "
		    "mount -o loop " IMAGE " " DISK))
		return;
	check(false, "a file system of its own");
	exit(1);
}

void disk_file(const char *name)
{
	char from[64], to[64];

	snprintf(from, sizeof(from), "/var/tmp/mshare-%s", name);
	snprintf(to, sizeof(to), DISK "/%s", name);
	if (symlink(to, from)) {
		check(false, "a link to a file on it");
		exit(1);
	}
}

long disk_free(void)
{
	struct statvfs fs;

	sync();
	if (statvfs(DISK, &fs))
		return -1;
	return fs.f_bfree * (fs.f_bsize / 1024);
}

bool disk_let_go(void)
{
	bool gone = wait_until_umounted(DISK);

	unlink(IMAGE);
	rmdir(DISK);
	return gone;
}
