/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions for tests: one file of numbered pages, mapped as a library would be.
 */
#ifndef LDMSHARE_TEST_REGION_H
#define LDMSHARE_TEST_REGION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <linux/msharefs.h>

#define PAGE		4096UL
#define WINDOW		MSHARE_WINDOW_SIZE
#define PAGES_PER_WINDOW (WINDOW / PAGE)
#define MOUNTPOINT	"/sys/fs/mshare"

/* Newer than the headers of some distributions. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/* Where test regions are; the file's text begins at the second window. */
#define REGION_START	0x7f9000000000UL
#define TEXT_OFFSET	WINDOW

/**
 * struct test_region - a sealed region with one file in it
 * @name:	its path
 * @file:	path of the backing file
 * @fd:		O_RDONLY
 * @windows:	of text
 * @size:	bytes of text
 */
struct test_region {
	char name[64];
	char file[64];
	int fd;
	unsigned int windows;
	size_t size;
};

/**
 * setup_module - load the module and mount msharefs
 *
 * MSHARE_MODULE in the environment is the file of another build of it, and
 * MSHARE_FAULTS the faults it shall have (kmod/inject.c).  Ends the test, as
 * failed, if that cannot be done.
 */
void setup_module(void);

/** arm_faults - once more: some faults disarm themselves */
void arm_faults(void);

/**
 * module_count - a number in a parameter of the module
 * @name:	of the parameter
 *
 * Returns 0 if this build of the module does not have it.
 */
long module_count(const char *name);

/**
 * teardown_module - check that nothing is left, and unload the module
 *
 * Regions must have lost their names before.
 */
void teardown_module(void);

/**
 * load_test_module - load one of kmod/modules/, ends the test if it cannot be
 * @name:	of the module
 *
 * In the directory run-tests starts programs in, and after setup_module(): the
 * kernel logs which foreign module is its first, and only ours is expected.
 */
void load_test_module(const char *name);

/** unload_test_module - check that it can be unloaded */
void unload_test_module(const char *name);

/**
 * make_file - write a file of numbered pages that everybody may read
 * @path:	where
 * @pages:	how many
 */
void make_file(const char *path, unsigned long pages);

/** page_number - which page of a file of make_file() this is, -1 if none */
long page_number(const void *page);

/**
 * donate - have a child give its address space to a region
 * @fd:		the region, opened for writing
 * @start:	the address it shall have
 *
 * Returns the child's errno once it is gone, 0 if it succeeded.
 */
int donate(int fd, uint64_t start);

/**
 * create_mapping - MSHAREFS_CREATE_MAPPING
 *
 * Returns 0 or an errno.
 */
int create_mapping(int fd, int file, uint64_t region_offset, uint64_t size,
		   uint64_t offset, uint32_t prot, uint32_t extra_flags);

/**
 * set_data - MSHAREFS_SET_DATA
 *
 * Returns 0 or an errno.
 */
int set_data(int fd, int file, uint64_t region_offset, uint64_t size,
	     uint64_t offset);

/**
 * make_region - make a sealed region of one file, live under a name
 * @region:	filled in
 * @name:	its name in msharefs
 * @windows:	windows of text: the first half r--, the second r-x
 * @populate:	MAP_POPULATE, or 0
 *
 * Ends the test, as failed, if that cannot be done.
 */
void make_region(struct test_region *region, const char *name,
		 unsigned int windows, int populate);

/** make_region_of - the same of a file that is there already */
void make_region_of(struct test_region *region, const char *name,
		    const char *path, unsigned int windows, int populate);

/** drop_region - close and unlink a region, and its file */
void drop_region(struct test_region *region);

/**
 * map_text - map all text of a region
 * @at:		where its first byte shall be; NULL: at the agreed address
 *
 * Returns MAP_FAILED with errno set.
 */
char *map_text(const struct test_region *region, void *at);

/** verify - do all pages of a mapped text have their content? */
bool verify(const char *text, const struct test_region *region);

/** region_stat - MSHAREFS_STAT */
struct mshare_stat region_stat(const struct test_region *region);

/** sum_counters - of counters that follow each other in enum mshare_counter */
uint64_t sum_counters(const struct mshare_stat *stat, enum mshare_counter first,
		      enum mshare_counter last);

/** detaches_host - links taken back from the host's side so far */
uint64_t detaches_host(const struct test_region *region);

/** windows_attached - of a process, 0: this one */
int windows_attached(const struct test_region *region, pid_t pid);

/** window_flags - MSHARE_WINDOW_* of one window of the text in this process */
int window_flags(const struct test_region *region, unsigned int window);

/** minor_faults - of this process so far */
long minor_faults(void);

/** status_kb - a value of /proc/self/status, such as "VmPTE:" */
long status_kb(const char *key);

/**
 * touch_signal - what reading (or, if @exec, calling) an address raises
 *
 * Returns the signal's number, 0 if none.
 */
int touch_signal(const volatile char *address, bool exec);

#endif /* LDMSHARE_TEST_REGION_H */
