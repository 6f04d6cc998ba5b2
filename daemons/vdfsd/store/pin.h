/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_PIN_H
#define VDFS_PIN_H

#include <pthread.h>

#include "store.h"

struct vdfs_pin;

#define VDFS_PIN_BUCKETS 1024

/**
 * struct vdfs_pins - hashes in use
 * @lock: Of all of them.
 * @change: A claim was given up.
 * @bucket: By hash.
 */
struct vdfs_pins {
	pthread_mutex_t lock; /* see above */
	pthread_cond_t change;
	struct vdfs_pin *bucket[VDFS_PIN_BUCKETS];
};

void vdfs_pins_init(struct vdfs_pins *pins);
void vdfs_pins_fini(struct vdfs_pins *pins);
int vdfs_pin(struct vdfs_store *store, const struct vdfs_hash *hash);
void vdfs_unpin(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_claim(struct vdfs_store *store, const struct vdfs_hash *hash);
int vdfs_claim_unused(struct vdfs_store *store, const struct vdfs_hash *hash);
void vdfs_unclaim(struct vdfs_store *store, const struct vdfs_hash *hash);

#endif /* VDFS_PIN_H */
