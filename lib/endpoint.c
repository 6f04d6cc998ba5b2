// SPDX-License-Identifier: LGPL-2.1-or-later
/* Endpoints and messages: see uapi/phi/endpoint.h. */
#include "internal.h"

/*
 * A count past the limit goes to the kernel as it is and comes back as
 * EINVAL; only the array is guarded here.
 */
static void put_caps(struct phi_xfer *to, const struct phi_msg *msg)
{
	uint32_t n = msg->ncaps;

	if (n > PHI_MSG_CAPS_MAX)
		n = PHI_MSG_CAPS_MAX;
	memcpy(to, msg->caps, n * sizeof(*to));
}

static void recv_prepare(struct phi_recv *arg, uint64_t endpoint,
			 struct phi_msg_in *in, unsigned int flags,
			 uint64_t deadline_ns)
{
	arg->size = sizeof(*arg);
	arg->flags = flags;
	arg->endpoint = endpoint;
	arg->data = (uintptr_t)in->data;
	arg->len = sizeof(in->data);
	arg->deadline_ns = deadline_ns;
}

static void recv_finish(const struct phi_recv *arg, struct phi_msg_in *in)
{
	in->len = arg->len;
	in->ncaps = arg->ncaps;
	memcpy(in->caps, arg->caps, sizeof(in->caps));
	in->reply = arg->reply;
	in->badge = arg->badge;
	in->type = arg->type;
	in->rights = arg->rights;
	in->pid = arg->pid;
	in->uid = arg->uid;
	in->reply_error = 0;
}

int phi_endpoint_create(int phi, uint64_t *cap)
{
	struct phi_endpoint_create arg = { .size = sizeof(arg) };
	int ret = phi_ioctl(phi, PHI_IOC_ENDPOINT_CREATE, &arg);

	if (!ret)
		*cap = arg.cap;
	return ret;
}

int phi_send(int phi, uint64_t endpoint, const struct phi_msg *msg,
	     unsigned int flags, uint64_t deadline_ns)
{
	struct phi_send arg = {
		.size = sizeof(arg),
		.flags = flags,
		.endpoint = endpoint,
		.data = (uintptr_t)msg->data,
		.len = msg->len,
		.ncaps = msg->ncaps,
		.deadline_ns = deadline_ns,
	};

	put_caps(arg.caps, msg);
	return phi_ioctl_once(phi, PHI_IOC_SEND, &arg);
}

int phi_recv(int phi, uint64_t endpoint, struct phi_msg_in *in,
	     unsigned int flags, uint64_t deadline_ns)
{
	struct phi_recv arg = { 0 };
	int ret;

	recv_prepare(&arg, endpoint, in, flags, deadline_ns);
	ret = phi_ioctl_once(phi, PHI_IOC_RECV, &arg);
	if (!ret)
		recv_finish(&arg, in);
	return ret;
}

int phi_call(int phi, uint64_t endpoint, const struct phi_msg *msg,
	     struct phi_msg_in *answer, unsigned int flags,
	     uint64_t deadline_ns)
{
	struct phi_call arg = {
		.size = sizeof(arg),
		.flags = flags,
		.endpoint = endpoint,
		.data = (uintptr_t)msg->data,
		.len = msg->len,
		.ncaps = msg->ncaps,
		.deadline_ns = deadline_ns,
		.reply_data = (uintptr_t)answer->data,
		.reply_len = sizeof(answer->data),
	};
	int ret;

	put_caps(arg.caps, msg);
	ret = phi_ioctl_once(phi, PHI_IOC_CALL, &arg);
	if (ret)
		return ret;
	memset((char *)answer + sizeof(answer->data), 0,
	       sizeof(*answer) - sizeof(answer->data));
	answer->len = arg.reply_len;
	answer->ncaps = arg.reply_ncaps;
	memcpy(answer->caps, arg.reply_caps, sizeof(answer->caps));
	return 0;
}

int phi_reply(int phi, uint64_t reply, const struct phi_msg *msg)
{
	struct phi_reply arg = {
		.size = sizeof(arg),
		.reply = reply,
		.data = (uintptr_t)msg->data,
		.len = msg->len,
		.ncaps = msg->ncaps,
	};

	put_caps(arg.caps, msg);
	return phi_ioctl(phi, PHI_IOC_REPLY, &arg);
}

int phi_reply_recv(int phi, uint64_t reply, const struct phi_msg *msg,
		   uint64_t endpoint, struct phi_msg_in *in, unsigned int flags,
		   uint64_t deadline_ns)
{
	struct phi_reply_recv arg = {
		.size = sizeof(arg),
		.reply.size = sizeof(arg.reply),
		.reply.reply = reply,
		.reply.data = (uintptr_t)msg->data,
		.reply.len = msg->len,
		.reply.ncaps = msg->ncaps,
	};
	int ret;

	put_caps(arg.reply.caps, msg);
	recv_prepare(&arg.recv, endpoint, in, flags, deadline_ns);
	ret = phi_ioctl_once(phi, PHI_IOC_REPLY_RECV, &arg);
	if (!ret)
		recv_finish(&arg.recv, in);
	/* A REPLY handle that is not used up was not answered. */
	in->reply_error = arg.reply.reply ? ret : arg.reply_error;
	return ret;
}

int phi_endpoint_fd(int phi, uint64_t endpoint)
{
	struct phi_endpoint_fd arg = {
		.size = sizeof(arg),
		.endpoint = endpoint,
	};
	int ret = phi_ioctl(phi, PHI_IOC_ENDPOINT_FD, &arg);

	return ret ? ret : arg.fd;
}

int phi_endpoint_watch(int phi, uint64_t endpoint, uint64_t notify,
		       uint64_t bits)
{
	struct phi_endpoint_watch arg = {
		.size = sizeof(arg),
		.endpoint = endpoint,
		.notify = notify,
		.bits = bits,
	};

	return phi_ioctl(phi, PHI_IOC_ENDPOINT_WATCH, &arg);
}
