// SPDX-License-Identifier: GPL-2.0-only
/*
 * Effects of a write outside the database: they are made once the commit is on
 * the disk, and not at all when the write, or the commit, is undone.
 */
#include <errno.h>
#include <stdlib.h>

#include "meta_impl.h"

#define META "vdfs-meta"

/**
 * struct vdfs_after - something to be done
 * @next: Asked for later.
 * @fn: Does it,
 * @arg: with these.
 * @uid: See vdfs_after_fn,
 * @n: also.
 */
struct vdfs_after {
	struct vdfs_after *next;
	vdfs_after_fn *fn;
	void *arg;
	uint32_t uid;
	uint64_t n;
};

/**
 * vdfs_meta_after_begin() - let writes ask for something
 * @meta: With its writer's connection.
 *
 * Context: Before the first write.
 * Return: 0 or -ENOMEM.
 */
int vdfs_meta_after_begin(struct vdfs_meta *meta)
{
	meta->after_last = &meta->after;
	return sqlite3_set_clientdata(meta->writer, META, meta, NULL) ?
		       -ENOMEM :
		       0;
}

/**
 * vdfs_meta_after() - have something done behind the commit
 * @db: The connection that a write was given.
 * @fn: Does it, in the thread that commits, before any of those who wrote is
 *      told that it did. It neither fails nor waits.
 * @arg: For @fn; still there then.
 * @uid: For @fn.
 * @n: For @fn.
 *
 * Context: Inside a vdfs_meta_fn that writes.
 * Return: 0, -ENOMEM, or -EROFS where nothing is written.
 */
int vdfs_meta_after(struct sqlite3 *db, vdfs_after_fn *fn, void *arg,
		    uint32_t uid, uint64_t n)
{
	struct vdfs_meta *meta = sqlite3_get_clientdata(db, META);
	struct vdfs_after *after;

	if (!meta)
		return -EROFS;
	after = malloc(sizeof(*after));
	if (!after)
		return -ENOMEM;
	*after = (struct vdfs_after){ NULL, fn, arg, uid, n };
	*meta->after_last = after;
	meta->after_last = &after->next;
	return 0;
}

/**
 * vdfs_meta_after_end() - do what was asked for, or forget it
 * @meta: The database.
 * @from: Where the first of it is linked; all later ones go, too.
 * @committed: It is on the disk: do it.
 *
 * Context: The thread that commits.
 */
void vdfs_meta_after_end(struct vdfs_meta *meta, struct vdfs_after **from,
			 bool committed)
{
	struct vdfs_after *after = *from, *next;

	*from = NULL;
	meta->after_last = from;
	for (; after; after = next) {
		next = after->next;
		if (committed)
			after->fn(after->arg, after->uid, after->n);
		free(after);
	}
}
