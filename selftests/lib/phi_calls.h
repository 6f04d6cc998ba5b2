/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_PHI_CALLS_H
#define _SELFTESTS_PHI_CALLS_H

/* Every call of /dev/phi as data, for tests that treat all of them alike. */

#include <phi.h>
#include <stddef.h>
#include <stdint.h>

/* The longest struct of a call. */
#define CALL_BYTES 256

/* One call; an offset of 0 says that it has no such field. */
struct call {
	const char *name;
	unsigned int cmd;
	uint32_t size;
	uint32_t flags; /* that it knows */
	uint32_t pad; /* offset of its padding */
	uint32_t deadline; /* offset of its deadline */
};

/* clang-format off */
#define CALL(_cmd, _call, _flags, _pad)                         \
	{ #_call, PHI_IOC_##_cmd, sizeof(struct phi_##_call),   \
	  _flags, _pad, 0 }
#define WAITS(_cmd, _call, _flags)                              \
	{ #_call, PHI_IOC_##_cmd, sizeof(struct phi_##_call),   \
	  _flags, 0, offsetof(struct phi_##_call, deadline_ns) }
#define PAD(_call) offsetof(struct phi_##_call, pad)

static const struct call calls[] = {
	WAITS(SEND, send, PHI_NONBLOCK),
	WAITS(RECV, recv, PHI_NONBLOCK | PHI_RECV_NOCAPS),
	WAITS(CALL, call, PHI_NONBLOCK),
	CALL(REPLY, reply, 0, 0),
	{ "reply_recv", PHI_IOC_REPLY_RECV, sizeof(struct phi_reply_recv), 0,
	  PAD(reply_recv), offsetof(struct phi_reply_recv, recv.deadline_ns) },
	CALL(ENDPOINT_CREATE, endpoint_create, 0, 0),
	CALL(ENDPOINT_FD, endpoint_fd, 0, PAD(endpoint_fd)),
	CALL(ENDPOINT_WATCH, endpoint_watch, 0, 0),
	CALL(NOTIFY_CREATE, notify_create, 0, 0),
	CALL(NOTIFY_SIGNAL, notify_signal, 0, 0),
	WAITS(NOTIFY_WAIT, notify_wait, PHI_NONBLOCK),
	CALL(NOTIFY_BIND, notify_bind, 0, PAD(notify_bind)),
	CALL(CAP_DERIVE, cap_derive, 0, PAD(cap_derive)),
	CALL(CAP_REVOKE, cap_revoke, 0, 0),
	CALL(CAP_DROP, cap_drop, 0, 0),
	CALL(CAP_QUERY, cap_query, 0, 0),
	CALL(CAP_SEAL, cap_seal, 0, 0),
	CALL(CAP_UNSEAL, cap_unseal, 0, 0),
	CALL(CAP_SAME, cap_same, 0, PAD(cap_same)),
	CALL(CAP_LIST, cap_list, 0, 0),
	CALL(CSPACE_SHARE, cspace_share, 0, PAD(cspace_share)),
	CALL(CAP_REKEY, cap_rekey, 0, PAD(cap_rekey)),
	CALL(CAP_MINT, cap_mint, 0, 0),
	CALL(REGION_CREATE, region_create, PHI_REGION_DMA, 0),
	CALL(REGION_INFO, region_info, 0, PAD(region_info)),
	CALL(AGENT_REGISTER, agent_register, 0, PAD(agent_register)),
	CALL(UNIT_REGISTER, unit_register, PHI_UNIT_SHARED, 0),
	CALL(UNIT_UPDATE, unit_update, 0, 0),
	CALL(UNIT_QUERY, unit_query, 0, PAD(unit_query)),
	CALL(MODEL_REGISTER, model_register, 0, 0),
	CALL(MODEL_QUERY, model_query, 0, 0),
	CALL(INFER_BEGIN, infer_begin, 0, 0),
	CALL(INFER_END, infer_end, 0, PAD(infer_end)),
	CALL(INFER_SELECT, infer_select, 0, 0),
	CALL(SYSTEM_INFO, system_info, 0, 0),
	CALL(SYSTEM_STATS, system_stats, 0, 0),
};

/* clang-format on */

#undef CALL
#undef WAITS
#undef PAD

#endif /* _SELFTESTS_PHI_CALLS_H */
