// SPDX-License-Identifier: GPL-2.0-only
/* The requests that come by phi_call(). */
#include <errno.h>
#include <string.h>

#include "confine.h"
#include "serve_impl.h"

/* Each has two files, and what its calls open. */
#define SESSIONS_MAX 12288
#define USER_MAX 1024

/* ATTACH: the only request on what is published. */
static int mathisd_attach(struct daemon *d, const struct phi_msg_in *in,
			  bool *taken)
{
	const struct mathis_wire_open *req = (const void *)in->data;
	struct mathis_wire_opened a = { .tag = req->tag,
					.calls = MD_CALLS_MAX };
	struct session *base;
	int ret;

	if (req->flags || req->pad || req->entries || req->bytes)
		return -EINVAL;
	if (req->version != MATHIS_WIRE_VERSION)
		return -EPROTONOSUPPORT;
	ret = session_open(d, in, &base);
	if (ret)
		return ret;
	*taken = true;
	ret = mathisd_client_init((struct client *)base);
	if (ret) {
		a.status = ret;
		call_reply(d, in->reply, &a, sizeof(a));
		session_close(base, NULL);
		return 0;
	}
	session_welcome(base, in->reply, &a, sizeof(a), "");
	return 0;
}

/* SESSION: whether it took the capability that came. */
static bool mathisd_session(struct session *session,
			    const struct phi_msg_in *in)
{
	const struct mathis_wire_open *req = (const void *)in->data;
	struct client *client = (struct client *)session;
	struct mathis_wire_opened a = { .tag = req->tag };

	if (req->flags || req->pad || req->entries || req->bytes ||
	    req->version != MATHIS_WIRE_VERSION ||
	    in->caps[0].type != PHI_TYPE_SESSION)
		a.status = -EINVAL;
	else if (!(in->caps[0].rights & PHI_RIGHT_EXEC))
		a.status = -EPERM;
	else if (client->check)
		a.status = -EEXIST;
	else
		client->check = in->caps[0].cap;
	call_reply(session->daemon, in->reply, &a, sizeof(a));
	return !a.status;
}

/* RING: whether it took the capability that came. */
static bool mathisd_ring(struct session *session, const struct phi_msg_in *in)
{
	const struct mathis_wire_open *req = (const void *)in->data;
	struct mathis_wire_opened a = { .tag = req->tag };

	a.status = mathisd_channel_open((struct client *)session, req, in);
	if (a.status)
		call_reply(session->daemon, in->reply, &a, sizeof(a));
	return !a.status;
}

#define THREAD_ATTACH(...) .attach = true
#define THREAD_MAIN(_run) .now = (_run)

#define CALL(_nr, _thread, _run, _reply, ...)               \
	[MATHIS_OP_##_nr] = {                               \
		.request = sizeof(struct mathis_wire_open), \
		.reply = sizeof(struct _reply),             \
		.takes = true,                              \
		THREAD_##_thread(_run),                     \
	},

static const struct op ops[] = {
#include "calls.def"
};

static const struct op *find_op(uint32_t nr)
{
	return nr < sizeof(ops) / sizeof(*ops) && ops[nr].request ? &ops[nr] :
								    NULL;
}

static bool published(struct daemon *d, const struct phi_msg_in *in)
{
	(void)d;
	return in->badge == BADGE_OPEN;
}

static void refuse(struct daemon *d, const struct op *op,
		   const struct phi_msg_in *in, int status)
{
	const struct mathis_wire_open *req = (const void *)in->data;
	struct mathis_wire_opened a = { .status = status };

	(void)op;
	if (in->len >= sizeof(struct wire_head))
		a.tag = req->tag;
	call_reply(d, in->reply, &a, sizeof(a));
}

static int check(struct session *session, const struct op *op,
		 const struct phi_msg_in *in)
{
	(void)session;
	(void)op;
	(void)in;
	return 0;
}

static void ended(struct session *session)
{
	mathisd_client_ended((struct client *)session);
}

static void freed(struct session *session)
{
	mathisd_channel_close((struct client *)session);
}

const struct daemon_kind mathisd_kind = {
	.session_size = sizeof(struct client),
	.user_size = sizeof(struct mathisd_user),
	.sessions = SESSIONS_MAX,
	.user_sessions = USER_MAX,
	.op = find_op,
	.published = published,
	.attach = mathisd_attach,
	.refuse = refuse,
	.check = check,
	.ended = ended,
	.freed = freed,
	.confine = mathisd_confine,
};
