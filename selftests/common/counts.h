/* SPDX-License-Identifier: GPL-2.0-only */
/* Sessions, and callbacks of a daemon that only count, for tests of daemons/common. */
#ifndef SELFTESTS_COMMON_COUNTS_H
#define SELFTESTS_COMMON_COUNTS_H

#include "daemon.h"
#include "session.h"

/* How often each was called since the test set them to 0. */
extern unsigned int n_ended, n_freed, n_released;

/* A session as session_open() makes it, which takes a kernel's phi. */
struct session *seat(struct daemon *d, uint32_t i, uint32_t uid);

/* Callbacks of a daemon to which nothing is published and which checks nothing. */
bool publishes_nothing(struct daemon *d, const struct phi_msg_in *in);
int checks_nothing(struct session *session, const struct op *op,
		   const struct phi_msg_in *in);

void count_ended(struct session *session);
void count_freed(struct session *session);
void count_released(struct session *session, void *ptr);

#endif /* SELFTESTS_COMMON_COUNTS_H */
