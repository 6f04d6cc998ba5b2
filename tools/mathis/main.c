// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis - assemble, disassemble, check and run MATHIS modules.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const char usage[] =
	"usage: mathis asm [-sW] [-o FILE.mbc] FILE.masm\n"
	"       mathis dis FILE\n"
	"       mathis check FILE...\n"
	"       mathis link [-o FILE.mbc] FILE MODULE...\n"
	"       mathis run [--allow-RIGHT[=PARAMETER,...]]\n"
	"                  [--deny-RIGHT[=PARAMETER,...]] [--manifest FILE]\n"
	"                  [--trace] [--deadline MS] [--fuel N] [--heap BYTES]\n"
	"                  [--stack VALUES] [--daemon[=TOKEN]] [--link MODULE]...\n"
	"                  [--snapshot FILE] [--restore FILE] FILE [ARGUMENT...]\n"
	"       mathis repl\n"
	"       mathis calls [NAME|NUMBER...]\n";

static void tell(void *arg, const struct mathis_error *e)
{
	print_error(arg, e);
}

/* The output of a source: its name with .mbc for its ending. */
static char *output_of(const char *name)
{
	size_t n = strlen(name);
	char *out;

	if (n > 5 && !strcmp(name + n - 5, ".masm"))
		n -= 5;
	if (asprintf(&out, "%.*s.mbc", (int)n, name) < 0)
		return NULL;
	return out;
}

static int assemble(const char *name, const char *output, unsigned int flags)
{
	char *own = output ? NULL : output_of(name);
	int status = EXIT_BAD;
	char *source = NULL;
	bool keep = false;
	void *file = NULL;
	size_t size, n;
	int ret;

	if (read_input(name, &source, &n))
		goto out;
	keep = keep_source(name, source);
	ret = mathis_assemble(source, n, name, flags, tell, (void *)name, &file,
			      &size);
	if (ret == -ENOMEM || (!output && !own))
		fprintf(stderr, "mathis: %s: no memory\n", name);
	else if (!ret)
		status = write_output(output ?: own, file, size);
out:
	free(file);
	if (!keep)
		free(source);
	free(own);
	return status;
}

static int cmd_asm(int argc, char **argv)
{
	const char *output = NULL;
	unsigned int flags = 0;
	int opt;

	while ((opt = getopt(argc, argv, "o:sW")) != -1) {
		switch (opt) {
		case 'o':
			output = optarg;
			break;
		case 's':
			flags |= MATHIS_ASM_STRIP;
			break;
		case 'W':
			flags |= MATHIS_ASM_WARN;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind != argc - 1)
		return EXIT_USAGE;
	return assemble(argv[optind], output, flags);
}

static int cmd_dis(int argc, char **argv)
{
	struct mathis_module *module;
	char *source;
	int ret;

	if (argc != 2)
		return EXIT_USAGE;
	if (load_input(argv[1], 0, &module))
		return EXIT_BAD;
	ret = mathis_disassemble(module, &source);
	mathis_unload(module);
	if (!source)
		fputs("mathis: no memory\n", stderr);
	else if (fputs(source, stdout) < 0 || fflush(stdout))
		ret = write_failed("standard output");
	free(source);
	return ret ? EXIT_BAD : 0;
}

static int cmd_check(int argc, char **argv)
{
	int status = 0;

	if (argc < 2)
		return EXIT_USAGE;
	for (int i = 1; i < argc; i++) {
		struct mathis_error error = { 0 };
		struct mathis_module *module;
		int ret = load_input(argv[i], MATHIS_ASM_WARN, &module);

		if (!ret) {
			ret = mathis_verify(module, NULL, &error);
			if (ret)
				print_error(argv[i], &error);
		}
		mathis_unload(module);
		status = ret ? EXIT_BAD : status;
	}
	return status;
}

static int cmd_link(int argc, char **argv)
{
	const char *output = NULL;
	int status = EXIT_BAD;
	char *own = NULL;
	void *file;
	size_t size;
	int opt;

	while ((opt = getopt(argc, argv, "o:")) != -1) {
		if (opt != 'o')
			return EXIT_USAGE;
		output = optarg;
	}
	if (optind > argc - 2)
		return EXIT_USAGE;
	if (link_inputs(argv + optind, argc - optind, &file, &size))
		return EXIT_BAD;
	if (!output) {
		own = output_of(argv[optind]);
		output = own;
	}
	if (output)
		status = write_output(output, file, size);
	else
		fputs("mathis: no memory\n", stderr);
	free(own);
	free(file);
	return status;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "asm", cmd_asm },   { "dis", cmd_dis }, { "check", cmd_check },
	{ "link", cmd_link }, { "run", cmd_run }, { "calls", cmd_calls },
	{ "repl", cmd_repl },
};

int main(int argc, char **argv)
{
	int status = EXIT_USAGE;

	if (argc >= 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	for (size_t i = 0;
	     argc >= 2 && i < sizeof(commands) / sizeof(*commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			status = commands[i].run(argc - 1, argv + 1);
	}
	if (status != EXIT_USAGE)
		return status;
	fputs(usage, stderr);
	return 2;
}
