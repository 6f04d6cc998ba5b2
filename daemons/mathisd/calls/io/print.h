/* SPDX-License-Identifier: GPL-2.0-only */
/* Texts of the console, for io_input_prompt. */
#ifndef MATHISD_CALLS_IO_PRINT_H
#define MATHISD_CALLS_IO_PRINT_H

struct md_call;

/* Print the first argument, in a worker: MD_DONE, or MD_FAILED, reported. */
int print_prompt(struct md_call *c);

#endif
