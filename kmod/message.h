/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_MESSAGE_H
#define _PHI_MESSAGE_H

#include <linux/uidgid.h>

#include "cspace.h"

struct phi_credit;
struct phi_user;

/**
 * struct phi_message - bytes and capabilities on their way
 * @node: In the queue of @credit, while it is queued.
 * @post: In the posts of @via, while it is queued.
 * @credit: Credit of its sender at the endpoint; NULL for an answer.
 * @via: The capability it was sent with, pinned; NULL for an answer.
 * @reply: REPLY capability for the receiver, which the message owns, or NULL.
 * @caps: Capabilities given, which it owns. NULL for one that moves until it
 *        has left the sender, for one that the receiver has, and past @ncaps.
 * @user: The account that @charged is charged to, referenced.
 * @charged: Bytes of this struct.
 * @pid: The process of the sender's cspace, referenced.
 * @uid: Uid of the sender's cspace.
 * @ncaps: Of @caps.
 * @len: Of @data.
 * @moved: The capabilities moved have left the sender.
 * @grant: It goes to an inbox, and arrives only while @via is that.
 * @data: The bytes.
 */
struct phi_message {
	struct list_head node;
	struct hlist_node post;
	struct phi_credit *credit;
	struct phi_cap *via;
	struct phi_cap *reply;
	struct phi_cap *caps[PHI_MSG_CAPS_MAX];
	struct phi_user *user;
	size_t charged;
	struct pid *pid;
	kuid_t uid;
	u16 ncaps;
	u16 len;
	bool moved;
	bool grant;
	u8 data[] __counted_by(len);
};

/**
 * struct phi_moves - what leaves the sender when the message is accepted
 * @count: Of the others.
 * @handle: Slots of the sender.
 * @place: Where in the message it goes, unless a weaker sibling is there
 *         already, which goes in its stead.
 */
struct phi_moves {
	u32 count;
	u64 handle[PHI_MSG_CAPS_MAX];
	u32 place[PHI_MSG_CAPS_MAX];
};

/**
 * struct phi_parcel - what a caller wants to send
 * @data: Pointer to @len bytes.
 * @len: 0 to PHI_MSG_MAX.
 * @ncaps: 0 to PHI_MSG_CAPS_MAX.
 * @caps: PHI_MSG_CAPS_MAX of them, the first @ncaps are used.
 * @reserved: A handle that must not be among them, 0 = none.
 */
struct phi_parcel {
	u64 data;
	u32 len;
	u32 ncaps;
	const struct phi_xfer *caps;
	u64 reserved;
};

struct phi_message *phi_message_new(struct phi_cspace *cs, struct phi_cap *via,
				    const struct phi_parcel *parcel,
				    struct phi_moves *moves);
void phi_message_free(struct phi_message *msg);
int phi_message_move(struct phi_cspace *cs, struct phi_message *msg,
		     const struct phi_moves *moves);
int phi_message_unpack(struct phi_cspace *cs, struct phi_message *msg, u64 data,
		       struct phi_xferred *caps, u64 *reply);
void phi_message_repack(struct phi_cspace *cs, struct phi_message *msg,
			u32 ncaps, const struct phi_xferred *caps, u64 reply);

DEFINE_FREE(phi_message_free, struct phi_message *, phi_message_free(_T))

#endif /* _PHI_MESSAGE_H */
