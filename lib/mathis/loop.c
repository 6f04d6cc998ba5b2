// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The loop over instructions. The verifier has proved that each is whole, that
 * its values are on the stack and that what it names is there.
 */
#include "machine.h"

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

/* Run the machine's task until it stops or the fuel is spent. */
int mathis_loop(struct mathis_machine *m)
{
	static const void *const labels[256] = {
#define OPCODES_LABELS
#include "opcodes.def"
	};
	struct mathis_task *t = m->task;
	struct mathis_frame *frame;
	struct mathis_value *local, *sp, one;
	const uint8_t *ip;
	int64_t number;
	int ret = 0;

again:
	frame = mathis_top_frame(t);
	ip = frame->ip;
	local = t->stack + frame->base;
	sp = t->stack + t->sp;

#include "fast.def"

#include "slow.def"
slow:
	m->ip = ip;
	frame->ip = ip + m->sizes[*ip];
	t->sp = sp - t->stack;
	ret = runs[*ip](m, ip + 1);
thrown:
	if (ret == RUN_THROWS)
		ret = mathis_unwind(m);
	if (!ret)
		goto again;
	return ret;

no_condition:
	m->ip = ip;
	t->sp = sp - t->stack;
	ret = mathis_type_error(m, "a condition", sp[-1]);
	goto thrown;

spent:
	m->fuel++;
	frame->ip = ip;
	t->sp = sp - t->stack;
	return RUN_NO_FUEL;
}
