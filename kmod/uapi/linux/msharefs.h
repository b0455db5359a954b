/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * msharefs: regions of address space whose page tables are shared
 *
 * A region is a file of msharefs (mounted at /sys/fs/mshare).  Its life:
 *
 *	fd = open("/sys/fs/mshare/.new", O_RDWR | O_CREAT | O_EXCL, 0444)
 *	ftruncate(fd, size)			multiple of MSHARE_WINDOW_SIZE
 *	ioctl(fd, MSHAREFS_DONATE, ...)		from a child, which then exits
 *	ioctl(fd, MSHAREFS_CREATE_MAPPING, ...)	once per ELF segment
 *	ioctl(fd, MSHAREFS_SET_DATA, ...)	once per data zone, if any
 *	pwrite(fd, catalog, n, MSHARE_CATALOG_OFFSET)
 *	ioctl(fd, MSHAREFS_SEAL)
 *	rename("/sys/fs/mshare/.new", "/sys/fs/mshare/system")
 *
 * A region that is not sealed, or whose name begins with a dot, goes with its
 * last descriptor: a populating tool that is killed leaves nothing behind.
 *
 * A sealed region is used by mmap(2) of its file, MAP_PRIVATE:
 *
 *   text	PROT_READ|PROT_EXEC, offset and length exactly those of one
 *		library's text in the region
 *   pad	PROT_NONE, any page-aligned offset and length: claims addresses
 *   catalog	PROT_READ, inside the catalog
 *   data	PROT_READ|PROT_WRITE, inside one data zone
 *
 * The address of a text and its offset must agree modulo MSHARE_WINDOW_SIZE.
 * Errors of mmap: EINVAL for any other offset, length, protection or address,
 * EACCES for MAP_SHARED, or write access without read or with execute access,
 * EAGAIN when the region is not sealed or retired.  Texts and pads give EAGAIN
 * also when the process has locked memory or MCL_FUTURE, a finite RLIMIT_AS,
 * READ_IMPLIES_EXEC or a secondary MMU (KVM, SVA): load the library as if there
 * was no region.
 *
 * Mapped data is a private mapping of the zone's file like any other: nothing
 * of it is shared but the file's page cache, and it does not hold the region.
 *
 * A mapped text or pad is a private mapping.  mshare(7) says what each call does
 * to it; these differ from a private mapping of the library's file:
 *
 *   mprotect	makes windows private: the process gets its own copies there
 *   mremap	EFAULT if it is to grow, EINVAL for MREMAP_DONTUNMAP
 *   madvise	EINVAL for MADV_DODUMP and MADV_COLLAPSE
 *   mlock	succeeds and locks nothing
 *   mincore	says "absent" of what was not touched
 *   move_pages	EFAULT for each page that is to be moved
 *
 * read(2) of the file gives struct mshare_info at offset 0 and the catalog,
 * if there is one, at MSHARE_CATALOG_OFFSET; it ends with the catalog.
 */
#ifndef _UAPI_LINUX_MSHAREFS_H
#define _UAPI_LINUX_MSHAREFS_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* What one page of page-table entries maps on x86-64: the unit of sharing. */
#define MSHARE_WINDOW_SIZE	(1UL << 21)

/*
 * The first window of a region belongs to its catalog and to struct
 * mshare_info; mappings begin in the second.
 */
#define MSHARE_CATALOG_OFFSET	4096UL
#define MSHARE_CATALOG_MAX	(MSHARE_WINDOW_SIZE - MSHARE_CATALOG_OFFSET)

/* mshare_info.flags */
#define MSHARE_SEALED		(1U << 0)	/* complete, never changes again */
#define MSHARE_RETIRED		(1U << 1)	/* unlinked: no new mappings */

/**
 * struct mshare_info - what read(2) gives at offset 0 of a region
 * @start:	agreed address of the region's first byte (0: not donated yet)
 * @size:	bytes of the region, a multiple of MSHARE_WINDOW_SIZE
 * @generation:	number given by SEAL, unique and rising until reboot (0: not
 *		sealed)
 * @catalog_size: bytes of catalog at MSHARE_CATALOG_OFFSET
 * @flags:	MSHARE_SEALED, MSHARE_RETIRED
 */
struct mshare_info {
	__u64 start;
	__u64 size;
	__u64 generation;
	__u32 catalog_size;
	__u32 flags;
};

/**
 * struct mshare_donate - MSHAREFS_DONATE: give this process's mm to a region
 * @start:	address the region shall have, a multiple of MSHARE_WINDOW_SIZE
 * @flags:	0
 *
 * The caller's mm becomes the region's host mm.  The caller must have no other
 * thread and exit at once; until it has, and as long as anyone else lives in
 * that mm or looks at it (swapoff, process_vm_readv), mappings and the seal give
 * EBUSY: try again.  All it had mapped is unmapped before the first mapping is
 * made.
 *
 * EPERM: no CAP_SYS_ADMIN, or the region is sealed.  EBADF: not opened for
 * writing.  EINVAL: flags, or @start is misaligned or not a user address, or
 * the region has no size, or the caller has MCL_FUTURE.  EEXIST: has a host mm
 * already.  EBUSY: the caller has other threads.
 */
struct mshare_donate {
	__u64 start;
	__u64 flags;
};

/**
 * struct mshare_create - MSHAREFS_CREATE_MAPPING: map part of a file
 * @region_offset: where in the region, page-aligned
 * @size:	bytes, rounded up to pages
 * @offset:	where in the file, page-aligned
 * @prot:	PROT_READ, or PROT_READ | PROT_EXEC
 * @flags:	MAP_SHARED | MAP_FIXED, with MAP_POPULATE to fault every page in
 * @fd:		the file, opened O_RDONLY
 * @reserved:	0
 *
 * Mappings of one file at one distance (region_offset - offset) that touch the
 * same or neighbouring windows make up one library's text.  No two libraries
 * share a window.
 *
 * EPERM: no CAP_SYS_ADMIN, or sealed.  EBADF: region not opened for writing,
 * or bad @fd.  EACCES: the file is not a regular file readable by everyone on
 * a path everyone can traverse, on a noexec mount, or not opened O_RDONLY.
 * EINVAL: alignment, prot, flags, reserved, or pages
 * that cannot be shared (hugetlbfs, DAX).  ERANGE: outside the region or in
 * its first window, or beyond the end of the file.  EEXIST: the pages are
 * mapped already, or the window belongs to another library.  ENXIO: no host mm.
 * EBUSY: the donor is still alive, or looked at.  ENOMEM: no memory, or the donor
 * fell to the OOM killer.
 */
struct mshare_create {
	__u64 region_offset;
	__u64 size;
	__u64 offset;
	__u32 prot;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct mshare_data - MSHAREFS_SET_DATA: give a part of a region data
 * @region_offset: where the zone begins, a multiple of MSHARE_WINDOW_SIZE
 * @size:	bytes of the zone, whole pages
 * @offset:	where in the file, page-aligned
 * @fd:		the file, opened O_RDONLY
 * @reserved:	0
 *
 * Makes [@region_offset, +@size) a data zone: what of it is mapped is a private
 * mapping of the file.  No window has data of two zones, or data and text.  Until
 * the region is retired its file cannot be opened for writing or truncated
 * (ETXTBSY), as that of a running program; then the region lets go of it.
 *
 * EPERM: no CAP_SYS_ADMIN, or sealed.  EBADF: region not opened for writing,
 * or bad @fd.  EACCES: the file is not as MSHAREFS_CREATE_MAPPING wants it, or
 * is not root's, or may be written by group or others.  EINVAL: alignment, @size
 * is 0, @reserved, or a file that cannot be mapped (hugetlbfs, DAX, a region).
 * ERANGE: outside the region or in its first window, or beyond the end of the
 * file.  EEXIST: one of the windows belongs to a library or to another zone.
 * ENXIO: no host mm.  ETXTBSY: somebody may write to the file.  ENOMEM.
 */
struct mshare_data {
	__u64 region_offset;
	__u64 size;
	__u64 offset;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct mshare_unmap - MSHAREFS_UNMAP: take a library out of a region
 * @region_offset: any offset inside the library's text
 * @size:	0, or the size of the library's text
 *
 * Before SEAL the library is forgotten.  After it the library is retired: new
 * mappings give EAGAIN, and its file is released when its last sharer goes.
 *
 * EPERM: no CAP_SYS_ADMIN.  EBADF: not opened for writing (a sealed region:
 * reading is enough).  ENOENT: no library there.  EINVAL: @size is wrong.
 */
struct mshare_unmap {
	__u64 region_offset;
	__u64 size;
};

/**
 * struct mshare_unshare - MSHAREFS_UNSHARE: take a library out of sharing now
 * @region_offset: any offset inside the library's text
 * @replaced:	out: text mappings that were replaced
 * @left:	out: text mappings that were not
 *
 * The library is retired as by MSHAREFS_UNMAP, and no window of it is ever
 * linked again.  In all processes its text is replaced by ordinary mappings of
 * its file, so that what looks for users of the file (uprobes) finds them, and
 * the region lets go of it.  A mapping is left as it is if the process has
 * changed it or has written to it (breakpoints): it goes on with pages of its
 * own.
 *
 * EPERM: no CAP_SYS_ADMIN.  ENOENT: no library there.  EINVAL: not sealed.
 * EAGAIN: processes went on to fork while they were looked at.  EAGAIN, ENOMEM,
 * EINTR: not all mappings were looked at, and no window is linked; do it again.
 *
 * It waits for the mmap_lock of each process in turn.  A signal ends it between
 * two processes, not while it waits for one.
 */
struct mshare_unshare {
	__u64 region_offset;
	__u32 replaced;
	__u32 left;
};

/*
 * Counters of a region: indices of mshare_stat.counters.  Each starts with 0
 * when the region is made and only rises.  Those of links count (process,
 * window) pairs.  New ones are appended.
 */
enum mshare_counter {
	/* Links made, each by a fault */
	MSHARE_ATTACHES,

	/* Links taken back, all of the window, because the host's side changes */
	MSHARE_DETACHES_HOST_CLEAR,	/* pages go: reclaim, migration,
					   truncation, a huge page instead */
	MSHARE_DETACHES_HOST_UNMAP,	/* the library is unmapped */
	MSHARE_DETACHES_UNSHARE,	/* the library was unshared */
	MSHARE_DETACHES_HOST_OTHER,	/* anything else announced there */

	/* Links taken back because of what their process does */
	MSHARE_DETACHES_EXIT,		/* exit or exec */
	MSHARE_DETACHES_UNMAP,		/* munmap, mremap, a mapping over it;
					   the OOM reaper */
	MSHARE_DETACHES_SPLIT,		/* a part of the window is unmapped,
					   or advised differently */
	MSHARE_DETACHES_PROTECT,	/* mprotect, or userfaultfd's and
					   PAGEMAP_SCAN's write protection */
	MSHARE_DETACHES_CLEAR,		/* MADV_DONTNEED, or one page that is
					   replaced by a private copy */
	MSHARE_DETACHES_FORK,		/* fork of a mapping with private pages */
	MSHARE_DETACHES_SOFT_DIRTY,	/* /proc/PID/clear_refs */
	MSHARE_DETACHES_FAULT,		/* a fault that cannot be served by a
					   linked table */
	MSHARE_DETACHES_OTHER,		/* anything else announced there */

	/* Windows that became private, for their process, for good */
	MSHARE_PRIVATE_WRITE,		/* a write fault, such as a breakpoint */
	MSHARE_PRIVATE_REPLACED,	/* one page of a link was replaced by a
					   copy, or dropped by MADV_DONTNEED */
	MSHARE_PRIVATE_PROTECT,		/* as MSHARE_DETACHES_PROTECT, a
					   protection key, userfaultfd */
	MSHARE_PRIVATE_UNCOVERED,	/* a gap or a foreign mapping in it */
	MSHARE_PRIVATE_OWN_TABLE,	/* a page table was there already */
	MSHARE_PRIVATE_FOREIGN,		/* a secondary MMU (KVM, SVA, ODP, HMM)
					   listens to it */
	MSHARE_PRIVATE_HOST,		/* the host has no page to give */

	/* mmap calls refused with EAGAIN */
	MSHARE_REFUSALS_UNSEALED,	/* the region is not sealed */
	MSHARE_REFUSALS_RETIRED,	/* the region or the library is retired */
	MSHARE_REFUSALS_LOCKED,		/* locked memory or MCL_FUTURE */
	MSHARE_REFUSALS_EXEC,		/* READ_IMPLIES_EXEC */
	MSHARE_REFUSALS_LIMIT,		/* a finite RLIMIT_AS */
	MSHARE_REFUSALS_FOREIGN,	/* a secondary MMU (KVM, SVA) */

	/* What faults did, besides making links */
	MSHARE_FAULTS_AGAIN,		/* nothing: linked already, or something
					   changed meanwhile */
	MSHARE_FAULTS_REGISTERED,	/* made the process a sharer of a library */
	MSHARE_FAULTS_COVERED,		/* looked what mappings cover a window */
	MSHARE_FAULTS_HOST,		/* made the host fault a page in */
	MSHARE_FAULTS_PRIVATE,		/* copied a page for this process alone */

	/* TLB shootdowns, and the CPUs they asked to flush */
	MSHARE_FLUSHES,
	MSHARE_FLUSHED_CPUS,

	/* Mappings of data zones that were made */
	MSHARE_DATA_MAPPINGS,

	MSHARE_NR_COUNTERS
};

#define MSHARE_STAT_COUNTERS	64	/* room for more */

/**
 * struct mshare_stat - MSHAREFS_STAT: what a region is doing
 * @libraries:	libraries in the region
 * @windows:	windows of text in the region
 * @data_size:	bytes of its data zones
 * @host_pgtables: bytes of page tables the host mm holds: shared by everyone
 * @sharers:	(process, library) pairs that can attach at the moment
 * @attached:	(process, window) pairs linked at the moment
 * @nr_counters: MSHARE_NR_COUNTERS of the module
 * @counters:	by enum mshare_counter; from @nr_counters on 0
 *
 * Exact when nothing runs: they are updated without a common lock.
 * EFAULT: bad pointer.
 */
struct mshare_stat {
	__u64 libraries;
	__u64 windows;
	__u64 data_size;
	__u64 host_pgtables;
	__u64 sharers;
	__u64 attached;
	__u64 nr_counters;
	__u64 counters[MSHARE_STAT_COUNTERS];
};

/* mshare_library_stat.flags */
#define MSHARE_LIBRARY_RETIRED	(1U << 0)

/**
 * struct mshare_library_stat - MSHAREFS_LIBRARY_STAT: one library of a region
 * @region_offset: in: any offset; out: first byte of the text of the first
 *		library that ends above it
 * @size:	out: bytes of text
 * @windows:	out: windows the text touches
 * @sharers:	out: processes that can attach at the moment
 * @attached:	out: (process, window) pairs linked at the moment
 * @flags:	out: MSHARE_LIBRARY_RETIRED
 * @reserved:	0
 *
 * To walk all: begin with 0, go on with region_offset + size.
 * ENOENT: no library there or above.
 */
struct mshare_library_stat {
	__u64 region_offset;
	__u64 size;
	__u64 windows;
	__u64 sharers;
	__u64 attached;
	__u32 flags;
	__u32 reserved;
};

/* One byte for each window in mshare_process_stat.windows */
#define MSHARE_WINDOW_MAPPED	(1U << 0)	/* the process can reach it */
#define MSHARE_WINDOW_ATTACHED	(1U << 1)	/* linked: the host's page table */
#define MSHARE_WINDOW_PRIVATE	(1U << 2)	/* has a page table of its own */

/**
 * struct mshare_process_stat - MSHAREFS_PROCESS_STAT: one process in a region
 * @windows:	in: address of an array of bytes, one for each window of the
 *		region, or 0; out: MSHARE_WINDOW_* flags in each
 * @nr:		in: bytes at @windows; out: windows of the region
 * @pid:	in: the process, in the caller's pid namespace; 0: the caller
 * @attached:	out: windows linked
 * @reserved:	0
 *
 * EPERM: another process and no CAP_SYS_ADMIN.  ESRCH: no such process, or it
 * has no address space.  EINVAL: @pid or @reserved.  EFAULT: bad @windows.
 */
struct mshare_process_stat {
	__u64 windows;
	__u32 nr;
	__s32 pid;
	__u32 attached;
	__u32 reserved;
};

/* mshare_window_stat.flags */
#define MSHARE_WINDOW_LIVE	(1U << 0)	/* may be attached */

/**
 * struct mshare_window_stat - one window of a region
 * @offset:	region offset of the window, a multiple of MSHARE_WINDOW_SIZE
 * @library:	region offset of its library's text
 * @attaches:	links made so far
 * @links:	processes that have it linked at the moment
 * @flushing:	detaches whose TLB flush is not complete at the moment
 * @flags:	MSHARE_WINDOW_LIVE
 * @reserved:	0
 */
struct mshare_window_stat {
	__u64 offset;
	__u64 library;
	__u64 attaches;
	__u32 links;
	__u32 flushing;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct mshare_window_dump - MSHAREFS_WINDOW_DUMP: the windows of a region
 * @windows:	in: address of an array of struct mshare_window_stat
 * @offset:	in: region offset of the first window wanted; out: behind the
 *		last one given
 * @nr:		in: entries at @windows; out: how many are filled in
 * @reserved:	0
 *
 * Only windows of libraries that are there: not those before the seal, nor of
 * a retired library that nobody uses any more.  To dump all: begin with
 * @offset 0 and go on until @nr comes back as 0; at most 1024 come at once.
 *
 * EPERM: no CAP_SYS_ADMIN.  EINVAL: @reserved, or @nr is 0.  EFAULT: bad
 * pointer.  ENOMEM.
 */
struct mshare_window_dump {
	__u64 windows;
	__u64 offset;
	__u32 nr;
	__u32 reserved;
};

/* The first two are mshare's as proposed for the kernel (msharefs, 2025). */
#define MSHAREFS_CREATE_MAPPING	_IOW('x', 0, struct mshare_create)
#define MSHAREFS_UNMAP		_IOW('x', 1, struct mshare_unmap)
#define MSHAREFS_DONATE		_IOW('x', 16, struct mshare_donate)

/*
 * MSHAREFS_SEAL: the region is complete.  Catalog, mappings and size never
 * change again; sharers may map it.  EPERM: no CAP_SYS_ADMIN, or sealed
 * already.  EBADF: not opened for writing.  ENXIO: no host mm.  EBUSY: donor
 * alive.  EINVAL: the host holds something that must not be shared.  ENOMEM.
 */
#define MSHAREFS_SEAL		_IO('x', 17)
#define MSHAREFS_STAT		_IOR('x', 18, struct mshare_stat)
#define MSHAREFS_LIBRARY_STAT	_IOWR('x', 19, struct mshare_library_stat)
#define MSHAREFS_PROCESS_STAT	_IOWR('x', 20, struct mshare_process_stat)
#define MSHAREFS_WINDOW_DUMP	_IOWR('x', 21, struct mshare_window_dump)
#define MSHAREFS_UNSHARE	_IOWR('x', 22, struct mshare_unshare)
#define MSHAREFS_SET_DATA	_IOW('x', 23, struct mshare_data)

#endif /* _UAPI_LINUX_MSHAREFS_H */
