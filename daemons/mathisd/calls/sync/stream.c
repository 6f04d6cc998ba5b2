// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0520 and 0x0521: the values of a stream.
 */
#include "calls/calls.h"
#include "core/stream.h"

int md_stream_next(struct md_call *c)
{
	return md_stream_take(c, md_given(c, 1) ? c->args[1].i : -1);
}

int md_stream_close(struct md_call *c)
{
	return md_stream_shut(c);
}
