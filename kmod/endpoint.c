// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cleanup.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/pid_namespace.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

#include "decision.h"
#include "dispatch.h"
#include "endpoint.h"
#include "notify.h"
#include "words.h"

/**
 * phi_endpoint_create() - PHI_IOC_ENDPOINT_CREATE
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_create.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_create(struct phi_cspace *cs, void *arg)
{
	struct phi_endpoint_create *cmd = arg;
	struct phi_endpoint *ep;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	ep = phi_mailbox_new(cs->user);
	if (IS_ERR(ep))
		return PTR_ERR(ep);
	ret = phi_cspace_install_new(cs, &ep->obj,
				     PHI_RIGHT_SEND | PHI_RIGHT_RECV |
					     PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT,
				     0, &cmd->cap);
	phi_object_put(&ep->obj);
	return ret;
}

/**
 * phi_endpoint_fd() - PHI_IOC_ENDPOINT_FD
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_fd.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_fd(struct phi_cspace *cs, void *arg)
{
	struct phi_endpoint_fd *cmd = arg;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->endpoint, PHI_TYPES(ENDPOINT), 0);
	if (IS_ERR(cap)) {
		phi_refuse_more(PHI_RIGHT_SEND);
		return PTR_ERR(cap);
	}
	if (!(cap->rights & (PHI_RIGHT_SEND | PHI_RIGHT_RECV)))
		return phi_refuse_right(cap, PHI_RIGHT_SEND);
	cmd->fd =
		phi_frame_reserve(arg, phi_poller_open(cs, cmd->endpoint, cap));
	return min(cmd->fd, 0);
}

/**
 * phi_endpoint_fd_settle() - let the descriptor name its file
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_fd.
 * @told: The caller knows the descriptor.
 *
 * Context: Process context. May sleep.
 */
void phi_endpoint_fd_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_endpoint_fd *cmd = arg;

	phi_frame_open(arg, cmd->fd, told);
}

/**
 * phi_endpoint_watch() - PHI_IOC_ENDPOINT_WATCH
 * @cs: The caller's cspace.
 * @arg: struct phi_endpoint_watch.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_endpoint_watch(struct phi_cspace *cs, void *arg)
{
	struct phi_endpoint_watch *cmd = arg;
	struct phi_watch *watch;
	struct phi_waiter w;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (!cmd->bits)
		return -EINVAL;

	struct phi_cap *cap __free(phi_cap_put) =
		phi_cspace_lookup(cs, cmd->endpoint, PHI_TYPES(ENDPOINT), 0);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	struct phi_cap *notify __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->notify, PHI_TYPES(NOTIFY), PHI_RIGHT_WRITE);
	if (IS_ERR(notify))
		return PTR_ERR(notify);
	watch = phi_watch_new(cs->user, cap, notify, cmd->bits);
	if (IS_ERR(watch))
		return PTR_ERR(watch);
	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES(ENDPOINT), 0);
	ret = phi_watch_add(phi_endpoint_of(cap->obj), watch, &w);
	if (!ret)
		return 0;
	phi_watch_free(watch);
	if (ret != -EPIPE)
		return ret;
	phi_notify_set(notify->obj, cmd->bits);
	return 0;
}

/**
 * phi_send() - PHI_IOC_SEND
 * @cs: The caller's cspace.
 * @arg: struct phi_send.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_send(struct phi_cspace *cs, void *arg)
{
	struct phi_send *cmd = arg;
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = cmd->ncaps,
		.caps = cmd->caps,
	};
	struct phi_message *msg;
	struct phi_moves moves;
	struct phi_waiter w;
	int ret;

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES_SEND, PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	msg = phi_message_new(cs, cap, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES_SEND,
			PHI_RIGHT_SEND);
	ret = phi_queue_post(phi_endpoint_behind(cap), &w, msg, &moves,
			     cmd->flags, cmd->deadline_ns);
	if (ret)
		phi_message_free(msg);
	else
		phi_frame_sent(arg, cmd->len);
	return ret;
}

/* The capability to receive with, or ERR_PTR(). */
static struct phi_cap *phi_recv_prepare(struct phi_cspace *cs,
					const struct phi_recv *cmd)
{
	if (cmd->flags & ~(PHI_NONBLOCK | PHI_RECV_NOCAPS))
		return ERR_PTR(-EOPNOTSUPP);
	return phi_cspace_lookup(cs, cmd->endpoint, PHI_TYPES(ENDPOINT),
				 PHI_RIGHT_RECV);
}

/* Say where a message comes from, in the terms of the receiver. */
static void phi_recv_describe(struct phi_cspace *cs, struct phi_recv *cmd,
			      const struct phi_message *msg)
{
	cmd->badge = msg->via->badge;
	cmd->type = msg->via->type;
	cmd->rights = msg->via->rights;
	cmd->pid = pid_nr_ns(msg->pid, ns_of_pid(cs->tgid));
	cmd->uid = from_kuid_munged(cs->cred->user_ns, msg->uid);
}

/* Take a message into the hand of @frame, with @cap, and unpack it. */
static int phi_recv_take(struct phi_cspace *cs, struct phi_recv *cmd,
			 struct phi_cap *cap, struct phi_frame *frame)
{
	struct phi_endpoint *ep = phi_endpoint_of(cap->obj);
	bool nocaps = cmd->flags & PHI_RECV_NOCAPS;
	struct phi_message *msg;
	struct phi_waiter w;
	int ret;

	phi_waiter_init(&w, cs, cmd->endpoint, cap, PHI_TYPES(ENDPOINT),
			PHI_RIGHT_RECV);
	msg = phi_queue_take(ep, &w, cmd->len, cmd->flags, cmd->deadline_ns);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	memset(cmd->caps, 0, sizeof(cmd->caps));
	ret = phi_message_unpack(cs, msg, cmd->data, nocaps ? NULL : cmd->caps,
				 &cmd->reply);
	if (ret) {
		phi_queue_return(ep, msg);
		return ret;
	}
	cmd->len = msg->len;
	cmd->ncaps = nocaps ? 0 : msg->ncaps;
	phi_recv_describe(cs, cmd, msg);
	frame->cap = cap;
	frame->msg = msg;
	return 0;
}

/* The message is the receiver's; or it goes back to be the next again. */
static void phi_recv_finish(struct phi_cspace *cs, struct phi_recv *cmd,
			    struct phi_frame *frame, bool told)
{
	struct phi_endpoint *ep = phi_endpoint_of(frame->cap->obj);

	if (told) {
		phi_queue_done(ep, frame->msg);
	} else {
		phi_message_repack(cs, frame->msg, cmd->ncaps, cmd->caps,
				   cmd->reply);
		phi_queue_return(ep, frame->msg);
	}
	phi_cap_put(frame->cap);
}

/**
 * phi_recv() - PHI_IOC_RECV
 * @cs: The caller's cspace.
 * @arg: struct phi_recv.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_recv(struct phi_cspace *cs, void *arg)
{
	struct phi_recv *cmd = arg;
	int ret;

	struct phi_cap *cap __free(phi_cap_put) = phi_recv_prepare(cs, cmd);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	ret = phi_recv_take(cs, cmd, cap, phi_frame_of(arg));
	if (!ret)
		retain_and_null_ptr(cap);
	return ret;
}

/**
 * phi_recv_settle() - let go of a message, or put it back
 * @cs: The caller's cspace.
 * @arg: struct phi_recv.
 * @told: The caller knows what came.
 *
 * Context: Process context. May sleep.
 */
void phi_recv_settle(struct phi_cspace *cs, void *arg, bool told)
{
	phi_recv_finish(cs, arg, phi_frame_of(arg), told);
}

/* An answer cannot be asked for twice: prove first that it can be written. */
static int phi_call_valid(const struct phi_call *cmd)
{
	u32 room = min_t(u32, cmd->reply_len, PHI_MSG_MAX);

	if (cmd->flags & ~PHI_NONBLOCK)
		return -EOPNOTSUPP;
	if (!phi_frame_writable(u64_to_user_ptr(cmd->reply_data), room))
		return -EFAULT;
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

/* Take an answer that the call has kept. */
static int phi_call_kept(struct phi_call *cmd, const struct phi_caller *caller)
{
	if (caller->len > cmd->reply_len)
		return -EMSGSIZE;
	cmd->reply_len = caller->len;
	cmd->reply_ncaps = 0;
	memset(cmd->reply_caps, 0, sizeof(cmd->reply_caps));
	return phi_words_put(u64_to_user_ptr(cmd->reply_data), caller->data,
			     caller->len);
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

/* Send the message of a new call. */
static struct phi_caller *phi_call_post(struct phi_cspace *cs,
					const struct phi_call *cmd)
{
	struct phi_moves moves;
	struct phi_message *msg;
	int ret = phi_call_valid(cmd);

	if (ret)
		return ERR_PTR(ret);

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->endpoint, PHI_TYPES_SEND, PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return ERR_CAST(cap);
	struct phi_caller *caller __free(phi_caller_end) =
		phi_caller_new(cs, cmd->endpoint, cap);
	if (IS_ERR(caller))
		return_ptr(caller);
	retain_and_null_ptr(cap);
	msg = phi_call_message(cs, caller->w.cap, caller, cmd, &moves);
	/* From here on the object lives as long as its capability does. */
	phi_object_put(&caller->obj);
	if (IS_ERR(msg))
		return ERR_CAST(msg);
	ret = phi_queue_post(caller->ep, &caller->w, msg, &moves, cmd->flags,
			     cmd->deadline_ns);
	if (ret) {
		phi_message_free(msg);
		return ERR_PTR(ret);
	}
	return_ptr(caller);
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
	struct phi_frame *frame = phi_frame_of(arg);
	struct phi_call *cmd = arg;
	struct phi_caller *caller = phi_park_resume(cs, frame);
	int ret;

	if (!caller)
		caller = phi_call_post(cs, cmd);
	if (IS_ERR(caller))
		return PTR_ERR(caller);
	ret = phi_caller_wait(caller, cmd->deadline_ns);
	if (ret == -ERESTARTNOHAND && phi_park(cs, frame, caller))
		return ret;
	if (!caller->withdrawn)
		phi_frame_sent(arg, cmd->len);
	if (ret == -ERESTARTNOHAND) {
		phi_caller_leave(caller);
		return -EINTR;
	}
	if (!ret)
		ret = caller->kept ? phi_call_kept(cmd, caller) :
				     phi_call_answer(cs, cmd, caller->answer);
	if (ret)
		phi_message_free(caller->answer);
	else
		frame->msg = caller->answer;
	phi_caller_end(caller);
	return ret;
}

/**
 * phi_call_settle() - let go of an answer
 * @cs: The caller's cspace.
 * @arg: struct phi_call.
 * @told: The caller knows what came.
 *
 * The server's work cannot be undone, so an answer that the caller does not
 * receive is lost; its capabilities go.
 *
 * Context: Process context. May sleep.
 */
void phi_call_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_call *cmd = arg;
	struct phi_message *answer = phi_frame_of(arg)->msg;

	if (!told)
		phi_message_repack(cs, answer, cmd->reply_ncaps,
				   cmd->reply_caps, 0);
	phi_message_free(answer);
}

/* Tell a caller of REPLY_RECV whether its REPLY handle is used up. */
static int phi_reply_tell(struct phi_reply __user *told, u64 handle)
{
	return told && put_user(handle, &told->reply) ? -EFAULT : 0;
}

/* Answer with few bytes and no capabilities. */
static int phi_reply_short(const struct phi_reply *cmd,
			   struct phi_caller *caller,
			   struct phi_reply __user *told)
{
	u64 data[PHI_ANSWER_SHORT / sizeof(u64)]
		__attribute__((__uninitialized__));
	int ret;

	if (!phi_words_zero(cmd->caps, sizeof(cmd->caps)))
		return -EINVAL;
	ret = phi_words_get(data, u64_to_user_ptr(cmd->data), cmd->len) ?:
		      phi_reply_tell(told, 0);
	return ret ?: phi_caller_answer(caller, data, cmd->len);
}

/* Answer with a message. -EPIPE: nobody is there to be answered. */
static int phi_reply_message(struct phi_cspace *cs, const struct phi_reply *cmd,
			     struct phi_caller *caller,
			     struct phi_reply __user *told)
{
	const struct phi_parcel parcel = {
		.data = cmd->data,
		.len = cmd->len,
		.ncaps = cmd->ncaps,
		.caps = cmd->caps,
		.reserved = cmd->reply,
	};
	struct phi_moves moves;
	int ret;

	struct phi_message *msg __free(phi_message_free) =
		phi_message_new(cs, NULL, &parcel, &moves);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	ret = phi_reply_tell(told, 0);
	if (!ret)
		ret = phi_caller_claim(caller);
	if (ret)
		return ret;
	ret = phi_message_move(cs, msg, &moves);
	if (ret) {
		phi_caller_settle(caller, NULL);
		phi_reply_tell(told, cmd->reply);
		return ret;
	}
	/* The caller may be killed in between. */
	if (!phi_caller_settle(caller, msg))
		return -EPIPE;
	retain_and_null_ptr(msg);
	return 0;
}

/*
 * Answer a call. @told is written before the answer goes out, so that nobody
 * has to guess whether it did; NULL for a caller that knows it from the result.
 */
static int phi_reply_send(struct phi_cspace *cs, const struct phi_reply *cmd,
			  struct phi_frame *frame,
			  struct phi_reply __user *told)
{
	struct phi_caller *caller;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;

	struct phi_cap *cap __free(phi_cap_put) = phi_cspace_lookup(
		cs, cmd->reply, PHI_TYPES(REPLY), PHI_RIGHT_SEND);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	caller = phi_caller_of(cap->obj);
	if (!cmd->ncaps && cmd->len <= PHI_ANSWER_SHORT)
		ret = phi_reply_short(cmd, caller, told);
	else
		ret = phi_reply_message(cs, cmd, caller, told);
	if (!ret)
		phi_frame_sent(frame->arg, cmd->len);
	/* Answered, or nobody is there to be answered. */
	if (!ret || ret == -EPIPE)
		phi_cap_release(phi_cspace_remove(cs, cmd->reply));
	return ret;
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
	return phi_reply_send(cs, arg, phi_frame_of(arg), NULL);
}

/**
 * phi_reply_recv() - PHI_IOC_REPLY_RECV
 * @cs: The caller's cspace.
 * @arg: struct phi_reply_recv.
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative errno.
 */
int phi_reply_recv(struct phi_cspace *cs, void *arg)
{
	struct phi_frame *frame = phi_frame_of(arg);
	struct phi_reply_recv __user *told = frame->uarg;
	struct phi_reply_recv *cmd = arg;
	int ret;

	if (cmd->flags)
		return -EOPNOTSUPP;
	if (cmd->pad || cmd->reply.size != sizeof(cmd->reply) ||
	    cmd->recv.size != sizeof(cmd->recv))
		return -EINVAL;

	/* Check the receive before anything is answered. */
	struct phi_cap *cap __free(phi_cap_put) =
		phi_recv_prepare(cs, &cmd->recv);
	if (IS_ERR(cap))
		return PTR_ERR(cap);
	if (!phi_frame_writable(u64_to_user_ptr(cmd->recv.data),
				min_t(u32, cmd->recv.len, PHI_MSG_MAX)))
		return -EFAULT;
	if (cmd->reply.reply) {
		ret = phi_reply_send(cs, &cmd->reply, frame, &told->reply);
		if (ret && ret != -EPIPE)
			return ret;
		cmd->reply_error = ret;
	}
	/* From here on the same call again receives, and answers nobody. */
	ret = phi_recv_take(cs, &cmd->recv, cap, frame);
	if (!ret)
		retain_and_null_ptr(cap);
	else if (put_user(cmd->reply_error, &told->reply_error))
		ret = -EFAULT;
	return ret;
}

/**
 * phi_reply_recv_settle() - let go of a message, or put it back
 * @cs: The caller's cspace.
 * @arg: struct phi_reply_recv.
 * @told: The caller knows what came.
 *
 * Context: Process context. May sleep.
 */
void phi_reply_recv_settle(struct phi_cspace *cs, void *arg, bool told)
{
	struct phi_reply_recv *cmd = arg;

	phi_recv_finish(cs, &cmd->recv, phi_frame_of(arg), told);
}
