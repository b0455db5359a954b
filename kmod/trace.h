/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: what happens to links, refusals, and the life of regions.
 *
 *	perf trace -e 'mshare:*' COMMAND
 *
 * Causes are the counters of msharefs.h: what is counted there is told here.
 * "pid" is the process a link belongs to, which is not the one that detaches
 * it from the host's side; 0 if it is exiting.  "start" is the window's address
 * in it, "window" the region offset.  Regions are told by their generation.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM mshare

#if !defined(MSHARE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MSHARE_TRACE_H

#include <linux/tracepoint.h>

#include "mshare.h"

#ifndef MSHARE_TRACE_HELPERS
#define MSHARE_TRACE_HELPERS

static inline pid_t mshare_trace_pid(const struct mshare_link *link)
{
	pid_t pid = 0;
#ifdef CONFIG_MEMCG
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(link->sharer->notifier.mm->owner);
	if (owner)
		pid = owner->tgid;
	rcu_read_unlock();
#endif
	return pid;
}

static inline unsigned long mshare_trace_window(const struct mshare_link *link)
{
	const struct mshare_sharer *sharer = link->sharer;

	return (sharer->library->first + (link - sharer->links)) *
	       MSHARE_WINDOW_SIZE;
}

static inline unsigned long mshare_trace_start(const struct mshare_link *link)
{
	const struct mshare_sharer *sharer = link->sharer;

	return sharer->start + (link - sharer->links) * MSHARE_WINDOW_SIZE;
}

#endif /* MSHARE_TRACE_HELPERS */

#define MSHARE_CAUSES							\
	EM(MSHARE_DETACHES_HOST_CLEAR,	"clear")			\
	EM(MSHARE_DETACHES_HOST_UNMAP,	"unmap")			\
	EM(MSHARE_DETACHES_UNSHARE,	"unshare")			\
	EM(MSHARE_DETACHES_HOST_OTHER,	"other")			\
	EM(MSHARE_DETACHES_EXIT,	"exit")				\
	EM(MSHARE_DETACHES_UNMAP,	"unmap")			\
	EM(MSHARE_DETACHES_SPLIT,	"split")			\
	EM(MSHARE_DETACHES_PROTECT,	"protect")			\
	EM(MSHARE_DETACHES_CLEAR,	"clear")			\
	EM(MSHARE_DETACHES_FORK,	"fork")				\
	EM(MSHARE_DETACHES_SOFT_DIRTY,	"soft_dirty")			\
	EM(MSHARE_DETACHES_FAULT,	"fault")			\
	EM(MSHARE_DETACHES_OTHER,	"other")			\
	EM(MSHARE_PRIVATE_WRITE,	"write")			\
	EM(MSHARE_PRIVATE_REPLACED,	"replaced")			\
	EM(MSHARE_PRIVATE_PROTECT,	"protect")			\
	EM(MSHARE_PRIVATE_UNCOVERED,	"uncovered")			\
	EM(MSHARE_PRIVATE_OWN_TABLE,	"own_table")			\
	EM(MSHARE_PRIVATE_FOREIGN,	"foreign")			\
	EM(MSHARE_PRIVATE_HOST,		"host")				\
	EM(MSHARE_REFUSALS_UNSEALED,	"unsealed")			\
	EM(MSHARE_REFUSALS_RETIRED,	"retired")			\
	EM(MSHARE_REFUSALS_LOCKED,	"locked")			\
	EM(MSHARE_REFUSALS_EXEC,	"exec")				\
	EM(MSHARE_REFUSALS_LIMIT,	"limit")			\
	EMe(MSHARE_REFUSALS_FOREIGN,	"foreign")

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);
MSHARE_CAUSES
#undef EM
#undef EMe
#define EM(a, b)	{ a, b },
#define EMe(a, b)	{ a, b }

DECLARE_EVENT_CLASS(mshare_link,
	TP_PROTO(const struct mshare_link *link, int cause),
	TP_ARGS(link, cause),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, window)
		__field(unsigned long, start)
		__field(pid_t, pid)
		__field(int, cause)
	),
	TP_fast_assign(
		__entry->generation = link->sharer->library->region->generation;
		__entry->window = mshare_trace_window(link);
		__entry->start = mshare_trace_start(link);
		__entry->pid = mshare_trace_pid(link);
		__entry->cause = cause;
	),
	TP_printk("generation=%llu window=%#lx start=%#lx pid=%d cause=%s",
		  __entry->generation, __entry->window, __entry->start,
		  __entry->pid, __print_symbolic(__entry->cause, MSHARE_CAUSES))
);

/* A window became private. */
DEFINE_EVENT(mshare_link, mshare_private,
	TP_PROTO(const struct mshare_link *link, int cause),
	TP_ARGS(link, cause)
);

TRACE_EVENT(mshare_attach,
	TP_PROTO(const struct mshare_link *link),
	TP_ARGS(link),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, window)
		__field(unsigned long, start)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->generation = link->sharer->library->region->generation;
		__entry->window = mshare_trace_window(link);
		__entry->start = mshare_trace_start(link);
		__entry->pid = mshare_trace_pid(link);
	),
	TP_printk("generation=%llu window=%#lx start=%#lx pid=%d",
		  __entry->generation, __entry->window, __entry->start,
		  __entry->pid)
);

TRACE_EVENT(mshare_detach,
	TP_PROTO(const struct mshare_link *link, int cause),
	TP_ARGS(link, cause),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, window)
		__field(unsigned long, start)
		__field(pid_t, pid)
		__field(bool, host)
		__field(int, cause)
	),
	TP_fast_assign(
		__entry->generation = link->sharer->library->region->generation;
		__entry->window = mshare_trace_window(link);
		__entry->start = mshare_trace_start(link);
		__entry->pid = mshare_trace_pid(link);
		__entry->host = cause <= MSHARE_DETACHES_HOST_OTHER;
		__entry->cause = cause;
	),
	TP_printk("generation=%llu window=%#lx start=%#lx pid=%d side=%s cause=%s",
		  __entry->generation, __entry->window, __entry->start,
		  __entry->pid, __entry->host ? "host" : "sharer",
		  __print_symbolic(__entry->cause, MSHARE_CAUSES))
);

/* mmap was refused to the current process. */
TRACE_EVENT(mshare_refuse,
	TP_PROTO(const struct mshare_region *region, int cause),
	TP_ARGS(region, cause),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(int, cause)
	),
	TP_fast_assign(
		__entry->generation = region->generation;
		__entry->cause = cause;
	),
	TP_printk("generation=%llu cause=%s", __entry->generation,
		  __print_symbolic(__entry->cause, MSHARE_CAUSES))
);

/* The host was made to fault a page in. */
TRACE_EVENT(mshare_host_fault,
	TP_PROTO(const struct mshare_region *region, unsigned long offset,
		 int ret),
	TP_ARGS(region, offset, ret),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, offset)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->generation = region->generation;
		__entry->offset = offset;
		__entry->ret = ret;
	),
	TP_printk("generation=%llu offset=%#lx ret=%d", __entry->generation,
		  __entry->offset, __entry->ret)
);

TRACE_EVENT(mshare_seal,
	TP_PROTO(const struct mshare_region *region),
	TP_ARGS(region),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, start)
		__field(unsigned long, size)
	),
	TP_fast_assign(
		__entry->generation = region->generation;
		__entry->start = region->start;
		__entry->size = region->size;
	),
	TP_printk("generation=%llu start=%#lx size=%#lx", __entry->generation,
		  __entry->start, __entry->size)
);

DECLARE_EVENT_CLASS(mshare_library,
	TP_PROTO(const struct mshare_library *lib),
	TP_ARGS(lib),
	TP_STRUCT__entry(
		__field(u64, generation)
		__field(unsigned long, offset)
		__field(unsigned long, size)
		__field(unsigned int, users)
	),
	TP_fast_assign(
		__entry->generation = lib->region->generation;
		__entry->offset = lib->offset;
		__entry->size = lib->size;
		__entry->users = lib->users;
	),
	TP_printk("generation=%llu offset=%#lx size=%#lx users=%u",
		  __entry->generation, __entry->offset, __entry->size,
		  __entry->users)
);

/* A library takes no new users. */
DEFINE_EVENT(mshare_library, mshare_retire,
	TP_PROTO(const struct mshare_library *lib),
	TP_ARGS(lib)
);

/* The host lets go of a library. */
DEFINE_EVENT(mshare_library, mshare_drop,
	TP_PROTO(const struct mshare_library *lib),
	TP_ARGS(lib)
);

#endif /* MSHARE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
