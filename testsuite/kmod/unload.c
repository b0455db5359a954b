/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module stays as long as anything of it is in use, with or without its
 * file system, and goes then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"
#include "region.h"
#include "report.h"

static int unload(void)
{
	return syscall(SYS_delete_module, "mshare", O_NONBLOCK) ? errno : 0;
}

/* What a region held goes in the background. */
static bool is_unloaded(const void *unused)
{
	return !unused && !unload();
}

static int read_text(const void *arg)
{
	const struct test_region *region = arg;

	return verify((char *)REGION_START + TEXT_OFFSET, region) ? 0 : 1;
}

static void with_text(void)
{
	struct test_region region;
	char *text;

	make_region(&region, "unload", 2, MAP_POPULATE);
	check_eq(unload(), EWOULDBLOCK, "mounted, the module stays");
	text = map_text(&region, NULL);
	check(verify(text, &region), "a text is mapped");
	drop_region(&region);
	check_eq(umount(MOUNTPOINT), 0, "the file system can go before it");
	check_eq(unload(), EWOULDBLOCK, "the module cannot");
	check(verify(text, &region), "the text is read on");
	check_eq(in_child(read_text, &region), 0, "by a child, too");
	munmap(text, region.size);
	check(eventually(is_unloaded, NULL), "without text the module goes");
}

static void with_pad(void)
{
	struct test_region region;
	char *pad;

	make_region(&region, "unload", 2, MAP_POPULATE);
	pad = mmap(NULL, WINDOW, PROT_NONE, MAP_PRIVATE, region.fd, WINDOW);
	check(pad != MAP_FAILED, "a pad is mapped");
	drop_region(&region);
	check(umount(MOUNTPOINT) && errno == EBUSY, "the file system stays");
	check_eq(umount2(MOUNTPOINT, MNT_DETACH), 0, "or is detached");
	check_eq(unload(), EWOULDBLOCK, "the module stays");
	munmap(pad, WINDOW);
	check(eventually(is_unloaded, NULL), "without the pad the module goes");
}

static void with_descriptor(void)
{
	int fd = open(MOUNTPOINT "/.unload", O_RDWR | O_CREAT, 0444);

	check_eq(umount2(MOUNTPOINT, MNT_DETACH), 0, "detached with an open region");
	check_eq(unload(), EWOULDBLOCK, "the module stays");
	check_eq(ftruncate(fd, WINDOW), 0, "the region works");
	check_eq(donate(fd, REGION_START), 0, "and gets a host");
	close(fd);
	check(eventually(is_unloaded, NULL), "closed, the module goes");
}

int main(void)
{
	setup_module();
	with_text();
	setup_module();
	with_pad();
	setup_module();
	with_descriptor();
	setup_module();
	teardown_module();
	return report_status();
}
