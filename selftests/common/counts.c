// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>

#include "counts.h"
#include "handle.h"

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

bool publishes_nothing(struct daemon *d, const struct phi_msg_in *in)
{
	(void)d;
	(void)in;
	return false;
}

int checks_nothing(struct session *session, const struct op *op,
		   const struct phi_msg_in *in)
{
	(void)session;
	(void)op;
	(void)in;
	return 0;
}

struct session *seat(struct daemon *d, uint32_t i, uint32_t uid)
{
	struct session *session = calloc(1, sizeof(*session));

	session->daemon = d;
	session->refs = 1;
	session->uid = uid;
	session->index = i;
	session->life_fd = -1;
	session->badge = ++d->next_badge * DAEMON_SESSIONS_MAX + i;
	if (handles_init(session))
		abort();
	pthread_mutex_lock(&d->lock);
	session->user = user_get(d, uid);
	d->sessions[i] = session;
	d->nsessions++;
	pthread_mutex_unlock(&d->lock);
	return session;
}
