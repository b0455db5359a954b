// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether a library may be in a region.
 *
 * A region must give nobody what the file system would not: everyone can read
 * and execute from it, so everyone must be able to read and execute from the
 * file.  What only root can change can be believed to stay what it is.  And
 * where somebody verifies a file as it is read (fs-verity, IMA, a FIPS
 * checksum), that somebody expects to be asked: such files are left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "trust.h"

/* Coarser time stamps than this are not used for ctime on any Linux. */
#define SETTLED_SECONDS	2

static bool is_settled(const struct stat *file)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec -= SETTLED_SECONDS;
	return file->st_ctim.tv_sec < now.tv_sec ||
	       (file->st_ctim.tv_sec == now.tv_sec &&
		file->st_ctim.tv_nsec < now.tv_nsec);
}

/* The first directory above @path that not everyone can traverse. */
static bool has_closed_directory(const char *path, char *directory, size_t size)
{
	const char *slash = path;
	struct stat st;

	while ((slash = strchr(slash, '/'))) {
		int length = slash == path ? 1 : (int)(slash - path);

		snprintf(directory, size, "%.*s", length, path);
		/* A list may deny to some what the mode gives to all. */
		if (stat(directory, &st) || (st.st_mode & 0111) != 0111 ||
		    getxattr(directory, "system.posix_acl_access", NULL, 0) >= 0)
			return true;
		slash++;
	}
	return false;
}

static bool has_xattr(int fd, const char *name)
{
	return fgetxattr(fd, name, NULL, 0) >= 0 || errno == EACCES ||
	       errno == EPERM;
}

static bool has_verity(int fd)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH, 0, &stx) &&
	       (stx.stx_attributes & STATX_ATTR_VERITY);
}

/* NSS's modules check themselves against NAME.chk instead of NAME.so. */
static bool has_nss_checksum(const char *path)
{
	const char *suffix = strstr(path, ".so");
	char checksum[4096];

	if (!suffix)
		return false;
	snprintf(checksum, sizeof(checksum), "%.*s.chk", (int)(suffix - path),
		 path);
	return !access(checksum, F_OK);
}

/* OpenSSL's provider has its checksum in a configuration file. */
static bool is_fips_provider(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "fips.so");
}

/* FIPS modules check themselves against DIR/.NAME.hmac or DIR/NAME.hmac. */
static bool has_checksum(const char *path)
{
	static const char *const forms[] = { "%.*s/.%s.hmac", "%.*s/%s.hmac",
					     "%.*s/fipscheck/%s.hmac" };
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *directory = slash ? path : ".";
	int length = slash ? (int)(slash - path) : 1;
	char checksum[4096];

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		snprintf(checksum, sizeof(checksum), forms[i], length,
			 directory, name);
		if (!access(checksum, F_OK))
			return true;
	}
	return has_nss_checksum(path);
}

static const char *distrust(int fd, const struct stat *file, const char *given,
			    const char *path)
{
	struct statvfs fs;

	if (file->st_uid)
		return "not owned by root";
	if (file->st_mode & 0022)
		return "writable by others than its owner";
	if ((file->st_mode & 0444) != 0444)
		return "not readable by everyone";
	if (has_xattr(fd, "system.posix_acl_access"))
		return "has an access control list";
	if (fstatvfs(fd, &fs) || (fs.f_flag & ST_NOEXEC))
		return "on a file system mounted noexec";
	if (has_verity(fd))
		return "verified by fs-verity";
	if (has_xattr(fd, "security.ima"))
		return "measured by IMA";
	if (has_checksum(given) || has_checksum(path) || is_fips_provider(path))
		return "verified by a FIPS checksum (.hmac, .chk)";
	return NULL;
}

bool is_public(int fd, const struct stat *file, const char *given,
	       const char *path, char *why, size_t why_size)
{
	const char *reason = distrust(fd, file, given, path);
	char directory[4096];

	if (reason) {
		snprintf(why, why_size, "%s", reason);
		return false;
	}
	if (has_closed_directory(path, directory, sizeof(directory))) {
		snprintf(why, why_size, "in %.200s, which not everyone can traverse",
			 directory);
		return false;
	}
	return true;
}

bool is_trusted(int fd, const struct stat *file, const char *given,
		const char *path, char *why, size_t why_size)
{
	if (!is_public(fd, file, given, path, why, why_size))
		return false;
	if (is_settled(file))
		return true;
	snprintf(why, why_size, "changed less than 2 seconds ago");
	return false;
}
