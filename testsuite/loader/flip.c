/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Run a command with each byte of the region's own words changed in turn.
 *
 *	flip COMMAND...
 *
 * The bytes of struct mshare_info and of the catalog, in the fake region at
 * its usual path.  The command must succeed each time.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/msharefs.h>

#include "report.h"

#define REGION	"/sys/fs/mshare/system"

static int fd;

static bool runs(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	return status == 0;
}

static int flip_range(off_t first, size_t size, unsigned char bits, char **argv)
{
	int bad = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char was, now;

		if (pread(fd, &was, 1, first + i) != 1)
			err(1, REGION);
		now = was ^ bits;
		if (pwrite(fd, &now, 1, first + i) != 1)
			err(1, REGION);
		if (!runs(argv)) {
			printf("byte %zu, bits %#x: the command fails\n",
			       (size_t)first + i, bits);
			bad++;
		}
		if (pwrite(fd, &was, 1, first + i) != 1)
			err(1, REGION);
	}
	return bad;
}

int main(int argc, char **argv)
{
	struct mshare_info info;

	fd = open(REGION, O_RDWR | O_CLOEXEC);
	if (argc < 2 || fd < 0 || read(fd, &info, sizeof(info)) != sizeof(info))
		err(1, REGION);
	check(runs(argv + 1), "the command runs with the whole region");
	check_eq(flip_range(0, sizeof(info), 0xff, argv + 1), 0,
		 "with each byte of the information inverted");
	check_eq(flip_range(0, sizeof(info), 0x01, argv + 1), 0,
		 "with one bit of each of them changed");
	check_eq(flip_range(MSHARE_CATALOG_OFFSET, info.catalog_size, 0xff,
			    argv + 1), 0,
		 "with each byte of the catalog inverted");
	check_eq(flip_range(MSHARE_CATALOG_OFFSET, info.catalog_size, 0x20,
			    argv + 1), 0,
		 "with one bit of each of them changed");
	return report_status();
}
