// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes that the kernel knows, by the user whose lookup made them. The kernel
 * forgets them when memory is short, which may be never: a user with many has
 * the kernel asked to forget the oldest, by a thread that serves no request, for
 * the kernel may have a directory locked until a request is answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cached_impl.h"

#define USERS 64 /* buckets */
#define STEP 64 /* inodes that the kernel is asked about at a time */

TAILQ_HEAD(inodes, vdfs_inode);

/**
 * struct vdfs_cacher - a user with inodes
 * @link: In its bucket.
 * @uid: The user.
 * @n: How many inodes it has.
 * @inodes: These; those that were asked about last, and the newest, at the end.
 */
struct vdfs_cacher {
	LIST_ENTRY(vdfs_cacher) link;
	uint32_t uid;
	uint64_t n;
	struct inodes inodes;
};

/**
 * struct vdfs_cached - the users with inodes, and who asks the kernel
 * @fuse: Of which view; its lock guards all of it.
 * @users: By number.
 * @work: A user has many, or it shall end.
 * @many: The user; its kernel is asked next.
 * @wanted: There is one.
 * @stop: It shall end.
 * @thread: It asks,
 * @started: if it runs.
 */
struct vdfs_cached {
	struct vdfs_fuse *fuse;
	LIST_HEAD(, vdfs_cacher) users[USERS];
	pthread_cond_t work;
	uint32_t many;
	bool wanted;
	bool stop;
	pthread_t thread;
	bool started;
};

/**
 * vdfs_cached_new() - begin without an inode
 * @fuse: Of which view.
 *
 * Return: Users without inodes, NULL without memory.
 */
struct vdfs_cached *vdfs_cached_new(struct vdfs_fuse *fuse)
{
	struct vdfs_cached *cached = calloc(1, sizeof(*cached));

	if (!cached)
		return NULL;
	cached->fuse = fuse;
	pthread_cond_init(&cached->work, NULL);
	return cached;
}

/**
 * vdfs_cached_free() - forget users without inodes
 * @cached: NULL is fine; its thread has ended.
 */
void vdfs_cached_free(struct vdfs_cached *cached)
{
	if (cached)
		pthread_cond_destroy(&cached->work);
	free(cached);
}

static struct vdfs_cacher *user_of(struct vdfs_cached *cached, uint32_t uid)
{
	struct vdfs_cacher *user;

	LIST_FOREACH(user, &cached->users[uid % USERS], link)
	{
		if (user->uid == uid)
			break;
	}
	return user;
}

/* From here on the kernel is asked to forget some. */
static uint64_t many(const struct vdfs_fuse *fuse)
{
	uint64_t limit = vdfs_charge_limit(fuse->store, VDFS_CHARGE_INODES);

	return limit - limit / 4;
}

/**
 * vdfs_cached_add() - charge a user for an inode
 * @fuse: Of which view.
 * @inode: The inode, @uid being set.
 *
 * Context: fuse->lock is held.
 * Return: 0, -EDQUOT when the user has so many that none can be made, or
 * -ENOMEM.
 */
int vdfs_cached_add(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	struct vdfs_cached *cached = fuse->cached;
	struct vdfs_cacher *user = user_of(cached, inode->uid);
	int err = vdfs_charge(fuse->store, inode->uid, VDFS_CHARGE_INODES, 1);

	if (!err && !user) {
		user = calloc(1, sizeof(*user));
		if (!user) {
			vdfs_uncharge(fuse->store, inode->uid,
				      VDFS_CHARGE_INODES, 1);
			return -ENOMEM;
		}
		user->uid = inode->uid;
		TAILQ_INIT(&user->inodes);
		LIST_INSERT_HEAD(&cached->users[user->uid % USERS], user, link);
	}
	if (!err) {
		TAILQ_INSERT_TAIL(&user->inodes, inode, cached);
		user->n++;
	}
	if (user && user->n >= many(fuse)) {
		cached->many = user->uid;
		cached->wanted = true;
		pthread_cond_signal(&cached->work);
	}
	return err;
}

/**
 * vdfs_cached_remove() - charge a user for an inode no longer
 * @fuse: Of which view.
 * @inode: The inode.
 *
 * Context: fuse->lock is held.
 */
void vdfs_cached_remove(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	struct vdfs_cacher *user = user_of(fuse->cached, inode->uid);

	TAILQ_REMOVE(&user->inodes, inode, cached);
	vdfs_uncharge(fuse->store, inode->uid, VDFS_CHARGE_INODES, 1);
	if (--user->n)
		return;
	LIST_REMOVE(user, link);
	free(user);
}

/* The oldest that nothing but the kernel refers to; each is held. */
static size_t choose(struct vdfs_cached *cached, struct vdfs_inode **chosen)
{
	struct vdfs_cacher *user = user_of(cached, cached->many);
	struct vdfs_inode *inode, *next;
	uint64_t looks;
	size_t n = 0;

	if (!user || user->n < many(cached->fuse))
		return 0;
	inode = TAILQ_FIRST(&user->inodes);
	for (looks = user->n; looks && n < STEP; looks--, inode = next) {
		next = TAILQ_NEXT(inode, cached);
		TAILQ_REMOVE(&user->inodes, inode, cached);
		TAILQ_INSERT_TAIL(&user->inodes, inode, cached);
		if (!inode->lookups || inode->refs > 1 || !inode->linked)
			continue;
		inode->refs++;
		chosen[n++] = inode;
	}
	return n;
}

static void ask(struct vdfs_fuse *fuse, struct vdfs_inode *inode)
{
	struct vdfs_inode *dir;
	char *name;

	pthread_mutex_lock(&fuse->lock);
	dir = inode->parent;
	name = strdup(inode->name);
	pthread_mutex_unlock(&fuse->lock);
	/* The kernel knows the directory for as long as it knows the inode. */
	if (name)
		fuse_lowlevel_notify_inval_entry(
			fuse->session,
			dir == fuse->root ? FUSE_ROOT_ID : (uintptr_t)dir, name,
			strlen(name));
	free(name);
	vdfs_inode_put(fuse, inode);
}

static void *asker(void *arg)
{
	struct vdfs_cached *cached = arg;
	struct vdfs_fuse *fuse = cached->fuse;
	struct vdfs_inode *chosen[STEP];
	size_t n, i;

	pthread_mutex_lock(&fuse->lock);
	while (!cached->stop) {
		if (!cached->wanted) {
			pthread_cond_wait(&cached->work, &fuse->lock);
			continue;
		}
		cached->wanted = false;
		n = choose(cached, chosen);
		pthread_mutex_unlock(&fuse->lock);
		for (i = 0; i < n; i++)
			ask(fuse, chosen[i]);
		pthread_mutex_lock(&fuse->lock);
	}
	pthread_mutex_unlock(&fuse->lock);
	return NULL;
}

/**
 * vdfs_cached_start() - start the thread that asks the kernel
 * @cached: Of a view whose session is mounted.
 *
 * Return: 0 or a negative errno.
 */
int vdfs_cached_start(struct vdfs_cached *cached)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&cached->thread, NULL, asker, cached);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	cached->started = !err;
	return err;
}

/**
 * vdfs_cached_stop() - end the thread
 * @cached: NULL is fine. Requests are served still: the kernel may wait for one
 *          before it answers.
 */
void vdfs_cached_stop(struct vdfs_cached *cached)
{
	if (!cached || !cached->started)
		return;
	pthread_mutex_lock(&cached->fuse->lock);
	cached->stop = true;
	pthread_cond_signal(&cached->work);
	pthread_mutex_unlock(&cached->fuse->lock);
	pthread_join(cached->thread, NULL);
	cached->started = false;
}
