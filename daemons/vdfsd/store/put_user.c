// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user of a put, and what the put costs while it lasts. A small one takes
 * memory alone, and its commit charges for it; the pieces of a large one are on
 * the disk before. A put that fills is the daemon's own, and costs nobody.
 */
#include <errno.h>

#include "put_impl.h"

/**
 * vdfs_put_who() - the user of a put
 * @put: The put.
 *
 * Context: The put's thread.
 * Return: It, as long as the put lasts.
 */
const struct vdfs_who *vdfs_put_who(const struct vdfs_put *put)
{
	return &put->who;
}

/**
 * vdfs_put_change_who() - make a put another user's
 * @put: The put.
 * @who: The user, who is charged for the blob; for the put it is who began it.
 *
 * Context: The put's thread, before its commit.
 */
void vdfs_put_change_who(struct vdfs_put *put, const struct vdfs_who *who)
{
	put->who = *who;
}

/**
 * vdfs_put_charge_begin() - charge for one more put
 * @put: The put, of which nothing else is known yet.
 *
 * Context: The put's thread. Waits while what the user deleted fills its quota.
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int vdfs_put_charge_begin(struct vdfs_put *put)
{
	vdfs_sweep_for(put->store, put->payer);
	return vdfs_charge(put->store, put->payer, VDFS_CHARGE_PUTS, 1);
}

/**
 * vdfs_put_charge_memory() - charge for the memory that a put takes
 * @put: The put.
 * @bytes: All that it will take then.
 *
 * Context: The put's thread, before it takes more, or after it gave some back.
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int vdfs_put_charge_memory(struct vdfs_put *put, uint64_t bytes)
{
	int err = 0;

	if (put->fills)
		return 0;
	if (bytes > put->memory)
		err = vdfs_charge(put->store, put->payer, VDFS_CHARGE_MEMORY,
				  bytes - put->memory);
	else
		vdfs_uncharge(put->store, put->payer, VDFS_CHARGE_MEMORY,
			      put->memory - bytes);
	if (!err)
		put->memory = bytes;
	return err;
}

/**
 * vdfs_put_charge_staged() - charge for all bytes that a put has
 * @put: The put, large.
 *
 * Context: The put's thread, before they are written.
 * Return: 0, -EDQUOT, -ENOSPC, or another negative errno.
 */
int vdfs_put_charge_staged(struct vdfs_put *put)
{
	uint64_t charged = put->staged + put->covered;
	int err = vdfs_meta_room(put->store->meta);

	if (err)
		return err;
	if (put->fills || put->size <= charged)
		return 0;
	err = vdfs_charge(put->store, put->payer, VDFS_CHARGE_STAGED,
			  put->size - charged);
	if (!err)
		put->staged += put->size - charged;
	return err;
}

/**
 * vdfs_put_covered() - say which bytes of a put its user is charged for
 * @put: The put, without bytes.
 * @bytes: Staged bytes of it that the caller has charged, until the put ends.
 *
 * Context: The put's thread.
 */
void vdfs_put_covered(struct vdfs_put *put, uint64_t bytes)
{
	put->covered = bytes;
}

/**
 * vdfs_put_leave() - charge for what a put that is given up leaves on the disk
 * @put: The put.
 *
 * Pieces are in segments by now. Some may go with the put, where nobody wrote
 * behind them; they are charged until the next collection like the others.
 *
 * Context: The put's thread, before the put is freed.
 * Return: Whether the database knows of pieces.
 */
bool vdfs_put_leave(struct vdfs_put *put)
{
	if (!put->stream || put->fills || put->flags & VDFS_PUT_WHOLE)
		return put->list;
	vdfs_litter(put->store, put->payer, put->staged, true);
	vdfs_litter(put->store, put->payer,
		    put->covered < put->size ? put->covered : put->size, false);
	put->staged = 0;
	return put->list;
}

/**
 * vdfs_put_charge_end() - charge for a put no longer
 * @put: The put.
 *
 * Context: The put's thread.
 */
void vdfs_put_charge_end(struct vdfs_put *put)
{
	struct vdfs_store *store = put->store;
	uint32_t uid = put->payer;

	vdfs_uncharge(store, uid, VDFS_CHARGE_STAGED, put->staged);
	vdfs_uncharge(store, uid, VDFS_CHARGE_MEMORY, put->memory);
	if (!put->fills)
		vdfs_uncharge(store, uid, VDFS_CHARGE_PUTS, 1);
	put->staged = 0;
	put->memory = 0;
}

/**
 * vdfs_put_fills() - let a put bring the bytes of an object that is away
 * @put: The put, without bytes; it changes nothing else.
 * @object: The object.
 *
 * Context: The put's thread, before its commit.
 */
void vdfs_put_fills(struct vdfs_put *put, const struct vdfs_object *object)
{
	vdfs_put_charge_end(put);
	put->user = object->user;
	put->fills = true;
}
