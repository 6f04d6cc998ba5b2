/* SPDX-License-Identifier: GPL-2.0-only */
/* Callbacks of a daemon that only count, for tests of daemons/common. */
#ifndef SELFTESTS_COMMON_COUNTS_H
#define SELFTESTS_COMMON_COUNTS_H

#include "session.h"

/* How often each was called since the test set them to 0. */
extern unsigned int n_ended, n_freed, n_released;

void count_ended(struct session *session);
void count_freed(struct session *session);
void count_released(struct session *session, void *ptr);

#endif /* SELFTESTS_COMMON_COUNTS_H */
