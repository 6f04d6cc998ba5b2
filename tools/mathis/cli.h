/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the program mathis. */
#ifndef MATHIS_CLI_H
#define MATHIS_CLI_H

#include <stdio.h>

#include <mathis/mathis.h>

#define MODULES_MAX 64 /* linked to one program */

/* Exit statuses: what was asked for is wrong; the command line is. */
#define EXIT_BAD 1
#define EXIT_USAGE (-1) /* main() makes 2 of it */
#define EXIT_SAVED 3 /* the fuel is spent: there is a snapshot */

bool keep_source(const char *name, char *text);
int read_input(const char *name, char **data, size_t *size);
int load_input(const char *name, unsigned int flags,
	       struct mathis_module **module);
int link_inputs(char *const *names, size_t n, void **file, size_t *size);
int load_program(char *const *names, size_t n, struct mathis_module **module);
int write_failed(const char *name);
int write_output(const char *name, const void *data, size_t size);
int cmd_run(int argc, char **argv);
void print_text(FILE *f, const char *text);
int cmd_calls(int argc, char **argv);
int cmd_repl(int argc, char **argv);
void print_error(const char *name, const struct mathis_error *error);

#endif
