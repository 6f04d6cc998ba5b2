// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "compat.h"
#include "endpoint.h"
#include "main.h"
#include "quota.h"

static void phi_poller_free(struct phi_poller *poller)
{
	struct phi_endpoint *ep;

	if (IS_ERR_OR_NULL(poller))
		return;
	hrtimer_cancel(&poller->expiry);
	ep = phi_endpoint_of(poller->w.cap->obj);
	scoped_guard(spinlock, &ep->lock) {
		phi_waiter_unlink(&poller->w);
		list_del(&poller->in);
		list_del(&poller->out);
		if (poller->credit)
			phi_credit_put(ep, poller->credit);
	}
	phi_cap_put(poller->w.cap);
	phi_quota_uncharge(poller->w.cs->user, PHI_QUOTA_CAPS, 1);
	phi_cspace_put(poller->w.cs);
	kfree(poller);
}

/* Wakes those that one call does not wake. */
static struct workqueue_struct *phi_poller_wq;

/*
 * Wake some of those that were polled. One in whose queue somebody stays, as a
 * multishot poll of io_uring does, goes to @kept; others wait to be polled.
 */
static bool phi_pollers_wake_ins(struct list_head *from, struct list_head *kept)
{
	struct phi_poller *poller;

	for (int i = 0; i < PHI_STEP && !list_empty(from); i++) {
		poller = list_first_entry(from, struct phi_poller, in);
		list_del_init(&poller->in);
		wake_up_interruptible_poll(&poller->w.wq,
					   EPOLLIN | EPOLLRDNORM);
		/* One that joins the queue now polls after it has. */
		if (waitqueue_active(&poller->w.wq))
			list_add_tail(&poller->in, kept);
	}
	return !list_empty(from);
}

static bool phi_pollers_wake_outs(struct list_head *from,
				  struct list_head *kept)
{
	struct phi_poller *poller;

	for (int i = 0; i < PHI_STEP && !list_empty(from); i++) {
		poller = list_first_entry(from, struct phi_poller, out);
		list_del_init(&poller->out);
		wake_up_interruptible_poll(&poller->w.wq,
					   EPOLLOUT | EPOLLWRNORM);
		/* As above. */
		if (waitqueue_active(&poller->w.wq))
			list_add_tail(&poller->out,
				      kept ?: &poller->credit->pollers);
	}
	return !list_empty(from);
}

/**
 * phi_pollers_late() - wake the pollers that calls have left
 * @work: In the endpoint; with a reference to it.
 *
 * However many files somebody polls, no call of another waits for them.
 *
 * Context: Process context. May sleep.
 */
void phi_pollers_late(struct work_struct *work)
{
	struct phi_endpoint *ep =
		container_of(work, struct phi_endpoint, late_work);
	bool more;

	do {
		scoped_guard(spinlock, &ep->lock)
			more = phi_pollers_wake_ins(&ep->late_in,
						    &ep->pollers) |
			       phi_pollers_wake_outs(&ep->late_out, NULL);
		cond_resched();
	} while (more);
	phi_object_put(&ep->obj);
}

static void phi_pollers_defer(struct phi_endpoint *ep)
{
	phi_object_get(&ep->obj);
	/* Not the last: the caller has one. */
	if (!queue_work(phi_poller_wq, &ep->late_work))
		phi_object_put(&ep->obj);
}

/**
 * phi_pollers_wake_in() - wake those who poll for messages
 * @ep: The endpoint; its lock is held.
 *
 * Context: Any but interrupts.
 */
void phi_pollers_wake_in(struct phi_endpoint *ep)
{
	LIST_HEAD(kept);

	if (phi_pollers_wake_ins(&ep->pollers, &kept)) {
		list_splice_tail_init(&ep->pollers, &ep->late_in);
		phi_pollers_defer(ep);
	}
	list_splice(&kept, &ep->pollers);
}

/**
 * phi_pollers_wake_out() - wake those who poll for credit
 * @ep: The endpoint; its lock is held.
 * @credit: The credit, of which there is more.
 *
 * Context: Any but interrupts.
 */
void phi_pollers_wake_out(struct phi_endpoint *ep, struct phi_credit *credit)
{
	LIST_HEAD(kept);

	if (phi_pollers_wake_outs(&credit->pollers, &kept)) {
		list_splice_tail_init(&credit->pollers, &ep->late_out);
		phi_pollers_defer(ep);
	}
	list_splice(&kept, &credit->pollers);
}

/**
 * phi_pollers_hang_up() - tell some of the files that their endpoint is dead
 * @ep: The endpoint; its lock is held.
 *
 * Context: Any but interrupts.
 * Return: True when there are more: release the lock, and do it again.
 */
bool phi_pollers_hang_up(struct phi_endpoint *ep)
{
	struct phi_poller *poller;

	for (int i = 0; i < PHI_STEP && !list_empty(&ep->files); i++) {
		poller =
			list_first_entry(&ep->files, struct phi_poller, w.node);
		list_del_init(&poller->w.node);
		wake_up_poll(&poller->w.wq, EPOLLHUP);
	}
	return !list_empty(&ep->files);
}

DEFINE_FREE(phi_poller_free, struct phi_poller *, phi_poller_free(_T))

static __poll_t phi_poller_poll(struct file *file,
				struct poll_table_struct *table)
{
	struct phi_poller *poller = file->private_data;
	struct phi_endpoint *ep = phi_endpoint_of(poller->w.cap->obj);
	__poll_t mask = 0;

	poll_wait(file, &poller->w.wq, table);

	guard(spinlock)(&ep->lock);
	if (ep->dead)
		mask |= EPOLLHUP;
	if (poller->w.error || phi_waiter_check(&poller->w))
		return mask | EPOLLERR;
	if (poller->w.rights & PHI_RIGHT_RECV && !list_empty(&ep->active))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (poller->credit && !ep->dead && phi_credit_left(poller->credit))
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (poller->w.rights & PHI_RIGHT_RECV && list_empty(&poller->in))
		list_add_tail(&poller->in, &ep->pollers);
	if (poller->credit && list_empty(&poller->out))
		list_add_tail(&poller->out, &poller->credit->pollers);
	return mask;
}

/*
 * The wait queue is the file's own, and every poller of the file, epoll
 * included, has let go of it before the file is released.
 */
static int phi_poller_release(struct inode *inode, struct file *file)
{
	phi_poller_free(file->private_data);
	return 0;
}

static const struct file_operations phi_poller_fops = {
	.owner = THIS_MODULE,
	.poll = phi_poller_poll,
	.release = phi_poller_release,
	.llseek = noop_llseek,
};

/* Nobody else tells those who poll that the capability has expired. */
static enum hrtimer_restart phi_poller_expired(struct hrtimer *timer)
{
	struct phi_poller *poller =
		container_of(timer, struct phi_poller, expiry);

	wake_up_poll(&poller->w.wq, EPOLLERR);
	return HRTIMER_NORESTART;
}

/* Its maker pays, as for a capability. */
static struct phi_poller *phi_poller_alloc(struct phi_cspace *cs)
{
	struct phi_poller *poller;
	int ret = phi_quota_charge(cs->user, PHI_QUOTA_CAPS, 1);

	if (ret)
		return ERR_PTR(ret);
	poller = kzalloc(sizeof(*poller), GFP_KERNEL_ACCOUNT);
	if (poller)
		return poller;
	phi_quota_uncharge(cs->user, PHI_QUOTA_CAPS, 1);
	return ERR_PTR(-ENOMEM);
}

static struct phi_poller *phi_poller_new(struct phi_cspace *cs, u64 handle,
					 struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(cap->obj);
	struct phi_poller *poller = phi_poller_alloc(cs);

	if (IS_ERR(poller))
		return poller;
	if (cap->rights & PHI_RIGHT_SEND) {
		poller->credit = phi_credit_get(ep, cs);
		if (IS_ERR(poller->credit)) {
			phi_quota_uncharge(cs->user, PHI_QUOTA_CAPS, 1);
			kfree(poller);
			return ERR_PTR(-ENOMEM);
		}
	}
	INIT_LIST_HEAD(&poller->in);
	INIT_LIST_HEAD(&poller->out);
	phi_cspace_get(cs);
	phi_cap_get(cap);
	phi_waiter_init(&poller->w, cs, handle, cap, PHI_TYPES(ENDPOINT),
			cap->rights & (PHI_RIGHT_SEND | PHI_RIGHT_RECV));
	phi_hrtimer_setup(&poller->expiry, phi_poller_expired, CLOCK_BOOTTIME,
			  HRTIMER_MODE_ABS);
	if (cap->expires_ns && cap->expires_ns < KTIME_MAX)
		hrtimer_start(&poller->expiry, ns_to_ktime(cap->expires_ns),
			      HRTIMER_MODE_ABS);
	return poller;
}

/* Let wakers find it. Return: 0, or why the handle is of no use. */
static int phi_poller_link(struct phi_poller *poller)
{
	struct phi_endpoint *ep = phi_endpoint_of(poller->w.cap->obj);

	guard(spinlock)(&ep->lock);
	if (!ep->dead)
		list_add(&poller->w.node, &ep->files);
	hlist_add_head(&poller->w.tie.node, &poller->w.cap->ties);
	return phi_waiter_check(&poller->w);
}

/**
 * phi_poller_open() - make a file to poll an endpoint with
 * @cs: The caller's cspace.
 * @handle: The handle.
 * @cap: What the handle led to, an ENDPOINT with SEND or RECV; the caller
 *       keeps its reference.
 *
 * Context: Process context. May sleep.
 * Return: The file, or ERR_PTR().
 */
struct file *phi_poller_open(struct phi_cspace *cs, u64 handle,
			     struct phi_cap *cap)
{
	struct file *file;
	int ret;

	struct phi_poller *poller __free(phi_poller_free) =
		phi_poller_new(cs, handle, cap);
	if (IS_ERR(poller))
		return ERR_CAST(poller);
	ret = phi_poller_link(poller);
	if (ret)
		return ERR_PTR(ret);
	file = anon_inode_getfile("[phi-endpoint]", &phi_poller_fops, poller,
				  O_RDONLY);
	if (!IS_ERR(file))
		retain_and_null_ptr(poller); /* the file's now */
	return file;
}

/**
 * phi_poller_init() - make the worker that wakes many pollers
 *
 * Context: Module load.
 * Return: 0 or -ENOMEM.
 */
int __init phi_poller_init(void)
{
	phi_poller_wq = alloc_workqueue("phi_poller", WQ_UNBOUND, 0);
	return phi_poller_wq ? 0 : -ENOMEM;
}

/**
 * phi_poller_exit() - wait for the last of its work
 *
 * Context: Module unload, or failed load. No file is open any more.
 */
void phi_poller_exit(void)
{
	destroy_workqueue(phi_poller_wq);
}
