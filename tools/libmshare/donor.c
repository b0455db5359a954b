// SPDX-License-Identifier: MIT
/*
 * The helper child whose address space becomes a region's host mm.
 *
 * Between fork and _exit it makes three system calls and touches nothing else:
 * it must have one thread, and all it has mapped is thrown away.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "donor.h"
#include "mshare.h"

/*
 * A host mm lives as long as its region.  Born in the memory cgroup of a
 * session or a service it would keep that cgroup's remains in memory after it
 * was removed: the root cgroup is never removed.  Where that is not allowed
 * (no cgroup v2, a container) it stays where it is.
 */
static int open_root_cgroup(void)
{
	return open("/sys/fs/cgroup/cgroup.procs", O_WRONLY | O_CLOEXEC);
}

__attribute__((noreturn))
static void donate_and_exit(int fd, const struct mshare_donate *donate,
			    int cgroup)
{
	if (cgroup >= 0 && write(cgroup, "0", 1) < 0)
		(void)cgroup;	/* not allowed: see above */
	_exit(ioctl(fd, MSHAREFS_DONATE, donate) ? errno : 0);
}

int mshare_donate(int fd, uint64_t start)
{
	struct mshare_donate donate = { .start = start };
	int cgroup = open_root_cgroup();
	pid_t child = fork();
	int status;

	if (child == 0)
		donate_and_exit(fd, &donate, cgroup);
	if (cgroup >= 0)
		close(cgroup);
	if (child < 0)
		return -errno;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EINTR;
	return -WEXITSTATUS(status);	/* all errnos are below 256 */
}
