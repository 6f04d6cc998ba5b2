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

static void phi_poller_free(struct phi_poller *poller)
{
	struct phi_endpoint *ep;

	if (IS_ERR_OR_NULL(poller))
		return;
	hrtimer_cancel(&poller->expiry);
	ep = phi_endpoint_of(poller->w.cap->obj);
	scoped_guard(spinlock, &ep->lock) {
		list_del(&poller->w.node);
		list_del(&poller->in);
		list_del(&poller->out);
		if (poller->credit)
			phi_credit_put(ep, poller->credit);
	}
	phi_cap_put(poller->w.cap);
	phi_cspace_put(poller->w.cs);
	kfree(poller);
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

static struct phi_poller *phi_poller_new(struct phi_cspace *cs, u64 handle,
					 struct phi_cap *cap)
{
	struct phi_endpoint *ep = phi_endpoint_of(cap->obj);
	struct phi_poller *poller =
		kzalloc(sizeof(*poller), GFP_KERNEL_ACCOUNT);

	if (!poller)
		return ERR_PTR(-ENOMEM);
	if (cap->rights & PHI_RIGHT_SEND) {
		poller->credit = phi_credit_get(ep, cs);
		if (IS_ERR(poller->credit)) {
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
	list_add(&poller->w.node, &ep->files);
	if (poller->w.rights & PHI_RIGHT_RECV)
		list_add(&poller->in, &ep->pollers);
	if (poller->credit)
		list_add(&poller->out, &poller->credit->pollers);
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
