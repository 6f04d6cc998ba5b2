/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Instructions: the table of opcodes.def.
 */
#ifndef MATHIS_OPCODE_H
#define MATHIS_OPCODE_H

#include <stddef.h>
#include <stdint.h>

enum mathis_op {
#include "opcodes.def"
};

/* How an instruction goes on. */
enum mathis_op_flags { MATHIS_OP_PLAIN, MATHIS_OP_ENDS };

/* A count that depends on an operand. */
#define MATHIS_OP_VAR (-1)

#define MATHIS_OPERANDS 3

/* One row; the columns are described in opcodes.def. */
struct mathis_opcode {
	const char *name; /* NULL for a number that has no instruction */
	const char *operands;
	int8_t pops;
	int8_t pushes;
	uint8_t flags;
};

/* One instruction, decoded. */
struct mathis_insn {
	uint8_t op;
	uint32_t size; /* with its operands */
	int64_t arg[MATHIS_OPERANDS]; /* a double by its bits */
};

const struct mathis_opcode *mathis_opcode(uint8_t nr);
int mathis_opcode_find(const char *name, size_t len);
size_t mathis_operand_size(char letter);
unsigned int mathis_insn_size(uint8_t nr);
int mathis_read_insn(const uint8_t *code, size_t size,
		     struct mathis_insn *insn);

#endif
