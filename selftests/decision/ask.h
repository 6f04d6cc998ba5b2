/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SELFTESTS_ASK_H
#define _SELFTESTS_ASK_H

#include <sys/syscall.h>

#include "phi_ioctl.h"

/* What user 60101 does is of no other test. */
#define SOMEBODY 60101
#define SOMEBODY_ELSE 60102

static inline int do_ask(int phi, uint32_t flags, uint64_t id, uint64_t agent,
			 struct phi_decision_query *arg)
{
	*arg = (struct phi_decision_query){
		.flags = flags,
		.id = id,
		.agent = agent,
	};
	return PHI_DO(phi, DECISION_QUERY, arg);
}

/* The last decision on this thread. */
static inline int do_why(int phi, struct phi_decision *out)
{
	struct phi_decision_query arg;
	int ret = do_ask(phi, PHI_DECISION_BEFORE | PHI_DECISION_THREAD, 0, 0,
			 &arg);

	*out = arg.decision;
	return ret;
}

/* Its number, 0 without one. */
static inline uint64_t last_id(int phi)
{
	struct phi_decision d;

	return do_why(phi, &d) ? 0 : d.id;
}

#endif /* _SELFTESTS_ASK_H */
