/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the system does with memory: reclaims, moves and swaps it.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#include "fuzz.h"

#define SWAP_FILE	"/var/tmp/mshare-fuzz-swap"
#define SWAP_SIZE	(64UL << 20)

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	/* Reclaiming less than asked for is an error, and as good. */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		usleep(1);
	if (fd >= 0)
		close(fd);
}

/* What mkswap writes. */
static bool make_swap(void)
{
	struct {
		char unused[1024];
		uint32_t version, last_page, bad_pages;
		char rest[PAGE - 1024 - 12 - 10];
		char magic[10];
	} __attribute__((packed)) header = {
		.version = 1, .last_page = SWAP_SIZE / PAGE - 1,
		.magic = "SWAPSPACE2",
	};
	int fd = open(SWAP_FILE, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = !posix_fallocate(fd, 0, SWAP_SIZE) &&
	     pwrite(fd, &header, sizeof(header), 0) == sizeof(header) &&
	     !fsync(fd);
	close(fd);
	return ok;
}

/**
 * press - reclaim, move and swap until all stops
 * @world:	shared
 * @seed:	of this process's own sequence
 */
void press(struct world *world, uint64_t seed)
{
	static const char *const drops[] = { "1", "2", "3" };
	struct random random = { .state = seed };
	bool swap = make_swap() && !swapon(SWAP_FILE, 0);

	/* Without a line in the kernel log for each time. */
	write_to("/proc/sys/vm/drop_caches", "4");
	while (!stopping(world)) {
		switch (pick(&random, 8)) {
		case 0:
		case 1:
			write_to("/proc/sys/vm/drop_caches",
				 drops[pick(&random, 3)]);
			break;
		case 2:
			write_to("/proc/sys/vm/compact_memory", "1");
			break;
		case 3:
			if (!pick(&random, 8) && swap)
				swap = swapoff(SWAP_FILE) ||
				       !swapon(SWAP_FILE, 0);
			break;
		default:
			write_to("/sys/fs/cgroup/memory.reclaim",
				 pick(&random, 4) ? "4M" : "64M");
		}
		usleep(pick(&random, 50000));
	}
	if (swap)
		swapoff(SWAP_FILE);
	unlink(SWAP_FILE);
	_exit(0);
}
