// SPDX-License-Identifier: GPL-2.0-only
/*
 * What make bench-mathis measures inside of the library: megabytes a second
 * that load and verify, and bytes of an idle program.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mathis/mathis.h>

#define ROUNDS 5
#define FUNCS 4000
#define PROGRAMS 10000

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* A module of many functions, with lines and names. */
static void make(void **file, size_t *size)
{
	char *source = NULL;
	size_t n;
	FILE *f = open_memstream(&source, &n);

	for (int i = 0; f && i < FUNCS; i++)
		fprintf(f,
			".func f%d\n.arity 2\n.locals 1\n.l: GET_LOCAL 0\n"
			"CONST_I64 %d LT JUMP_IF_FALSE .e GET_LOCAL 0\n"
			"GET_LOCAL 1 ADD SET_LOCAL 2 GET_LOCAL 2\n"
			"CONST_I64 1 SUB SET_LOCAL 0\nJUMP .l\n"
			".e: TRY_START .h GET_LOCAL 0 CONST_STR \"t%d\"\n"
			"MAKE_TUPLE 2 TRY_END RET\n.h: CATCH RET\n.end\n",
			i, i, i % 100);
	if (f)
		fclose(f);
	if (!f ||
	    mathis_assemble(source, n, "bench.masm", 0, NULL, NULL, file, size))
		exit(1);
	free(source);
}

static void measure_module(const void *file, size_t size)
{
	double best = 1e9;

	for (int i = 0; i < ROUNDS; i++) {
		struct mathis_module *module;
		double begin = now();

		if (mathis_load(file, size, &module, NULL) ||
		    mathis_verify(module, NULL, NULL))
			exit(1);
		if (now() - begin < best)
			best = now() - begin;
		mathis_unload(module);
	}
	printf("load %.1f\n", size / best / 1e6);
}

/* Programs that wait in their middle for a value of a channel. */
static void measure_programs(void)
{
	static const char source[] =
		".func wait\n.arity 1\n.locals 4\nGET_LOCAL 0 CHANNEL_RECV\n"
		"RET\n.end\n"
		".func main\nCONST_NONE SYSCALL_N 0x3000 1 RET\n.end\n";
	static struct mathis_machine *machines[PROGRAMS];
	struct mathis_module *module;
	size_t before, size;
	void *file;

	if (mathis_assemble(source, strlen(source), NULL, 0, NULL, NULL, &file,
			    &size) ||
	    mathis_load(file, size, &module, NULL) ||
	    mathis_verify(module, NULL, NULL))
		exit(1);
	before = mallinfo2().uordblks;
	for (int i = 0; i < PROGRAMS; i++) {
		if (mathis_machine_new(module, NULL, NULL, &machines[i]) ||
		    mathis_start(machines[i], "main", NULL, 0))
			exit(1);
	}
	printf("idle %zu\n", (mallinfo2().uordblks - before) / PROGRAMS);
	for (int i = 0; i < PROGRAMS; i++)
		mathis_machine_free(machines[i]);
	mathis_unload(module);
	free(file);
}

int main(void)
{
	void *file;
	size_t size;

	make(&file, &size);
	measure_module(file, size);
	free(file);
	measure_programs();
	return 0;
}
