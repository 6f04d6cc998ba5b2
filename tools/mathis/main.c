// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathis - assemble, disassemble, check and run MATHIS modules.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static const char usage[] =
	"usage: mathis asm [-sW] [-o FILE.mbc] FILE.masm\n"
	"       mathis dis FILE\n"
	"       mathis check FILE...\n"
	"       mathis run [--allow-RIGHT[=PARAMETER,...]]\n"
	"                  [--deny-RIGHT[=PARAMETER,...]] [--trace] [--deadline MS]\n"
	"                  [--fuel N] [--heap BYTES] [--stack VALUES]\n"
	"                  FILE [ARGUMENT...]\n"
	"       mathis calls [NAME|NUMBER...]\n";

static void tell(void *arg, const struct mathis_error *e)
{
	print_error(arg, e);
}

static int write_failed(const char *name)
{
	fprintf(stderr, "mathis: %s: %s\n", name, strerror(errno));
	return EXIT_BAD;
}

/* Write to an open file and close it: 0, or -1 and errno. */
static int write_all(int fd, const uint8_t *data, size_t size)
{
	int saved;

	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		data += n;
		size -= n;
	}
	saved = errno;
	if (close(fd))
		return -1;
	errno = saved;
	return size ? -1 : 0;
}

/* A new file that takes the place of @name once it is whole. */
static int replace(const char *name, mode_t mode, const void *data, size_t size)
{
	char *part;
	int ret;
	int fd;

	if (asprintf(&part, "%s.XXXXXX", name) < 0)
		return -1;
	fd = mkstemp(part);
	if (fd < 0) {
		free(part);
		return -1;
	}
	ret = fchmod(fd, mode);
	if (write_all(fd, data, size) || ret || rename(part, name)) {
		int saved = errno;

		unlink(part);
		errno = saved;
		ret = -1;
	}
	free(part);
	return ret;
}

/* Write a file whole, or not at all; a device or pipe is written to. */
static int write_output(const char *name, const void *data, size_t size)
{
	mode_t mask = umask(0);
	char *target = NULL;
	struct stat st;
	int ret = -1;
	int fd;

	umask(mask);
	if (stat(name, &st)) {
		ret = replace(name, 0666 & ~mask, data, size);
	} else if (!S_ISREG(st.st_mode)) {
		fd = open(name, O_WRONLY | O_CLOEXEC);
		ret = fd < 0 ? -1 : write_all(fd, data, size);
	} else {
		target = realpath(name, NULL); /* a link stays */
		if (target)
			ret = replace(target, st.st_mode & 0777, data, size);
	}
	if (ret)
		ret = write_failed(name);
	free(target);
	return ret;
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
	void *file = NULL;
	size_t size, n;
	int ret;

	if (read_input(name, &source, &n))
		goto out;
	ret = mathis_assemble(source, n, name, flags, tell, (void *)name, &file,
			      &size);
	if (ret == -ENOMEM || (!output && !own))
		fprintf(stderr, "mathis: %s: no memory\n", name);
	else if (!ret)
		status = write_output(output ?: own, file, size);
out:
	free(file);
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

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "asm", cmd_asm }, { "dis", cmd_dis },	    { "check", cmd_check },
	{ "run", cmd_run }, { "calls", cmd_calls },
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
