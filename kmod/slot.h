/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_SLOT_H
#define _PHI_SLOT_H

#include "cspace.h"

/**
 * DOC: Slots
 *
 * A cspace is an array of slots in pages of 256, made as they are needed and
 * kept until the cspace goes, so a reader may keep a pointer to a slot as long
 * as it has a reference to the cspace. The first page belongs to the cspace,
 * each other one is charged as an object of its own. A slot's generation grows each time it
 * is emptied; after 2^32 - 1 of them it is not used again.
 */

#define PHI_SLOTS_PER_PAGE 256U

#define PHI_HANDLE(_gen, _index) ((u64)(_gen) << 32 | (_index))
#define PHI_HANDLE_INDEX(_handle) lower_32_bits(_handle)
#define PHI_HANDLE_GEN(_handle) upper_32_bits(_handle)

/**
 * struct phi_slot - where a cspace keeps one capability
 * @cap: The node, which the slot owns; NULL when the slot is free.
 * @gen: Generation of @cap, or of the next one; 0 when the slot is used up.
 * @next: The next free slot, when this one is free.
 *
 * Written under the cspace's lock, read under RCU.
 */
struct phi_slot {
	struct phi_cap __rcu *cap;
	u32 gen;
	u32 next;
};

/**
 * struct phi_slot_page - slots that are allocated together
 * @slots: The slots.
 */
struct phi_slot_page {
	struct phi_slot slots[PHI_SLOTS_PER_PAGE];
};

struct phi_slot *phi_slot_find(struct phi_cspace *cs, u64 handle);
u64 phi_slot_handle(struct phi_cspace *cs, u32 index);
int phi_slot_fill(struct phi_cspace *cs, struct phi_cap *cap, bool pinned,
		  u64 *handle, u32 *page);
struct phi_cap *phi_slot_empty(struct phi_cspace *cs, u64 handle);
int phi_slots_grow(struct phi_cspace *cs, u32 page);
void phi_slots_free(struct phi_cspace *cs);

#endif /* _PHI_SLOT_H */
