/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mshare: shared page tables for regions of libraries
 *
 * A region (region.c) is a file of msharefs (fs.c, ioctl.c).  It has a host mm
 * (host.c) that belongs to no process and holds libraries (text.c).  A library
 * takes whole windows (window.c) of 2 MiB: what one page of PTEs maps.
 *
 * A process that maps a library's text (map.c) becomes, at its first fault
 * (fault.c), a sharer of that library (sharer.c).  Each of its windows has a
 * link: while it is attached, the process's PMD points to the host's PTEs.
 *
 * Objects and who holds them:
 *
 *	inode of msharefs ---.
 *	library in use ------+-> region --> its libraries --> windows
 *	text VMA's file -----'         '--> its zones ------> data files
 *	text VMA ------------------> sharer --> links
 *
 * A data VMA (data.c) holds the zone's file alone, as if that had been opened.
 *
 * Locks, outermost first:
 *
 *	region inode's lock	mappings, zones, catalog and size until the seal
 *	mmap_lock or VMA lock	of a sharer: its VMAs, sharer registration
 *	mmu notifier sequences	host's and sharer's: see window.c
 *	window->lock		links of a window, their flags
 *	sharer's PMD lock	the PMD entry
 *
 * A library's hold.lock, then region->users_lock; region->snapshots_lock is a
 * leaf.  The lock of an mm's notifiers (foreign.c) is taken inside window->lock,
 * as a leaf, and with none of ours held, to flush secondary TLBs: whatever
 * locks their drivers take in ->arch_invalidate_secondary_tlbs nest in it then,
 * in whatever the caller of mshare_detach_sharer() holds of the core's.  The
 * host's mmap_lock is never waited for with a sharer's held: same lock class.
 */
#ifndef MSHARE_H
#define MSHARE_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/msharefs.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "inject.h"

#define MSHARE_WINDOW_PAGES	(MSHARE_WINDOW_SIZE >> PAGE_SHIFT)
#define MSHARE_REGION_MAX	(1UL << 38)

static_assert(MSHARE_WINDOW_SIZE == PMD_SIZE);
static_assert(MSHARE_NR_COUNTERS <= MSHARE_STAT_COUNTERS);

struct mshare_sharer;

/* A region's state only ever goes down this list. */
enum mshare_state {
	MSHARE_EMPTY,		/* may get a size and a host */
	MSHARE_DONATED,		/* has a host mm, the donor may still run */
	MSHARE_POPULATING,	/* host mm is ours alone and empty of the donor */
	MSHARE_STATE_SEALED,	/* nothing changes any more, may be mapped */
};

/**
 * struct mshare_region - one file of msharefs
 * @ref:	held by the inode, and by each open text file of its libraries
 * @state:	enum mshare_state; changes under the inode's lock
 * @retired:	unlinked; only ever set
 * @start:	agreed address
 * @size:	bytes, equal to the inode's size
 * @catalog_size: bytes of catalog written so far
 * @generation:	number given by the seal
 * @host:	the host mm; we hold one of its mm_users until the end
 * @shadow:	where in @host each text is mapped a second time
 * @libraries:	by the index of each library's first window; entries stay
 *		until the region is freed
 * @zones:	struct mshare_zone; entries stay until the region is freed
 * @users_lock:	users and retired of the libraries, files of the zones
 * @opens:	descriptors of the file
 * @snapshots_lock: @snapshots
 * @snapshots:	private pages a fault may still hold locked (fault.c)
 * @counters:	by enum mshare_counter
 */
struct mshare_region {
	struct kref ref;
	enum mshare_state state;
	bool retired;
	unsigned long start;
	unsigned long size;
	unsigned long catalog_size;
	u64 generation;
	struct mm_struct *host;
	unsigned long shadow;
	struct xarray libraries;
	struct list_head zones;
	spinlock_t users_lock;
	atomic_t opens;
	spinlock_t snapshots_lock;
	struct list_head snapshots;
	atomic_long_t counters[MSHARE_NR_COUNTERS];
};

/**
 * struct mshare_segment - one CREATE_MAPPING
 * @list:	in library->segments
 * @offset:	region offset
 * @size:	bytes, whole pages
 * @prot:	PROT_READ, or with PROT_EXEC
 */
struct mshare_segment {
	struct list_head list;
	unsigned long offset;
	unsigned long size;
	unsigned long prot;
};

/**
 * struct mshare_zone - one SET_DATA
 * @list:	in region->zones
 * @offset:	region offset, a multiple of the window
 * @size:	bytes, whole pages
 * @pgoff:	page offset of the first byte in the file
 * @file:	the file, which nobody writes; NULL once the region has retired;
 *		under region->users_lock
 */
struct mshare_zone {
	struct list_head list;
	unsigned long offset;
	unsigned long size;
	pgoff_t pgoff;
	struct file *file;
};

/**
 * struct mshare_window - the host's side of one window
 * @lock:	everything below, and the flags of the links to this window
 * @links:	attached sharers
 * @nr_links:	how many
 * @attaches:	how many there have been
 * @live:	attaching is allowed: set by the seal, cleared for good before
 *		the module unmaps anything from the host here
 * @foreign:	links marked foreign
 * @flushing:	detaches whose TLB flush is not complete
 * @pending:	CPUs of those flushes; cleared when @flushing drops to 0
 * @lock_stat:	for tests
 */
struct mshare_window {
	spinlock_t lock;
	struct hlist_head links;
	unsigned int nr_links;
	unsigned long attaches;
	bool live;
	unsigned int foreign;
	unsigned int flushing;
	cpumask_var_t pending;
	struct mshare_lock_stat lock_stat;
};

static inline void mshare_window_lock(struct mshare_window *window)
	__acquires(&window->lock)
{
	mshare_lock(&window->lock, &window->lock_stat);
}

static inline void mshare_window_unlock(struct mshare_window *window)
	__releases(&window->lock)
{
	mshare_unlock(&window->lock, &window->lock_stat);
}

/**
 * struct mshare_flush - CPUs to be flushed by one invalidation of many windows
 * @mask:	preallocated
 * @busy:	@mask is in use; who finds it so flushes window by window
 */
struct mshare_flush {
	cpumask_var_t mask;
	unsigned long busy;
};

/**
 * struct mshare_hold - pages that secondary MMUs must be told of first (hold.c)
 * @lock:	all but @work; users_lock nests in it
 * @held:	struct mshare_held, the pages
 * @telling:	@work is to begin, and is a user of the library
 * @first:	first window of which something is held, while @telling
 * @last:	last one
 * @work:	tells, and lets go of them
 */
struct mshare_hold {
	spinlock_t lock;
	struct list_head held;
	bool telling;
	unsigned int first;
	unsigned int last;
	struct work_struct work;
};

/**
 * struct mshare_library - a library's text in a region
 * @region:	the region it belongs to
 * @segments:	struct mshare_segment, the host mappings it is made of
 * @offset:	region offset of the first byte of text
 * @size:	bytes of text
 * @pgoff:	page offset of that byte in the file
 * @file:	the library as the tool opened it: names it in /proc
 * @real:	the file the host maps: @file, or what is below an overlayfs
 * @anchor:	file of the library's internal inode (text.c)
 * @first:	first window, counted from the region's start
 * @nr_windows:	windows it touches
 * @windows:	@nr_windows of them, from the seal on
 * @notifier:	host side, over @windows
 * @flush:	for @notifier
 * @users:	open text files; under region->users_lock
 * @retired:	no new users; under region->users_lock
 * @hold:	pages to be freed later
 * @drop:	unmaps a retired library from the host after its last user
 * @sharers:	registered sharers
 * @attached:	(process, window) pairs linked
 */
struct mshare_library {
	struct mshare_region *region;
	struct list_head segments;
	unsigned long offset;
	unsigned long size;
	pgoff_t pgoff;
	struct file *file;
	struct file *real;
	struct file *anchor;
	unsigned long first;
	unsigned int nr_windows;
	struct mshare_window *windows;
	struct mmu_interval_notifier notifier;
	struct mshare_flush flush;
	unsigned int users;
	bool retired;
	struct mshare_hold hold;
	struct work_struct drop;
	atomic_long_t sharers;
	atomic_long_t attached;
};

/**
 * struct mshare_link - one window of one sharer
 * @node:	in window->links while attached
 * @sharer:	the sharer it belongs to
 * @pmd:	the PMD entry, valid while attached
 * @covered:	the window is covered without a gap by mappings of the region
 *		at one displacement, so that it may be attached
 * @private:	the process has PTEs of its own here; sticky
 * @foreign:	it was taken back while a secondary MMU listened; sticky
 *
 * All under window->lock.
 */
struct mshare_link {
	struct hlist_node node;
	struct mshare_sharer *sharer;
	pmd_t *pmd;
	bool covered;
	bool private;
	bool foreign;
};

/* What an attached window costs its process; bench/kmod-costs counts it. */
static_assert(sizeof(struct mshare_link) <= 64);

/**
 * struct mshare_sharer - a library mapped by an mm at one displacement
 * @notifier:	sharer side, over all windows of the library
 * @library:	the library; its VMAs' files hold it
 * @start:	address of the library's first window in this mm
 * @vmas:	text VMAs whose vm_private_data point here
 * @flush:	for @notifier
 * @links:	one for each window of the library
 */
struct mshare_sharer {
	struct mmu_interval_notifier notifier;
	struct mshare_library *library;
	unsigned long start;
	refcount_t vmas;
	struct mshare_flush flush;
	struct mshare_link links[];
};

/* fs.c */
int mshare_fs_init(void);
void mshare_fs_exit(void);
struct mshare_region *mshare_region_of(struct file *file);

/* ioctl.c */
long mshare_ioctl(struct file *file, unsigned int cmd, unsigned long ptr);

/* region.c */
int mshare_region_init(void);
void mshare_region_exit(void);
struct mshare_region *mshare_region_alloc(void);
void mshare_region_put(struct mshare_region *region);
void mshare_region_retire(struct mshare_region *region);
int mshare_region_seal(struct mshare_region *region);
struct mshare_library *mshare_library_at(struct mshare_region *region,
					 unsigned long offset);
bool mshare_library_in(struct mshare_region *region, unsigned long offset,
		       unsigned long size);
int mshare_library_map(struct mshare_region *region, struct file *file,
		       struct mshare_segment *segment, pgoff_t pgoff,
		       unsigned long prot, unsigned long flags);
void mshare_library_forget(struct mshare_library *lib);
void mshare_library_retire(struct mshare_library *lib);
bool mshare_library_get_user(struct mshare_library *lib);
bool mshare_library_join_users(struct mshare_library *lib);
void mshare_library_put_user(struct mshare_library *lib);

static inline bool mshare_sealed(const struct mshare_region *region)
{
	/* Pairs with the release in mshare_region_seal(). */
	return smp_load_acquire(&region->state) == MSHARE_STATE_SEALED;
}

/* data.c */
int mshare_zone_add(struct mshare_region *region, struct file *file,
		    const struct mshare_data *data);
bool mshare_zone_in(const struct mshare_region *region, unsigned long offset,
		    unsigned long size);
int mshare_zone_map(struct mshare_region *region, struct vm_area_struct *vma);
void mshare_zones_release(struct mshare_region *region);
void mshare_zones_free(struct mshare_region *region);

/* host.c */
int mshare_host_donate(struct mshare_region *region, unsigned long start);
int mshare_host_ready(struct mshare_region *region);
int mshare_host_map(struct mshare_library *lib, struct file *file,
		    const struct mshare_segment *segment, pgoff_t pgoff,
		    unsigned long prot, unsigned long flags);
void mshare_host_unmap(struct mshare_library *lib,
		       const struct mshare_segment *segment);
int mshare_host_check(struct mshare_library *lib);
int mshare_host_watch(struct mshare_library *lib);
void mshare_host_drop(struct mshare_library *lib);
int mshare_host_fault(struct mshare_region *region, unsigned long offset);
int mshare_host_fault_nested(struct mshare_region *region, unsigned long offset);

/* text.c */
int mshare_text_accepts(struct file *file);
struct file *mshare_text_create(struct mshare_library *lib);
void mshare_text_destroy(struct file *anchor);
struct file *mshare_text_open(struct mshare_library *lib);
struct file *mshare_text_file(struct mshare_library *lib,
			      const struct file_operations *fops, void *data);
struct mshare_library *mshare_text_library(const struct vm_area_struct *vma);

/* map.c */
extern const struct vm_operations_struct mshare_text_vm_ops;
extern const struct vm_operations_struct mshare_pad_vm_ops;
int mshare_mmap(struct file *file, struct vm_area_struct *vma);
void mshare_become_text(struct vm_area_struct *vma, struct file *text);

/* fault.c */
vm_fault_t mshare_fault(struct vm_fault *vmf);
vm_fault_t mshare_huge_fault(struct vm_fault *vmf, unsigned int order);
void mshare_snapshots_prune(struct mshare_region *region);

/* sharer.c */
void mshare_sharer_register(struct mm_struct *mm, unsigned long addr,
			    struct file *file);
bool mshare_sharer_cover(struct mshare_link *link);
void mshare_sharer_at(struct mm_struct *mm, unsigned long addr,
		      struct file *file, void (*fn)(struct mshare_link *link));
void mshare_sharer_open(struct vm_area_struct *vma);
void mshare_sharer_close(struct vm_area_struct *vma);
bool mshare_sharer_owns(const struct mmu_interval_notifier *notifier);
bool mshare_vma_is_plain_text(const struct vm_area_struct *vma);
unsigned long mshare_vma_start(const struct vm_area_struct *vma,
			       const struct mshare_library *lib);

/* window.c */
enum mshare_attach {
	MSHARE_LINKED,		/* attached */
	MSHARE_LINKED_ALREADY,	/* just before us */
	MSHARE_AGAIN,		/* something changed meanwhile: fault again */
	MSHARE_ABSENT,		/* the host has no PTE for this address yet */
	MSHARE_UNCOVERED,	/* not known to be covered */
	MSHARE_NO_HOST,		/* the host has no table to give, now or later */
	MSHARE_FOREIGN,		/* a secondary MMU listens to the process */
	MSHARE_OWN_TABLE,	/* the process has a table of its own, or shall */
};

int mshare_windows_alloc(struct mshare_library *lib);
void mshare_windows_free(struct mshare_library *lib);
void mshare_windows_set_live(struct mshare_library *lib, bool live);
enum mshare_attach mshare_attach(struct mshare_link *link, unsigned long addr,
				 pmd_t *pmd);
pmd_t mshare_pmd_at(struct mm_struct *mm, unsigned long addr);
void mshare_make_private(struct mshare_link *link, enum mshare_counter cause);
void mshare_forget(struct mshare_link *link);
void mshare_uncover(struct mshare_link *link);
void mshare_detach_host(struct mshare_library *lib, unsigned int first,
			unsigned int last, enum mshare_counter cause);

/* What is done to a sharer's windows, and by which counters it is counted. */
struct mshare_change {
	enum mshare_counter cause;	/* of the detach: MSHARE_DETACHES_* */
	enum mshare_counter private;	/* never attach again, because of
					   MSHARE_PRIVATE_*; 0: not so */
	bool only_linked;		/* @private: what is attached now */
	bool uncover;			/* coverage is to be computed again */
};

void mshare_detach_sharer(struct mshare_sharer *sharer, unsigned int first,
			  unsigned int last, struct mshare_change change);

static inline struct mshare_window *mshare_window_of(const struct mshare_link *link)
{
	const struct mshare_sharer *sharer = link->sharer;

	return &sharer->library->windows[link - sharer->links];
}

/* flush.c */
struct cpumask *mshare_flush_begin(struct mshare_flush *flush);
void mshare_flush_announce(struct mshare_window *window);
void mshare_flush_mark(struct mshare_window *window, struct mm_struct *mm);
void mshare_flush_collect(struct mshare_window *window, struct cpumask *mask,
			  enum mshare_fault forget);
void mshare_flush_finish(struct mshare_library *lib, unsigned int first,
			 unsigned int last, struct mshare_flush *flush,
			 struct cpumask *mask, enum mshare_fault skip);

/* foreign.c */
int mshare_foreign_init(void);
bool mshare_foreign_mm(const struct mm_struct *mm);
bool mshare_foreign_range(const struct mm_struct *mm, unsigned long start,
			  unsigned long last);
void mshare_foreign_flush(struct mm_struct *mm, unsigned long start,
			  unsigned long end);

/* hold.c */
int mshare_hold_init(void);
void mshare_hold_exit(void);
void mshare_hold_setup(struct mshare_library *lib);
void mshare_hold(struct mshare_library *lib, unsigned int window,
		 unsigned long start, unsigned long end);

/* unshare.c */
int mshare_library_unshare(struct mshare_library *lib,
			   struct mshare_unshare *unshare);

/* worker.c */
int mshare_worker_init(void);
void mshare_worker_exit(void);
int mshare_in_mm(struct mm_struct *mm, int (*fn)(void *arg), void *arg);

/* stat.c */
static inline void mshare_count(struct mshare_region *region,
				enum mshare_counter counter, long n)
{
	atomic_long_add(n, &region->counters[counter]);
}

void mshare_info_fill(struct mshare_region *region, struct mshare_info *info);
void mshare_stat_fill(struct mshare_region *region, struct mshare_stat *stat);
int mshare_library_stat_fill(struct mshare_region *region,
			     struct mshare_library_stat *stat);
int mshare_process_stat_fill(struct mshare_region *region,
			     struct mshare_process_stat *stat);
unsigned int mshare_window_dump_fill(struct mshare_region *region, u64 *offset,
				     struct mshare_window_stat *windows,
				     unsigned int nr);

#endif /* MSHARE_H */
