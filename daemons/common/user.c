// SPDX-License-Identifier: GPL-2.0-only
/* Users: the unit of fairness and of limits. */
#include <stdlib.h>

#include "daemon.h"
#include "user.h"

/**
 * user_get() - count a session of a user
 * @d: Daemon.
 * @uid: The user.
 *
 * Context: Under the lock.
 * Return: The user, made if this is its first session, or NULL without memory.
 */
struct user *user_get(struct daemon *d, uint32_t uid)
{
	struct user *user;

	LIST_FOREACH(user, &d->users, link)
	{
		if (user->uid == uid)
			break;
	}
	if (!user) {
		user = calloc(1, d->kind->user_size);
		if (!user)
			return NULL;
		user->uid = uid;
		TAILQ_INIT(&user->waiting);
		LIST_INSERT_HEAD(&d->users, user, link);
	}
	user->sessions++;
	return user;
}

/**
 * user_put() - undo user_get()
 * @d: Daemon.
 * @user: User; freed with its last session.
 *
 * Context: Under the lock.
 */
void user_put(struct daemon *d, struct user *user)
{
	if (--user->sessions)
		return;
	if (user->seen) {
		TAILQ_REMOVE(&d->active, user, active);
		d->nactive--;
	}
	LIST_REMOVE(user, link);
	free(user);
}
