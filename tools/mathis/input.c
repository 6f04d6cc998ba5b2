// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: a module or its source, told apart by how they begin.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define INPUT_MAX (64UL << 20)

/* Print text of a module; bytes that steer a terminal become \xNN. */
void print_text(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

		if (*p >= ' ' && *p != 0x7f && !c1) {
			fputc(*p, f);
			continue;
		}
		fprintf(f, "\\x%02x", *p);
		if (c1)
			fprintf(f, "\\x%02x", *++p);
	}
}

/* Sources that were read: errors show their lines. */
static struct {
	const char *name;
	char *text;
} sources[MODULES_MAX];

static size_t n_sources;

/* Keep the text that read_input() gave for errors: whether it is kept. */
bool keep_source(const char *name, char *text)
{
	if (n_sources == MODULES_MAX)
		return false;
	sources[n_sources].name = name;
	sources[n_sources++].text = text;
	return true;
}

/* Print the line of an error, if its source was read. */
static void print_line(const char *name, uint32_t line)
{
	const char *p = NULL;

	for (size_t i = 0; i < n_sources; i++) {
		if (!strcmp(sources[i].name, name))
			p = sources[i].text;
	}
	for (uint32_t at = 1; p && at < line; at++) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!p || !line)
		return;
	p += strspn(p, " \t");
	fprintf(stderr, "%6u | ", line);
	for (; *p && *p != '\n'; p++) {
		char one[2] = { *p == '\t' ? ' ' : *p, 0 };

		if (*p & 0x80)
			fputc(*p, stderr);
		else
			print_text(stderr, one);
	}
	fputc('\n', stderr);
}

/* "FILE:LINE: error MASM001: in FUNCTION: TEXT" */
void print_error(const char *name, const struct mathis_error *e)
{
	print_text(stderr, e->file[0] ? e->file : name);
	fputc(':', stderr);
	if (e->line)
		fprintf(stderr, "%u:", e->line);
	if (e->masm)
		fprintf(stderr,
			" %s MASM%03d: ", e->masm < 100 ? "error" : "warning",
			e->masm);
	else
		fprintf(stderr, " %s: ", mathis_code_name(e->code));
	print_text(stderr, e->text);
	if (e->function[0] && !e->masm) {
		fputs(" (in ", stderr);
		print_text(stderr, e->function);
		fprintf(stderr, ", instruction %u)", e->offset);
	}
	fputc('\n', stderr);
	print_line(e->file[0] ? e->file : name, e->line);
}

static int read_all(FILE *f, char **data, size_t *size)
{
	size_t room = 0;

	while (!feof(f)) {
		if (*size + 1 >= room) {
			char *more = realloc(*data, room = room * 2 + 65536);

			if (!more)
				return -ENOMEM;
			*data = more;
		}
		*size += fread(*data + *size, 1, room - *size - 1, f);
		(*data)[*size] = 0;
		if (ferror(f))
			return -EIO;
		if (*size > INPUT_MAX)
			return -EFBIG;
	}
	return 0;
}

/* Read a file, or "-", standard input: 0, or -errno, which was printed. */
int read_input(const char *name, char **data, size_t *size)
{
	FILE *f = strcmp(name, "-") ? fopen(name, "r") : stdin;
	int ret;

	*data = NULL;
	*size = 0;
	if (!f) {
		ret = -errno;
	} else {
		ret = read_all(f, data, size);
		if (f != stdin)
			fclose(f);
	}
	if (ret) {
		fprintf(stderr, "mathis: %s: %s\n", name, strerror(-ret));
		free(*data);
		*data = NULL;
	}
	return ret;
}

static void tell(void *arg, const struct mathis_error *e)
{
	print_error(arg, e);
}

/* Load a module, or assemble and load a source. Errors were printed. */
int load_input(const char *name, unsigned int flags,
	       struct mathis_module **module)
{
	struct mathis_error error = { 0 };
	size_t size;
	char *data;
	void *file = NULL;
	bool keep = false;
	int ret;

	*module = NULL;
	ret = read_input(name, &data, &size);
	if (ret)
		return ret;
	if (size >= 4 && !memcmp(data, "MASM", 4)) {
		ret = mathis_load(data, size, module, &error);
	} else {
		size_t file_size;

		keep = keep_source(name, data);
		ret = mathis_assemble(data, size, name, flags, tell,
				      (void *)name, &file, &file_size);
		if (!ret)
			ret = mathis_load(file, file_size, module, &error);
	}
	if (ret && error.code)
		print_error(name, &error);
	else if (ret == -ENOMEM)
		fprintf(stderr, "mathis: %s: no memory\n", name);
	free(file);
	if (!keep)
		free(data);
	return ret;
}
