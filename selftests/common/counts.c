// SPDX-License-Identifier: GPL-2.0-only
#include "counts.h"

unsigned int n_ended, n_freed, n_released;

void count_ended(struct session *session)
{
	(void)session;
	n_ended++;
}

void count_freed(struct session *session)
{
	(void)session;
	n_freed++;
}

void count_released(struct session *session, void *ptr)
{
	(void)session;
	(void)ptr;
	n_released++;
}
