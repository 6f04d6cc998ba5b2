// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charges for what users hold only while the daemon runs. These counters are in
 * memory; quota.c charges for data that outlives the daemon, in the database.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "store_impl.h"

#define FILES_MAX 1024
#define DIRS_MAX 1024
#define PUTS_MAX 64
#define LOCKS_MAX 16384
#define INODES_MAX 262144
/* Bytes that all users left, and that are collected without being in the way. */
#define LITTER_MAX ((uint64_t)64 << 20)
/* Two windows for each of these puts, and room for what is small. */
#define MEMORY_MAX ((uint64_t)320 << 20)
/* Descriptors of the daemon's own, and the share of the others a user gets. */
#define FDS_OWN 256
#define FDS_SHARE 4

/**
 * struct vdfs_charged - what one user holds
 * @next: In its bucket.
 * @uid: The user.
 * @n: By kind.
 * @litter: Of the staged bytes those that wait for a collection,
 * @swept: and that the one in progress takes away.
 */
struct vdfs_charged {
	struct vdfs_charged *next;
	uint32_t uid;
	uint64_t n[VDFS_CHARGES];
	uint64_t litter;
	uint64_t swept;
};

/* A user is let open no more files than leave descriptors for others. */
static uint64_t files_max(void)
{
	struct rlimit limit;
	uint64_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < FDS_OWN)
		return FILES_MAX / FDS_SHARE;
	share = (limit.rlim_cur - FDS_OWN) / FDS_SHARE + 1;
	return share < FILES_MAX ? share : FILES_MAX;
}

/**
 * vdfs_charges_init() - begin with nobody charged
 * @charges: Zeroed.
 *
 * Context: Before anyone else knows of @charges.
 */
void vdfs_charges_init(struct vdfs_charges *charges)
{
	pthread_mutex_init(&charges->lock, NULL);
	charges->limit[VDFS_CHARGE_MEMORY] = MEMORY_MAX;
	charges->limit[VDFS_CHARGE_PUTS] = PUTS_MAX;
	charges->limit[VDFS_CHARGE_FILES] = files_max();
	charges->limit[VDFS_CHARGE_DIRS] = DIRS_MAX;
	charges->limit[VDFS_CHARGE_LOCKS] = LOCKS_MAX;
	charges->limit[VDFS_CHARGE_INODES] = INODES_MAX;
}

/**
 * vdfs_charges_fini() - free what vdfs_charges_init() began
 * @charges: Nobody uses them any more.
 *
 * Context: After the last user.
 */
void vdfs_charges_fini(struct vdfs_charges *charges)
{
	struct vdfs_charged *user;
	unsigned int i;

	for (i = 0; i < VDFS_CHARGE_BUCKETS; i++) {
		while ((user = charges->users[i])) {
			charges->users[i] = user->next;
			free(user);
		}
	}
	pthread_mutex_destroy(&charges->lock);
}

/* Where the user is, or would be. The lock is held. */
static struct vdfs_charged **find(struct vdfs_charges *charges, uint32_t uid)
{
	struct vdfs_charged **link;

	link = &charges->users[uid % VDFS_CHARGE_BUCKETS];
	while (*link && (*link)->uid != uid)
		link = &(*link)->next;
	return link;
}

static int add(struct vdfs_charges *charges, uint32_t uid,
	       enum vdfs_charge_kind kind, uint64_t n)
{
	uint64_t limit = charges->limit[kind];
	struct vdfs_charged **link, *user;
	int err = 0;

	pthread_mutex_lock(&charges->lock);
	link = find(charges, uid);
	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (*link)
			(*link)->uid = uid;
	}
	user = *link;
	if (!user)
		err = -ENOMEM;
	else if (n > INT64_MAX - user->n[kind] ||
		 (limit && user->n[kind] + n > limit))
		err = kind == VDFS_CHARGE_FILES || kind == VDFS_CHARGE_DIRS ?
			      -EMFILE :
			      -EDQUOT;
	else
		user->n[kind] += n;
	pthread_mutex_unlock(&charges->lock);
	return err;
}

static int check_staged(struct vdfs_store *store, uint32_t uid, uint64_t staged)
{
	uint64_t quota, used;
	int err;

	/* A blob that is made meanwhile is counted twice, and never not. */
	err = vdfs_quota_get(store, uid, &quota, &used);
	if (!err && quota && (used > quota || staged > quota - used))
		err = -EDQUOT;
	return err;
}

/**
 * vdfs_charge() - charge a user before something is done for it
 * @store: The store.
 * @uid: The user.
 * @kind: Of what it will hold,
 * @n: and how much more.
 *
 * Of two who ask for the last of a quota at once, both may be refused.
 *
 * Context: Any thread; for staged bytes not inside a vdfs_meta_fn. They may wait
 * for a collection of garbage.
 * Return: 0, -EMFILE, -EDQUOT, or another negative errno, when nothing was
 * charged.
 */
int vdfs_charge(struct vdfs_store *store, uint32_t uid,
		enum vdfs_charge_kind kind, uint64_t n)
{
	int err = add(&store->charges, uid, kind, n);

	if (err || kind != VDFS_CHARGE_STAGED)
		return err;
	err = check_staged(store, uid, vdfs_charged(store, uid, kind));
	/* Bytes that it deleted may be in the way. */
	if (err == -EDQUOT) {
		vdfs_sweep_for(store, uid);
		err = check_staged(store, uid, vdfs_staged(store, uid));
	}
	if (err)
		vdfs_uncharge(store, uid, kind, n);
	return err;
}

/* Forget a user who holds nothing. The lock is held. Returns whether it does. */
static bool let_go(struct vdfs_charged **link)
{
	struct vdfs_charged *user = *link;
	unsigned int i = 0;

	while (i < VDFS_CHARGES && !user->n[i])
		i++;
	if (i < VDFS_CHARGES)
		return false;
	*link = user->next;
	free(user);
	return true;
}

/**
 * vdfs_uncharge() - end a charge, or a part of it
 * @store: The store.
 * @uid: The user.
 * @kind: Of what it held,
 * @n: and how much of that it holds no more.
 *
 * Context: Any thread.
 */
void vdfs_uncharge(struct vdfs_store *store, uint32_t uid,
		   enum vdfs_charge_kind kind, uint64_t n)
{
	struct vdfs_charges *charges = &store->charges;
	struct vdfs_charged **link;

	if (!n)
		return;
	pthread_mutex_lock(&charges->lock);
	link = find(charges, uid);
	(*link)->n[kind] -= n;
	let_go(link);
	pthread_mutex_unlock(&charges->lock);
}

/**
 * vdfs_charged() - what a user is charged
 * @store: The store.
 * @uid: The user.
 * @kind: Of what it holds.
 *
 * Context: Any thread.
 * Return: How much.
 */
uint64_t vdfs_charged(struct vdfs_store *store, uint32_t uid,
		      enum vdfs_charge_kind kind)
{
	struct vdfs_charged *user;
	uint64_t n;

	pthread_mutex_lock(&store->charges.lock);
	user = *find(&store->charges, uid);
	n = user ? user->n[kind] : 0;
	pthread_mutex_unlock(&store->charges.lock);
	return n;
}

/**
 * vdfs_charge_limit() - what each user may be charged
 * @store: The store.
 * @kind: Of what it holds.
 *
 * Context: Any thread.
 * Return: How much; 0 = as its quota leaves.
 */
uint64_t vdfs_charge_limit(struct vdfs_store *store, enum vdfs_charge_kind kind)
{
	return store->charges.limit[kind];
}

/**
 * vdfs_litter() - keep a user charged for bytes that it left on the disk
 * @store: The store. Where garbage is not collected without being asked for, the
 *         charge ends at once.
 * @uid: The user.
 * @n: How many.
 * @charged: They are staged bytes that it was charged for.
 *
 * Context: Any thread.
 */
void vdfs_litter(struct vdfs_store *store, uint32_t uid, uint64_t n,
		 bool charged)
{
	struct vdfs_charges *charges = &store->charges;
	struct vdfs_charged *user;
	bool much;

	if (!n)
		return;
	if (!vdfs_sweeps(store) ||
	    (!charged && add(charges, uid, VDFS_CHARGE_STAGED, n))) {
		if (charged)
			vdfs_uncharge(store, uid, VDFS_CHARGE_STAGED, n);
		return;
	}
	pthread_mutex_lock(&charges->lock);
	user = *find(charges, uid);
	user->litter += n;
	charges->litter += n;
	much = charges->litter >= LITTER_MAX;
	pthread_mutex_unlock(&charges->lock);
	if (much)
		vdfs_sweep_soon(store);
}

/**
 * vdfs_littered() - how much of what a user is charged was left
 * @store: The store.
 * @uid: The user.
 *
 * Context: Any thread.
 * Return: Bytes.
 */
uint64_t vdfs_littered(struct vdfs_store *store, uint32_t uid)
{
	struct vdfs_charged *user;
	uint64_t n;

	pthread_mutex_lock(&store->charges.lock);
	user = *find(&store->charges, uid);
	n = user ? user->litter : 0;
	pthread_mutex_unlock(&store->charges.lock);
	return n;
}

/**
 * vdfs_staged() - staged bytes of a user but for what it left
 * @store: The store.
 * @uid: The user.
 *
 * Context: Any thread.
 * Return: Bytes.
 */
uint64_t vdfs_staged(struct vdfs_store *store, uint32_t uid)
{
	struct vdfs_charged *user;
	uint64_t n;

	pthread_mutex_lock(&store->charges.lock);
	user = *find(&store->charges, uid);
	n = user ? user->n[VDFS_CHARGE_STAGED] - user->litter : 0;
	pthread_mutex_unlock(&store->charges.lock);
	return n;
}

/**
 * vdfs_litter_sweep() - note what a collection of garbage will take away
 * @charges: Of the store.
 *
 * Context: Before the collection looks at anything.
 */
void vdfs_litter_sweep(struct vdfs_charges *charges)
{
	struct vdfs_charged *user;
	unsigned int i;

	pthread_mutex_lock(&charges->lock);
	for (i = 0; i < VDFS_CHARGE_BUCKETS; i++) {
		for (user = charges->users[i]; user; user = user->next)
			user->swept = user->litter;
	}
	pthread_mutex_unlock(&charges->lock);
}

/**
 * vdfs_litter_keep() - go on charging for what a collection cannot take away
 * @charges: Of the store.
 * @uid: The user whose it is.
 * @n: Bytes; somebody has them open.
 *
 * Context: The collection's thread.
 */
void vdfs_litter_keep(struct vdfs_charges *charges, uint32_t uid, uint64_t n)
{
	struct vdfs_charged *user;

	pthread_mutex_lock(&charges->lock);
	user = *find(charges, uid);
	if (user)
		user->swept -= n < user->swept ? n : user->swept;
	pthread_mutex_unlock(&charges->lock);
}

/**
 * vdfs_litter_swept() - charge nobody for that any more
 * @charges: Of the store.
 *
 * Context: Behind the collection, which went to its end.
 */
void vdfs_litter_swept(struct vdfs_charges *charges)
{
	struct vdfs_charged **link, *user;
	unsigned int i;

	pthread_mutex_lock(&charges->lock);
	for (i = 0; i < VDFS_CHARGE_BUCKETS; i++) {
		for (link = &charges->users[i]; (user = *link);) {
			user->n[VDFS_CHARGE_STAGED] -= user->swept;
			user->litter -= user->swept;
			charges->litter -= user->swept;
			user->swept = 0;
			if (!let_go(link))
				link = &user->next;
		}
	}
	pthread_mutex_unlock(&charges->lock);
}
