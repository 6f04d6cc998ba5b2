// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis repl - instructions as they are typed. The stack is kept from line to
 * line; functions, types, globals and constants are kept as text. Each line is
 * a program of its own, whose main gets the stack as its values and returns
 * what it leaves there as a tuple.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <calls/calls.h>
#include <program/program.h>

#include "cli.h"

#define STACK_MAX 100

struct repl {
	struct md_session *session;
	char *head; /* directives, functions: the text so far */
	void *stack; /* a list, as CBOR; NULL: empty */
	size_t stack_size;
	unsigned int depth;
	bool quiet; /* errors of the program are not printed */
};

static void tell(void *arg, const struct mathis_error *e)
{
	const struct repl *r = arg;
	struct mathis_error shown = *e;

	shown.line = 0; /* that of a text that no one sees */
	if (!r->quiet)
		print_error("repl", &shown);
}

/* A verified module of a line that leaves at least @n values, or NULL. */
static struct mathis_module *compile(struct repl *r, const char *line,
				     unsigned int n, bool quiet)
{
	struct mathis_module *module = NULL;
	struct mathis_error error = { 0 };
	char *source = NULL;
	void *file = NULL;
	size_t size;
	FILE *f = open_memstream(&source, &size);

	if (!f)
		return NULL;
	fprintf(f, "%s\n.func main\n.arity %u\n.locals 16\n", r->head ?: "",
		r->depth);
	for (unsigned int i = 0; i < r->depth; i++)
		fprintf(f, "GET_LOCAL %u\n", i);
	fprintf(f, "%s\nMAKE_TUPLE %u RET\n.end\n", line, n);
	fclose(f);
	r->quiet = quiet;
	if (mathis_assemble(source, size, NULL, 0, tell, r, &file, &size))
		goto out;
	if (mathis_load(file, size, &module, &error) ||
	    mathis_verify(module, NULL, &error)) {
		if (!quiet)
			print_error("repl", &error);
		mathis_unload(module);
		module = NULL;
	}
out:
	free(file);
	free(source);
	return module;
}

/* The module that returns the whole stack: the deepest that verifies. */
static struct mathis_module *compile_deepest(struct repl *r, const char *line)
{
	struct mathis_module *best = compile(r, line, 0, false);
	unsigned int low = 0, high = STACK_MAX;

	while (best && low < high) {
		unsigned int n = low + (high - low + 1) / 2;
		struct mathis_module *module = compile(r, line, n, true);

		if (module) {
			mathis_unload(best);
			best = module;
			low = n;
		} else {
			high = n - 1;
		}
	}
	return best;
}

/* Keep the values of a tuple for the next line. */
static void keep(struct repl *r, struct mathis_machine *m)
{
	struct mathis_value result = mathis_result(m), list, one;
	char shown[1024];
	unsigned int n = 0;
	void *data;
	size_t size;
	int ret = mathis_new_list(m, &list);

	if (result.kind != MATHIS_TUPLE)
		return; /* HALT, or RET of the line itself */
	while (!ret && !mathis_list_at(result, n, &one)) {
		ret = mathis_list_add(m, list, one);
		n++;
	}
	if (!ret)
		ret = mathis_encode(list, &data, &size);
	mathis_show(result, shown, sizeof(shown));
	printf("%s\n", shown);
	if (ret) {
		fprintf(stderr, "repl: the stack is as it was: %s\n",
			ret == -EINVAL ? "a value lives in its line alone" :
					 strerror(-ret));
		return;
	}
	free(r->stack);
	r->stack = data;
	r->stack_size = size;
	r->depth = n;
}

static int start(struct repl *r, struct mathis_machine *m)
{
	struct mathis_value args[STACK_MAX], list;
	int ret = 0;

	if (r->depth)
		ret = mathis_decode(m, r->stack, r->stack_size, &list);
	for (unsigned int i = 0; i < r->depth && !ret; i++)
		ret = mathis_list_at(list, i, &args[i]);
	return ret ?: mathis_start(m, "main", args, r->depth);
}

static void run_line(struct repl *r, const char *line)
{
	struct mathis_module *module = compile_deepest(r, line);
	struct md_program p = { 0 };
	struct mathis_host host = { 0 };
	int ret;

	if (!module)
		return;
	md_program_init(&p, r->session, &host);
	ret = mathis_machine_new(module, NULL, &host, &p.machine);
	if (!ret)
		ret = start(r, p.machine);
	if (ret)
		fprintf(stderr, "repl: %s\n", strerror(-ret));
	else if (md_program_run(&p) == MATHIS_DONE)
		keep(r, p.machine);
	else
		print_error("repl", mathis_error(p.machine));
	md_program_fini(&p);
	mathis_machine_free(p.machine);
	mathis_unload(module);
}

/* Keep a definition for all lines that follow, if it is one. */
static void define(struct repl *r, const char *text)
{
	char *old = r->head;
	struct mathis_module *module;

	if (asprintf(&r->head, "%s\n%s", old ?: "", text) < 0) {
		r->head = old;
		return;
	}
	module = compile(r, "", 0, false);
	if (module) {
		free(old);
	} else {
		free(r->head);
		r->head = old;
	}
	mathis_unload(module);
}

/* Read lines until the end of a .func, or of a block that a blank line ends. */
static char *read_block(const char *first)
{
	char *block = NULL, *line = NULL;
	size_t size, room = 0;
	bool func = !strncmp(first, ".func", 5);
	FILE *f = open_memstream(&block, &size);

	if (!f)
		return NULL;
	fputs(first, f);
	while ((func || strchr(first, ':')) &&
	       getline(&line, &room, stdin) > 0) {
		fputs(line, f);
		if (func ? !strncmp(line + strspn(line, " \t"), ".end", 4) :
			   *line == '\n')
			break;
	}
	free(line);
	fclose(f);
	return block;
}

static int run_lines(struct md_session *session)
{
	struct repl r = { .session = session };
	bool prompt = isatty(0);
	char *line = NULL;
	size_t room = 0;

	for (;;) {
		if (prompt)
			printf("mathis> ");
		fflush(stdout);
		if (getline(&line, &room, stdin) <= 0)
			break;
		if (*line == '.') {
			char *block = read_block(line);

			if (block)
				define(&r, block);
			free(block);
		} else if (line[strspn(line, " \t\n")]) {
			run_line(&r, line);
		}
	}
	free(line);
	free(r.head);
	free(r.stack);
	return 0;
}

int cmd_repl(int argc, char **argv)
{
	struct md_session *session = NULL;
	struct md_misfit error = { 0 };
	struct md_core *core;
	int status = EXIT_BAD;
	int ret;

	(void)argv;
	if (argc != 1)
		return EXIT_USAGE;
	ret = md_calls_core(&core, &error);
	if (!ret)
		session = md_session_new(core);
	if (session) {
		/* Input is for the lines: programs print alone. */
		session->console[0] = -1;
		session->console[1] = 1;
		session->console[2] = 2;
		ret = md_rights_add(&session->rights, false, "console", NULL);
		status = ret ? EXIT_BAD : run_lines(session);
		md_session_end(session);
	} else {
		fprintf(stderr, "mathis: %s\n",
			ret == -EINVAL ? error.text : strerror(ENOMEM));
	}
	md_core_free(core);
	return status;
}
