/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region.h"
#include "report.h"

#define MAGIC	0x6c646d7368617265UL

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	check(false, "%s: %s", what, strerror(errno));
	exit(1);
}

#define PARAMETERS	"/sys/module/mshare/parameters/"

void setup_module(void)
{
	bool given = getenv("MSHARE_MODULE");

	need(!system(given ? "insmod $MSHARE_MODULE inject=$MSHARE_FAULTS" :
		     "modprobe mshare"), "load the module");
	need(!mount("msharefs", MOUNTPOINT, "msharefs", 0, NULL),
	     "mount msharefs");
}

void arm_faults(void)
{
	const char *faults = getenv("MSHARE_FAULTS");
	FILE *file;

	if (!faults)
		return;
	file = fopen(PARAMETERS "inject", "w");
	need(file && fputs(faults, file) >= 0 && !fclose(file), "arm faults");
}

long module_count(const char *name)
{
	char path[128];
	long n = 0;
	FILE *file;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	file = fopen(path, "r");
	if (!file)
		return 0;
	need(fscanf(file, "%ld", &n) == 1, path);
	fclose(file);
	return n;
}

/* What a region held goes in the background: wait, but not for ever. */
static bool unload(void)
{
	for (int tries = 0; tries < 100; tries++) {
		if (!system("rmmod mshare 2>/dev/null"))
			return true;
		usleep(100000);
	}
	return false;
}

void teardown_module(void)
{
	check(!umount(MOUNTPOINT), "msharefs can be unmounted");
	check(unload(), "the module can be unloaded");
}

static bool module_command(const char *format, const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), format, name);
	return !system(command);
}

void load_test_module(const char *name)
{
	need(module_command("insmod kmod/modules/$(uname -r)/%s.ko", name), name);
}

void unload_test_module(const char *name)
{
	check(module_command("rmmod %s", name), "%s can be unloaded", name);
}

static void fill(uint64_t *page, uint64_t number)
{
	for (unsigned int i = 0; i < PAGE / 8; i++)
		page[i] = MAGIC ^ (number * 0x9e3779b97f4a7c15UL + i);
	page[0] = MAGIC;
	page[1] = number;
}

void make_file(const char *path, unsigned long pages)
{
	uint64_t page[PAGE / 8];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	need(fd >= 0, path);
	for (unsigned long i = 0; i < pages; i++) {
		fill(page, i);
		need(write(fd, page, PAGE) == (ssize_t)PAGE, path);
	}
	/* Clean pages can be reclaimed. */
	need(!fsync(fd), path);
	close(fd);
}

long page_number(const void *page)
{
	const uint64_t *words = page;
	uint64_t want[PAGE / 8];

	fill(want, words[1]);
	return memcmp(page, want, PAGE) ? -1 : (long)words[1];
}

int donate(int fd, uint64_t start)
{
	struct mshare_donate arg = { .start = start };
	int status;
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (!pid)
		_exit(ioctl(fd, MSHAREFS_DONATE, &arg) ? errno : 0);
	need(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "donor");
	return WEXITSTATUS(status);
}

int create_mapping(int fd, int file, uint64_t region_offset, uint64_t size,
		   uint64_t offset, uint32_t prot, uint32_t extra_flags)
{
	struct mshare_create arg = {
		.region_offset = region_offset, .size = size, .offset = offset,
		.prot = prot, .flags = MAP_SHARED | MAP_FIXED | extra_flags,
		.fd = file,
	};

	return ioctl(fd, MSHAREFS_CREATE_MAPPING, &arg) ? errno : 0;
}

int set_data(int fd, int file, uint64_t region_offset, uint64_t size,
	     uint64_t offset)
{
	struct mshare_data arg = {
		.region_offset = region_offset, .size = size, .offset = offset,
		.fd = file,
	};

	return ioctl(fd, MSHAREFS_SET_DATA, &arg) ? errno : 0;
}

/* Reclaim and others may look at the donor a moment longer. */
static int map_when_ready(int fd, int file, uint64_t region_offset,
			  uint64_t size, uint64_t offset, uint32_t prot,
			  int populate)
{
	int err = EBUSY;

	for (int tries = 0; err == EBUSY && tries < 1000; tries++) {
		if (tries)
			usleep(10000);
		err = create_mapping(fd, file, region_offset, size, offset, prot,
				     populate);
	}
	return err;
}

void make_region(struct test_region *region, const char *name,
		 unsigned int windows, int populate)
{
	char path[64];

	snprintf(path, sizeof(path), "/var/tmp/mshare-%s", name);
	make_file(path, windows * PAGES_PER_WINDOW);
	make_region_of(region, name, path, windows, populate);
}

void make_region_of(struct test_region *region, const char *name,
		    const char *path, unsigned int windows, int populate)
{
	size_t half = windows * WINDOW / 2;
	char temporary[64];
	int fd, file;

	snprintf(region->name, sizeof(region->name), MOUNTPOINT "/%s", name);
	snprintf(region->file, sizeof(region->file), "%s", path);
	snprintf(temporary, sizeof(temporary), MOUNTPOINT "/.%s", name);
	region->windows = windows;
	region->size = windows * WINDOW;

	file = open(region->file, O_RDONLY);
	need(file >= 0, region->file);
	fd = open(temporary, O_RDWR | O_CREAT | O_EXCL, 0444);
	need(fd >= 0, temporary);
	need(!ftruncate(fd, TEXT_OFFSET + region->size), "ftruncate");
	need(!(errno = donate(fd, REGION_START)), "donate");
	need(!(errno = map_when_ready(fd, file, TEXT_OFFSET, half, 0,
				      PROT_READ, populate)), "map r--");
	need(!(errno = map_when_ready(fd, file, TEXT_OFFSET + half,
				      region->size - half, half,
				      PROT_READ | PROT_EXEC, populate)),
	     "map r-x");
	need(pwrite(fd, "catalog", 7, MSHARE_CATALOG_OFFSET) == 7, "catalog");
	need(!ioctl(fd, MSHAREFS_SEAL), "seal");
	need(!rename(temporary, region->name), "rename");
	close(file);
	region->fd = open(region->name, O_RDONLY | O_CLOEXEC);
	need(region->fd >= 0, region->name);
	close(fd);
}

void drop_region(struct test_region *region)
{
	close(region->fd);
	unlink(region->name);
	unlink(region->file);
}

char *map_text(const struct test_region *region, void *at)
{
	void *address = at ? at : (char *)REGION_START + TEXT_OFFSET;

	return mmap(address, region->size, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_FIXED_NOREPLACE, region->fd, TEXT_OFFSET);
}

bool verify(const char *text, const struct test_region *region)
{
	for (unsigned long i = 0; i < region->size / PAGE; i++)
		if (page_number(text + i * PAGE) != (long)i)
			return false;
	return true;
}

struct mshare_stat region_stat(const struct test_region *region)
{
	struct mshare_stat stat = {};

	need(!ioctl(region->fd, MSHAREFS_STAT, &stat), "MSHAREFS_STAT");
	return stat;
}

uint64_t sum_counters(const struct mshare_stat *stat, enum mshare_counter first,
		      enum mshare_counter last)
{
	uint64_t sum = 0;

	for (unsigned int i = first; i <= last; i++)
		sum += stat->counters[i];
	return sum;
}

uint64_t detaches_host(const struct test_region *region)
{
	struct mshare_stat stat = region_stat(region);

	return sum_counters(&stat, MSHARE_DETACHES_HOST_CLEAR,
			    MSHARE_DETACHES_HOST_OTHER);
}

int windows_attached(const struct test_region *region, pid_t pid)
{
	struct mshare_process_stat stat = { .pid = pid };

	need(!ioctl(region->fd, MSHAREFS_PROCESS_STAT, &stat),
	     "MSHAREFS_PROCESS_STAT");
	return stat.attached;
}

int window_flags(const struct test_region *region, unsigned int window)
{
	unsigned char flags[TEXT_OFFSET / WINDOW + region->windows];
	struct mshare_process_stat stat = {
		.windows = (uintptr_t)flags, .nr = sizeof(flags),
	};

	need(!ioctl(region->fd, MSHAREFS_PROCESS_STAT, &stat),
	     "MSHAREFS_PROCESS_STAT");
	return flags[TEXT_OFFSET / WINDOW + window];
}

long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

long status_kb(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	need(file, "/proc/self/status");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			kb = strtol(line + strlen(key), NULL, 10);
	fclose(file);
	return kb;
}

static sigjmp_buf after_signal;

static void on_signal(int sig)
{
	siglongjmp(after_signal, sig);
}

int touch_signal(const volatile char *address, bool exec)
{
	struct sigaction action = { .sa_handler = on_signal }, segv, bus, ill;
	int sig;

	sigaction(SIGSEGV, &action, &segv);
	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGILL, &action, &ill);
	sig = sigsetjmp(after_signal, 1);
	if (!sig) {
		if (exec)
			((void (*)(void))(uintptr_t)address)();
		else
			(void)*address;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGILL, &ill, NULL);
	return sig;
}
