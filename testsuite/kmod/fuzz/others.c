/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operations on other processes, and what is asked about oneself.
 *
 * Others write only to the scratch word, which nobody judges: but the page they
 * write to becomes the process's own, whatever that does meanwhile.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"

static pid_t pick_pid(struct actor *actor)
{
	pid_t *pid = &actor->world->pids[pick(&actor->random, NR_PIDS)];

	return __atomic_load_n(pid, __ATOMIC_RELAXED);
}

static int open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, flags | O_CLOEXEC);
}

/** op_poke - write where debuggers do; it may be gone, or have no such page */
void op_poke(struct actor *actor)
{
	uint64_t value = next_random(&actor->random);
	uint64_t *word = word_at(pick(&actor->random, ARENA_PAGES), WORD_SCRATCH);
	struct iovec local = { &value, sizeof(value) };
	struct iovec remote = { word, sizeof(value) };
	pid_t pid = pick_pid(actor);
	int fd;

	if (!pid)
		return;
	log_step(actor, "write to %p of %d", (void *)word, pid);
	if (!pick(&actor->random, 4)) {
		process_vm_writev(pid, &local, 1, &remote, 1, 0);
		return;
	}
	fd = open_proc(pid, "mem", O_RDWR);
	if (fd < 0)
		return;
	if (pwrite(fd, &value, sizeof(value), (uintptr_t)word) < 0)
		log_step(actor, "  not written");
	close(fd);
}

/** op_peek - read some pages of another */
void op_peek(struct actor *actor)
{
	static char buffer[16 * PAGE];
	struct range range = pick_range(actor);
	struct iovec local = { buffer, sizeof(buffer) };
	struct iovec remote = { address(range.first), sizeof(buffer) };
	pid_t pid = pick_pid(actor);

	if (!pid)
		return;
	log_step(actor, "read page %u of %d", range.first, pid);
	process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

/** op_advise_other - process_madvise */
void op_advise_other(struct actor *actor)
{
	static const int advices[] = { MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED };
	struct range range = pick_range(actor);
	struct iovec remote = { address(range.first), range.n * PAGE };
	int advice = advices[pick(&actor->random, 3)];
	pid_t pid = pick_pid(actor);
	int fd = pid ? syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return;
	log_step(actor, "process_madvise pages %u+%u of %d, %d", range.first,
		 range.n, pid, advice);
	syscall(SYS_process_madvise, fd, &remote, 1, advice, 0);
	close(fd);
}

/** op_proc - read all of a file of /proc, or clear references */
void op_proc(struct actor *actor)
{
	static const char *const names[] = {
		"smaps", "maps", "numa_maps", "smaps_rollup", "clear_refs",
	};
	static char buffer[1 << 16];
	unsigned int i = pick(&actor->random, 5);
	pid_t pid = pick(&actor->random, 2) ? getpid() : pick_pid(actor);
	bool clear = !strcmp(names[i], "clear_refs");
	int fd = pid ? open_proc(pid, names[i], clear ? O_WRONLY : O_RDONLY) : -1;

	if (fd < 0)
		return;
	log_step(actor, "/proc/%d/%s", pid, names[i]);
	if (clear) {
		if (write(fd, pick(&actor->random, 2) ? "1" : "4", 1) < 0)
			log_step(actor, "  not written");
	} else {
		while (read(fd, buffer, sizeof(buffer)) > 0)
			continue;
	}
	close(fd);
}

/* What MSHAREFS_PROCESS_STAT must say at least, by the model. */
static void expected_windows(struct actor *actor, unsigned int region,
			     unsigned char *windows)
{
	for (unsigned int n = 0; n < ARENA_PAGES; n++) {
		const struct page_model *page = &actor->pages[n];
		unsigned int i;

		if (page->kind != TEXT || page->region != region)
			continue;
		i = (files[page->file].offset + page->number) / PAGES_PER_WINDOW;
		windows[i] |= MSHARE_WINDOW_MAPPED;
		if (page->own)
			windows[i] |= MSHARE_WINDOW_PRIVATE;
	}
}

/** op_statistics - what a region says about this process */
void op_statistics(struct actor *actor)
{
	unsigned int region = pick(&actor->random, NR_REGIONS), attached = 0;
	unsigned char windows[REGION_WINDOWS] = { 0 };
	unsigned char want[REGION_WINDOWS] = { 0 };
	struct mshare_process_stat stat = {
		.windows = (uintptr_t)windows, .nr = sizeof(windows),
	};
	struct mshare_stat all;
	int fd = actor->regions[region];

	if (fd < 0)
		return;
	log_step(actor, "statistics of region %u", region);
	if (ioctl(fd, MSHAREFS_STAT, &all) ||
	    ioctl(fd, MSHAREFS_PROCESS_STAT, &stat))
		fail(actor, "statistics: %m");
	if (stat.nr != REGION_WINDOWS)
		fail(actor, "a region of %u windows", stat.nr);
	expected_windows(actor, region, want);
	for (unsigned int i = 0; i < REGION_WINDOWS; i++) {
		attached += !!(windows[i] & MSHARE_WINDOW_ATTACHED);
		if ((windows[i] ^ want[i]) & MSHARE_WINDOW_MAPPED ||
		    want[i] & ~windows[i])
			fail(actor, "window %u of region %u has flags %#x, not %#x",
			     i, region, windows[i], want[i]);
	}
	if (attached != stat.attached)
		fail(actor, "%u windows are attached, not %u", stat.attached,
		     attached);
}
