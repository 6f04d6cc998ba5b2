/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls held against their rows of calls.def. */
#ifndef MATHISD_CORE_CHECK_H
#define MATHISD_CORE_CHECK_H

struct md_call;

/* Right, count and types of arguments; fill in those that are missing. */
int md_check_args(struct md_call *c);
/* End the program when the result has another type than its row says. */
void md_check_result(const struct md_call *c);

#endif
