/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MATHIS_VERIFY_H
#define MATHIS_VERIFY_H

#include "module.h"
#include "opcode.h"

/* Bits of a call's number that say how its result arrives. */
#define CALL_RESULT 0x8000 /* as a Result, and no error is thrown */
#define CALL_FUTURE 0x4000 /* as a task, for AWAIT */
#define CALL_NUMBER 0x3fff

#define VERIFY_NO_TRY 0xffffffffU

/* An offset of a function: an instruction begins there, and was reached. */
struct verify_state {
	bool begins;
	bool reached;
	bool handler; /* reached by an error alone */
	uint32_t depth;
	uint32_t outer; /* the TRY_START or AI_FORK around, or VERIFY_NO_TRY */
};

struct verifier {
	struct mathis_module *m;
	const struct mathis_host *host;
	struct mathis_error *error;
	const struct mathis_func *f;
	uint32_t index; /* of f */
	struct verify_state *states; /* of each byte of f */
	uint32_t *work; /* offsets whose successors are not visited */
	uint32_t n_work;
};

int verify_refuse(struct verifier *v, uint32_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int verify_operands(struct verifier *v, uint32_t at,
		    const struct mathis_insn *insn);
struct verify_state *mathis_states(const struct mathis_module *m,
				   const struct mathis_host *host,
				   uint32_t func);
int mathis_call_arity(const struct mathis_host *host, uint16_t id);

#endif
