// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which instructions are fused: fuse.h says how.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "module.h"
#include "opcode.h"

#define ROW(_first, _second, _third, _op) \
	{ OP_##_first, OP_##_second, OP_##_third, _op }

static const struct {
	uint8_t second;
	uint8_t third;
	uint8_t fourth; /* OP_NOP: any */
	uint8_t fused;
} rows[] = {
#define FUSED_ROWS
#include "fused.def"
	ROW(CONST_I64, ADD, SET_LOCAL, FUSE_CONST_ADD_SET),
	ROW(CONST_I64, SUB, SET_LOCAL, FUSE_CONST_SUB_SET),
	ROW(CONST_I64, ADD, NOP, FUSE_CONST_ADD),
	ROW(CONST_I64, SUB, NOP, FUSE_CONST_SUB),
	ROW(GET_LOCAL, ADD, NOP, FUSE_LOCAL_ADD),
	ROW(GET_LOCAL, SUB, NOP, FUSE_LOCAL_SUB),
	ROW(GET_LOCAL, MUL, NOP, FUSE_LOCAL_MUL),
	ROW(GET_LOCAL, INDEX, NOP, FUSE_LOCAL_INDEX),
};

/* The instruction that replaces GET_LOCAL at @at, or GET_LOCAL. */
static uint8_t fused(const uint8_t *code, uint32_t left)
{
	uint32_t third;

	if (left >= 3 && code[2] == OP_RET)
		return FUSE_RET;
	if (left < 3 || (code[2] != OP_CONST_I64 && code[2] != OP_GET_LOCAL))
		return OP_GET_LOCAL;
	third = code[2] == OP_CONST_I64 ? 11 : 4;
	if (third >= left)
		return OP_GET_LOCAL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (rows[i].second == code[2] && rows[i].third == code[third] &&
		    (rows[i].fourth == OP_NOP ||
		     (third + 1 < left && rows[i].fourth == code[third + 1])))
			return rows[i].fused;
	}
	return OP_GET_LOCAL;
}

/* Copy the code of a verified module, and fuse: 0 or -ENOMEM. */
int mathis_fuse(struct mathis_module *m)
{
	uint8_t *fast = malloc(m->code_size ?: 1);

	if (!fast)
		return -ENOMEM;
	if (m->code_size)
		memcpy(fast, m->code, m->code_size);
	for (uint32_t i = 0; i < m->n_funcs; i++) {
		const struct mathis_func *f = &m->funcs[i];
		const uint8_t *code = m->code + f->code;

		for (uint32_t at = 0; at < f->size;
		     at += mathis_insn_size(code[at])) {
			if (code[at] == OP_GET_LOCAL)
				fast[f->code + at] =
					fused(code + at, f->size - at);
		}
	}
	free(m->fast);
	m->fast = fast;
	return 0;
}
