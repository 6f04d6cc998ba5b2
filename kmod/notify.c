// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/eventfd.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dispatch.h"
#include "notify.h"
#include "wait.h"

/**
 * struct phi_binding - where a notify passes its signals on
 * @eventfd: Gets 1 with each signal, or NULL.
 * @cap: The capability that bound it, referenced; with it goes the binding.
 *
 * It refers to a capability that refers to the notify: the loop ends when
 * that capability leaves its slot, or dies.
 */
struct phi_binding {
	struct eventfd_ctx *eventfd;
	struct phi_cap *cap;
};

/**
 * struct phi_notify - 64 bits to set and to wait for
 * @obj: Object of NOTIFY capabilities.
 * @lock: Guards the rest.
 * @bits: Set, and not taken yet.
 * @waiters: Threads in NOTIFY_WAIT, struct phi_notify_waiter.
 * @late: Those of them that the last signal has not looked at.
 * @late_work: Wakes those that wait for what is set.
 * @binding: To an eventfd, or empty.
 */
struct phi_notify {
	struct phi_object obj;
	spinlock_t lock; /* inside endpoint->lock */
	u64 bits;
	struct list_head waiters;
	struct list_head late;
	struct work_struct late_work;
	struct phi_binding binding;
};

struct phi_notify_waiter {
	struct phi_waiter w;
	u64 mask;
};

static struct phi_notify *phi_notify_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_notify, obj);
}

static void phi_notify_free(struct phi_object *obj)
{
	struct phi_notify *notify = phi_notify_of(obj);

	phi_object_fini(obj);
	kfree(notify);
}

/* Takes an empty one too. */
static void phi_binding_drop(struct phi_binding *binding)
{
	if (binding->eventfd)
		eventfd_ctx_put(binding->eventfd);
	phi_cap_put(binding->cap);
}

/* Through this capability nobody waits and nothing is passed on any more. */
static void phi_notify_cut(struct phi_object *obj, struct phi_cap *cap,
			   int error)
{
	struct phi_notify *notify = phi_notify_of(obj);
	struct phi_binding old = {};
	LIST_HEAD(none);
	bool more;

	/* Only through ADMIN can it have bound anything. */
	if (!(cap->rights & PHI_RIGHT_ADMIN) && phi_ties_none(cap))
		return;
	do {
		scoped_guard(spinlock, &notify->lock) {
			if (notify->binding.cap == cap)
				swap(notify->binding, old);
			more = phi_ties_cut(cap, error, &none);
		}
		cond_resched();
	} while (more);
	phi_binding_drop(&old);
}

static void phi_notify_removed(struct phi_object *obj, struct phi_cap *cap)
{
	phi_notify_cut(obj, cap, -EBADF);
}

static void phi_notify_dead(struct phi_object *obj, struct phi_cap *cap)
{
	phi_notify_cut(obj, cap, phi_cap_live(cap) ?: -EKEYREVOKED);
}

static const struct phi_object_ops phi_notify_ops = {
	.type = PHI_TYPE_NOTIFY,
	.free = phi_notify_free,
	.removed = phi_notify_removed,
	.dead = phi_notify_dead,
};

/*
 * Look at some of the waiters in a list, which go to the end of @seen. Return:
 * true when there are more.
 */
static bool phi_notify_wake(struct phi_notify *notify, struct list_head *from,
			    struct list_head *seen)
{
	struct phi_notify_waiter *nw;

	lockdep_assert_held(&notify->lock);
	for (int i = 0; i < PHI_STEP && !list_empty(from); i++) {
		nw = list_first_entry(from, struct phi_notify_waiter, w.node);
		list_move_tail(&nw->w.node, seen);
		if (nw->mask & notify->bits)
			phi_waiter_wake(&nw->w);
	}
	return !list_empty(from);
}

/*
 * Wake the waiters that a signal has left, so that no call of one user takes
 * the longer the more threads of another wait.
 */
static void phi_notify_late(struct work_struct *work)
{
	struct phi_notify *notify =
		container_of(work, struct phi_notify, late_work);
	bool more;

	do {
		scoped_guard(spinlock, &notify->lock)
			more = phi_notify_wake(notify, &notify->late,
					       &notify->waiters);
		cond_resched();
	} while (more);
	phi_object_put(&notify->obj);
}

static void phi_notify_defer(struct phi_notify *notify)
{
	lockdep_assert_held(&notify->lock);
	list_splice_tail_init(&notify->waiters, &notify->late);
	phi_object_get(&notify->obj);
	/* Not the last: the caller has one. */
	if (!queue_work(phi_wait_wq, &notify->late_work))
		phi_object_put(&notify->obj);
}

/**
 * phi_notify_set() - set bits
 * @obj: A notify.
 * @bits: Which.
 *
 * Context: Any but interrupts.
 */
void phi_notify_set(struct phi_object *obj, u64 bits)
{
	struct phi_notify *notify = phi_notify_of(obj);
	LIST_HEAD(seen);

	guard(spinlock)(&notify->lock);
	notify->bits |= bits;
	if (phi_notify_wake(notify, &notify->waiters, &seen))
		phi_notify_defer(notify);
	list_splice(&seen, &notify->waiters);
	if (notify->binding.eventfd && !phi_cap_live(notify->binding.cap))
		eventfd_signal(notify->binding.eventfd);
}

/**
 * phi_notify_create() - PHI_IOC_NOTIFY_CREATE
 * @cs: The caller's cspace.
 * @arg: struct phi_notify_create.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_notify_create(struct phi_cspace *cs, void *arg)
{
	struct phi_notify_create *cmd = arg;
	struct phi_notify *notify;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	notify = kzalloc(sizeof(*notify), GFP_KERNEL_ACCOUNT);
	if (!notify)
		return -ENOMEM;
	spin_lock_init(&notify->lock);
	INIT_LIST_HEAD(&notify->waiters);
	INIT_LIST_HEAD(&notify->late);
	INIT_WORK(&notify->late_work, phi_notify_late);
	ret = phi_object_init(&notify->obj, &phi_notify_ops, cs->user);
	if (ret) {
		kfree(notify);
		return ret;
	}
	ret = phi_cspace_install_new(cs, &notify->obj,
				     PHI_RIGHT_READ | PHI_RIGHT_WRITE |
					     PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
				     0, &cmd->cap);
	phi_object_put(&notify->obj);
	return ret;
}

/**
 * phi_notify_signal() - PHI_IOC_NOTIFY_SIGNAL
 * @cs: The caller's cspace.
 * @arg: struct phi_notify_signal.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_notify_signal(struct phi_cspace *cs, void *arg)
{
	struct phi_notify_signal *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->bits)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	phi_notify_set(cap->obj, cmd->bits);
	return 0;
}

/**
 * phi_notify_wait() - PHI_IOC_NOTIFY_WAIT
 * @cs: The caller's cspace.
 * @arg: struct phi_notify_wait.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_notify_wait(struct phi_cspace *cs, void *arg)
{
	struct phi_notify_wait *cmd = arg;
	struct phi_notify_waiter nw = { .mask = cmd->mask };
	struct phi_notify *notify;
	int ret = 0;

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	if (!cmd->mask)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_READ);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	notify = phi_notify_of(cap->obj);
	phi_waiter_init(&nw.w, cs, cmd->notify, cap, PHI_TYPES(NOTIFY),
			PHI_RIGHT_READ);

	guard(spinlock)(&notify->lock);
	/* A revoke may have been through since the look-up. */
	ret = phi_cap_live(cap);
	while (!nw.w.error) {
		cmd->bits = notify->bits & cmd->mask;
		if (ret == -ETIMEDOUT || ret == -ERESTARTSYS)
			ret = cmd->bits ? 0 : ret;
		if (ret || cmd->bits)
			break;
		ret = -EAGAIN;
		if (!(cmd->flags & PHI_NONBLOCK))
			ret = phi_waiter_block(&nw.w, &notify->waiters,
					       &notify->lock, cmd->deadline_ns);
	}
	phi_waiter_unlink(&nw.w);
	ret = nw.w.error ?: ret;
	if (!ret) {
		notify->bits &= ~cmd->bits;
		phi_frame_of(arg)->cap = no_free_ptr(cap);
	}
	return ret;
}

/**
 * phi_notify_wait_settle() - put bits back that nobody heard of
 * @cs: The caller's cspace.
 * @arg: struct phi_notify_wait.
 * @told: The caller knows the bits.
 *
 * Context: Process context. May sleep.
 */
void phi_notify_wait_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_notify_wait *cmd = arg;
	struct phi_cap *cap = phi_frame_of(arg)->cap;

	if (!told)
		phi_notify_set(cap->obj, cmd->bits);
	phi_cap_put(cap);
}

/**
 * phi_notify_bind() - PHI_IOC_NOTIFY_BIND
 * @cs: The caller's cspace.
 * @arg: struct phi_notify_bind.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_notify_bind(struct phi_cspace *cs, void *arg)
{
	struct phi_notify_bind *cmd = arg;
	struct phi_binding binding = {};
	struct phi_notify *notify;
	struct phi_waiter w;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->eventfd < -1)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_ADMIN);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (cmd->eventfd >= 0) {
		binding.eventfd = eventfd_ctx_fdget(cmd->eventfd);
		if (IS_ERR(binding.eventfd))
			return PTR_ERR(binding.eventfd);
		phi_cap_get(cap);
		binding.cap = cap;
	}
	notify = phi_notify_of(cap->obj);
	phi_waiter_init(&w, cs, cmd->notify, cap, PHI_TYPES(NOTIFY),
			PHI_RIGHT_ADMIN);

	scoped_guard(spinlock, &notify->lock) {
		swap(notify->binding, binding);
		/* The end of the handle after this finds the binding. */
		smp_mb();
		ret = phi_waiter_check(&w);
		if (ret)
			swap(notify->binding, binding);
		else if (notify->binding.eventfd && notify->bits)
			eventfd_signal(notify->binding.eventfd);
	}
	phi_binding_drop(&binding);
	return ret;
}
