// SPDX-License-Identifier: GPL-2.0-only
/* The regions of a session: which there are, and which are in use. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "batchd.h"

/* Unmap a slot that nobody uses. Its fields were copied out of the lock. */
static void slot_unmap(struct daemon *d, const struct slot *slot)
{
	struct phi_batch_slot reply = { .tag = slot->tag };

	phi_region_unmap(slot->addr, slot->len);
	phi_cap_drop(d->phi, slot->cap);
	if (slot->reply)
		call_reply(d, slot->reply, &reply, sizeof(reply));
}

/* Empty the slot if it is to go and can; under the lock. */
static bool slot_take(struct slot *slot, struct slot *old)
{
	if (!slot->cap || !slot->forget || slot->uses)
		return false;
	*old = *slot;
	memset(slot, 0, sizeof(*slot));
	return true;
}

/**
 * client_slot_put() - end a request's use of a region
 * @client: Session that the caller holds.
 * @slot: Its slot.
 *
 * Context: Any thread, without the lock.
 */
void client_slot_put(struct client *client, struct slot *slot)
{
	struct daemon *d = client->base.daemon;
	struct slot old;
	bool gone;

	pthread_mutex_lock(&d->lock);
	slot->uses--;
	gone = slot_take(slot, &old);
	pthread_mutex_unlock(&d->lock);
	if (gone)
		slot_unmap(d, &old);
}

/**
 * client_slot() - look a slot up
 * @client: Session.
 * @index: From the wire.
 *
 * Context: Under the lock.
 * Return: The slot, or NULL when there is no region in it.
 */
struct slot *client_slot(struct client *client, uint32_t index)
{
	struct slot *slot;

	if (index >= PHI_BATCH_SLOTS)
		return NULL;
	slot = &client->slots[index];
	return slot->cap && !slot->forget ? slot : NULL;
}

/**
 * client_map() - take a region into a slot
 * @client: Session.
 * @cap: Capability that came; the slot owns it when this returns 0.
 * @index: Out, which slot.
 *
 * Context: Main thread.
 * Return: 0; -EINVAL when it is no region; -EPERM when it cannot be mapped
 * and read; -ENOSPC; or what mapping it fails with.
 */
int client_map(struct client *client, const struct phi_xferred *cap,
	       uint32_t *index)
{
	struct daemon *d = client->base.daemon;
	struct slot new = { .cap = cap->cap };
	int prot = PROT_READ;
	uint32_t i;
	int ret;

	if (cap->type != PHI_TYPE_MEMORY)
		return -EINVAL;
	if (!(cap->rights & PHI_RIGHT_READ) || !(cap->rights & PHI_RIGHT_MAP))
		return -EPERM;
	new.rights = cap->rights;
	new.rights &= PHI_RIGHT_READ | PHI_RIGHT_WRITE;
	if (new.rights & PHI_RIGHT_WRITE)
		prot |= PROT_WRITE;
	/* Only this thread fills slots, so a free one stays free. */
	pthread_mutex_lock(&d->lock);
	for (i = 0; i < PHI_BATCH_SLOTS && client->slots[i].cap; i++)
		;
	pthread_mutex_unlock(&d->lock);
	if (i == PHI_BATCH_SLOTS)
		return -ENOSPC;
	ret = phi_region_map(d->phi, cap->cap, prot, &new.addr, &new.len);
	if (ret)
		return ret;
	pthread_mutex_lock(&d->lock);
	client->slots[i] = new;
	pthread_mutex_unlock(&d->lock);
	*index = i;
	return 0;
}

/**
 * client_forget() - give a region back once no request needs it
 * @client: Session.
 * @index: Which slot.
 * @reply: REPLY handle to answer then, 0 = none; taken when this returns 0.
 * @tag: For the answer.
 *
 * Context: Main thread.
 * Return: 0 or -EBADF.
 */
int client_forget(struct client *client, uint32_t index, uint64_t reply,
		  uint64_t tag)
{
	struct daemon *d = client->base.daemon;
	struct slot *slot, old;
	bool gone = false;

	pthread_mutex_lock(&d->lock);
	slot = client_slot(client, index);
	if (slot) {
		slot->forget = true;
		slot->reply = reply;
		slot->tag = tag;
		gone = slot_take(slot, &old);
	}
	pthread_mutex_unlock(&d->lock);
	if (!slot)
		return -EBADF;
	if (gone)
		slot_unmap(d, &old);
	return 0;
}

/**
 * client_forget_all() - give all regions back once no request needs them
 * @client: Session that ends.
 *
 * Context: Main thread.
 */
void client_forget_all(struct client *client)
{
	uint32_t i;

	for (i = 0; i < PHI_BATCH_SLOTS; i++)
		client_forget(client, i, 0, 0);
}
