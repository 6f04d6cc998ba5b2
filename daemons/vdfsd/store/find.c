// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finding the blob of a content for a user. The search for what the user may
 * not see takes the steps of one for what nobody has.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "store_impl.h"

/*
 * A search that finds nothing steps statements a multiple of STEPS times. One
 * multiple suffices where a few users have names of the content, each name a few
 * directories deep.
 */
#define STEPS 64U

/* To see that the user has no reference to a blob, and that it has no name. */
#define STEPS_NO_NAME 2U

/**
 * vdfs_blob_visible() - whether a user may see a blob
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user.
 * @object: The blob.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 1, 0, or a negative errno.
 */
int vdfs_blob_visible(struct sqlite3 *db, struct vdfs_store *store,
		      const struct vdfs_who *who,
		      const struct vdfs_object *object)
{
	int ret;

	if (!object->users)
		return 0;
	if (who->admin)
		return 1;
	ret = vdfs_ref_has(db, who->uid, object->id);
	return ret ?: store->above.shows(db, who, object->id);
}

/*
 * The user's own blob, else one of others that the user sees. @named: Out,
 * whether names of others were read.
 */
static int find(struct sqlite3 *db, struct vdfs_store *store,
		const struct vdfs_who *who, const struct vdfs_hash *hash,
		bool *named, struct vdfs_object *out)
{
	struct vdfs_object next = { .id = 0 };
	bool found = false;
	uint64_t from;
	int err, ret;

	err = vdfs_ref_find(db, who->uid, hash, false, out);
	if (err != -ENOENT)
		return err;
	/* One that is here is better than one that has to be fetched. */
	while (!found || out->kind == VDFS_AWAY) {
		err = vdfs_object_find_next(db, hash, next.id, &next);
		if (err)
			return err == -ENOENT && found ? 0 : err;
		from = vdfs_sql_steps();
		ret = vdfs_blob_visible(db, store, who, &next);
		*named |= vdfs_sql_steps() - from > STEPS_NO_NAME;
		if (ret < 0)
			return ret;
		if (ret)
			*out = next;
		found = found || ret;
	}
	return 0;
}

/*
 * Look at another blob as if it was of the content: which, depends on the hash
 * alone, so that one who asks again finds the same pages in memory.
 */
static int look_at_another(struct sqlite3 *db, struct vdfs_store *store,
			   const struct vdfs_who *who,
			   const struct vdfs_hash *hash, bool named)
{
	int64_t other = 0;
	uint64_t number;
	int ret;

	memcpy(&number, hash, sizeof(number));
	ret = store->above.some(db, le64toh(number), &other);
	if (ret || named)
		return ret;
	/* Also where the user has it: one that is hidden takes both looks. */
	ret = vdfs_ref_has(db, who->uid, other);
	if (ret >= 0)
		ret = store->above.shows(db, who, other);
	return ret < 0 ? ret : 0;
}

/* Step statements until the search since @from has a multiple of STEPS. */
static int fill_up(struct sqlite3 *db, uint64_t from)
{
	struct vdfs_object none;
	int err = -ENOENT;

	while (err == -ENOENT && (vdfs_sql_steps() - from) % STEPS)
		err = vdfs_object_load(db, 0, &none);
	return err == -ENOENT ? 0 : err;
}

/**
 * vdfs_blob_find() - find the blob of a content that a user sees
 * @db: A connection inside a transaction.
 * @store: The store.
 * @who: The user.
 * @hash: Of the content, of which several users may have one blob each.
 * @out: The blob: the user's own if there is one.
 *
 * Context: Inside a vdfs_meta_fn.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_blob_find(struct sqlite3 *db, struct vdfs_store *store,
		   const struct vdfs_who *who, const struct vdfs_hash *hash,
		   struct vdfs_object *out)
{
	uint64_t from = vdfs_sql_steps();
	bool named = false;
	int err, ret;

	err = find(db, store, who, hash, &named, out);
	if (err != -ENOENT || who->admin)
		return err;
	ret = look_at_another(db, store, who, hash, named);
	if (!ret)
		ret = fill_up(db, from);
	return ret ?: -ENOENT;
}
