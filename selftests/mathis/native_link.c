// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules that import functions of each other: what is linked, what is
 * refused, and memory that runs out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "module.h"
#include "sample.h"

#define LIB                                                                   \
	".module \"lib\"\n.file \"lib.c\"\n.export \"add\"\n.export \"up\"\n" \
	".export \"bad\"\n.export \"ext\"\n.export \"area\"\n"                \
	".constants:\n0: i64 100\n1: f64 2.5\n2: str \"lib\"\n"               \
	"3: bytes \"\\xff\"\n4: char 'x'\n5: u8 7\n6: f32 1.5\n7: none\n"     \
	"8: bool true\n.types:\n.struct P\nx: i64\ny: i64 = 3\n.end\n"        \
	".enum E\nA\nB(v: P)\n.end\n.alias L = List<P>\n"                     \
	".globals:\nsum: i64 = 1000\nown: List<Map<str, P>>\n"                \
	".func add\n.arity 2\n.params (i64, any)\n.returns i64\n"             \
	".ai_intent \"sums\"\n.ai_depends [\"d\"]\n.ai_effects [\"e\"]\n"     \
	"GET_GLOBAL 0 GET_LOCAL 0 ADD GET_LOCAL 1 ADD DUP SET_GLOBAL 0\n"     \
	"RET\n.end\n"                                                         \
	".func up\nGET_UPVALUE 0 RET\n.end\n"                                 \
	".func maker\nCONST_NONE MAKE_CLOSURE \"up\" 1 RET\n.end\n"           \
	".func bad\n.line 77\nCONST 0 CONST_I64 0 DIV RET\n.end\n"            \
	".func ext\n.extern \"none\" \"f\"\n.end\n"                           \
	".func area\n.arity 1\n.params (P)\n.returns Tuple<P, Func<(P) -> "   \
	"Option<L>>>\nCONST 1 CONST 2 CONST 3 CONST 4 CONST 5 CONST 6\n"      \
	"CONST 7 CONST 8 GET_LOCAL 0 INSTANCE_OF \"P\" GET_INTENT\n"          \
	"MAKE_TUPLE 10 RET\n.end\n"

#define EXTERN(_name, _more) \
	".func it\n" _more ".extern \"lib\" \"" _name "\"\n.end\n"
#define TYPES ".types:\n.struct P\nx: i64\ny: i64 = 3\n.end\n"
#define AREA           \
	EXTERN("area", \
	       ".arity 1\n.params (P)\n.returns Tuple<P, Func<(P) -> Option<any>>>\n")

/* Link sources: 0 and the module, or why not. */
static int link_sources(const char *const *sources, size_t n,
			struct mathis_module **module,
			struct mathis_error *error)
{
	struct mathis_module *parts[4] = { 0 };
	void *file = NULL;
	size_t size;
	int ret = 0;

	*module = NULL;
	memset(error, 0, sizeof(*error));
	for (size_t i = 0; i < n && !ret; i++)
		ret = sample_load(sources[i], &parts[i]);
	if (!ret)
		ret = mathis_link((const struct mathis_module *const *)parts, n,
				  &file, &size, error);
	for (size_t i = 0; i < n; i++)
		mathis_unload(parts[i]);
	if (!ret)
		ret = mathis_load(file, size, module, error);
	if (!ret)
		ret = mathis_verify(*module, NULL, error);
	free(file);
	return ret;
}

FIXTURE(link)
{
	struct mathis_module *module;
	struct mathis_machine *m;
	struct mathis_error error;
	char text[512];
};

FIXTURE_SETUP(link)
{
}

FIXTURE_TEARDOWN(link)
{
	mathis_machine_free(self->m);
	mathis_unload(self->module);
}

/* Link a program to the library, and run it: what it returned. */
static int run(FIXTURE_DATA(link) * self, const char *program)
{
	const char *const sources[] = { program, LIB };
	int ret = link_sources(sources, 2, &self->module, &self->error);

	if (!ret)
		ret = mathis_machine_new(self->module, NULL, NULL, &self->m);
	if (!ret)
		ret = mathis_start(self->m, NULL, NULL, 0);
	if (ret)
		return ret;
	ret = mathis_run(self->m);
	mathis_show(mathis_result(self->m), self->text, sizeof(self->text));
	return ret;
}

TEST_F(link, calls_functions_of_another_module)
{
	EXPECT_EQ(
		MATHIS_DONE,
		run(self,
		    ".module \"main\"\n.globals:\nsum: i64 = 1\n" EXTERN(
			    "add",
			    ".arity 2\n.params (any, str)\n"
			    ".returns i64\n") ".func main\nCONST_I64 1 CONST_I64 2\n"
					      "CALL \"it\" 2 CONST_I64 10 CONST_I64 20\n"
					      "CALL \"it\" 2 GET_GLOBAL \"sum\"\n"
					      "MAKE_TUPLE 3 RET\n.end"));
	EXPECT_STREQ("(1003, 1033, 1)", self->text);
}

TEST_F(link, keeps_constants_types_and_descriptions)
{
	EXPECT_EQ(MATHIS_DONE,
		  run(self, TYPES AREA ".func main\nCONST_I64 1\n"
				       "MAKE_STRUCT \"P\" 1 CALL \"it\" 1\n"
				       "RET\n.end"));
	EXPECT_STREQ(
		"(2.5, \"lib\", bytes(1), '\\u{78}', 7, 1.5, none, true, true, \"\")",
		self->text);
	EXPECT_EQ(3, self->module->n_types);
}

TEST_F(link, keeps_types_of_one_name_apart)
{
	EXPECT_EQ(MATHIS_DONE,
		  run(self,
		      ".types:\n.struct P\nx: i64\ny: i64 = 4\n.end\n" AREA
		      ".func main\nCONST_I64 1\n"
		      "MAKE_STRUCT \"P\" 1 CALL \"it\" 1\n"
		      "UNPACK_TUPLE 10 POP RET\n.end"));
	EXPECT_STREQ("false", self->text);
	EXPECT_EQ(4, self->module->n_types);
}

TEST_F(link, names_the_place_of_an_error)
{
	EXPECT_EQ(MATHIS_FAILED,
		  run(self, EXTERN("bad", "") ".func main\nCALL \"it\" 0 RET\n"
					      ".end"));
	EXPECT_STREQ("lib:bad", mathis_error(self->m)->function);
	EXPECT_STREQ("lib.c", mathis_error(self->m)->file);
	EXPECT_EQ(77, mathis_error(self->m)->line);
}

TEST_F(link, starts_the_program)
{
	const char *const sources[] = {
		".func f\nCONST_I64 1 RET\n.end\n"
		".func main\nCONST_I64 2 RET\n.end",
		LIB, ".module \"other\"\n.func main\nCONST_I64 3 RET\n.end",
		".func main\nCONST_I64 4 RET\n.end"
	};
	char *source;

	ASSERT_EQ(0, link_sources(sources, 4, &self->module, &self->error));
	EXPECT_EQ(1, self->module->entry);
	ASSERT_EQ(0, mathis_disassemble(self->module, &source));
	EXPECT_NE(NULL, strstr(source, ".func \"other:main\""));
	EXPECT_NE(NULL, strstr(source, ".extern \"none\" \"f\""));
	EXPECT_NE(NULL, strstr(source, ".ai_depends [\"d\"]"));
	free(source);
}

TEST_F(link, leaves_what_no_module_has)
{
	EXPECT_EQ(MATHIS_FAILED,
		  run(self, ".func g\n.extern \"else\" \"g\"\n.end\n"
			    ".func main\nCALL \"g\" 0 RET\n.end"));
	EXPECT_STREQ("else:g is not linked", mathis_error(self->m)->text);
}

static const struct {
	const char *text;
	const char *program;
	int ret;
} refused[] = {
	{ "lib exports no function maker", EXTERN("maker", ""), -ENOENT },
	{ "lib exports no function P", EXTERN("P", ""), -ENOENT },
	{ "lib:add takes 2 values, not 1", EXTERN("add", ".arity 1\n"),
	  -EBADMSG },
	{ "lib:add has other types",
	  EXTERN("add", ".arity 2\n.params (str, any)\n"), -EBADMSG },
	{ "lib:add has other types", EXTERN("add", ".arity 2\n.returns f64\n"),
	  -EBADMSG },
	{ "lib:area has other types",
	  EXTERN("area", ".arity 1\n.returns Tuple<any>\n"), -EBADMSG },
	{ "lib:area has other types",
	  ".types:\n.struct Q\nx: i64\n.end\n" EXTERN(
		  "area", ".arity 1\n.params (Q)\n"),
	  -EBADMSG },
	{ "lib:up is imported itself, or a closure", EXTERN("up", ""),
	  -EBADMSG },
	{ "lib:ext is imported itself, or a closure", EXTERN("ext", ""),
	  -EBADMSG },
	{ "two modules are named lib", ".module \"lib\"\n", -EBADMSG },
	{ "NATIVE_CALL of a function that a module has",
	  EXTERN("bad", "") ".func n\nNATIVE_CALL \"it\" RET\n.end\n",
	  -EBADMSG },
};

TEST_F(link, refuses_what_does_not_fit)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		char source[1024];

		snprintf(source, sizeof(source),
			 "%s.func main\nCONST_NONE RET\n.end",
			 refused[i].program);
		EXPECT_EQ(refused[i].ret, run(self, source));
		EXPECT_STREQ(refused[i].text, self->error.text);
		mathis_unload(self->module);
		self->module = NULL;
	}
}

TEST_F(link, takes_only_what_was_verified)
{
	const struct mathis_module *one;
	void *file;
	struct sample s;
	size_t size;

	sample_assemble(&s, LIB, 0);
	ASSERT_EQ(0, mathis_load(s.file, s.size, &self->module, NULL));
	sample_fini(&s);
	one = self->module;
	EXPECT_EQ(-EINVAL, mathis_link(&one, 1, &file, &size, NULL));
}

TEST_F(link, fails_when_memory_runs_out)
{
	struct mathis_module *parts[2];
	unsigned long n = 0;
	size_t size;
	void *file;
	int ret;

	ASSERT_EQ(0, sample_load(TYPES AREA ".func main\nCONST_NONE RET\n.end",
				 &parts[0]));
	ASSERT_EQ(0, sample_load(LIB, &parts[1]));
	do {
		sample_requests = 0;
		sample_fail_at = ++n;
		ret = mathis_link((const struct mathis_module *const *)parts, 2,
				  &file, &size, &self->error);
		free(file);
		EXPECT_EQ(sample_requests >= n ? -ENOMEM : 0, ret);
	} while (sample_requests >= n);
	sample_fail_at = 0;
	EXPECT_LE(50, n);
	mathis_unload(parts[0]);
	mathis_unload(parts[1]);
}

TEST_HARNESS_MAIN
