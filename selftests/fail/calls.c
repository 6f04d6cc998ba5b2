// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scenes of the calls that carry no message.
 */

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "scene.h"

SET(endpoint_create, endpoint_create)
{
}

SET(endpoint_fd, endpoint_fd)
{
	arg->endpoint = s->ep;
}

static bool seen_endpoint_fd(struct stage *s)
{
	return !close(OUT(s, endpoint_fd)->fd);
}

SET(endpoint_watch, endpoint_watch)
{
	arg->endpoint = s->ep;
	arg->notify = s->notify;
	arg->bits = 2;
}

SET(notify_create, notify_create)
{
}

SET(notify_signal, notify_signal)
{
	arg->notify = s->notify;
	arg->bits = 5;
}

bool has_bits(struct stage *s)
{
	uint64_t bits;

	return !do_bits(s->phi, s->notify, 7, &bits) && bits == 5;
}

SET(wait, notify_wait)
{
	arg->flags = PHI_NONBLOCK;
	arg->notify = s->notify;
	arg->mask = 7;
}

static int set_notify_wait(struct stage *s)
{
	return set_wait(s) ?: do_signal(s->phi, s->notify, 5);
}

static bool seen_notify_wait(struct stage *s)
{
	return OUT(s, notify_wait)->bits == 5;
}

SET(notify_bind, notify_bind)
{
	arg->notify = s->notify;
	arg->eventfd = s->file;
}

static bool seen_notify_bind(struct stage *s)
{
	uint64_t count;

	return !do_signal(s->phi, s->notify, 1) &&
	       read(s->file, &count, sizeof(count)) == sizeof(count);
}

SET(cap_derive, cap_derive)
{
	arg->cap = s->ep;
	arg->rights = PHI_RIGHT_SEND;
	arg->badge = 7;
}

SET(cap_revoke, cap_revoke)
{
	arg->cap = s->ep;
}

static bool seen_cap_revoke(struct stage *s)
{
	return do_probe(s->phi, s->badged) && !do_probe(s->phi, s->ep);
}

SET(revoke_one, cap_revoke)
{
	arg->flags = PHI_REVOKE_ONE;
	arg->cap = s->ep;
	arg->child = s->badged;
}

SET(cap_drop, cap_drop)
{
	arg->cap = s->region;
}

SET(cap_query, cap_query)
{
	arg->cap = s->ep;
}

SET(cap_same, cap_same)
{
	arg->a = s->ep;
	arg->b = s->badged;
}

SET(cap_list, cap_list)
{
	arg->handles = (uintptr_t)s->handles;
	arg->count = 64;
}

SET(cap_seal, cap_seal)
{
	arg->cap = s->notify;
	arg->rights = PHI_RIGHT_WRITE;
	arg->token = (uintptr_t)&s->token;
}

SET(cap_unseal, cap_unseal)
{
	arg->token = (uintptr_t)&s->token;
}

SET(seal_aios, cap_seal)
{
	arg->flags = PHI_SEAL_AIOS;
	arg->cap = s->notify;
	arg->rights = PHI_RIGHT_WRITE;
	arg->token = (uintptr_t)s->data;
}

static bool seen_seal_aios(struct stage *s)
{
	uint64_t out;

	return !do_unseal_aios(s->other, s->data, &out);
}

SET(aios_token, cap_unseal)
{
	arg->flags = PHI_SEAL_AIOS;
	arg->token = (uintptr_t)s->data;
}

static int set_unseal_aios(struct stage *s)
{
	return do_seal_aios(s->phi, s->notify, PHI_RIGHT_WRITE, 0, 0, (void *)s->data) ?:
		       set_aios_token(s);
}

SET(cap_rekey, cap_rekey)
{
}

/* One rekey leaves older tokens good, two do not. */
static bool seen_cap_rekey(struct stage *s)
{
	uint64_t out;

	return !do_unseal(s->other, &s->token, &out);
}

SET(cspace_share, cspace_share)
{
	arg->shared = 1;
}

SET(mint_file, cap_mint)
{
	arg->endpoint = s->ep;
	arg->type = PHI_TYPE_FILE;
	arg->rights = PHI_RIGHT_SEND;
	arg->badge = 5;
}

SET(mint_network, cap_mint)
{
	arg->endpoint = s->ep;
	arg->type = PHI_TYPE_NETWORK;
	arg->rights = PHI_RIGHT_SEND;
	arg->badge = PHI_NETWORK_BADGE(6, 8080);
}

SET(cap_watch, cap_watch)
{
	arg->cap = s->badged;
	arg->notify = s->notify;
	arg->revoked = 1;
	arg->gone = 2;
}

static bool seen_cap_watch(struct stage *s)
{
	return !do_revoke(s->phi, s->ep) && !do_all_bits(s->phi, s->notify, 1);
}

static void fill_invoke(struct stage *s, struct phi_cap_invoke *arg,
			uint64_t cap, uint32_t op, uint32_t out_len)
{
	arg->cap = cap;
	arg->op = op;
	arg->in = (uintptr_t)s->data;
	arg->in_len = op == PHI_OP_QUERY ? 0 : 8;
	arg->out = (uintptr_t)s->answer;
	arg->out_len = out_len;
}

SET(invoke_read, cap_invoke)
{
	fill_invoke(s, arg, s->region, PHI_OP_READ, 16);
}

/* At the offset 0, or the 8 bytes after that. */
SET(invoke_write, cap_invoke)
{
	fill_invoke(s, arg, s->region, PHI_OP_WRITE, 0);
	s->data[8] = 'w';
	arg->in_len = 9;
}

SET(invoke_signal, cap_invoke)
{
	fill_invoke(s, arg, s->notify, PHI_OP_SIGNAL, 0);
	s->data[0] = 5;
}

SET(poll, cap_invoke)
{
	fill_invoke(s, arg, s->notify, PHI_OP_POLL, 8);
	s->data[0] = 7;
}

static int set_invoke_poll(struct stage *s)
{
	return set_poll(s) ?: do_signal(s->phi, s->notify, 5);
}

static bool seen_invoke_poll(struct stage *s)
{
	return s->answer[0] == 5 && OUT(s, cap_invoke)->out_len == 8;
}

SET(invoke_query, cap_invoke)
{
	fill_invoke(s, arg, s->unit, PHI_OP_QUERY, PHI_MSG_MAX);
}

SET(invoke_send, cap_invoke)
{
	fill_invoke(s, arg, s->badged, PHI_OP_SEND, 0);
}

static bool seen_invoke_send(struct stage *s)
{
	return !do_take(s->phi, s->ep);
}

SET(cspace_inbox, cspace_inbox)
{
	arg->endpoint = s->ep;
}

SET(cap_grant, cap_grant)
{
	arg->give.cap = s->notify;
	arg->give.rights = PHI_RIGHT_WRITE;
	arg->pidfd = s->file;
}

/* This process, which takes what it is granted by the other cspace. */
static int set_inbox_and_grant(struct stage *s)
{
	struct phi_cspace_inbox inbox = { .endpoint = s->there };

	close(s->file);
	s->file = syscall(SYS_pidfd_open, getpid(), 0);
	return set_cap_grant(s) ?: PHI_DO(s->other, CSPACE_INBOX, &inbox);
}

static bool seen_cap_grant(struct stage *s)
{
	return !do_take(s->phi, s->ep);
}

SET(region_small, region_create)
{
	arg->bytes = STAGE_BYTES;
}

SET(region_huge, region_create)
{
	arg->bytes = 4 << 20;
}

SET(region_dma, region_create)
{
	arg->bytes = 4 << 20;
	arg->flags = PHI_REGION_DMA;
}

SET(region_info, region_info)
{
	arg->cap = s->region;
}

SET(region_slice, region_slice)
{
	arg->cap = s->region;
	arg->bytes = STAGE_BYTES;
	arg->rights = PHI_RIGHT_READ;
}

SET(region_snapshot, region_snapshot)
{
	arg->cap = s->region;
}

/* The word holds another value. */
SET(region_wait, region_wait)
{
	arg->cap = s->region;
	arg->value = 1;
}

SET(region_wake, region_wake)
{
	arg->cap = s->region;
	arg->count = 1;
}

SET(adopt_private, region_adopt)
{
	static uint8_t mem[2 * 4096] __attribute__((aligned(4096)));

	(void)s;
	arg->flags = PHI_ADOPT_PRIVATE;
	arg->start = (uintptr_t)mem;
	arg->bytes = sizeof(mem);
	arg->fd = -1;
}

SET(adopt_memfd, region_adopt)
{
	close(s->file);
	s->file = memfd_create("fail", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (ftruncate(s->file, 2 * 4096) ||
	    fcntl(s->file, F_ADD_SEALS, F_SEAL_SHRINK))
		return;
	arg->bytes = 2 * 4096;
	arg->fd = s->file;
}

SET(unit_register, unit_register)
{
	*arg = (struct phi_unit_register){ UNIT_DEFAULTS };
	arg->size = sizeof(*arg);
}

SET(unit_update, unit_update)
{
	arg->cap = s->unit;
	arg->load = 10;
	arg->healthy = 1;
}

SET(unit_query, unit_query)
{
	arg->id = s->unit_id;
}

SET(model_register, model_register)
{
	*arg = (struct phi_model_register){ .size = sizeof(*arg),
					    .endpoint = s->ep,
					    .max_batch = 8,
					    .name = "model" };
}

SET(model_query, model_query)
{
	arg->id = s->model_id;
}

SET(infer_begin, infer_begin)
{
	arg->model = s->model;
	arg->batch = 2;
}

SET(infer_end, infer_end)
{
	arg->ticket = s->ticket;
}

SET(infer_select, infer_select)
{
	arg->model = s->model;
	arg->batch = 2;
}

SET(system_info, system_info)
{
}

SET(query, decision_query)
{
	arg->flags = PHI_DECISION_BEFORE | PHI_DECISION_THREAD;
}

/* Something must have been refused. */
static int set_decision_query(struct stage *s)
{
	uint64_t out;

	do_derive(s->phi, s->badged, PHI_RIGHT_ALL, &out);
	return set_query(s);
}

static bool seen_decision_query(struct stage *s)
{
	return OUT(s, decision_query)->decision.error == -EPERM;
}

SET(system_stats, system_stats)
{
}

const struct scene call_scenes[] = {
	SCENE(ENDPOINT_CREATE, endpoint_create),
	SCENE(ENDPOINT_FD, endpoint_fd, SEEN(endpoint_fd)),
	SCENE(ENDPOINT_WATCH, endpoint_watch),
	SCENE(NOTIFY_CREATE, notify_create),
	SCENE(NOTIFY_SIGNAL, notify_signal, .seen = has_bits),
	SCENE(NOTIFY_WAIT, notify_wait, SEEN(notify_wait)),
	SCENE(NOTIFY_BIND, notify_bind, SEEN(notify_bind)),
	SCENE(CAP_DERIVE, cap_derive),
	SCENE(CAP_REVOKE, cap_revoke, SEEN(cap_revoke)),
	SCENE(CAP_REVOKE, revoke_one, SEEN(cap_revoke)),
	SCENE(CAP_DROP, cap_drop),
	SCENE(CAP_QUERY, cap_query),
	SCENE(CAP_SAME, cap_same),
	SCENE(CAP_LIST, cap_list),
	SCENE(CAP_INVOKE, invoke_read),
	SCENE(CAP_INVOKE, invoke_write),
	SCENE(CAP_INVOKE, invoke_signal, .seen = has_bits),
	SCENE(CAP_INVOKE, invoke_poll, SEEN(invoke_poll)),
	SCENE(CAP_INVOKE, invoke_query),
	SCENE(CAP_INVOKE, invoke_send, SEEN(invoke_send)),
	SCENE(CAP_SEAL, cap_seal),
	SCENE(CAP_UNSEAL, cap_unseal, .other = true),
	SCENE(CAP_SEAL, seal_aios, SEEN(seal_aios)),
	SCENE(CAP_UNSEAL, unseal_aios, .other = true),
	SCENE(CAP_REKEY, cap_rekey, SEEN(cap_rekey)),
	SCENE(CAP_MINT, mint_file),
	SCENE(CAP_MINT, mint_network),
	SCENE(CAP_WATCH, cap_watch, SEEN(cap_watch)),
	SCENE(CSPACE_SHARE, cspace_share),
	SCENE(CSPACE_INBOX, cspace_inbox),
	{ .name = "cap_grant",
	  .cmd = PHI_IOC_CAP_GRANT,
	  .set = set_inbox_and_grant,
	  SEEN(cap_grant) },
	SCENE(REGION_CREATE, region_small),
	SCENE(REGION_CREATE, region_huge),
	SCENE(REGION_CREATE, region_dma),
	SCENE(REGION_INFO, region_info),
	SCENE(REGION_SLICE, region_slice),
	SCENE(REGION_SNAPSHOT, region_snapshot),
	SCENE(REGION_ADOPT, adopt_private),
	SCENE(REGION_ADOPT, adopt_memfd),
	SCENE(REGION_WAIT, region_wait),
	SCENE(REGION_WAKE, region_wake),
	SCENE(UNIT_REGISTER, unit_register),
	SCENE(UNIT_UPDATE, unit_update),
	SCENE(UNIT_QUERY, unit_query),
	SCENE(MODEL_REGISTER, model_register),
	SCENE(MODEL_QUERY, model_query),
	SCENE(INFER_BEGIN, infer_begin),
	SCENE(INFER_END, infer_end),
	SCENE(INFER_SELECT, infer_select),
	SCENE(SYSTEM_INFO, system_info),
	SCENE(SYSTEM_STATS, system_stats),
	SCENE(DECISION_QUERY, decision_query, SEEN(decision_query)),
	{},
};
