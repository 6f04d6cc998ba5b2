/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM phi

#if !defined(_PHI_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PHI_TRACE_H

#include <linux/preempt.h>
#include <linux/tracepoint.h>

#include "cap.h"
#include "hook.h"

/*
 * Emit a tracepoint with preemption off: since 7.0 the kernel leaves it on, and
 * a program that is preempted there misses what other tasks do; see hook.h.
 */
#define phi_trace(_event, ...)                       \
	do {                                         \
		if (trace_##_event##_enabled()) {    \
			preempt_disable_notrace();   \
			trace_##_event(__VA_ARGS__); \
			preempt_enable_notrace();    \
		}                                    \
	} while (0)

/* Laid out as the kernel's own tracepoints are: */
/* clang-format off */

/* A call came in; emitted before the policies are asked. */
TRACE_EVENT(phi_call_enter,

	TP_PROTO(const struct phi_hook_call *call),

	TP_ARGS(call),

	TP_STRUCT__entry(
		__field(u32, nr)
		__field(u32, uid)
		__field(u64, agent)
		__field(u64, handle)
		__field(u32, to_uid)
		__field(u32, to_tgid)
		__field(u64, to_agent)
	),

	TP_fast_assign(
		__entry->nr = call->nr;
		__entry->uid = call->uid;
		__entry->agent = call->agent;
		__entry->handle = call->handle;
		__entry->to_uid = call->to_uid;
		__entry->to_tgid = call->to_tgid;
		__entry->to_agent = call->to_agent;
	),

	TP_printk("nr=0x%02x uid=%u agent=%llu handle=0x%llx to_uid=%d to_tgid=%u to_agent=%llu",
		  __entry->nr, __entry->uid, __entry->agent, __entry->handle,
		  (int)__entry->to_uid, __entry->to_tgid, __entry->to_agent)
);

/* A call is done, or was refused. */
TRACE_EVENT(phi_call_exit,

	TP_PROTO(const struct phi_hook_call *call, long result),

	TP_ARGS(call, result),

	TP_STRUCT__entry(
		__field(u32, nr)
		__field(u32, uid)
		__field(u64, agent)
		__field(long, result)
	),

	TP_fast_assign(
		__entry->nr = call->nr;
		__entry->uid = call->uid;
		__entry->agent = call->agent;
		__entry->result = result;
	),

	TP_printk("nr=0x%02x uid=%u agent=%llu result=%ld",
		  __entry->nr, __entry->uid, __entry->agent, __entry->result)
);

/* Everything derived from a capability is dead; tear-down comes next. */
TRACE_EVENT(phi_cap_revoke,

	TP_PROTO(struct phi_cap *cap),

	TP_ARGS(cap),

	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, type)
		__field(u32, version)
	),

	TP_fast_assign(
		__entry->id = phi_cap_id(cap);
		__entry->type = cap->obj->ops->type;
		__entry->version = atomic_read(&cap->version);
	),

	TP_printk("id=%llu type=%u version=%u",
		  __entry->id, __entry->type, __entry->version)
);

/* The mappings of a region were taken away. */
TRACE_EVENT(phi_region_zap,

	TP_PROTO(const struct phi_object *region, u64 bytes),

	TP_ARGS(region, bytes),

	TP_STRUCT__entry(
		__field(const void *, region)
		__field(u64, bytes)
	),

	TP_fast_assign(
		__entry->region = region;
		__entry->bytes = bytes;
	),

	TP_printk("region=%p bytes=%llu", __entry->region, __entry->bytes)
);

/* A batch was given a unit. */
TRACE_EVENT(phi_infer_begin,

	TP_PROTO(const struct phi_hook_infer *infer, u32 why),

	TP_ARGS(infer, why),

	TP_STRUCT__entry(
		__field(u64, model)
		__field(u32, batch)
		__field(u32, unit)
		__field(u32, why)
		__field(u64, agent)
		__field(u64, queued_ns)
	),

	TP_fast_assign(
		__entry->model = infer->model;
		__entry->batch = infer->batch;
		__entry->unit = infer->unit;
		__entry->why = why;
		__entry->agent = infer->agent;
		__entry->queued_ns = infer->queued_ns;
	),

	TP_printk("model=%llu batch=%u unit=%u why=%u agent=%llu queued_ns=%llu",
		  __entry->model, __entry->batch, __entry->unit, __entry->why,
		  __entry->agent, __entry->queued_ns)
);

/* A batch is done. */
TRACE_EVENT(phi_infer_end,

	TP_PROTO(const struct phi_hook_infer *infer),

	TP_ARGS(infer),

	TP_STRUCT__entry(
		__field(u64, model)
		__field(u32, batch)
		__field(u32, unit)
		__field(s32, result)
		__field(u64, run_ns)
	),

	TP_fast_assign(
		__entry->model = infer->model;
		__entry->batch = infer->batch;
		__entry->unit = infer->unit;
		__entry->result = infer->result;
		__entry->run_ns = infer->run_ns;
	),

	TP_printk("model=%llu batch=%u unit=%u result=%d run_ns=%llu",
		  __entry->model, __entry->batch, __entry->unit,
		  __entry->result, __entry->run_ns)
);

/* clang-format on */

#endif /* _PHI_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
