// SPDX-License-Identifier: GPL-2.0-only
/* Endpoints: send and receive messages with capabilities. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "out.h"

static int endpoint_create(struct args *args)
{
	uint64_t cap;
	int ret = phi_endpoint_create(args->phi, &cap);

	if (ret)
		return fail(ret, "make an endpoint");
	out_handle("cap", cap);
	out_only();
	return out_end();
}

/* One --copy or --move HANDLE[:RIGHTS]. */
static int xfer_parse(const struct args *args, const char *text, bool move,
		      struct phi_xfer *xfer)
{
	const char *colon = strchr(text, ':');
	char handle[32];
	uint64_t cap;
	size_t len;

	len = colon ? (size_t)(colon - text) : strlen(text);
	if (len >= sizeof(handle))
		return usage_error(args, "'%s' is not HANDLE[:RIGHTS]", text);
	memcpy(handle, text, len);
	handle[len] = '\0';
	if (args_u64(args, "handle", handle, UINT64_MAX, &cap))
		return EXIT_USAGE;
	xfer->cap = cap;
	xfer->flags = move ? PHI_XFER_MOVE : 0;
	xfer->rights = PHI_RIGHT_ALL;
	if (colon && !rights_parse(colon + 1, &xfer->rights))
		return usage_error(args, "'%s' are no rights", colon + 1);
	return EXIT_OK;
}

/* The message of a command line; *data is to be freed. */
static int msg_parse(const struct args *args, int operand, struct phi_msg *msg,
		     void **data)
{
	const char *file = args_option(args, "file");
	size_t len = 0;
	bool move;
	int ret;
	int i;

	memset(msg, 0, sizeof(*msg));
	*data = NULL;
	for (i = 0; i < args->ngiven; i++) {
		move = !strcmp(args->given[i].name, "move");
		if (!move && strcmp(args->given[i].name, "copy"))
			continue;
		if (msg->ncaps == PHI_MSG_CAPS_MAX)
			return usage_error(
				args, "a message has %d capabilities at most",
				PHI_MSG_CAPS_MAX);
		if (xfer_parse(args, args->given[i].value, move,
			       &msg->caps[msg->ncaps++]))
			return EXIT_USAGE;
	}

	if (file && args->n > operand)
		return usage_error(args, "--file and DATA exclude each other");
	if (file) {
		ret = read_file(file, PHI_MSG_MAX, data, &len);
		if (ret == -EFBIG)
			return fail(-EMSGSIZE, "send %s", file);
		if (ret)
			return fail_because(NULL, strerror(-ret), "read %s",
					    file);
		msg->data = *data;
	} else if (args->n > operand) {
		msg->data = args->operand[operand];
		len = strlen(msg->data);
		if (len > PHI_MSG_MAX)
			return fail(-EMSGSIZE, "send %zu bytes", len);
	}
	msg->len = (uint32_t)len;
	return EXIT_OK;
}

static int print_message(const struct args *args, const struct phi_msg_in *in,
			 bool answer)
{
	uint32_t i;
	int ret;

	if (args_option(args, "raw")) {
		ret = write_all(STDOUT_FILENO, in->data, in->len);
		return ret ? fail(ret, "write to stdout") : EXIT_OK;
	}
	out_u64("length", in->len);
	out_bytes("data", in->data, in->len);
	if (!answer) {
		out_handle("badge", in->badge);
		out_str("through", type_name(in->type));
		out_rights("rights", in->rights);
		out_u64("pid", in->pid);
		out_u64("uid", in->uid);
		if (in->reply)
			out_handle("reply", in->reply);
	}
	if (in->ncaps || out_json) {
		out_table("caps", "none");
		for (i = 0; i < in->ncaps; i++) {
			out_row();
			out_handle("cap", in->caps[i].cap);
			out_str("type", type_name(in->caps[i].type));
			out_rights("rights", in->caps[i].rights);
			out_close();
		}
		out_close();
	}
	return out_end();
}

static unsigned int nonblock(const struct args *args)
{
	return args_option(args, "nonblock") ? PHI_NONBLOCK : 0;
}

static int endpoint_send(struct args *args)
{
	struct phi_msg msg;
	uint64_t deadline;
	uint64_t cap;
	void *data;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	ret = msg_parse(args, 1, &msg, &data);
	if (!ret) {
		wait_begin("room in the queue");
		ret = phi_send(args->phi, cap, &msg, nonblock(args), deadline);
		wait_end();
		if (ret)
			ret = fail(ret, "send to %s", args->operand[0]);
	}
	free(data);
	if (ret || !out_json)
		return ret;
	out_u64("sent", msg.len);
	return out_end();
}

static unsigned int recv_flags(const struct args *args)
{
	return nonblock(args) |
	       (args_option(args, "no-caps") ? PHI_RECV_NOCAPS : 0);
}

static int endpoint_recv(struct args *args)
{
	struct phi_msg_in in;
	uint64_t deadline;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	wait_begin("a message");
	ret = phi_recv(args->phi, cap, &in, recv_flags(args), deadline);
	wait_end();
	if (ret)
		return fail(ret, "receive from %s", args->operand[0]);
	return print_message(args, &in, false);
}

static int endpoint_call(struct args *args)
{
	struct phi_msg_in answer;
	struct phi_msg msg;
	uint64_t deadline;
	uint64_t cap;
	void *data;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	ret = msg_parse(args, 1, &msg, &data);
	if (!ret) {
		wait_begin("the answer");
		ret = phi_call(args->phi, cap, &msg, &answer, nonblock(args),
			       deadline);
		wait_end();
		if (ret)
			ret = fail(ret, "call %s", args->operand[0]);
	}
	free(data);
	return ret ? ret : print_message(args, &answer, true);
}

static int endpoint_reply(struct args *args)
{
	struct phi_msg msg;
	uint64_t reply;
	void *data;
	int ret;

	if (args_handle(args, 0, &reply))
		return EXIT_USAGE;
	ret = msg_parse(args, 1, &msg, &data);
	if (!ret) {
		ret = phi_reply(args->phi, reply, &msg);
		if (ret)
			ret = fail(ret, "answer %s", args->operand[0]);
	}
	free(data);
	if (ret || !out_json)
		return ret;
	out_u64("sent", msg.len);
	return out_end();
}

static int endpoint_reply_recv(struct args *args)
{
	struct phi_msg_in in;
	struct phi_msg msg;
	uint64_t deadline;
	uint64_t endpoint;
	uint64_t reply;
	void *data;
	int ret;

	if (args_handle(args, 0, &reply) || args_handle(args, 1, &endpoint) ||
	    option_when(args, "timeout", CLOCK_MONOTONIC, &deadline))
		return EXIT_USAGE;
	ret = msg_parse(args, 2, &msg, &data);
	if (!ret) {
		wait_begin("the next message");
		ret = phi_reply_recv(args->phi, reply, &msg, endpoint, &in,
				     recv_flags(args), deadline);
		wait_end();
		if (ret)
			ret = fail(ret, "answer %s and receive from %s",
				   args->operand[0], args->operand[1]);
	}
	free(data);
	if (ret)
		return ret;
	if (in.reply_error)
		fail(in.reply_error, "answer %s", args->operand[0]);
	return print_message(args, &in, false);
}

/* Poll the endpoint's file once, or until something is up. */
static int endpoint_fd(struct args *args)
{
	struct pollfd file = { .events = POLLIN | POLLOUT };
	uint64_t span = 0;
	uint64_t cap;
	int ret;

	if (args_handle(args, 0, &cap) ||
	    option_duration(args, "timeout", &span))
		return EXIT_USAGE;
	if (args_option(args, "in"))
		file.events = POLLIN;
	file.fd = phi_endpoint_fd(args->phi, cap);
	if (file.fd < 0)
		return fail(file.fd, "poll %s", args->operand[0]);
	wait_begin("the endpoint");
	ret = poll(&file, 1, (int)(span / 1000000));
	wait_end();
	close(file.fd);
	if (ret < 0)
		return fail(-errno, "poll %s", args->operand[0]);
	out_bool("readable", file.revents & POLLIN);
	out_bool("writable", file.revents & POLLOUT);
	out_bool("dead", file.revents & POLLHUP);
	out_bool("revoked", file.revents & POLLERR);
	return out_end();
}

static int endpoint_watch(struct args *args)
{
	uint64_t endpoint;
	uint64_t notify;
	uint64_t bits;
	int ret;

	if (args_handle(args, 0, &endpoint) || args_handle(args, 1, &notify) ||
	    args_u64(args, "bits", args->operand[2], UINT64_MAX, &bits))
		return EXIT_USAGE;
	ret = phi_endpoint_watch(args->phi, endpoint, notify, bits);
	if (ret)
		return fail(ret, "watch %s", args->operand[0]);
	if (!out_json)
		return EXIT_OK;
	out_handle("endpoint", endpoint);
	out_handle("bits", bits);
	return out_end();
}

#define DATA \
	"[DATA] [--file FILE] [--copy CAP[:LIST]]... [--move CAP[:LIST]]..."

static const struct verb verbs[] = {
	{ "create", endpoint_create, "", "make a mailbox", HANDLES },
	{ "send", endpoint_send, "CAP " DATA " [--nonblock] [--timeout TIME]",
	  "send a message", HANDLES },
	{ "recv", endpoint_recv,
	  "CAP [--raw] [--no-caps] [--nonblock] [--timeout TIME]",
	  "take the next message; --raw prints only its bytes", HANDLES },
	{ "call", endpoint_call,
	  "CAP " DATA " [--raw] [--nonblock] [--timeout TIME]",
	  "send a message and wait for its answer", HANDLES },
	{ "reply", endpoint_reply, "REPLY " DATA, "answer a call", HANDLES },
	{ "reply-recv", endpoint_reply_recv,
	  "REPLY CAP " DATA
	  " [--raw] [--no-caps] [--nonblock] [--timeout TIME]",
	  "answer a call and take the next message, in one entry", HANDLES },
	{ "fd", endpoint_fd, "CAP [--in] [--timeout TIME]",
	  "poll its file: readable, writable, dead? --in waits for messages only",
	  HANDLES },
	{ "watch", endpoint_watch, "CAP NOTIFY BITS",
	  "signal bits of a notify when the endpoint dies", HANDLES },
	{ "mint", cap_mint,
	  "CAP --type TYPE [--rights LIST] [--badge BITS] [--port PROTO/PORT] [--expires TIME]",
	  "make a file or network capability whose messages arrive here",
	  HANDLES },
	{ 0 },
};

const struct noun endpoint_noun = {
	.name = "endpoint",
	.help = "messages that carry capabilities",
	.verbs = verbs,
};
