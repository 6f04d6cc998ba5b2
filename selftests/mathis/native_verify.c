// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verifier: code that it accepts, and one refusal for each of its rules.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "module.h"
#include "sample.h"

#define HEAD                                                                  \
	".constants:\n0: str \"s\"\n1: i64 1\n.types:\n.struct S\nx: i64\n"   \
	"y: i64 = 1\n.end\n.struct T\na: i64 = 1\nb: i64\nc: i64 = 1\n.end\n" \
	".enum E\nA\n.end\n.alias A = i64\n.globals:\n"                       \
	"g: i64\n.const c: i64 = 1\n"                                         \
	".func one\n.arity 1\nGET_LOCAL 0\nRET\n.end\n"                       \
	".func up\nGET_UPVALUE 0\nRET\n.end\n"                                \
	".func maker\nCONST_NONE MAKE_CLOSURE \"up\" 1 RET\n.end\n"           \
	".func main\n.locals 1\n"
#define FIRST_LINE 38 /* of what follows HEAD */

FIXTURE(code)
{
	struct sample s;
	struct mathis_module *m;
	struct mathis_error error;
};

FIXTURE_VARIANT(code)
{
	const char *source;
	const char *text; /* NULL: accepted */
};

FIXTURE_SETUP(code)
{
	char source[4096];

	snprintf(source, sizeof(source), HEAD "%s\n.end\n", variant->source);
	sample_assemble(&self->s, source, 0);
	ASSERT_EQ(0, self->s.ret)
	{
		TH_LOG("%s", self->s.errors[0].text);
	}
	ASSERT_EQ(0, mathis_load(self->s.file, self->s.size, &self->m, NULL));
}

FIXTURE_TEARDOWN(code)
{
	mathis_unload(self->m);
	sample_fini(&self->s);
}

#include "code.def"

TEST_F(code, is_judged)
{
	int ret = mathis_verify(self->m, NULL, &self->error);

	EXPECT_EQ(variant->text ? -ENOEXEC : 0, ret)
	{
		TH_LOG("%s", self->error.text);
	}
	EXPECT_EQ(!variant->text, self->m->verified);
	if (!variant->text)
		return;
	EXPECT_NE(NULL, strstr(self->error.text, variant->text))
	{
		TH_LOG("%s", self->error.text);
	}
	EXPECT_STREQ("main", self->error.function);
	if (*variant->source) {
		EXPECT_LE(FIRST_LINE - 3, self->error.line);
		EXPECT_STREQ("sample.masm", self->error.file);
	}
}

static int three(void *arg, uint16_t id)
{
	(void)arg;
	return id == 0x3fff ? 3 : -1;
}

TEST(an_embedder_adds_calls)
{
	const struct mathis_host host = { .arity = three };
	struct mathis_module *m;
	struct sample s;

	sample_assemble(
		&s, ".func main\nCONST_NONE DUP DUP SYSCALL 0x3fff RET\n.end",
		0);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &m, NULL));
	EXPECT_EQ(-ENOEXEC, mathis_verify(m, NULL, NULL));
	EXPECT_EQ(0, mathis_verify(m, &host, NULL));
	EXPECT_EQ(3, m->funcs[0].depth);
	mathis_unload(m);
	sample_fini(&s);
}

TEST_HARNESS_MAIN
