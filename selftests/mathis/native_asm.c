// SPDX-License-Identifier: GPL-2.0-only
/*
 * The assembler, the disassembler, and what they say to each other.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "module.h"
#include "opcode.h"
#include "sample.h"

/* The code of a file. */
static const uint8_t *code_of(const struct sample *s, uint32_t *size)
{
	const uint8_t *file = s->file;

	for (unsigned int i = 0; i < file[12]; i++) {
		const uint8_t *row = file + 32 + 16 * i;
		uint32_t offset;

		if (row[0] != SECTION_CODE)
			continue;
		memcpy(&offset, row + 4, 4);
		memcpy(size, file + offset, 4);
		return file + offset + 4;
	}
	return NULL;
}

/* The code of hello.mbc as another assembler of the format writes it. */
TEST(writes_the_bytes_of_the_public_format)
{
	static const uint8_t hello[] = {
		0x10, 0, 0, 0xc0, 0x11, 0, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0x68
	};
	char *source = sample_read("examples/mathis/hello.masm");
	const uint8_t *code;
	struct sample s;
	uint32_t size = 0;

	sample_assemble(&s, source, 0);
	ASSERT_EQ(0, s.ret);
	code = code_of(&s, &size);
	ASSERT_NE(NULL, code);
	ASSERT_EQ(sizeof(hello), size);
	EXPECT_EQ(0, memcmp(hello, code, size));
	EXPECT_EQ(0, memcmp("MASM\1\0\0\0", s.file, 8));
	sample_fini(&s);
	free(source);
}

/* A terminal obeys control characters. */
TEST(prints_no_control_character_of_a_name)
{
	struct mathis_module *m;
	struct sample s;
	char *text;

	sample_assemble(&s,
			".author \"a\"\n.import \"m\" as qqq\n.types:\n"
			".struct qqq\nqqq: i64\n.end\n.globals:\nqqq: qqq\n"
			".func main\nCONST_NONE RET\n.end",
			0);
	for (size_t i = 0; i + 3 <= s.size; i++) {
		uint8_t *at = (uint8_t *)s.file + i;

		if (!memcmp(at, "qqq", 3))
			memcpy(at, "q\x1b\x7f", 3);
		if (!memcmp(at, "aut", 3))
			memcpy(at, "a\n\x1b", 3);
	}
	sample_repair(s.file, s.size);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
	ASSERT_EQ(0, mathis_disassemble(m, &text));
	EXPECT_EQ(NULL, strpbrk(text, "\x1b\x7f"));
	EXPECT_NE(NULL, strstr(text, "    .struct q\\x1b\\x7f\n"));
	EXPECT_NE(NULL, strstr(text, "\n.a\\x0a\\x1bhor \"a\"\n"));
	EXPECT_NE(NULL, strstr(text, " as q\\x1b\\x7f\n"));
	EXPECT_NE(NULL, strstr(text, "    q\\x1b\\x7f: q\\x1b\\x7f\n"));
	free(text);
	mathis_unload(m);
	sample_fini(&s);
}

#define IN4(_type) "List<List<List<List<" _type ">>>>"

TEST(nests_types_as_deep_as_the_loader)
{
	struct mathis_module *m;

	EXPECT_EQ(0, sample_load(".func main\n.returns " IN4(IN4(IN4(
					 IN4("i64")))) "\nCONST_NONE RET\n.end",
				 &m));
	mathis_unload(m);
}

TEST(has_all_instructions)
{
	int n = 0;

	for (int i = 0; i < 256; i++) {
		const struct mathis_opcode *op = mathis_opcode(i);

		if (!op)
			continue;
		n++;
		EXPECT_EQ(i, mathis_opcode_find(op->name, strlen(op->name)));
		EXPECT_GE(MATHIS_OPERANDS, strlen(op->operands));
	}
	EXPECT_EQ(143, n);
	EXPECT_EQ(OP_SYSCALL, 0xc0);
	EXPECT_EQ(OP_JUMP_IF_DONE, 0xcb);
	EXPECT_EQ(-ENOENT, mathis_opcode_find("ADDX", 4));
	EXPECT_EQ(-ENOENT, mathis_opcode_find("AD", 2));
}

/* From a source to a file, to a source, to the same file. */
static int round_trip(struct __test_metadata *_metadata, const char *source,
		      unsigned int flags)
{
	struct mathis_module *m;
	struct sample s, again;
	char *text;
	int same;

	sample_assemble(&s, source, flags);
	ASSERT_EQ(0, s.ret)
	{
		TH_LOG("line %u: %s", s.errors[0].line, s.errors[0].text);
	}
	ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
	ASSERT_EQ(0, mathis_disassemble(m, &text));
	sample_assemble(&again, text, flags);
	ASSERT_EQ(0, again.ret)
	{
		TH_LOG("%s\nline %u: %s", text, again.errors[0].line,
		       again.errors[0].text);
	}
	same = s.size == again.size && !memcmp(s.file, again.file, s.size);
	if (!same)
		TH_LOG("%s", text);
	mathis_unload(m);
	sample_fini(&s);
	sample_fini(&again);
	free(text);
	return same;
}

TEST(disassembles_to_the_same_file)
{
	char *hello = sample_read("examples/mathis/hello.masm");

	EXPECT_EQ(1, round_trip(_metadata, sample_all, 0));
	EXPECT_EQ(1, round_trip(_metadata, sample_all, MATHIS_ASM_STRIP));
	EXPECT_EQ(1, round_trip(_metadata, hello, 0));
	EXPECT_EQ(1, round_trip(_metadata, "", 0));
	EXPECT_EQ(1, round_trip(_metadata,
				".file \"a\"\n.func f\n.line 3 4\nNOP\n"
				".file \"b\"\n.line 9\nCONST_NONE\nRET\n.end\n",
				0));
	free(hello);
}

/* Every instruction, its operands as small as they can be. */
TEST(disassembles_each_instruction)
{
	char source[8192] = ".constants:\n0: str \"s\"\n.types:\n"
			    ".struct S\nx: i64\n.end\n.globals:\ng: i64\n"
			    ".func f\n.locals 1\n.arity 1\n";
	char *p = source + strlen(source);

	for (int i = 0; i < 256; i++) {
		const struct mathis_opcode *op = mathis_opcode(i);

		if (!op)
			continue;
		p += sprintf(p, "%s", op->name);
		for (int j = 0; op->operands[j]; j++) {
			if (op->operands[j] == 'f')
				p += sprintf(p, " \"f\"");
			else if (i == OP_CALL || i == OP_TAIL_CALL)
				p += sprintf(p, " 1");
			else if (op->operands[j] == 't')
				p += sprintf(p, " 0x100");
			else if (op->operands[j] == 'd')
				p += sprintf(p, " 0.5");
			else
				p += sprintf(p, " 0");
		}
		p += sprintf(p, "\n");
	}
	sprintf(p, ".end\n");
	EXPECT_EQ(1, round_trip(_metadata, source, 0));
}

TEST(stores_what_the_source_says)
{
	struct mathis_module *m;

	ASSERT_EQ(0, sample_load(sample_all, &m));
	EXPECT_EQ(INT64_MIN, m->consts[0].i);
	EXPECT_EQ(3, m->consts[2].s.len - 2);
	EXPECT_EQ(0, memcmp("\xc3\xa9\n\t\\", m->consts[2].s.data, 5));
	EXPECT_EQ(-128, m->consts[5].i);
	EXPECT_EQ(0xffff, m->consts[6].i);
	EXPECT_EQ(1.5, m->consts[7].f);
	EXPECT_EQ('z', m->consts[8].i);
	EXPECT_EQ(2, m->consts[9].s.len);
	EXPECT_EQ(2, m->entry);
	EXPECT_EQ(4, m->n_types);
	EXPECT_EQ(7, m->types[1].fields[0].number);
	EXPECT_EQ(1, m->types[1].fields[1].number);
	EXPECT_EQ(2.5, m->consts[m->types[0].fields[1].init].f);
	EXPECT_EQ(5, m->consts[m->globals[0].init].i);
	EXPECT_FALSE(m->globals[1].fixed);
	EXPECT_TRUE(m->globals[2].fixed);
	EXPECT_EQ(2, m->metas[0].n_depends);
	EXPECT_TRUE(m->metas[0].pure);
	EXPECT_EQ(4, m->metas[0].complexity.len);
	EXPECT_EQ(3, m->n_exports);
	EXPECT_EQ(2, m->n_imports); /* one of them of a function */
	EXPECT_EQ(1, m->funcs[1].captured);
	EXPECT_EQ(FUNC_ASYNC, m->funcs[2].flags);
	mathis_unload(m);
}

FIXTURE(wrong)
{
	struct sample s;
};

FIXTURE_VARIANT(wrong)
{
	const char *source;
	int masm;
	uint32_t line;
};

#include "wrong.def"

FIXTURE_SETUP(wrong)
{
	sample_assemble(&self->s, variant->source, 0);
}

FIXTURE_TEARDOWN(wrong)
{
	sample_fini(&self->s);
}

TEST_F(wrong, is_reported_with_its_line)
{
	EXPECT_EQ(-EBADMSG, self->s.ret);
	ASSERT_LE(1, self->s.n_errors);
	EXPECT_EQ(variant->masm, self->s.errors[0].masm)
	{
		TH_LOG("%s", self->s.errors[0].text);
	}
	EXPECT_EQ(variant->line, self->s.errors[0].line);
	EXPECT_EQ(NULL, self->s.file);
}

TEST(warns_when_asked)
{
	static const char source[] =
		".func f\n.locals 3\nGET_LOCAL 1\nRET\n.end\n";
	struct sample s;

	sample_assemble(&s, source, 0);
	EXPECT_EQ(0, s.ret);
	EXPECT_EQ(0, s.n_errors);
	sample_fini(&s);
	sample_assemble(&s, source, MATHIS_ASM_WARN);
	EXPECT_EQ(0, s.ret);
	ASSERT_EQ(2, s.n_errors);
	EXPECT_EQ(100, s.errors[0].masm);
	EXPECT_EQ(101, s.errors[1].masm);
	sample_fini(&s);
}

TEST(gives_up_after_many_errors)
{
	char source[1024] = "";
	struct sample s;

	for (int i = 0; i < 100; i++)
		strcat(source, "x\n");
	sample_assemble(&s, source, 0);
	EXPECT_EQ(-EBADMSG, s.ret);
	EXPECT_EQ(20, s.n_errors);
}

TEST_HARNESS_MAIN
