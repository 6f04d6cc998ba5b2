// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The loop over instructions. The verifier has proved that each is whole, that
 * its values are on the stack and that what it names is there.
 */
#include <string.h>

#include "fuse.h"
#include "machine.h"

#ifndef __clang__
/*
 * Values move as two words: a copy by vector of words that were just stored
 * would wait until these are in the cache. Jumps stay at the ends of the
 * instructions that they belong to.
 */
#pragma GCC optimize("no-tree-slp-vectorize", "no-gcse", "no-crossjumping")
#endif

static mathis_op_fn *const runs[256] = {
#define OPS_TABLE
#include "ops.def"
};

static inline int32_t read32(const uint8_t *p)
{
	return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 |
			 (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
}

static inline int64_t read64(const uint8_t *p)
{
	return (int64_t)((uint64_t)(uint32_t)read32(p) |
			 (uint64_t)(uint32_t)read32(p + 4) << 32);
}

/* A copy of a value, as two words. */
static inline void copy(struct mathis_value *to,
			const struct mathis_value *from)
{
	uint64_t head;
	int64_t i = from->i;

	memcpy(&head, from, sizeof(head));
	memcpy(to, &head, sizeof(head));
	to->i = i;
}

/* Run the machine's task until it stops or the fuel is spent. */
int mathis_loop(struct mathis_machine *m)
{
	static const void *const labels[256] = {
#define OPCODES_LABELS
#include "opcodes.def"
#define FUSED_LABELS
#include "fused.def"
	};
	const struct mathis_module *module = m->module;
	struct mathis_task *t = m->task;
	struct mathis_frame *frame;
	struct mathis_value *local, *sp, one;
	const struct mathis_func *func;
	struct mathis_seq *seq;
	const uint8_t *ip;
	int64_t number;
	int64_t fuel;
	int ret = 0;

again:
	fuel = m->fuel;
	frame = mathis_top_frame(t);
	ip = frame->ip;
	local = t->stack + frame->base;
	sp = t->stack + t->sp;

#include "fast.def"

#include "fused.def"

#include "slow.def"
slow:
	m->fuel = fuel;
	m->ip = ip;
	frame->ip = ip + mathis_insn_size(*ip);
	t->sp = sp - t->stack;
	ret = runs[*ip](m, ip + 1);
thrown:
	if (ret == RUN_THROWS)
		ret = mathis_unwind(m);
	if (!ret)
		goto again;
	return ret;

no_condition:
	m->fuel = fuel;
	m->ip = ip;
	t->sp = sp - t->stack;
	ret = mathis_type_error(m, "a condition", sp[-1]);
	goto thrown;

spent:
	m->fuel = fuel + 1;
	frame->ip = ip;
	t->sp = sp - t->stack;
	return RUN_NO_FUEL;
}
