// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <string.h>

#include "opcode.h"

#define VAR MATHIS_OP_VAR

static const struct mathis_opcode opcodes[256] = {
#define MATHIS_OP(_nr, _name, _operands, _pops, _pushes, _flags) \
	[_nr] = { #_name, _operands, _pops, _pushes, MATHIS_OP_##_flags },
#include "opcodes.def"
};

/* The row of a number, or NULL. */
const struct mathis_opcode *mathis_opcode(uint8_t nr)
{
	return opcodes[nr].name ? &opcodes[nr] : NULL;
}

/* The number of a name, or -ENOENT. */
int mathis_opcode_find(const char *name, size_t len)
{
	for (int i = 0; i < 256; i++) {
		if (opcodes[i].name && strlen(opcodes[i].name) == len &&
		    !memcmp(opcodes[i].name, name, len))
			return i;
	}
	return -ENOENT;
}

/* The bytes of an operand, by its letter in opcodes.def. */
size_t mathis_operand_size(char letter)
{
	switch (letter) {
	case 'l':
	case 'u':
	case 'n':
	case 'b':
	case 'x':
		return 1;
	case 'L':
	case 'j':
		return 4;
	case 'q':
	case 'd':
		return 8;
	default:
		return 2;
	}
}

static uint8_t sizes[256];

__attribute__((constructor)) static void fill_sizes(void)
{
	for (int i = 0; i < 256; i++) {
		const char *operands = opcodes[i].operands;

		sizes[i] = 1;
		for (; operands && *operands; operands++)
			sizes[i] += mathis_operand_size(*operands);
	}
}

/* The bytes of an instruction, by its number; 1 for an unknown one. */
unsigned int mathis_insn_size(uint8_t nr)
{
	return sizes[nr];
}

/*
 * Decode the instruction that begins at @code, of which @size bytes are left.
 * Returns 0, -ENOENT for an unknown number, -ENODATA when it is cut off.
 */
int mathis_read_insn(const uint8_t *code, size_t size, struct mathis_insn *insn)
{
	const struct mathis_opcode *op;

	memset(insn, 0, sizeof(*insn));
	if (!size)
		return -ENODATA;
	insn->op = *code;
	insn->size = sizes[*code];
	op = mathis_opcode(*code++);
	if (!op)
		return -ENOENT;
	if (insn->size > size)
		return -ENODATA;
	for (int i = 0; op->operands[i]; i++) {
		size_t n = mathis_operand_size(op->operands[i]);
		uint64_t v = 0;

		for (size_t b = n; b--;)
			v = v << 8 | code[b];
		code += n;
		if (op->operands[i] == 'j')
			insn->arg[i] = (int32_t)v;
		else if (op->operands[i] == 'x')
			insn->arg[i] = (int8_t)v;
		else
			insn->arg[i] = v;
	}
	return 0;
}
