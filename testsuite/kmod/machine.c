/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "machine.h"
#include "report.h"

#define CGROUPS		"/sys/fs/cgroup"
#define SWAP_FILE	"/var/tmp/mshare-swap"

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	check(false, "%s: %s", what, strerror(errno));
	exit(1);
}

bool write_value(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;
	int err;

	if (fd < 0)
		return false;
	ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	err = errno;
	close(fd);
	errno = err;
	return ok;
}

long read_value(const char *path, const char *word)
{
	char text[4096] = "", *at;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	at = strstr(text, word);
	return at ? strtol(at + strlen(word), NULL, 10) : -1;
}

bool eventually(bool (*fn)(const void *arg), const void *arg)
{
	for (int tries = 0; tries < 200; tries++) {
		if (fn(arg))
			return true;
		usleep(50000);
	}
	return false;
}

static bool is_umounted(const void *dir)
{
	return !umount(dir);
}

bool wait_until_umounted(const char *dir)
{
	return eventually(is_umounted, dir);
}

struct unserved unserved_page(void)
{
	/* Blocking, it cannot be polled. */
	struct unserved unserved = {
		.uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK),
		.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	};
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)unserved.page, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	need(unserved.uffd >= 0, "userfaultfd");
	need(!ioctl(unserved.uffd, UFFDIO_API, &api), "UFFDIO_API");
	need(!ioctl(unserved.uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
	return unserved;
}

const char *cgroup(const char *name, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), CGROUPS "/%s/%s", name, file);
	return path;
}

void make_cgroup(const char *name, const char *max, const char *swap_max)
{
	need(write_value(CGROUPS "/cgroup.subtree_control", "+memory"),
	     "memory cgroups");
	need(!mkdir(cgroup(name, ""), 0755), "mkdir of a cgroup");
	need(write_value(cgroup(name, "memory.max"), max), "memory.max");
	need(write_value(cgroup(name, "memory.swap.max"), swap_max),
	     "memory.swap.max");
}

void enter_cgroup(const char *name)
{
	need(write_value(cgroup(name, "cgroup.procs"), "0"), "cgroup.procs");
}

static bool is_removed(const void *name)
{
	return !rmdir(cgroup(name, ""));
}

void remove_cgroup(const char *name)
{
	need(eventually(is_removed, name), "rmdir of a cgroup");
}

void swap_on(unsigned int mib)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "fallocate -l %uM " SWAP_FILE " && chmod 600 " SWAP_FILE
		 " && mkswap " SWAP_FILE " >/dev/null", mib);
	need(!system(command), "a swap file");
	need(!swapon(SWAP_FILE, 0), "swapon");
}

int swap_off(void)
{
	int ret = swapoff(SWAP_FILE);

	unlink(SWAP_FILE);
	return ret;
}
