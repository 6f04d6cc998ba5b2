/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MATHIS_TRACE_H
#define MATHIS_TRACE_H

struct md_session;
struct md_call;

void trace_call(struct md_session *session, struct md_call *c);

#endif
