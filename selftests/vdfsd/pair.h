/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_VDFSD_PAIR_H
#define SELFTESTS_VDFSD_PAIR_H

#include "daemons/vdfsd/remote/remote.h"
#include "s3.h"
#include "store.h"

#define PAIR_FRESH_MS 20

/**
 * struct pair - two hosts that share a bucket
 * @b: The bucket.
 * @options: How they use it.
 * @here: The store of one.
 * @there: That of the other.
 * @s3: The bucket, as neither of them sees it.
 */
struct pair {
	struct bucket b;
	struct vdfs_remote_options options;
	struct tree here;
	struct tree there;
	struct vdfs_s3 *s3;
};

int pair_make(struct pair *p);
void pair_remove(struct pair *p);
/* Close the store of one and open it again, by the options there are now. */
int pair_reopen(struct pair *p, struct tree *t);
/* Wait until what was learned of names does not hold any more. */
void pair_get_old(void);
int no_fault(struct tree *t);
int name_same(struct tree *t, const struct vdfs_who *who, const char *name,
	      const void *data, size_t len);

#endif /* SELFTESTS_VDFSD_PAIR_H */
