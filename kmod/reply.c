// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "dispatch.h"
#include "endpoint.h"

/**
 * enum phi_caller_state - how far a call is
 * @PHI_CALLER_WAITS: No answer yet.
 * @PHI_CALLER_ANSWERING: An answer is certain; its capabilities are moving.
 * @PHI_CALLER_ANSWERED: The answer is there.
 * @PHI_CALLER_LEFT: The thread does not wait any more.
 */
enum phi_caller_state {
	PHI_CALLER_WAITS,
	PHI_CALLER_ANSWERING,
	PHI_CALLER_ANSWERED,
	PHI_CALLER_LEFT,
};

/**
 * struct phi_caller - a call, and the REPLY object that answers it
 * @obj: What the REPLY capability names. It goes with the last capability, and
 *       the thread knows then that nobody can answer.
 * @ref: The thread, and @obj.
 * @ep: Where it called; referenced. Its lock guards the rest.
 * @w: The thread.
 * @state: How far it is.
 * @message: Its message while that is queued, or NULL.
 * @answer: What came back, or NULL.
 */
struct phi_caller {
	struct phi_object obj;
	refcount_t ref;
	struct phi_endpoint *ep;
	struct phi_waiter w;
	enum phi_caller_state state;
	struct phi_message *message;
	struct phi_message *answer;
};

static struct phi_caller *phi_caller_of(struct phi_object *obj)
{
	return container_of(obj, struct phi_caller, obj);
}

static void phi_caller_put(struct phi_caller *caller)
{
	if (IS_ERR_OR_NULL(caller) || !refcount_dec_and_test(&caller->ref))
		return;
	phi_object_put(&caller->ep->obj);
	kfree(caller);
}

DEFINE_FREE(phi_caller_put, struct phi_caller *, phi_caller_put(_T))

static void phi_caller_free(struct phi_object *obj)
{
	struct phi_caller *caller = phi_caller_of(obj);

	scoped_guard(spinlock, &caller->ep->lock) {
		if (caller->state == PHI_CALLER_WAITS)
			phi_waiter_fail(&caller->w, -EPIPE);
	}
	phi_object_fini(obj);
	phi_caller_put(caller);
}

static const struct phi_object_ops phi_caller_ops = {
	.type = PHI_TYPE_REPLY,
	.free = phi_caller_free,
};

/* A reference for the thread, and one to the object for the capability. */
static struct phi_caller *phi_caller_new(struct phi_cspace *cs, u64 handle,
					 struct phi_cap *cap)
{
	struct phi_caller *caller =
		kzalloc(sizeof(*caller), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!caller)
		return ERR_PTR(-ENOMEM);
	ret = phi_object_init(&caller->obj, &phi_caller_ops, cs->user);
	if (ret) {
		kfree(caller);
		return ERR_PTR(ret);
	}
	refcount_set(&caller->ref, 2);
	caller->ep = phi_endpoint_behind(cap);
	phi_object_get(&caller->ep->obj);
	phi_waiter_init(&caller->w, cs, handle, cap, PHI_TYPES_SEND,
			PHI_RIGHT_SEND);
	return caller;
}

/**
 * phi_caller_queued() - the message of a call is in a queue
 * @msg: Any message; the endpoint's lock is held.
 *
 * Context: Any but interrupts.
 */
void phi_caller_queued(struct phi_message *msg)
{
	if (msg->reply)
		phi_caller_of(msg->reply->obj)->message = msg;
}

/**
 * phi_caller_taken() - the message of a call has left the queue
 * @msg: Any message; the endpoint's lock is held.
 *
 * Context: Any but interrupts.
 */
void phi_caller_taken(struct phi_message *msg)
{
	if (msg->reply)
		phi_caller_of(msg->reply->obj)->message = NULL;
}

/**
 * phi_caller_fail() - the message of a call will never be received
 * @msg: Any message; the endpoint's lock is held.
 * @error: Why, a negative errno.
 *
 * Context: Any but interrupts.
 */
void phi_caller_fail(struct phi_message *msg, int error)
{
	if (msg->reply)
		phi_waiter_fail(&phi_caller_of(msg->reply->obj)->w, error);
}

/*
 * What the server has seen cannot be asked again, so only a signal ends this.
 * Other work that the kernel has for this thread, say io_uring's completions,
 * ends any wait that can be begun anew; here it is put off until the call
 * returns. To a worker of io_uring it says that the call is cancelled.
 */
static bool phi_caller_put_off(struct phi_caller *caller)
{
	lockdep_assert_held(&caller->ep->lock);
	if (caller->message || task_sigpending(current) ||
	    current->flags & PF_IO_WORKER)
		return false;
	clear_notify_signal();
	return true;
}

/*
 * Wait for the answer. Whatever comes first is the outcome; but an answer that
 * is on its way already has taken capabilities from the server, so the thread
 * stays for it: it is a matter of a moment.
 */
static int phi_caller_wait(struct phi_caller *caller, u64 deadline_ns)
{
	struct phi_endpoint *ep = caller->ep;
	struct phi_message *message = NULL;
	struct phi_waiter *w = &caller->w;
	bool put_off = false;
	int ret = 0;

	spin_lock(&ep->lock);
	while (caller->state != PHI_CALLER_ANSWERED) {
		if (caller->state == PHI_CALLER_ANSWERING) {
			spin_unlock(&ep->lock);
			wait_event(w->wq, READ_ONCE(caller->state) !=
						  PHI_CALLER_ANSWERING);
			spin_lock(&ep->lock);
			continue;
		}
		ret = w->error ?: ret;
		if (ret)
			break;
		ret = phi_waiter_block(w, &ep->callers, &ep->lock, deadline_ns);
		if (ret == -ERESTARTSYS && phi_caller_put_off(caller)) {
			put_off = true;
			ret = 0;
		}
	}
	list_del_init(&w->node);
	if (caller->state == PHI_CALLER_ANSWERED) {
		ret = w->error;
	} else {
		caller->state = PHI_CALLER_LEFT;
		message = caller->message;
		if (!phi_queue_withdraw(ep, message))
			message = NULL;
		/* What the server has seen must not come a second time. */
		if (ret == -ERESTARTSYS && !message)
			ret = -EINTR;
	}
	spin_unlock(&ep->lock);
	if (put_off)
		set_thread_flag(TIF_NOTIFY_SIGNAL);
	phi_message_free(message);
	return ret;
}

static int phi_call_check(const struct phi_call *cmd)
{
	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	return 0;
}

/* Make the message and what will answer it. */
static struct phi_message *phi_call_message(struct phi_cspace *cs,
					    struct phi_cap *cap,
					    struct phi_caller *caller,
					    const struct phi_call *cmd,
					    struct phi_moves *moves)
{
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = cmd->ncaps,
		.caps = cmd->caps,
	};
	struct phi_cap *reply;

	struct phi_message *msg __free(phi_message_free) =
		phi_message_new(cs, cap, &parcel, moves);
	if (IS_ERR(msg))
		return_ptr(msg);
	reply = phi_cap_new(&caller->obj, PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0,
			    cs->user);
	if (IS_ERR(reply))
		return ERR_CAST(reply);
	msg->reply = reply;
	return_ptr(msg);
}

static int phi_call_answer(struct phi_cspace *cs, struct phi_call *cmd,
			   struct phi_message *answer)
{
	int ret;

	if (answer->len > cmd->reply_len)
		return -EMSGSIZE;
	memset(cmd->reply_caps, 0, sizeof(cmd->reply_caps));
	ret = phi_message_unpack(cs, answer, cmd->reply_data, cmd->reply_caps,
				 NULL);
	if (ret)
		return ret;
	cmd->reply_len = answer->len;
	cmd->reply_ncaps = answer->ncaps;
	return 0;
}

/**
 * phi_call() - PHI_IOC_CALL
 * @cs: The caller's cspace.
 * @arg: struct phi_call.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_call(struct phi_cspace *cs, void *arg)
{
	struct phi_call *cmd = arg;
	struct phi_moves moves;
	struct phi_message *msg;
	int ret = phi_call_check(cmd);

	if (ret)
		return ret;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES_SEND, PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_caller *caller __free(phi_caller_put) =
		phi_caller_new(cs, cmd->endpoint, cap);
	if (IS_ERR(caller))
		return PTR_ERR(caller);
	msg = phi_call_message(cs, cap, caller, cmd, &moves);
	/* From here on the object lives as long as its capability does. */
	phi_object_put(&caller->obj);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	ret = phi_queue_post(caller->ep, &caller->w, msg, &moves, cmd->flags,
			     cmd->deadline_ns);
	if (ret) {
		phi_message_free(msg);
		return ret;
	}
	ret = phi_caller_wait(caller, cmd->deadline_ns);
	if (!ret)
		ret = phi_call_answer(cs, cmd, caller->answer);
	phi_message_free(caller->answer);
	return ret;
}

/**
 * phi_call_undo() - the outputs of a call could not be written
 * @cs: The caller's cspace.
 * @arg: struct phi_call.
 *
 * Context: Process context. May sleep.
 */
void phi_call_undo(struct phi_cspace *cs, void *arg)
{
	struct phi_call *cmd = arg;

	phi_message_undo(cs, 0, cmd->reply_ncaps, cmd->reply_caps);
}

/* Reserve the caller for this answer. Return: -EPIPE when it has gone. */
static int phi_reply_claim(struct phi_caller *caller)
{
	guard(spinlock)(&caller->ep->lock);
	if (caller->state != PHI_CALLER_WAITS || caller->w.error)
		return -EPIPE;
	caller->state = PHI_CALLER_ANSWERING;
	return 0;
}

/* Hand the answer over, or without one let the caller wait on. */
static void phi_reply_settle(struct phi_caller *caller,
			     struct phi_message *answer)
{
	guard(spinlock)(&caller->ep->lock);
	caller->answer = answer;
	WRITE_ONCE(caller->state,
		   answer ? PHI_CALLER_ANSWERED : PHI_CALLER_WAITS);
	phi_waiter_wake(&caller->w);
}

/**
 * phi_reply() - PHI_IOC_REPLY
 * @cs: The caller's cspace.
 * @arg: struct phi_reply.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_reply(struct phi_cspace *cs, void *arg)
{
	struct phi_reply *cmd = arg;
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = cmd->ncaps,
		.caps = cmd->caps,
		.reserved = cmd->reply,
	};
	struct phi_caller *caller;
	struct phi_moves moves;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->reply, PHI_TYPES(REPLY), PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	caller = phi_caller_of(cap->obj);
	struct phi_message *msg __free(phi_message_free) =
		phi_message_new(cs, NULL, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	ret = phi_reply_claim(caller);
	if (!ret) {
		ret = phi_message_move(cs, msg, &moves);
		if (ret) {
			phi_reply_settle(caller, NULL);
			return ret;
		}
		phi_reply_settle(caller, no_free_ptr(msg));
	}
	/* Answered, or nobody is there to be answered. */
	phi_cap_put(phi_cspace_remove(cs, cmd->reply, cap));
	return ret;
}
