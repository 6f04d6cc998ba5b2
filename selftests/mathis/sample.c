// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "sample.h"

unsigned long sample_fail_at;
unsigned long sample_requests;
size_t sample_largest;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool fails(size_t size)
{
	if (size > sample_largest)
		sample_largest = size;
	return ++sample_requests == sample_fail_at;
}

void *__wrap_malloc(size_t size)
{
	return fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails(n * size) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails(size) ? NULL : __real_realloc(p, size);
}

const char *const sample_all =
	".module \"all\"\n"
	".version \"1.2.3\"\n"
	".author \"a \\\"quoted\\\" name\"\n"
	".import \"std:io\" as io\n"
	".export \"main\"\n"
	".export \"Point\"\n"
	".export \"counter\"\n"
	".constants:\n"
	"    1: f64 0.1\n"
	"    0: i64 -9223372036854775808\n"
	"    2: str \"\\u{e9}\\n\\t\\\\\"\n"
	"    3: bool true\n"
	"    4: none\n"
	"    5: i8 -128\n"
	"    6: u16 0xffff\n"
	"    7: f32 1.5\n"
	"    8: char 'z'\n"
	"    9: bytes \"\\x00\\xff\"\n"
	"    10: f64 bits:0x7ff8000000000001\n"
	"    11: f64 -inf\n"
	"    12: u64 9223372036854775807\n"
	".types:\n"
	"    .struct Point\n"
	"        x: f64\n"
	"        y: f64 = 2.5\n"
	"        next: Option<Point>\n"
	"    .end\n"
	"    .enum Status\n"
	"        Pending = 7\n"
	"        Active\n"
	"        Failed(why: str)\n"
	"    .end\n"
	"    .alias Points = Map<str, List<Point>>\n"
	"    .alias Maker = Func<(i64, Tuple<str, bytes>) -> Result<any, str>>\n"
	".globals:\n"
	"    counter: i64 = 5\n"
	"    .mut state: any = none\n"
	"    .const PI: f64 = 3.25\n"
	".func add\n"
	"    .arity 2\n"
	"    .locals 1\n"
	"    .params (i64, Set<i64>)\n"
	"    .returns i64\n"
	"    .throws\n"
	"    GET_LOCAL 0  CONST_SMALL_INT -3  ADD  SET_LOCAL 2\n"
	"    GET_LOCAL 2\n"
	"    RET\n"
	".end\n"
	".func inner\n"
	"    .arity 0\n"
	"    .locals 0\n"
	"    GET_UPVALUE 0  RET\n"
	".end\n"
	".func main\n"
	"    .arity 0\n"
	"    .locals 2\n"
	"    .async\n"
	"    .ai_block \"b\"\n"
	"    .ai_intent \"i\"\n"
	"    .ai_pure true\n"
	"    .ai_complexity O(n)\n"
	"    .ai_depends [\"d\", \"e\"]\n"
	"    .ai_effects []\n"
	"    CONST_I64 3 SET_LOCAL 0\n"
	".loop:\n"
	"    GET_LOCAL 0 CONST_I64 0 LE JUMP_IF_TRUE .done\n"
	"    GET_LOCAL 0 CONST_I64 1 SUB SET_LOCAL 0 JUMP .loop\n"
	".done:\n"
	"    TRY_START .handler\n"
	"    CONST_I64 1 MAKE_SET 0 CALL \"add\" 2 SET_GLOBAL \"counter\"\n"
	"    TRY_END\n"
	"    JUMP .after\n"
	".handler: CATCH POP\n"
	".after:\n"
	"    CONST_F64 1.0 CONST_F64 0.25 CONST_NONE MAKE_STRUCT \"Point\" 3\n"
	"    GET_FIELD \"y\" POP\n"
	"    CONST 3 CONST_BOOL false AND POP\n"
	"    CONST_STR 2 MAKE_CLOSURE \"inner\" 1 CALL_INDIRECT 0 POP\n"
	"    CONST_FUNC \"add\" POP\n"
	"    SOURCE_LOC \"made.mhs\" 7 3\n"
	"    GET_GLOBAL \"PI\" TYPE_EQ 0x0b POP\n"
	"    AI_FORK 2 CONST_I64 1 AI_MERGE POP\n"
	"    CONST_STR \"x\" SYSCALL 0x8010 POP\n"
	"    CONST_STR \"x\" SYSCALL_N 0x1234 1 POP\n"
	"    CONST_NONE RET\n"
	".end\n"
	".func other\n"
	"    .arity 1\n"
	"    .params (str)\n"
	"    .extern \"lib\" \"f\"\n"
	".end\n";

static void tell(void *arg, const struct mathis_error *error)
{
	struct sample *s = arg;

	if (s->n_errors < 32)
		s->errors[s->n_errors] = *error;
	s->n_errors++;
}

void sample_assemble(struct sample *s, const char *source, unsigned int flags)
{
	memset(s, 0, sizeof(*s));
	s->ret = mathis_assemble(source, strlen(source), "sample.masm", flags,
				 tell, s, &s->file, &s->size);
}

void sample_fini(struct sample *s)
{
	free(s->file);
	s->file = NULL;
}

/* Assemble, load and verify. */
int sample_load(const char *source, struct mathis_module **module)
{
	struct mathis_error error = { 0 };
	struct sample s;

	*module = NULL;
	sample_assemble(&s, source, 0);
	if (!s.ret)
		s.ret = mathis_load(s.file, s.size, module, &error);
	if (!s.ret)
		s.ret = mathis_verify(*module, NULL, &error);
	if (s.ret)
		printf("# %s %s:%u: %s\n", s.errors[0].text, error.function,
		       error.offset, error.text);
	sample_fini(&s);
	return s.ret;
}

/* Run a verified module with little of everything: how it ended. */
int sample_run(const struct mathis_module *module)
{
	const struct mathis_limits limits = { .stack = 500,
					      .heap = 100000,
					      .fuel = 5000 };
	struct mathis_value args[4] = { 0 };
	struct mathis_machine *m;
	int ret = mathis_machine_new(module, &limits, NULL, &m);

	if (ret)
		return ret;
	for (int argc = 0; argc < 4; argc++) {
		ret = mathis_start(m, NULL, args, argc);
		if (ret != -EINVAL)
			break;
	}
	if (!ret)
		ret = mathis_run(m);
	mathis_machine_free(m);
	return ret;
}

/* The path of a file of the source tree; a test runs in its own folder. */
const char *sample_path(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/../%s", getenv("PHI_BUILD") ?: "build",
		 name);
	return path;
}

/* A file of the source tree, with a zero at its end, or NULL. */
char *sample_read(const char *name)
{
	FILE *f = fopen(*name == '/' ? name : sample_path(name), "r");
	char *text = calloc(1, 65536);

	if (f && text)
		fread(text, 1, 65535, f);
	if (f)
		fclose(f);
	return text;
}

/* Make all checksums of a file right that is otherwise broken. */
void sample_repair(uint8_t *file, size_t size)
{
	struct mathis_buf b = { .data = file, .size = size };
	unsigned int n;

	if (size < 37)
		return;
	n = file[12] | file[13] << 8;
	for (unsigned int i = 0; i < n && 32 + 16 * (i + 1) <= size; i++) {
		uint32_t offset, len;

		memcpy(&offset, file + 32 + 16 * i + 4, 4);
		memcpy(&len, file + 32 + 16 * i + 8, 4);
		if (offset <= size && len <= size - offset)
			mathis_buf_set(&b, 32 + 16 * i + 12,
				       mathis_crc32(file + offset, len), 4);
	}
	mathis_buf_set(&b, size - 4, mathis_crc32(file, size - 4), 4);
}
