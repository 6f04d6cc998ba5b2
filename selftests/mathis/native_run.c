// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs: each instruction, its errors, limits, and the examples, which say
 * themselves what they print.
 */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <kselftest_harness.h>

#include "machine.h"
#include "sample.h"

#define HEAP (1U << 20)
#define STACK 2000
#define FUEL 2000000

static const char head[] =
	".constants:\n0: u8 7\n1: char 'z'\n"
	".types:\n.struct S\nx: i64\ny: i64 = 9\n.end\n.enum E\nA = 5\nB\n.end\n"
	".globals:\ng: i64 = 7\nempty: any\n"
	".func add\n.arity 2\nGET_LOCAL 0 GET_LOCAL 1 ADD RET\n.end\n"
	".func next\nGET_UPVALUE 0 CONST_I64 1 ADD DUP SET_UPVALUE 0\n"
	"CLOSE_UPVALUE 0 RET\n.end\n"
	".func maker\nCONST_NONE MAKE_CLOSURE \"next\" 1 RET\n.end\n"
	".func count\n.arity 2\nGET_LOCAL 0 GET_LOCAL 1 LT JUMP_IF_FALSE .e\n"
	"GET_LOCAL 0 CONST_I64 1 ADD GET_LOCAL 1 TAIL_CALL \"count\" 2\n"
	".e: GET_LOCAL 0 RET\n.end\n"
	".func sum\n.arity 1\nGET_LOCAL 0 CONST_I64 0 EQ JUMP_IF_FALSE .m\n"
	"CONST_I64 0 RET\n.m: GET_LOCAL 0 CONST_I64 1 SUB CALL \"sum\" 1\n"
	"GET_LOCAL 0 ADD RET\n.end\n"
	".func forever\nCALL \"forever\" 0 RET\n.end\n"
	".func fails\nCONST_I64 1 CONST_I64 0 DIV RET\n.end\n"
	".func tries\nTRY_START .h CONST_NONE RET\n.h: CATCH RET\n.end\n"
	".func nothing\nCONST_NONE RET\n.end\n"
	".func deep\n.locals 1\nMAKE_LIST 0\n"
	".l: MAKE_LIST 1 GET_LOCAL 0 JUMP_IF_SOME .n CONST_I64 0 SET_LOCAL 0\n"
	".n: GET_LOCAL 0 CONST_I64 1 ADD DUP SET_LOCAL 0 CONST_I64 70 LT\n"
	"JUMP_IF_TRUE .l RET\n.end\n"
	".func doubled\n.locals 1\nMAKE_LIST 0 CONST_I64 0 SET_LOCAL 0\n"
	".l: DUP MAKE_LIST 2 GET_LOCAL 0 CONST_I64 1 ADD DUP SET_LOCAL 0\n"
	"CONST_I64 60 LT JUMP_IF_TRUE .l RET\n.end\n"
	".func doubled_key\n.arity 1\nMAKE_TUPLE 0\n"
	".l: DUP MAKE_TUPLE 2 GET_LOCAL 0 CONST_I64 1 SUB DUP SET_LOCAL 0\n"
	"CONST_I64 0 GT JUMP_IF_TRUE .l RET\n.end\n"
	".func fill\n.locals 1\nMAKE_MAP 0 CONST_I64 0 SET_LOCAL 0\n"
	".l: GET_LOCAL 0 DUP INDEX_SET GET_LOCAL 0 CONST_I64 1 ADD DUP\n"
	"SET_LOCAL 0 CONST_I64 1000 LT JUMP_IF_TRUE .l RET\n.end\n"
	".func described\n.ai_intent \"do all\"\n.ai_depends [\"d\"]\n"
	".ai_effects [\"e\", \"f\"]\n"
	"GET_INTENT GET_DEPENDS GET_EFFECTS MAKE_TUPLE 3 RET\n.end\n"
	".func stack\nGET_CALLSTACK RET\n.end\n"
	".func generator\nCONST_I64 10 YIELD CONST_I64 20 YIELD CONST_I64 30\n"
	"RET\n.end\n"
	".func send\n.arity 2\nGET_LOCAL 0 GET_LOCAL 1 CHANNEL_SEND CONST_NONE\n"
	"RET\n.end\n"
	".func own\n.arity 1\nGET_LOCAL 0 CHANNEL_RECV AWAIT RET\n.end\n"
	".func own_task\n.locals 1\nCONST_I64 1 SYSCALL 0x0500 SET_LOCAL 0\n"
	"GET_LOCAL 0 DUP SPAWN \"own\" DUP ROT SWAP CHANNEL_SEND AWAIT RET\n"
	".end\n"
	".func fat\n.locals 1\nCONST_STR \"0123456789abcdef\" SET_LOCAL 0\n"
	".l: GET_LOCAL 0 DUP CONCAT SET_LOCAL 0 JUMP .l\n.end\n"
	".func turn\nGET_GLOBAL \"empty\" JUMP_IF_SOME .n\n"
	"CONST_I64 0 SET_GLOBAL \"empty\"\n.n: GET_GLOBAL \"empty\"\n"
	"CONST_I64 1 ADD DUP SET_GLOBAL \"empty\" RET\n.end\n"
	".func ext\n.arity 1\n.extern \"lib\" \"f\"\n.end\n"
	".func main\n.locals 4\n";

/* The ways in which each program is run. */
enum way { PLAIN, COLLECT_ALWAYS, LITTLE_FUEL, RESTORED, UNFUSED, N_WAYS };

/* Put a machine into the place of one, out of its snapshot. */
static int replace(struct mathis_machine **m)
{
	struct mathis_error error = { 0 };
	struct mathis_machine *old = *m;
	struct mathis_limits limits = old->limits;
	void *data;
	size_t size;
	int ret = mathis_snapshot(old, &data, &size);

	if (ret)
		return ret;
	limits.fuel = 0;
	ret = mathis_restore(old->module, &limits, &old->host, data, size, m,
			     &error);
	if (ret)
		printf("# %s\n", error.text);
	mathis_machine_free(old);
	free(data);
	return ret;
}

/* Run main: its state. What it uses is limited. */
static int run(struct mathis_machine **machine, enum way way)
{
	struct mathis_machine *m = *machine;
	int spent = 0;
	int state;

	m->stress = way == COLLECT_ALWAYS;
	m->fuel = way == LITTLE_FUEL || way == RESTORED ? 1 : FUEL;
	state = mathis_start(m, NULL, NULL, 0);
	if (state)
		return state;
	while ((state = mathis_run(m)) == MATHIS_NO_FUEL &&
	       way == LITTLE_FUEL && spent++ < FUEL / 10)
		mathis_fuel_add(m, 7);
	while (state == MATHIS_NO_FUEL && way == RESTORED && spent < FUEL) {
		state = replace(machine);
		if (state)
			return state;
		m = *machine;
		mathis_fuel_add(m, 1 + spent / 8);
		spent += 1 + spent / 8;
		state = mathis_run(m);
	}
	return state;
}

struct program {
	const char *name;
	const char *body;
	const char *text;
	int code; /* 0: @text is the result */
};

static const struct program programs[] = {
#include "programs.def"
};

/* Whether a machine that has run did what the program says. */
static bool as_said(const struct program *p, struct mathis_machine *m,
		    int state)
{
	char text[512];

	if (p->code)
		return state == MATHIS_FAILED &&
		       mathis_error(m)->code == p->code &&
		       strstr(mathis_error(m)->text, p->text);
	mathis_show(mathis_result(m), text, sizeof(text));
	return state == MATHIS_DONE && !strcmp(text, p->text);
}

static void run_program(struct __test_metadata *_metadata,
			const struct program *p)
{
	const struct mathis_limits limits = { .stack = STACK, .heap = HEAP };
	struct mathis_module *module;
	char source[8192];

	snprintf(source, sizeof(source), "%s%s\n.end\n", head, p->body);
	ASSERT_EQ(0, sample_load(source, &module));
	for (enum way way = PLAIN; way < N_WAYS; way++) {
		struct mathis_machine *m;
		char text[512];
		int state;

		/* Collecting a thousand times a thousand objects takes long. */
		if (way == COLLECT_ALWAYS && strstr(p->body, "5000"))
			continue;
		if (way == UNFUSED)
			memcpy(module->fast, module->code, module->code_size);
		ASSERT_EQ(0, mathis_machine_new(module, &limits, NULL, &m));
		state = run(&m, way);
		mathis_show(mathis_result(m), text, sizeof(text));
		EXPECT_TRUE(as_said(p, m, state))
		{
			TH_LOG("%s, way %d: %d, %s, %d: %s", p->name, way,
			       state, text, mathis_error(m)->code,
			       mathis_error(m)->text);
		}
		EXPECT_GE(HEAP, mathis_heap(m));
		mathis_collect(m);
		mathis_machine_free(m);
	}
	mathis_unload(module);
}

TEST(programs_do_as_they_say)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		run_program(_metadata, &programs[i]);
}

/* A console that keeps what is printed. */
struct console {
	char text[4096];
	size_t n;
};

static int print(void *arg, struct mathis_call *call)
{
	struct console *console = arg;
	const char *text;
	size_t n;

	if (call->id != 0x0010 && call->id != 0x0011)
		return mathis_call_fail(call, MATHIS_DENIED, "not allowed");
	text = mathis_text(call->args[0], &n);
	if (text && console->n + n + 2 < sizeof(console->text))
		console->n += sprintf(console->text + console->n, "%s%s", text,
				      call->id == 0x0011 ? "\n" : "");
	return 0;
}

/* The text of all lines of a source that begin with "; KEY: ". */
static void find_lines(const char *source, const char *key, char *out)
{
	char want[32];

	snprintf(want, sizeof(want), "; %s: ", key);
	*out = 0;
	while (source && *source) {
		const char *end = strchr(source, '\n');

		if (end && !strncmp(source, want, strlen(want)))
			sprintf(out + strlen(out), "%.*s\n",
				(int)(end - source - strlen(want)),
				source + strlen(want));
		source = end ? end + 1 : NULL;
	}
}

/* Load an example, and link the one that it names. */
static int load_example(const char *source, const char *lib,
			struct mathis_module **module)
{
	struct mathis_module *parts[2] = { 0 };
	char name[300], *text = NULL;
	void *file = NULL;
	size_t size;
	int ret = sample_load(source, &parts[0]);

	*module = parts[0];
	if (ret || !*lib)
		return ret;
	snprintf(name, sizeof(name), "examples/mathis/%.*s",
		 (int)strlen(lib) - 1, lib);
	text = sample_read(name);
	ret = sample_load(text, &parts[1]);
	if (!ret)
		ret = mathis_link((const struct mathis_module *const *)parts, 2,
				  &file, &size, NULL);
	*module = NULL;
	if (!ret)
		ret = mathis_load(file, size, module, NULL);
	if (!ret)
		ret = mathis_verify(*module, NULL, NULL);
	mathis_unload(parts[0]);
	mathis_unload(parts[1]);
	free(file);
	free(text);
	return ret;
}

static void run_example(struct __test_metadata *_metadata, const char *name,
			enum way way)
{
	struct console console = { .n = 0 };
	struct mathis_host host = { .arg = &console, .call = print };
	char *path = realpath(name, NULL);
	char *source = sample_read(path);
	char expect[4096], fails[4096], lib[256];
	struct mathis_module *module;
	struct mathis_machine *m;
	int state;

	/* What needs rights needs a dispatcher: native_tool runs it. */
	find_lines(source, "allow", expect);
	if (*expect)
		goto out;
	find_lines(source, "expect", expect);
	find_lines(source, "fails", fails);
	find_lines(source, "link", lib);
	ASSERT_LT(0, strlen(expect));
	ASSERT_EQ(0, load_example(source, lib, &module));
	ASSERT_EQ(0, mathis_machine_new(module, NULL, &host, &m));
	state = run(&m, way);
	EXPECT_EQ(*fails ? MATHIS_NO_FUEL : MATHIS_DONE, state);
	EXPECT_STREQ(expect, console.text)
	{
		TH_LOG("%s: %s", name, mathis_error(m)->text);
	}
	mathis_machine_free(m);
	mathis_unload(module);
out:
	free(source);
	free(path);
}

TEST(examples_print_what_they_say)
{
	glob_t files;

	ASSERT_EQ(0,
		  glob(sample_path("examples/mathis/*.masm"), 0, NULL, &files));
	EXPECT_LE(6, files.gl_pathc);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		for (enum way way = PLAIN; way < N_WAYS; way++)
			run_example(_metadata, files.gl_pathv[i], way);
	}
	globfree(&files);
}

TEST_HARNESS_MAIN
