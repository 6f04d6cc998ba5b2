/* SPDX-License-Identifier: GPL-2.0-only */
/* Spans and metrics, between the files of 0x0F. */
#ifndef MATHISD_CALLS_OBSERVE_OBSERVE_H
#define MATHISD_CALLS_OBSERVE_OBSERVE_H

#include "calls/calls.h"

#define TRACE_BYTES 16
#define SPAN_BYTES 8
#define ID_TEXT (2 * TRACE_BYTES + 1)

/* The ids of a span in hexadecimal digits. */
struct span_ids {
	char trace[ID_TEXT];
	char span[2 * SPAN_BYTES + 1];
};

/* The span that the task of a call is in; false: none. */
bool span_now(struct md_call *c, struct span_ids *ids);

#endif
