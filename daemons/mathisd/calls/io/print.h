/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts of the console, for io_input_prompt and log. */
#ifndef MATHISD_CALLS_IO_PRINT_H
#define MATHISD_CALLS_IO_PRINT_H

#include <stdbool.h>
#include <stddef.h>

struct md_call;

/* Print the first argument, in a worker: MD_DONE, or MD_FAILED, reported. */
int print_prompt(struct md_call *c);
/*
 * Print a line to the stream of errors for a call that does not wait for it:
 * false: there is no such stream, or no room among the lines that wait.
 */
bool print_line(struct md_call *c, const char *line, size_t n);

#endif
