// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hashes in use. A pin keeps gc from an object; a claim keeps new pins away
 * while the bytes of one hash come or go. Pins are never taken inside a
 * transaction, so whoever holds a claim may wait for a commit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

/**
 * struct vdfs_pin - one hash in use
 * @hash: Which.
 * @pins: How many hold it.
 * @claimed: Somebody has claimed it.
 * @next: In its bucket.
 */
struct vdfs_pin {
	struct vdfs_hash hash;
	unsigned int pins;
	bool claimed;
	struct vdfs_pin *next;
};

/**
 * vdfs_pins_init() - make an empty table
 * @pins: The table.
 *
 * Context: Before its first user.
 */
void vdfs_pins_init(struct vdfs_pins *pins)
{
	memset(pins, 0, sizeof(*pins));
	pthread_mutex_init(&pins->lock, NULL);
	pthread_cond_init(&pins->change, NULL);
}

/**
 * vdfs_pins_fini() - free a table
 * @pins: The table, in which nothing is left.
 *
 * Context: After its last user.
 */
void vdfs_pins_fini(struct vdfs_pins *pins)
{
	pthread_cond_destroy(&pins->change);
	pthread_mutex_destroy(&pins->lock);
}

static struct vdfs_pin **find(struct vdfs_pins *pins,
			      const struct vdfs_hash *hash)
{
	struct vdfs_pin **link;
	uint64_t key;

	memcpy(&key, hash->bytes, sizeof(key));
	link = &pins->bucket[key % VDFS_PIN_BUCKETS];
	while (*link && !vdfs_hash_equal(&(*link)->hash, hash))
		link = &(*link)->next;
	return link;
}

/* The pin of a hash, made when there is none. */
static struct vdfs_pin *find_or_make(struct vdfs_pins *pins,
				     const struct vdfs_hash *hash)
{
	struct vdfs_pin **link = find(pins, hash);
	struct vdfs_pin *pin = *link;

	if (pin)
		return pin;
	pin = calloc(1, sizeof(*pin));
	if (pin) {
		pin->hash = *hash;
		*link = pin;
	}
	return pin;
}

static void free_unused(struct vdfs_pin **link)
{
	struct vdfs_pin *pin = *link;

	if (pin->pins || pin->claimed)
		return;
	*link = pin->next;
	free(pin);
}

/* With the lock held, wait until nobody has claimed it. */
static int wait_unclaimed(struct vdfs_pins *pins, const struct vdfs_hash *hash,
			  struct vdfs_pin **out)
{
	struct vdfs_pin *pin;

	for (;;) {
		pin = find_or_make(pins, hash);
		if (!pin)
			return -ENOMEM;
		if (!pin->claimed)
			break;
		pthread_cond_wait(&pins->change, &pins->lock);
	}
	*out = pin;
	return 0;
}

/**
 * vdfs_pin() - keep gc from an object
 * @store: The store.
 * @hash: Of the object, which need not exist.
 *
 * An object that is looked up after this returned stays until vdfs_unpin().
 *
 * Context: Outside of transactions. Waits for a claim of the hash to end.
 * Return: 0 or -ENOMEM.
 */
int vdfs_pin(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_pins *pins = &store->pins;
	struct vdfs_pin *pin;
	int err;

	pthread_mutex_lock(&pins->lock);
	err = wait_unclaimed(pins, hash, &pin);
	if (!err)
		pin->pins++;
	pthread_mutex_unlock(&pins->lock);
	return err;
}

/**
 * vdfs_unpin() - undo a vdfs_pin()
 * @store: The store.
 * @hash: Of the object.
 *
 * Context: Any thread.
 */
void vdfs_unpin(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_pins *pins = &store->pins;
	struct vdfs_pin **link;

	pthread_mutex_lock(&pins->lock);
	link = find(pins, hash);
	(*link)->pins--;
	free_unused(link);
	pthread_mutex_unlock(&pins->lock);
}

/**
 * vdfs_claim() - be the only one who makes an object
 * @store: The store.
 * @hash: Of the object, which others may have pinned.
 *
 * Context: Outside of transactions, holding no pin of @hash. Waits for
 * another claim of it to end.
 * Return: 0 or -ENOMEM.
 */
int vdfs_claim(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_pins *pins = &store->pins;
	struct vdfs_pin *pin;
	int err;

	pthread_mutex_lock(&pins->lock);
	err = wait_unclaimed(pins, hash, &pin);
	if (!err)
		pin->claimed = true;
	pthread_mutex_unlock(&pins->lock);
	return err;
}

/**
 * vdfs_claim_unused() - claim a hash that nobody uses
 * @store: The store.
 * @hash: The hash.
 *
 * Context: Any thread. Does not wait.
 * Return: 0, -EBUSY when it is in use, or -ENOMEM.
 */
int vdfs_claim_unused(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_pins *pins = &store->pins;
	struct vdfs_pin *pin;
	int err = 0;

	pthread_mutex_lock(&pins->lock);
	pin = find_or_make(pins, hash);
	if (!pin)
		err = -ENOMEM;
	else if (pin->pins || pin->claimed)
		err = -EBUSY;
	else
		pin->claimed = true;
	pthread_mutex_unlock(&pins->lock);
	return err;
}

/**
 * vdfs_unclaim() - give up a claim
 * @store: The store.
 * @hash: The hash.
 *
 * Context: Any thread.
 */
void vdfs_unclaim(struct vdfs_store *store, const struct vdfs_hash *hash)
{
	struct vdfs_pins *pins = &store->pins;
	struct vdfs_pin **link;

	pthread_mutex_lock(&pins->lock);
	link = find(pins, hash);
	(*link)->claimed = false;
	free_unused(link);
	pthread_cond_broadcast(&pins->change);
	pthread_mutex_unlock(&pins->lock);
}
