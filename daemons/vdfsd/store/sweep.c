// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that collects garbage when there is much of it, or when it fills the
 * quota of a user, who waits for that. Without it what a user deletes or gives
 * up would cost the user nothing, and fill the disk.
 */
#include <errno.h>
#include <time.h>

#include "store_impl.h"

/* A collection may take long: no user waits longer. */
#define PATIENCE_S 10

/**
 * vdfs_sweep_init() - begin without a thread
 * @sweep: Zeroed.
 *
 * Context: Before anyone else uses the store.
 */
void vdfs_sweep_init(struct vdfs_sweep *sweep)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&sweep->lock, NULL);
	pthread_cond_init(&sweep->work, NULL);
	pthread_cond_init(&sweep->done, &attr);
	pthread_condattr_destroy(&attr);
}

static bool goes_on(void *arg, uint64_t done, uint64_t total)
{
	struct vdfs_store *store = arg;

	(void)done;
	(void)total;
	return !store->sweep.stop;
}

static void *sweeper(void *arg)
{
	struct vdfs_store *store = arg;
	struct vdfs_sweep *sweep = &store->sweep;

	pthread_mutex_lock(&sweep->lock);
	while (!sweep->stop) {
		if (!sweep->wanted) {
			pthread_cond_wait(&sweep->work, &sweep->lock);
			continue;
		}
		sweep->wanted = false;
		sweep->busy = true;
		pthread_mutex_unlock(&sweep->lock);
		/* One that fails, as on a full disk, is wanted again. */
		vdfs_gc(store, goes_on, store, NULL);
		pthread_mutex_lock(&sweep->lock);
		sweep->busy = false;
		sweep->rounds++;
		pthread_cond_broadcast(&sweep->done);
	}
	pthread_cond_broadcast(&sweep->done);
	pthread_mutex_unlock(&sweep->lock);
	return NULL;
}

/**
 * vdfs_store_sweep() - collect garbage from now on without being asked
 * @store: The store, open to be written.
 *
 * Context: Before anyone else uses the store.
 * Return: 0 or a negative errno.
 */
int vdfs_store_sweep(struct vdfs_store *store)
{
	struct vdfs_sweep *sweep = &store->sweep;
	int err = pthread_create(&sweep->thread, NULL, sweeper, store);

	if (!err)
		sweep->runs = true;
	return -err;
}

/**
 * vdfs_sweep_stop() - end the thread, if there is one
 * @store: The store.
 *
 * Context: After the last user of the store.
 */
void vdfs_sweep_stop(struct vdfs_store *store)
{
	struct vdfs_sweep *sweep = &store->sweep;

	if (sweep->runs) {
		pthread_mutex_lock(&sweep->lock);
		sweep->stop = true;
		pthread_cond_signal(&sweep->work);
		pthread_mutex_unlock(&sweep->lock);
		pthread_join(sweep->thread, NULL);
	}
	pthread_cond_destroy(&sweep->done);
	pthread_cond_destroy(&sweep->work);
	pthread_mutex_destroy(&sweep->lock);
}

/**
 * vdfs_sweeps() - whether garbage is collected without being asked for
 * @store: The store.
 *
 * Context: Any thread.
 * Return: Whether it is.
 */
bool vdfs_sweeps(const struct vdfs_store *store)
{
	return store->sweep.runs;
}

/**
 * vdfs_sweep_soon() - have garbage collected
 * @store: The store.
 *
 * Context: Any thread.
 */
void vdfs_sweep_soon(struct vdfs_store *store)
{
	struct vdfs_sweep *sweep = &store->sweep;

	pthread_mutex_lock(&sweep->lock);
	sweep->wanted = true;
	pthread_cond_signal(&sweep->work);
	pthread_mutex_unlock(&sweep->lock);
}

/**
 * vdfs_sweep_hold() - note that a check holds collections up
 * @sweep: Of the store.
 * @n: 1 when it begins, -1 when it ends.
 *
 * Context: Any thread.
 */
void vdfs_sweep_hold(struct vdfs_sweep *sweep, int n)
{
	pthread_mutex_lock(&sweep->lock);
	sweep->held += n;
	pthread_cond_broadcast(&sweep->done);
	pthread_mutex_unlock(&sweep->lock);
}

/*
 * Wait until a collection has ended that began after this; false when a check
 * holds collections up, which may take hours.
 */
static bool wait_round(struct vdfs_sweep *sweep)
{
	struct timespec until;
	uint64_t round;
	bool held;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&sweep->lock);
	sweep->wanted = true;
	pthread_cond_signal(&sweep->work);
	round = sweep->rounds + 1 + sweep->busy;
	while (!err && sweep->rounds < round && !sweep->stop && !sweep->held)
		err = pthread_cond_timedwait(&sweep->done, &sweep->lock,
					     &until);
	held = sweep->held;
	pthread_mutex_unlock(&sweep->lock);
	return !held;
}

/**
 * vdfs_sweep_for() - wait while what a user left fills its quota
 * @store: The store.
 * @uid: The user.
 *
 * Context: Any thread, not inside a vdfs_meta_fn, without locks that a
 * collection takes.
 * Return: Whether it has waited for a collection; not while a check runs.
 */
bool vdfs_sweep_for(struct vdfs_store *store, uint32_t uid)
{
	uint64_t quota, used;

	if (!vdfs_sweeps(store) || !vdfs_littered(store, uid) ||
	    vdfs_quota_get(store, uid, &quota, &used) || !quota ||
	    used + vdfs_charged(store, uid, VDFS_CHARGE_STAGED) <= quota)
		return false;
	return wait_round(&store->sweep);
}
