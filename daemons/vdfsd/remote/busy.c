// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names on their way. A change has its names for itself, from before the bucket
 * hears of it until it is made here; another one that needs them waits.
 * An answer of the bucket is taken over unless a change of the name began since
 * it was asked for: it may be from before or after, and what is known here is
 * right as soon as the change is made. So nothing waits for the network with a
 * lock held.
 */
#include <errno.h>
#include <string.h>

#include "remote_impl.h"

/* Whether one path is the other's, or leads to it. */
static bool leads_to(const char *path, const char *to)
{
	size_t len = strlen(path);

	return !strncmp(path, to, len) && (!len || !to[len] || to[len] == '/');
}

/**
 * vdfs_remote_covers() - whether a path is among some, or below one of them
 * @paths: These, one behind the other.
 * @len: How long they are.
 * @path: The path.
 *
 * Context: Any.
 * Return: Whether it is.
 */
bool vdfs_remote_covers(const char *paths, size_t len, const char *path)
{
	const char *at;

	for (at = paths; at < paths + len; at += strlen(at) + 1) {
		if (leads_to(at, path))
			return true;
	}
	return false;
}

static bool meet(const struct vdfs_remote_busy *busy, const char *path)
{
	const char *at;

	for (at = busy->paths; at < busy->paths + busy->len;
	     at += strlen(at) + 1) {
		if (leads_to(at, path) || leads_to(path, at))
			return true;
	}
	return false;
}

/* The change that has one of these names, or NULL. With names held. */
static struct vdfs_remote_busy *find(struct vdfs_remote *remote,
				     const struct vdfs_remote_busy *mine)
{
	struct vdfs_remote_busy *busy;
	const char *at;

	for (busy = remote->busy; busy; busy = busy->next) {
		for (at = mine->paths; at < mine->paths + mine->len;
		     at += strlen(at) + 1) {
			if (meet(busy, at))
				return busy;
		}
	}
	return NULL;
}

/* Answers to come of these names may be old. With names held. */
static void spoil(struct vdfs_remote *remote,
		  const struct vdfs_remote_busy *busy)
{
	struct vdfs_remote_asked *asked;

	for (asked = remote->asked; asked; asked = asked->next) {
		if (meet(busy, asked->path))
			asked->old = true;
	}
}

/* Others that asked for the same name may have asked before this one did. */
static void outdate(struct vdfs_remote *remote, const char *path)
{
	struct vdfs_remote_asked *asked;

	for (asked = remote->asked; asked; asked = asked->next) {
		if (!strcmp(asked->path, path))
			asked->old = true;
	}
}

/**
 * vdfs_remote_turn() - a number that grows when names here may have changed
 * @remote: The remote.
 *
 * Context: Any thread.
 * Return: The number.
 */
uint64_t vdfs_remote_turn(struct vdfs_remote *remote)
{
	uint64_t turn;

	pthread_mutex_lock(&remote->names);
	turn = remote->turn;
	pthread_mutex_unlock(&remote->names);
	return turn;
}

/**
 * vdfs_remote_begin() - have names for a change, when no other has them
 * @remote: The remote.
 * @busy: These, with all that is below them.
 *
 * Context: Any thread. Waits for changes of the same names.
 * Return: The turn that it is.
 */
uint64_t vdfs_remote_begin(struct vdfs_remote *remote,
			   struct vdfs_remote_busy *busy)
{
	uint64_t turn;

	pthread_mutex_lock(&remote->names);
	while (find(remote, busy))
		pthread_cond_wait(&remote->free, &remote->names);
	busy->next = remote->busy;
	remote->busy = busy;
	spoil(remote, busy);
	turn = remote->turn;
	pthread_mutex_unlock(&remote->names);
	return turn;
}

/**
 * vdfs_remote_end() - let others have the names of a change
 * @remote: The remote.
 * @busy: As it began.
 *
 * Context: Any thread.
 */
void vdfs_remote_end(struct vdfs_remote *remote, struct vdfs_remote_busy *busy)
{
	struct vdfs_remote_busy **link = &remote->busy;

	pthread_mutex_lock(&remote->names);
	while (*link != busy)
		link = &(*link)->next;
	*link = busy->next;
	remote->turn++;
	pthread_cond_broadcast(&remote->free);
	pthread_mutex_unlock(&remote->names);
}

/**
 * vdfs_remote_ask() - begin to ask the bucket for a name
 * @remote: The remote.
 * @asked: The name; stays until vdfs_remote_take().
 *
 * Context: Any thread.
 * Return: Whether to ask: not while a change has the name.
 */
bool vdfs_remote_ask(struct vdfs_remote *remote,
		     struct vdfs_remote_asked *asked)
{
	const struct vdfs_remote_busy mine = { .paths = asked->path,
					       .len = strlen(asked->path) + 1 };
	bool yes;

	pthread_mutex_lock(&remote->names);
	yes = !find(remote, &mine);
	if (yes) {
		asked->old = false;
		asked->next = remote->asked;
		remote->asked = asked;
	}
	pthread_mutex_unlock(&remote->names);
	return yes;
}

/**
 * vdfs_remote_take() - take an answer over, unless it is old by now
 * @remote: The remote.
 * @asked: The name, which was asked for.
 * @name: The answer, NULL = there is none.
 *
 * Context: Any thread. Waits for the disk.
 * Return: 0 or a negative errno.
 */
int vdfs_remote_take(struct vdfs_remote *remote,
		     struct vdfs_remote_asked *asked,
		     struct vdfs_remote_name *name)
{
	struct vdfs_remote_asked **link = &remote->asked;
	int err = 0;

	pthread_mutex_lock(&remote->names);
	while (*link != asked)
		link = &(*link)->next;
	*link = asked->next;
	if (name && !asked->old) {
		outdate(remote, asked->path);
		remote->turn++;
		err = vdfs_remote_import(remote, name);
	}
	pthread_mutex_unlock(&remote->names);
	return err;
}
