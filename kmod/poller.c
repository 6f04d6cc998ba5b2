// SPDX-License-Identifier: GPL-2.0-only

#include <linux/anon_inodes.h>
#include <linux/cleanup.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "endpoint.h"
#include "quota.h"

static void phi_poller_put(struct phi_poller *poller)
{
	if (refcount_dec_and_test(&poller->ref))
		kfree(poller);
}

/* Wake those who poll a file through more epolls than a call looks at. */
static void phi_poller_late(struct work_struct *work)
{
	struct phi_poller *poller =
		container_of(work, struct phi_poller, late_work);
	__poll_t what = (__force __poll_t)atomic_xchg(&poller->late, 0);

	wake_up_interruptible_poll(&poller->w.wq, what);
	phi_poller_put(poller);
}

/* Are there more in the queue of a file than a call should wake? */
static bool phi_poller_crowded(struct phi_poller *poller)
{
	struct wait_queue_head *wq = &poller->w.wq;
	struct list_head *entry;
	unsigned long flags;
	int n = 0;

	/* The work holds the lock while it wakes a crowd. */
	if (!spin_trylock_irqsave(&wq->lock, flags))
		return true;
	list_for_each(entry, &wq->head) {
		if (++n > PHI_STEP)
			break;
	}
	spin_unlock_irqrestore(&wq->lock, flags);
	return n > PHI_STEP;
}

/* Wake who polls a file. The lock of its endpoint is held. */
static void phi_poller_wake(struct phi_poller *poller, __poll_t what)
{
	/* A poller that joins after this look takes the lock after it too. */
	if (!waitqueue_active(&poller->w.wq))
		return;
	if (!phi_poller_crowded(poller)) {
		wake_up_interruptible_poll(&poller->w.wq, what);
		return;
	}
	atomic_or((__force int)what, &poller->late);
	refcount_inc(&poller->ref);
	/* Not the last: the file has one. */
	if (!queue_work(phi_wait_wq, &poller->late_work))
		phi_poller_put(poller);
}

/* Leave the endpoint, whose lock is held. Another thread may free it then. */
static void phi_poller_leave(struct phi_poller *poller)
{
	struct phi_endpoint *ep = poller->ep;

	lockdep_assert_held(&ep->lock);
	phi_waiter_unlink(&poller->w);
	list_del_init(&poller->in);
	list_del_init(&poller->out);
	if (poller->credit)
		phi_credit_put(ep, poller->credit);
	poller->credit = NULL;
	poller->hup = ep->dead;
	/* Last; pairs with phi_poller_lock(). */
	smp_store_release(&poller->ep, NULL);
}

/* The file stands for nothing from now on, and keeps nothing. */
static void phi_poller_cut(struct phi_tie *tie, int error,
			   struct list_head *loose)
{
	struct phi_poller *poller = container_of(tie, struct phi_poller, w.tie);

	phi_poller_wake(poller, EPOLLERR);
	phi_poller_leave(poller);
}

/*
 * Lock the endpoint of a poller, under RCU, which keeps the memory of one that
 * goes at this moment. Return: NULL when the poller has left it.
 */
static struct phi_endpoint *phi_poller_lock(const struct phi_poller *poller)
{
	struct phi_endpoint *ep;

	/* Pairs with phi_poller_leave(). */
	ep = smp_load_acquire(&poller->ep);
	if (!ep)
		return NULL;
	spin_lock(&ep->lock);
	if (poller->ep)
		return ep;
	spin_unlock(&ep->lock);
	return NULL;
}

static void phi_poller_free(struct phi_poller *poller)
{
	struct phi_endpoint *ep;

	if (IS_ERR_OR_NULL(poller))
		return;
	scoped_guard(rcu) {
		ep = phi_poller_lock(poller);
		if (ep) {
			phi_poller_leave(poller);
			spin_unlock(&ep->lock);
		}
	}
	phi_quota_uncharge(poller->w.cs->user, PHI_QUOTA_CAPS, 1);
	phi_cspace_put(poller->w.cs);
	phi_poller_put(poller);
}

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
		phi_poller_wake(poller, EPOLLIN | EPOLLRDNORM);
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
		phi_poller_wake(poller, EPOLLOUT | EPOLLWRNORM);
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
	if (!queue_work(phi_wait_wq, &ep->late_work))
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
		phi_poller_wake(poller, EPOLLHUP);
	}
	return !list_empty(&ep->files);
}

DEFINE_FREE(phi_poller_free, struct phi_poller *, phi_poller_free(_T))

/* Return the events that are ready, and arm the file for the others. */
static __poll_t phi_poller_look(struct phi_poller *poller,
				struct phi_endpoint *ep)
{
	__poll_t mask = ep->dead ? EPOLLHUP : 0;

	lockdep_assert_held(&ep->lock);
	if (phi_waiter_check(&poller->w))
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

static __poll_t phi_poller_poll(struct file *file,
				struct poll_table_struct *table)
{
	struct phi_poller *poller = file->private_data;
	struct phi_endpoint *ep;
	__poll_t mask;

	poll_wait(file, &poller->w.wq, table);

	guard(rcu)();
	ep = phi_poller_lock(poller);
	/* Once it has left, @hup does not change. */
	if (!ep)
		return EPOLLERR | (poller->hup ? EPOLLHUP : 0);
	mask = phi_poller_look(poller, ep);
	spin_unlock(&ep->lock);
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
	INIT_WORK(&poller->late_work, phi_poller_late);
	refcount_set(&poller->ref, 1);
	poller->ep = ep;
	phi_cspace_get(cs);
	phi_waiter_init(&poller->w, cs, handle, cap, PHI_TYPES(ENDPOINT),
			cap->rights & (PHI_RIGHT_SEND | PHI_RIGHT_RECV));
	poller->w.tie.cut = phi_poller_cut;
	return poller;
}

/* Let wakers find it. Return: 0, or why the handle is of no use. */
static int phi_poller_link(struct phi_poller *poller)
{
	struct phi_endpoint *ep = poller->ep;

	guard(spinlock)(&ep->lock);
	if (!ep->dead)
		list_add(&poller->w.node, &ep->files);
	phi_tie_add(&poller->w.tie, poller->w.cap);
	return phi_waiter_check(&poller->w);
}

/**
 * phi_poller_open() - make a file to poll an endpoint with
 * @cs: The caller's cspace.
 * @handle: The handle.
 * @cap: Capability of @handle, an ENDPOINT with SEND or RECV; the caller keeps
 *       its reference.
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
