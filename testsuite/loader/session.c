/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader's system calls, one by one, each made to fail in turn: whatever
 * fails, nothing stays open or mapped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "report.h"
#include "sample-catalog.h"
#include "session.h"
#include "sys.h"

#define REGION_FD 77

static struct mshare_info info = {
	.start = 0x7f9000000000,
	.size = 64 * MSHARE_WINDOW_SIZE,
	.generation = 5,
	.flags = MSHARE_SEALED,
};

static const struct mshare_placement placement = {
	.claim = 0x7f9000000000 + 4 * MSHARE_WINDOW_SIZE,
	.claim_size = MSHARE_WINDOW_SIZE + 0x3000,
	.claim_offset = 4 * MSHARE_WINDOW_SIZE,
	.text = 0x7f9000000000 + 5 * MSHARE_WINDOW_SIZE - 0x6000,
	.text_size = 0x5000,
	.text_offset = 5 * MSHARE_WINDOW_SIZE - 0x6000,
};

/* The system as the loader finds it. */
static struct {
	const void *catalog;
	struct mshare_info info;
	struct mshare_file file;
	int fail_call;		/* the number of the call that fails, or 0 */
	int fail_errno;
	bool elsewhere;		/* a kernel that takes addresses as hints */

	int calls;
	int open_fds;
	uint64_t catalog_mapped;
	uint64_t pad, pad_size, text;
	bool wrong;		/* a call that must not be made so */
} fake;

static bool fails(void)
{
	return ++fake.calls == fake.fail_call;
}

int mshare_sys_open(const char *name)
{
	if (fails())
		return -fake.fail_errno;
	fake.wrong |= strcmp(name, "a region") != 0;
	fake.open_fds++;
	return REGION_FD;
}

int mshare_sys_stat(int fd, struct mshare_file *file)
{
	if (fails())
		return -fake.fail_errno;
	fake.wrong |= fd != REGION_FD;
	*file = fake.file;
	return 0;
}

long mshare_sys_read(int fd, void *bytes, size_t size, uint64_t offset)
{
	if (fails())
		return fake.fail_errno ? -fake.fail_errno : (long)size - 1;
	fake.wrong |= fd != REGION_FD || offset || size != sizeof(fake.info);
	memcpy(bytes, &fake.info, size);
	return size;
}

static long map_catalog(uint64_t address, uint64_t size)
{
	void *p = mmap((void *)address, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	memcpy(p, fake.catalog, size);
	fake.catalog_mapped = address;
	return address;
}

long mshare_sys_map(uint64_t address, uint64_t size, int prot, int flags,
		    int fd, uint64_t offset)
{
	bool fixed = flags == (MAP_PRIVATE | MAP_FIXED);

	if (fails())
		return -fake.fail_errno;
	fake.wrong |= fd != REGION_FD;
	fake.wrong |= !fixed && flags != (MAP_PRIVATE | MAP_FIXED_NOREPLACE);
	if (fake.elsewhere && !fixed)
		return 0x10000;
	if (offset == MSHARE_CATALOG_OFFSET) {
		fake.wrong |= prot != PROT_READ || fixed ||
			      address != fake.info.start + offset;
		return map_catalog(address, size);
	}
	if (prot == PROT_NONE) {
		fake.wrong |= fixed || offset != placement.claim_offset;
		fake.pad = address;
		fake.pad_size = size;
	} else {
		fake.wrong |= prot != (PROT_READ | PROT_EXEC) || !fixed ||
			      offset != placement.text_offset ||
			      size != placement.text_size ||
			      address < fake.pad ||
			      address + size > fake.pad + fake.pad_size;
		fake.text = address;
	}
	return address;
}

void mshare_sys_unmap(uint64_t address, uint64_t size)
{
	if (fake.elsewhere && address == 0x10000)
		return;
	if (address == fake.catalog_mapped) {
		munmap((void *)address, size);
		fake.catalog_mapped = 0;
	} else if (address == fake.pad && size == fake.pad_size) {
		fake.pad = fake.text = 0;
	} else {
		fake.wrong = true;
	}
}

void mshare_sys_close(int fd)
{
	fake.wrong |= fd != REGION_FD;
	fake.open_fds--;
}

static void reset(const void *catalog)
{
	memset(&fake, 0, sizeof(fake));
	fake.catalog = catalog;
	fake.info = info;
	fake.file = (struct mshare_file){ .mode = S_IFREG | 0444,
					  .size = info.size };
	fake.fail_errno = EACCES;
}

static bool is_clean(void)
{
	return !fake.wrong && !fake.open_fds && !fake.catalog_mapped &&
	       !fake.pad && !fake.text;
}

/* Open, place one library, close. */
static enum mshare_reason whole(uint64_t generation)
{
	struct mshare_session session;
	enum mshare_reason reason;

	reason = mshare_session_open(&session, "a region", generation);
	if (reason)
		return reason;
	fake.wrong |= !mshare_catalog_find(&session.catalog, 1, 2);
	reason = mshare_map(&session, &placement, NULL, NULL);
	mshare_session_close(&session);
	return reason;
}

static void test_calls(const void *catalog)
{
	static const struct {
		const char *call;
		int error;
		enum mshare_reason reason;
	} calls[] = {
		{ "open", EACCES, MSHARE_UNREADABLE },
		{ "fstat", EIO, MSHARE_UNREADABLE },
		{ "pread", EIO, MSHARE_UNREADABLE },
		{ "mmap of the catalog", EEXIST, MSHARE_CATALOG_UNMAPPABLE },
		{ "mmap of the pad", ENOMEM, MSHARE_PAD_REFUSED },
		{ "mmap of the text", EAGAIN, MSHARE_TEXT_REFUSED },
	};
	int n = sizeof(calls) / sizeof(calls[0]);

	reset(catalog);
	check_eq(whole(0), MSHARE_OK, "all calls work");
	check_eq(fake.calls, n, "and they are as few as that");
	check(fake.text == placement.text && fake.pad == placement.claim &&
	      !fake.wrong && !fake.open_fds && !fake.catalog_mapped,
	      "pad and text are mapped, catalog and descriptor are gone");

	for (int i = 0; i < n; i++) {
		reset(catalog);
		fake.fail_call = i + 1;
		fake.fail_errno = calls[i].error;
		check_eq(whole(0), calls[i].reason, "%s fails: the reason",
			 calls[i].call);
		check(is_clean(), "%s fails: nothing is left", calls[i].call);
	}
}

static void test_special(const void *catalog)
{
	reset(catalog);
	fake.fail_call = 1;
	fake.fail_errno = ENOENT;
	check_eq(whole(0), MSHARE_NO_REGION, "no region: the reason");
	check_eq(fake.calls, 1, "no region: one call");

	reset(catalog);
	fake.fail_call = 3;
	fake.fail_errno = 0;
	check_eq(whole(0), MSHARE_UNREADABLE, "a short read: the reason");
	check(is_clean(), "a short read: nothing is left");

	reset(catalog);
	fake.fail_call = 5;
	fake.fail_errno = EEXIST;
	check_eq(whole(0), MSHARE_RANGE_TAKEN, "addresses taken: the reason");
	check(is_clean(), "addresses taken: nothing is left");

	reset(catalog);
	fake.elsewhere = true;
	check_eq(whole(0), MSHARE_CATALOG_UNMAPPABLE, "a kernel that maps "
		 "elsewhere: the reason");
	check(is_clean(), "a kernel that maps elsewhere: nothing is left");
}

static void test_refusals(void *catalog)
{
	struct mshare_catalog_header *header = catalog;

	reset(catalog);
	check_eq(whole(info.generation), MSHARE_OK, "the same generation");
	reset(catalog);
	check_eq(whole(info.generation - 1), MSHARE_OTHER_GENERATION,
		 "another generation: the reason");
	check(is_clean(), "another generation: nothing is left");

	reset(catalog);
	fake.file.uid = 1000;
	check_eq(whole(0), MSHARE_NOT_TRUSTED, "another owner: the reason");
	check(is_clean(), "another owner: nothing is left");
	check_eq(fake.calls, 2, "another owner: nothing is read");

	reset(catalog);
	fake.info.flags |= MSHARE_RETIRED;
	check_eq(whole(0), MSHARE_IS_RETIRED, "retired: the reason");
	check(is_clean(), "retired: nothing is left");

	reset(catalog);
	header->nentries++;
	check_eq(whole(0), MSHARE_BAD_CATALOG, "a bad catalog: the reason");
	check(is_clean(), "a bad catalog: nothing is left");
	header->nentries--;
}

int main(void)
{
	const struct sample sample = {
		.entry = { .dev = 1, .ino = 2 },
		.path = "/lib/liba.so",
	};
	void *catalog = sample_catalog(&sample, 1, 1, &info);

	test_calls(catalog);
	test_special(catalog);
	test_refusals(catalog);
	free(catalog);
	return report_status();
}
