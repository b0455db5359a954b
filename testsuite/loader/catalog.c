/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the catalog, of any bytes: every byte takes every other value, every
 * length is tried, flush against a page that cannot be accessed; and what is
 * found is inside the catalog.  Built with the sanitizers.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "lookup.h"
#include "placement.h"
#include "report.h"
#include "sample-catalog.h"

#define NSAMPLES 7

static struct mshare_info info = {
	.start = 0x7f9000000000,
	.size = 64 * MSHARE_WINDOW_SIZE,
	.generation = 1,
	.flags = MSHARE_SEALED,
};

static const struct mshare_segments segments = {
	.text_size = 0x5000,
	.data_vaddr = 0x6000,
	.bss_vaddr = 0x7000,
	.end_vaddr = 0x9000,
	.align = 0x1000,
	.data_align = 0x1000,
};

/* Every other library is split: all data lies behind all text. */
#define IS_SPLIT(i)	((i) % 2)
#define SPLIT_DATA(i)	(40 * MSHARE_WINDOW_SIZE + (i) * 0x3000)

#define IMAGE		"/images/tree/lib.so"

static struct sample samples[NSAMPLES];

static void split_sample(int i)
{
	struct mshare_catalog_entry *e = &samples[i].entry;

	samples[i].image = IMAGE;
	e->placement = MSHARE_SPLIT;
	e->claim_size = MSHARE_WINDOW_SIZE;
	e->data_offset = SPLIT_DATA(i);
	e->data_size = 0x3000;
}

static void make_samples(void)
{
	static const char *const paths[NSAMPLES] = {
		"/lib/liba.so", "/lib/libb.so", "", "/lib/libd.so",
		"/usr/lib/a-longer-path/libe.so", "/lib/libf.so", "/l",
	};

	for (int i = 0; i < NSAMPLES; i++) {
		samples[i] = (struct sample){
			.entry = {
				.dev = 0xfe01,
				.ino = 1000 + i * i,
				.file_size = 0x123456,
				.ctime_sec = 1700000000 + i,
				.ctime_nsec = 999999999,
				.placement = MSHARE_PAIRED,
				.text_offset = (2 * i + 3) *
					MSHARE_WINDOW_SIZE - 0x6000,
				.text_size = 0x5000,
				.claim_offset = (2 * i + 2) *
						MSHARE_WINDOW_SIZE,
				.claim_size = MSHARE_WINDOW_SIZE + 0x3000,
			},
			.path = paths[i],
		};
		if (IS_SPLIT(i))
			split_sample(i);
	}
}

/* Memory that ends where the accessible page ends. */
static char *guard_end;

static void make_guard(void)
{
	size_t page = sysconf(_SC_PAGESIZE), size = 4 * page;
	char *p = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + size, page, PROT_NONE))
		abort();
	guard_end = p + size;
}

static void *at_guard(const void *bytes, size_t size)
{
	/* Catalogs are 8-aligned; this may leave up to 7 bytes. */
	char *place = guard_end - ((size + 7) & ~(size_t)7);

	memset(place, 0xa5, guard_end - place);
	return memcpy(place, bytes, size);
}

static bool is_inside(const void *p, size_t n, const char *bytes, size_t size)
{
	const char *first = p;

	return first >= bytes && first + n <= bytes + size;
}

static bool string_is_inside(const char *string, const char *bytes, size_t size)
{
	return !*string || is_inside(string, strlen(string) + 1, bytes, size);
}

/* Does [address, address + size) lie in the region, behind its first window? */
static bool is_in_region(uint64_t address, uint64_t size)
{
	uint64_t start = info.start + MSHARE_WINDOW_SIZE;
	uint64_t end = info.start + info.size;

	return address >= start && address < end && size <= end - address;
}

/*
 * Claim and data must lie in the region, the text in the claim; the data in it
 * or, if it comes from the region, behind it.
 */
static bool is_harmless(const struct mshare_placement *p)
{
	uint64_t claim_end = p->claim + p->claim_size;
	bool split = p->data_offset;

	return is_in_region(p->claim, p->claim_size) &&
	       is_in_region(p->data, p->data_size) && p->bss >= p->data &&
	       p->bss <= p->data + p->data_size && p->text >= p->claim &&
	       p->text + p->text_size <= p->data &&
	       p->text + p->text_size <= claim_end &&
	       (split ? p->data >= claim_end &&
			p->data == info.start + p->data_offset :
			p->data + p->data_size == claim_end) &&
	       p->claim % MSHARE_WINDOW_SIZE == 0;
}

/*
 * Do with these bytes all that a loader does.  Return whether everything that
 * came out was inside the catalog and the region.
 */
static bool use(const void *catalog_bytes, size_t size)
{
	struct mshare_catalog catalog;

	if (mshare_catalog_check(&catalog, catalog_bytes, size, &info))
		return true;
	for (int i = 0; i < NSAMPLES; i++) {
		const struct mshare_catalog_entry *e = mshare_catalog_find(
			&catalog, samples[i].entry.dev, samples[i].entry.ino);
		struct mshare_placement placement;

		if (!e)
			continue;
		if (!is_inside(e, sizeof(*e), catalog_bytes, size) ||
		    !string_is_inside(mshare_catalog_path(&catalog, e),
				      catalog_bytes, size) ||
		    !string_is_inside(mshare_catalog_image(&catalog, e),
				      catalog_bytes, size))
			return false;
		if (!mshare_place(&placement, e, &segments, &info) &&
		    !is_harmless(&placement))
			return false;
	}
	return true;
}

static void test_good(const void *bytes, size_t size)
{
	struct mshare_catalog catalog;
	bool found = true, same = true, placed = true;
	bool paths = true, images = true;

	if (!check(!mshare_catalog_check(&catalog, at_guard(bytes, size), size,
					 &info), "a good catalog is accepted"))
		return;
	for (int i = 0; i < NSAMPLES; i++) {
		const struct mshare_catalog_entry *want = &samples[i].entry;
		const struct mshare_catalog_entry *e =
			mshare_catalog_find(&catalog, want->dev, want->ino);
		struct mshare_file file = {
			.dev = want->dev,
			.ino = want->ino,
			.size = want->file_size,
			.ctime_sec = want->ctime_sec,
			.ctime_nsec = want->ctime_nsec,
		};
		struct mshare_placement placement;

		found &= e && e->ctime_sec == want->ctime_sec;
		if (!e)
			continue;
		same &= mshare_catalog_is_file(e, &file) == MSHARE_OK;
		placed &= !mshare_place(&placement, e, &segments, &info) &&
			  is_harmless(&placement) &&
			  !placement.data_offset == !IS_SPLIT(i);
		paths &= !strcmp(mshare_catalog_path(&catalog, e),
				 samples[i].path);
		images &= !strcmp(mshare_catalog_image(&catalog, e),
				  IS_SPLIT(i) ? IMAGE : "");
	}
	check(found, "each entry is found");
	check(same, "each entry knows its file");
	check(placed, "each entry gives a place");
	check(paths, "each entry has its path");
	check(images, "each split entry has its image's path, no other has one");
	check(!mshare_catalog_find(&catalog, 0xfe01, 1),
	      "another inode is not found");
	check(!mshare_catalog_find(&catalog, 0xfe02, 1000),
	      "another device is not found");
}

static void test_identity(void)
{
	const struct mshare_catalog_entry *e = &samples[0].entry;
	const struct mshare_file good = {
		.dev = e->dev,
		.ino = e->ino,
		.size = e->file_size,
		.ctime_sec = e->ctime_sec,
		.ctime_nsec = e->ctime_nsec,
	};
	struct mshare_file file;

#define DIFFERS(field) do {						\
	file = good;							\
	file.field ^= 1;						\
	check(mshare_catalog_is_file(e, &file) == MSHARE_FILE_CHANGED,	\
	      "a file of other " #field " is another file");		\
} while (0)
	DIFFERS(dev);
	DIFFERS(ino);
	DIFFERS(size);
	DIFFERS(ctime_sec);
	DIFFERS(ctime_nsec);
	check(!mshare_catalog_is_file(e, &good), "the same file is the same");
}

static void test_truncated(const char *bytes, size_t size)
{
	struct mshare_catalog catalog;
	bool refused = true;

	for (size_t n = 0; n < size; n++)
		refused &= mshare_catalog_check(&catalog, at_guard(bytes, n),
						n, &info) != MSHARE_OK;
	check(refused, "a catalog of any other length is refused");
}

/* Each byte takes each other value. */
static void test_bytes(const char *bytes, size_t size, const char *which)
{
	char *copy = at_guard(bytes, size);
	bool good = true;

	for (size_t i = 0; i < size; i++) {
		for (int flip = 1; flip < 256; flip++) {
			copy[i] = bytes[i] ^ flip;
			good &= use(copy, size);
		}
		copy[i] = bytes[i];
	}
	check(good, "%s: no byte leads outside", which);
}

/* Each number of the catalog takes values at which arithmetic may break. */
static void test_words(const char *bytes, size_t size, const char *which)
{
	static const uint64_t evil[] = {
		0, 1, 7, 8, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff,
		1ULL << 47, ~0ULL << 12, ~0ULL << 21, 1ULL << 63, ~0ULL,
	};
	char *copy = at_guard(bytes, size);
	bool good = true;

	for (size_t i = 0; i < size; i += 4) {
		for (size_t v = 0; v < sizeof(evil) / sizeof(evil[0]); v++)
			for (size_t n = 4; n <= 8 && i + n <= size; n += 4) {
				memcpy(copy + i, &evil[v], n);
				good &= use(copy, size);
				memcpy(copy + i, bytes + i, n);
			}
	}
	check(good, "%s: no number leads outside", which);
}

/* A chain that goes back or in a circle must end. */
static void test_chains(const char *bytes, size_t size, uint32_t nbuckets)
{
	char *copy = at_guard(bytes, size);
	struct mshare_catalog_entry *entries =
		(void *)(copy + sample_entries_offset(nbuckets));
	bool good = true;

	for (uint32_t from = 0; from < NSAMPLES; from++) {
		uint32_t was = entries[from].next;

		for (uint32_t to = 0; to <= NSAMPLES + 1; to++) {
			entries[from].next = to;
			good &= use(copy, size);
		}
		entries[from].next = was;
	}
	check(good, "a chain that turns back ends");
}

static void test_numbers(uint32_t nbuckets)
{
	char *bytes = sample_catalog(samples, NSAMPLES, nbuckets, &info);
	size_t size = info.catalog_size;
	char which[32];

	snprintf(which, sizeof(which), "%u buckets", nbuckets);
	check(use(at_guard(bytes, size), size), "%s: as written", which);
	test_bytes(bytes, size, which);
	test_words(bytes, size, which);
	free(bytes);
}

static void test_other_region(const char *bytes, size_t size)
{
	struct mshare_info other = info;
	struct mshare_catalog catalog;

	other.start += MSHARE_WINDOW_SIZE;
	check(mshare_catalog_check(&catalog, at_guard(bytes, size), size,
				   &other), "another region's start");
	other = info;
	other.size += MSHARE_WINDOW_SIZE;
	check(mshare_catalog_check(&catalog, at_guard(bytes, size), size,
				   &other), "another region's size");
	other = info;
	other.catalog_size++;
	check(mshare_catalog_check(&catalog, at_guard(bytes, size), size,
				   &other), "another catalog's size");
}

int main(void)
{
	char *bytes;

	make_samples();
	make_guard();
	bytes = sample_catalog(samples, NSAMPLES, 4, &info);
	test_good(bytes, info.catalog_size);
	test_identity();
	test_truncated(bytes, info.catalog_size);
	test_other_region(bytes, info.catalog_size);
	test_chains(bytes, info.catalog_size, 4);
	free(bytes);
	/* In one bucket everything is one chain; odd counts need padding. */
	for (uint32_t nbuckets = 1; nbuckets <= 16; nbuckets *= 2)
		test_numbers(nbuckets);
	return report_status();
}
