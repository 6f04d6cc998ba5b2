/* SPDX-License-Identifier: GPL-2.0-only */
/* Which programs the rights of a session allow. */
#ifndef MATHISD_CALLS_PROC_PROGRAM_H
#define MATHISD_CALLS_PROC_PROGRAM_H

#include <limits.h>

struct md_call;

/**
 * program_find() - find a program that may be run
 * @c: The call.
 * @path: Its path, absolute.
 * @real: Out, the path that it has without links, which was judged.
 *
 * The path counts without its links, and so do those of the rules. A rule that
 * denies counts for the path as it is written too, and for each name of its file.
 *
 * Return: MD_DONE; MD_FAILED: reported.
 */
int program_find(struct md_call *c, const char *path, char real[PATH_MAX]);

#endif
