// SPDX-License-Identifier: GPL-2.0
/*
 * Work that is done with an mm that is not the caller's: mmap needs a task
 * that has it.
 */
#include <linux/kthread.h>
#include <linux/workqueue.h>

#include "mshare.h"

static struct workqueue_struct *worker_wq;

struct call {
	struct work_struct work;
	struct mm_struct *mm;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

static void call_work(struct work_struct *work)
{
	struct call *call = container_of(work, struct call, work);

	kthread_use_mm(call->mm);
	call->ret = call->fn(call->arg);
	kthread_unuse_mm(call->mm);
}

/**
 * mshare_in_mm() - run a function in a worker that has an mm
 * @mm: the mm, one of its mm_users held
 * @fn: the function
 * @arg: what it is given
 *
 * Not at suspend, when memory can run out without an OOM killer.
 *
 * Return: what @fn does.
 */
int mshare_in_mm(struct mm_struct *mm, int (*fn)(void *arg), void *arg)
{
	struct call call = { .mm = mm, .fn = fn, .arg = arg };

	INIT_WORK_ONSTACK(&call.work, call_work);
	queue_work(worker_wq, &call.work);
	flush_work(&call.work);
	destroy_work_on_stack(&call.work);
	return call.ret;
}

/**
 * mshare_worker_init() - make the workqueue
 */
int mshare_worker_init(void)
{
	worker_wq = alloc_workqueue("mshare", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return worker_wq ? 0 : -ENOMEM;
}

/**
 * mshare_worker_exit() - finish what is queued and free the workqueue
 */
void mshare_worker_exit(void)
{
	destroy_workqueue(worker_wq);
}
