// SPDX-License-Identifier: GPL-2.0-only
/*
 * Code that the verifier accepts does no harm, whatever it is: instructions
 * by chance, and programs with bytes changed by chance. The numbers are the
 * same in each run; the sanitizers judge.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "module.h"
#include "opcode.h"
#include "sample.h"

static uint64_t state;

static uint32_t chance(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % n;
}

/* Instructions that need more around them than a few values. */
static bool is_special(int op)
{
	const struct mathis_opcode *row = mathis_opcode(op);

	if (!row || row->flags != MATHIS_OP_PLAIN)
		return true;
	switch (op) {
	case OP_CATCH:
	case OP_TRY_START:
	case OP_TRY_END:
	case OP_JUMP_IF_DONE:
	case OP_GET_UPVALUE:
	case OP_SET_UPVALUE:
	case OP_CLOSE_UPVALUE:
	case OP_MAKE_CLOSURE:
	case OP_AI_CALL:
	case OP_AI_LOG:
	case OP_AI_FORK:
	case OP_AI_MERGE:
	case OP_NATIVE_CALL:
		return true;
	}
	return false;
}

/* An operand that the verifier accepts, if it is no count. */
static int64_t operand(char letter)
{
	static const int64_t numbers[] = { 0, 1,   2,	3,	   -1,
					   7, 255, 256, INT64_MIN, INT64_MAX };
	static const uint16_t calls[] = { 0x0020, 0x0500, 0x0503, 0x8010 };
	static const uint16_t types[] = { 0x100, 0x101, 0x00, 0x01, 0x02,
					  0x05,	 0x0b,	0x0c, 0x10, 0x11,
					  0x20,	 0x22,	0x23 };

	switch (letter) {
	case 'c':
	case 'g':
	case 'w':
		return chance(3);
	case 'l':
		return chance(4);
	case 't':
		return types[chance(13)];
	case 'i':
		return calls[chance(4)];
	case 'b':
		return 1 << chance(4);
	case 'q':
		return chance(4) ? numbers[chance(10)] :
				   (int64_t)(1ULL << chance(63));
	case 'x':
		return numbers[chance(6)];
	default:
		return 0;
	}
}

/* How many values a count names, at most @depth. */
static unsigned int count_for(int op, unsigned int depth)
{
	unsigned int most = depth;

	if (op == OP_CALL_INDIRECT)
		most = depth - 1;
	if (op == OP_MAKE_MAP)
		most = depth / 2;
	if (op == OP_MAKE_STRUCT)
		most = depth < 2 ? depth : 2;
	most = most < 3 ? most : 3;
	return op == OP_SELECT || op == OP_MAKE_STRUCT || op == OP_AI_DECIDE ?
		       1 + chance(most) :
	       op == OP_UNPACK_TUPLE ? chance(3) :
				       chance(most + 1);
}

/* One instruction by chance, as text, of a stack with @depth values. */
static int put_insn(char *p, unsigned int *depth)
{
	static unsigned int label;
	const struct mathis_opcode *op;
	unsigned int n = 0;
	int nr, len, pops;

	do {
		nr = chance(256);
	} while (is_special(nr));
	op = mathis_opcode(nr);
	pops = op->pops == MATHIS_OP_VAR ? 1 : op->pops;
	if ((unsigned int)pops > *depth)
		return ++*depth, sprintf(p, "GET_LOCAL %u\n", chance(4));
	if (strchr(op->operands, 'n') || strchr(op->operands, 'N'))
		n = count_for(nr, *depth);
	if (op->operands[0] == 'f')
		n = 0;
	len = sprintf(p, "%s", op->name);
	for (int i = 0; op->operands[i]; i++) {
		char c = op->operands[i];

		if (c == 'j')
			len += sprintf(p + len, " .n%u", label);
		else if (c == 'd')
			len += sprintf(p + len, " %u.5", chance(9));
		else if (c == 'n' || c == 'N')
			len += sprintf(p + len, " %u", n);
		else if (c == 't' && nr == OP_MAKE_STRUCT)
			len += sprintf(p + len, " 0x100");
		else
			len += sprintf(p + len, " %lld", (long long)operand(c));
	}
	if (op->pops == MATHIS_OP_VAR)
		pops = nr == OP_SYSCALL	      ? 1 :
		       nr == OP_CALL_INDIRECT ? n + 1 :
		       nr == OP_MAKE_MAP      ? 2 * n :
						n;
	*depth += (op->pushes == MATHIS_OP_VAR ? (int)n : op->pushes) - pops;
	if (op->operands[0] == 'j')
		len += sprintf(p + len, "\n.n%u: NOP", label++);
	return len + sprintf(p + len, "\n");
}

/* Values of all kinds, for the instructions to work with. */
static const char *const openings[] = {
	"CONST_NONE CONST_I64 1 CONST_F64 2.5 CONST_STR 0\n",
	"CONST_I64 3 MAKE_LIST 0 CONST_STR 0 CONST_I64 1 MAKE_MAP 1 CONST_TRUE\n",
	"CONST_FUNC 0 CONST_I64 1 SYSCALL 0x0500 CONST_I64 8 ALLOC CONST_I64 1\n",
	"CONST_NONE SPAWN 0 MAKE_LIST 0 CONST_I64 9 PUSH ITER_START CONST_I64 0 CAST 0x101\n",
};

static void make_source(char *p)
{
	unsigned int depth = 4;

	p += sprintf(p,
		     ".constants:\n0: str \"s\"\n1: i64 7\n2: f64 0.5\n"
		     ".types:\n.struct S\nx: i64\ny: i64 = 1\n.end\n"
		     ".enum E\nA\n.end\n.globals:\na: i64 = 1\nb: any\n"
		     "c: any\n.func f\nCONST_I64 4 YIELD CONST_NONE RET\n"
		     ".end\n.func main\n.locals 4\nTRY_START .h\n%s\n"
		     "SET_LOCAL 0 SET_LOCAL 1 SET_LOCAL 2 DUP SET_LOCAL 3\n"
		     "GET_LOCAL 0 GET_LOCAL 1 GET_LOCAL 2\n",
		     openings[chance(4)]);
	for (int i = 0; i < 16; i++) {
		if (!chance(8))
			p += sprintf(p,
				     "AI_FORK %u GET_LOCAL %u AI_MERGE POP\n",
				     chance(3) + 1, chance(4));
		p += put_insn(p, &depth);
	}
	sprintf(p, "TRY_END CONST_NONE RET\n.h: CATCH RET\n.end\n");
}

TEST(instructions_by_chance_do_no_harm)
{
	unsigned int verified = 0;

	state = 1;
	for (int i = 0; i < 4000; i++) {
		struct mathis_error error = { 0 };
		struct mathis_module *m = NULL;
		char source[8192];
		struct sample s;

		make_source(source);
		sample_assemble(&s, source, MATHIS_ASM_STRIP);
		ASSERT_EQ(0, s.ret)
		{
			TH_LOG("%s", s.errors[0].text);
		}
		ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
		if (!mathis_verify(m, NULL, &error)) {
			verified++;
			sample_run(m);
		} else {
			TH_LOG("%s\n%s", source, error.text);
		}
		mathis_unload(m);
		sample_fini(&s);
	}
	EXPECT_EQ(4000, verified);
}

/* Change the code of a file, and repair its sums. */
static void change(uint8_t *file, size_t size, uint32_t code, uint32_t n)
{
	for (unsigned int i = chance(3) + 1; i; i--) {
		uint8_t *p = file + code + chance(n);

		*p = chance(2) ? chance(256) : *p + chance(3) - 1;
	}
	sample_repair(file, size);
}

TEST(code_changed_by_chance_does_no_harm)
{
	unsigned int verified = 0;
	struct sample s;
	uint8_t *file;
	uint32_t code = 0, n = 0;

	state = 2;
	sample_assemble(&s, sample_all, 0);
	file = s.file;
	for (unsigned int i = 0; i < file[12]; i++) {
		if (file[32 + 16 * i] != SECTION_CODE)
			continue;
		memcpy(&code, file + 32 + 16 * i + 4, 4);
		memcpy(&n, file + code, 4);
	}
	for (int i = 0; i < 6000; i++) {
		uint8_t *copy = malloc(s.size);
		struct mathis_module *m = NULL;

		memcpy(copy, file, s.size);
		change(copy, s.size, code + 4, n);
		if (!mathis_load(copy, s.size, &m, NULL) &&
		    !mathis_verify(m, NULL, NULL)) {
			verified++;
			sample_run(m);
		}
		mathis_unload(m);
		free(copy);
	}
	EXPECT_LE(200, verified);
	sample_fini(&s);
}

TEST_HARNESS_MAIN
