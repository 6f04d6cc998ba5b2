/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_CAP_H
#define _PHI_CAP_H

#include <phi/base.h>
#include <phi/endpoint.h>

/**
 * DOC: Capabilities
 *
 * A handle names a slot of the caller's cspace, the table behind one open of
 * /dev/phi. It holds the slot's index in its low and a generation in its
 * high 32 bits; a generation is never used twice, and 0 is never a handle.
 *
 * A cspace belongs to the process that opened /dev/phi; any other process
 * that uses the file gets EPERM unless the owner called CSPACE_SHARE. It ends,
 * with every handle, when the file is closed or when the last thread of that
 * process ends, even if another process still has the file; one that is shared
 * ends with the file. It is charged to the user of that process as an object,
 * and so is each page of 256 slots but its first.
 *
 * A capability dies when one above it is revoked, or when its time is up. A
 * dead one fails with EKEYREVOKED or EKEYEXPIRED from that moment on, with
 * either when both have happened. Its handle can still be listed and dropped,
 * but keeps no object: memory, quota, units, models and agents go with the
 * last live capability, in the call that revokes or drops that. A worker
 * sweeps expired ones soon after their time.
 *
 * The holder of a handle pays for one capability until the handle is dropped,
 * dead or alive. A dropped capability with live children stays charged to its
 * last holder until the last child is dropped or dies.
 */

/**
 * struct phi_cap_derive - ioctl(PHI_IOC_CAP_DERIVE)
 * @size: sizeof(struct phi_cap_derive).
 * @flags: Must be 0.
 * @cap: Handle to derive from.
 * @rights: Rights of the new capability, a subset of those of @cap.
 * @pad: Must be 0.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @cap. The earlier of
 *              this and the expiry of @cap counts.
 * @badge: For an ENDPOINT: the number that receivers see with each message.
 *         Only a capability with badge 0 can give one, else EPERM. 0 keeps
 *         the badge of @cap. EINVAL for other types when not 0.
 * @out: Out, the new handle.
 *
 * Make a weaker child of a capability in the same cspace.
 * Fails with EPERM when @rights are more than those of @cap, ELOOP when
 * @cap is already PHI_DEPTH_MAX deep, EINVAL for a REPLY, of which there is
 * only ever one.
 */
struct phi_cap_derive {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__u32 rights;
	__u32 pad;
	__aligned_u64 expires_ns;
	__aligned_u64 badge;
	__aligned_u64 out;
};

#define PHI_IOC_CAP_DERIVE _IO(PHI_IOC_MAGIC, 0x10)

/*
 * Flag of struct phi_cap_revoke: return when no page that left a DMA region is
 * pinned any more. A signal handler ends the wait with EINTR; a stop does not,
 * unless a capability ended itself: see @child.
 */
#define PHI_REVOKE_WAIT (1U << 1)

/* Flag of struct phi_cap_revoke: kill @child, with all that is below it. */
#define PHI_REVOKE_ONE (1U << 2)

/**
 * struct phi_cap_revoke - ioctl(PHI_IOC_CAP_REVOKE)
 * @size: sizeof(struct phi_cap_revoke).
 * @flags: 0, PHI_REVOKE_WAIT, PHI_REVOKE_ONE or both.
 * @cap: Handle with ADMIN; itself it stays alive.
 * @child: With PHI_REVOKE_ONE: handle of @cap or of what was derived from it,
 *         directly or not, with any rights; else EINVAL. Without: 0.
 *
 * Kill every capability derived from @cap, in whatever cspace, message or
 * token, in one atomic step. When the call returns no holder of one can
 * read, write, map, send or receive through it: mappings are gone and
 * waiters were woken with EKEYREVOKED. Objects that only these kept are gone
 * too, with what was charged for them.
 *
 * With PHI_REVOKE_ONE the same happens to @child and to every capability
 * derived from it; @cap and what else was derived from it stay alive. The step
 * is as atomic. When @child is @cap, a capability ends itself, be it a root. A
 * stop or any other signal then ends the wait of PHI_REVOKE_WAIT with EINTR, as
 * no second call could wait on. With PHI_REVOKE_WAIT a @child that was revoked
 * before is no error: the call waits. EBADF when another thread moved or dropped
 * @child meanwhile; if it moved with fewer rights, what arrives may be alive.
 * Both are named by handles of the caller, because no other name of a
 * capability is safe from guessing: to be able to end what one receiver has,
 * derive one capability for each receiver, give or seal that one, and keep its
 * handle. ADMIN is asked of @cap alone, so a @child without ADMIN can be ended
 * by the holder of its parent, and by nobody through its own handle.
 *
 * It does not end what was started before: a copy that was made is made, and
 * pages of a DMA region that were pinned through PHI_RIGHT_PIN stay pinned.
 * Such a page leaves the region, and a copy takes its place, before the call
 * returns, so no pin of a revoked holder reaches the owner's memory; see
 * region.h, also for ENOMEM.
 */
struct phi_cap_revoke {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 child;
};

#define PHI_IOC_CAP_REVOKE _IO(PHI_IOC_MAGIC, 0x11)

/**
 * struct phi_cap_drop - ioctl(PHI_IOC_CAP_DROP)
 * @size: sizeof(struct phi_cap_drop).
 * @flags: Must be 0.
 * @cap: Handle; a revoked or expired one may be dropped too.
 *
 * Forget a handle. Capabilities derived from it live on. Mappings made
 * through it are torn down.
 */
struct phi_cap_drop {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
};

#define PHI_IOC_CAP_DROP _IO(PHI_IOC_MAGIC, 0x13)

/**
 * struct phi_cap_query - ioctl(PHI_IOC_CAP_QUERY)
 * @size: sizeof(struct phi_cap_query).
 * @flags: Must be 0.
 * @cap: Handle.
 * @type: Out, PHI_TYPE_*.
 * @rights: Out, PHI_RIGHT_*.
 * @depth: Out, 1 for a root.
 * @version: Out, times it was revoked.
 * @expires_ns: Out, CLOCK_BOOTTIME; 0 = never.
 * @badge: Out.
 * @ids: Out, numbers of the capabilities on the way to the root: of @cap, of
 *       the one it was derived from, and so on; 0 past the root.
 *
 * A capability has one number, drawn at random, as long as it stays in one
 * cspace, and no other one has the same; a caller that looks at all its handles
 * learns which of them are on the way. It has 0 while it is in a message, and
 * when it was dropped.
 * No call takes such a number.
 */
struct phi_cap_query {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__u32 type;
	__u32 rights;
	__u32 depth;
	__u32 version;
	__aligned_u64 expires_ns;
	__aligned_u64 badge;
	__aligned_u64 ids[PHI_DEPTH_MAX];
};

#define PHI_IOC_CAP_QUERY _IO(PHI_IOC_MAGIC, 0x14)

/* Operations of CAP_INVOKE. */
#define PHI_OP_READ 1
#define PHI_OP_WRITE 2
#define PHI_OP_SIGNAL 3
#define PHI_OP_POLL 4
#define PHI_OP_QUERY 5
#define PHI_OP_SEND 6
#define PHI_OP_CALL 7
#define PHI_OP_ANSWER 8

/* Most bytes of a region that one CAP_INVOKE reads or writes. */
#define PHI_INVOKE_MAX 4096

/**
 * struct phi_agent_figures - what PHI_OP_QUERY says of an agent
 * @id: Its number.
 * @parent: Number of the agent above whose holder allowed this one, 0 = none.
 * @name: For people.
 */
struct phi_agent_figures {
	__aligned_u64 id;
	__aligned_u64 parent;
	__u8 name[PHI_NAME_MAX];
};

/**
 * struct phi_cap_invoke - ioctl(PHI_IOC_CAP_INVOKE)
 * @size: sizeof(struct phi_cap_invoke).
 * @flags: 0; PHI_NONBLOCK with PHI_OP_SEND and PHI_OP_CALL, as there.
 * @cap: Handle.
 * @op: PHI_OP_*.
 * @in_len: Bytes at @in.
 * @in: Pointer to what goes in.
 * @out: Pointer to room for what comes out.
 * @out_len: In, room at @out; Out, bytes that came.
 * @pad: Must be 0.
 * @deadline_ns: CLOCK_MONOTONIC, for PHI_OP_SEND and PHI_OP_CALL; else 0.
 *
 * Do what a capability is for, whatever it names. The operation is one that the
 * type of @cap has, else EINVAL, and needs rights of it, else EPERM::
 *
 *   type                  operation  rights  in              out
 *   MEMORY                READ       READ    offset          @out_len bytes
 *   MEMORY                WRITE      WRITE   offset, bytes   -
 *   MEMORY                QUERY      -       -               phi_region_info
 *   NOTIFY                SIGNAL     WRITE   bits            -
 *   NOTIFY                POLL       READ    mask            bits
 *   DEVICE                QUERY      READ    -               phi_unit_query
 *   MODEL                 QUERY      -       -               phi_model_query
 *   AGENT                 QUERY      READ    -               phi_agent_figures
 *   ENDPOINT, MODEL,      SEND       SEND    message         -
 *   FILE, NETWORK         CALL       SEND    message         answer
 *   REPLY                 ANSWER     SEND    answer          -
 *
 * An offset, a mask or bits are 8 bytes; a message or an answer has up to
 * PHI_MSG_MAX bytes, and no capabilities: those of an answer are lost. READ
 * and WRITE take PHI_INVOKE_MAX bytes at most, and all of them must be inside
 * of what @cap gives access to. Other lengths in are EINVAL, as is room where
 * nothing comes out. Too little room is EMSGSIZE.
 *
 * Each is the call that it stands for: SEND, CALL, REPLY, NOTIFY_SIGNAL,
 * NOTIFY_WAIT with PHI_NONBLOCK, REGION_INFO, UNIT_QUERY, MODEL_QUERY; with the
 * errors of those, and policies are asked about both. For them READ and WRITE
 * stand for PHI_NR_REGION_MAP. ENOMEM where the region has lost a page, as
 * region.h says; ENOENT for a MODEL whose endpoint is dead.
 */
struct phi_cap_invoke {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__u32 op;
	__u32 in_len;
	__aligned_u64 in;
	__aligned_u64 out;
	__u32 out_len;
	__u32 pad;
	__aligned_u64 deadline_ns;
};

#define PHI_IOC_CAP_INVOKE _IO(PHI_IOC_MAGIC, 0x15)

/* Length of a sealed token in bytes. */
#define PHI_TOKEN_LEN 64

/**
 * struct phi_token - a capability in portable form
 * @id: Names the capability that was sealed.
 * @version: Its version at the time.
 * @type: PHI_TYPE_*.
 * @rights: Rights that unsealing gives.
 * @key_id: Which key made @mac.
 * @expires_ns: CLOCK_BOOTTIME; 0 = never.
 * @owner_pid: Process that sealed it, in its own pid namespace, for the
 *             record.
 * @audience: The uid that may unseal it plus 1, in the initial user
 *            namespace; 0 = any.
 * @mac: Keyed BLAKE2s of a domain string and the 32 bytes before.
 *
 * All numbers are little-endian. A token works until the capability it was
 * made from is dropped, moved, revoked at or above it, or expires, or until
 * the key was rotated twice. A receiver of a moved capability has it for
 * itself: no token made before the move works again. Children that were derived
 * or unsealed before the move live on: a revoke by the receiver kills them when
 * the capability arrived with all its rights, and otherwise only one above it.
 */
struct phi_token {
	__le64 id;
	__le32 version;
	__u8 type;
	__u8 rights;
	__le16 key_id;
	__le64 expires_ns;
	__le32 owner_pid;
	__le32 audience;
	__u8 mac[32];
};

/* Length of a sealed token in the encoding of AIOS, in bytes. */
#define PHI_AIOS_TOKEN_LEN 96

/* Flag of CAP_SEAL and CAP_UNSEAL: the token is a struct phi_aios_token. */
#define PHI_SEAL_AIOS (1U << 1)

/**
 * struct phi_aios_token - a capability in portable form, as AIOS writes it
 * @id: As in struct phi_token, and all that follows up to @audience.
 * @version: See struct phi_token.
 * @type: See struct phi_token.
 * @rights: See struct phi_token.
 * @key_id: See struct phi_token.
 * @expires_ns: See struct phi_token.
 * @owner_pid: See struct phi_token.
 * @audience: See struct phi_token.
 * @mac: HMAC-SHA512 of a domain string of its own and the 32 bytes before.
 *
 * It stands for the same capability as a struct phi_token, works as long, and
 * dies of the same. Neither is genuine when read as the other.
 */
struct phi_aios_token {
	__le64 id;
	__le32 version;
	__u8 type;
	__u8 rights;
	__le16 key_id;
	__le64 expires_ns;
	__le32 owner_pid;
	__le32 audience;
	__u8 mac[64];
};

/**
 * struct phi_cap_seal - ioctl(PHI_IOC_CAP_SEAL)
 * @size: sizeof(struct phi_cap_seal).
 * @flags: 0 or PHI_SEAL_AIOS.
 * @cap: Handle with GRANT.
 * @rights: Rights in the token, a subset of those of @cap.
 * @audience: The uid that may unseal it plus 1, in the caller's user
 *            namespace; 0 = any.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @cap.
 * @token: Pointer to PHI_TOKEN_LEN bytes that receive the token; with
 *         PHI_SEAL_AIOS to PHI_AIOS_TOKEN_LEN.
 *
 * Fails with EPERM when @rights are more than those of @cap, EINVAL for a
 * REPLY or an @audience that is no uid here.
 */
struct phi_cap_seal {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__u32 rights;
	__u32 audience;
	__aligned_u64 expires_ns;
	__aligned_u64 token;
};

#define PHI_IOC_CAP_SEAL _IO(PHI_IOC_MAGIC, 0x16)

/**
 * struct phi_cap_unseal - ioctl(PHI_IOC_CAP_UNSEAL)
 * @size: sizeof(struct phi_cap_unseal).
 * @flags: 0 or PHI_SEAL_AIOS.
 * @token: Pointer to PHI_TOKEN_LEN bytes; with PHI_SEAL_AIOS to
 *         PHI_AIOS_TOKEN_LEN.
 * @out: Out, handle of a child of the capability that was sealed.
 *
 * Fails with EKEYREJECTED for every kind of bad token: forged, damaged, of an
 * old key, of the other encoding, or for another uid. Only a genuine one tells
 * more: EKEYEXPIRED, or EKEYREVOKED when the capability was revoked, dropped or
 * moved since.
 */
struct phi_cap_unseal {
	__u32 size;
	__u32 flags;
	__aligned_u64 token;
	__aligned_u64 out;
};

#define PHI_IOC_CAP_UNSEAL _IO(PHI_IOC_MAGIC, 0x17)

/**
 * struct phi_cap_same - ioctl(PHI_IOC_CAP_SAME)
 * @size: sizeof(struct phi_cap_same).
 * @flags: Must be 0.
 * @a: Handle.
 * @b: Handle.
 * @same: Out, 1 when both name the same object, else 0.
 * @pad: Must be 0.
 */
struct phi_cap_same {
	__u32 size;
	__u32 flags;
	__aligned_u64 a;
	__aligned_u64 b;
	__u32 same;
	__u32 pad;
};

#define PHI_IOC_CAP_SAME _IO(PHI_IOC_MAGIC, 0x18)

/**
 * struct phi_cap_list - ioctl(PHI_IOC_CAP_LIST)
 * @size: sizeof(struct phi_cap_list).
 * @flags: Must be 0.
 * @handles: Pointer to @count u64 that receive handles.
 * @count: In, room at @handles; Out, handles written.
 * @total: Out, handles in the cspace, dead ones included.
 */
struct phi_cap_list {
	__u32 size;
	__u32 flags;
	__aligned_u64 handles;
	__u32 count;
	__u32 total;
};

#define PHI_IOC_CAP_LIST _IO(PHI_IOC_MAGIC, 0x19)

/**
 * struct phi_cspace_share - ioctl(PHI_IOC_CSPACE_SHARE)
 * @size: sizeof(struct phi_cspace_share).
 * @flags: Must be 0.
 * @shared: 1: whoever has the file may use the cspace; 0: only the owner.
 * @pad: Must be 0.
 *
 * Only the owner may call it, also when the cspace is shared.
 */
struct phi_cspace_share {
	__u32 size;
	__u32 flags;
	__u32 shared;
	__u32 pad;
};

#define PHI_IOC_CSPACE_SHARE _IO(PHI_IOC_MAGIC, 0x1a)

/**
 * struct phi_cap_rekey - ioctl(PHI_IOC_CAP_REKEY)
 * @size: sizeof(struct phi_cap_rekey).
 * @flags: Must be 0.
 * @key_id: Out, id of the new key.
 * @pad: Must be 0.
 *
 * Make a new key for tokens. The key before stays valid until the next
 * call. EPERM without CAP_SYS_ADMIN.
 */
struct phi_cap_rekey {
	__u32 size;
	__u32 flags;
	__u32 key_id;
	__u32 pad;
};

#define PHI_IOC_CAP_REKEY _IO(PHI_IOC_MAGIC, 0x1b)

/* Badge of a NETWORK capability: one port, 0 = all of the protocol. */
#define PHI_NETWORK_BADGE(_proto, _port) ((__u64)(_proto) << 16 | (_port))

/**
 * struct phi_cap_mint - ioctl(PHI_IOC_CAP_MINT)
 * @size: sizeof(struct phi_cap_mint).
 * @flags: Must be 0.
 * @endpoint: ENDPOINT handle with ADMIN.
 * @type: PHI_TYPE_FILE or PHI_TYPE_NETWORK.
 * @rights: Rights of the new capability. SEND, RECV, ADMIN and GRANT must
 *          be among those of @endpoint, else EPERM; READ, WRITE, EXEC and MAP
 *          mean what the service says.
 * @badge: Badge of its messages. For NETWORK it must be a
 *         PHI_NETWORK_BADGE() of protocol 6 (TCP) or 17 (UDP). When
 *         @endpoint has a badge it must be that one, else EPERM.
 * @out: Out, handle of the new service object.
 * @expires_ns: CLOCK_BOOTTIME, nanoseconds; 0 = as @endpoint. The earlier of
 *              this and the expiry of @endpoint counts.
 *
 * Make a service object: sending to it or calling it reaches @endpoint with
 * @badge. It dies with @endpoint. A NETWORK capability also opens its port
 * in the net_gate policy, so it needs CAP_NET_ADMIN, else EPERM. The port is
 * closed when the call returns that revokes, drops or moves away the last live
 * one in a slot, or ends the endpoint; when the last one expires, soon after.
 */
struct phi_cap_mint {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
	__u32 type;
	__u32 rights;
	__aligned_u64 badge;
	__aligned_u64 out;
	__aligned_u64 expires_ns;
};

#define PHI_IOC_CAP_MINT _IO(PHI_IOC_MAGIC, 0x1c)

/* Watches on one capability at most. */
#define PHI_WATCHES_MAX 8

/**
 * struct phi_cap_watch - ioctl(PHI_IOC_CAP_WATCH)
 * @size: sizeof(struct phi_cap_watch).
 * @flags: Must be 0.
 * @cap: Handle.
 * @notify: NOTIFY handle with WRITE.
 * @revoked: Bits to signal when @cap is revoked.
 * @expired: Bits to signal when @cap expires, whether or not it is used then.
 * @gone: Bits to signal when the endpoint that messages through @cap reach
 *        dies, after its last message; at once when it is dead already. 0
 *        unless @cap is an ENDPOINT, MODEL, FILE or NETWORK.
 *
 * Signal bits of a notify when a capability comes to its end. Each event
 * signals once, soon after nothing can be done through @cap any more; of revoke
 * and expiry only the first does, and when both happen at nearly the same time
 * either may. At least one of the bits must be set, else EINVAL.
 *
 * One watch counts as a capability of the cspace's user, and one more when it
 * has @gone bits and others: EDQUOT. It ends without a signal when @cap is
 * dropped or moved to another cspace; @gone bits are not signalled after @cap
 * has died. ENOSPC when PHI_WATCHES_MAX watches with @revoked or @expired bits
 * are on @cap and can still signal: derive another capability to watch.
 */
struct phi_cap_watch {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
	__aligned_u64 notify;
	__aligned_u64 revoked;
	__aligned_u64 expired;
	__aligned_u64 gone;
};

#define PHI_IOC_CAP_WATCH _IO(PHI_IOC_MAGIC, 0x1d)

/* Flag of CSPACE_INBOX: the inbox is that of the caller's agent. */
#define PHI_INBOX_AGENT (1U << 1)

/**
 * struct phi_cspace_inbox - ioctl(PHI_IOC_CSPACE_INBOX)
 * @size: sizeof(struct phi_cspace_inbox).
 * @flags: 0 or PHI_INBOX_AGENT.
 * @endpoint: ENDPOINT handle with SEND and GRANT; 0 = none from now on.
 *
 * Name the endpoint that takes what CAP_GRANT gives to the process that opened
 * /dev/phi, or with PHI_INBOX_AGENT to the caller's agent: ENOENT when it has
 * none. A cspace has one inbox at most; a new one takes the place of the one
 * before. EEXIST when another cspace has the inbox of that process or agent.
 * EPERM when another process that shares the cspace names the inbox of the
 * process, or would take its place.
 *
 * A process names it for the program that it executes: the next program has no
 * inbox until it names one.
 *
 * The inbox counts as a capability of the cspace's user. It dies with @endpoint
 * when that is revoked or expires, and ends with the cspace; it does not keep
 * the endpoint alive, and stays when the handle is dropped. Messages through it
 * show the badge of @endpoint and the right SEND. No grant arrives after the
 * inbox has gone; those that are in the queue of @endpoint by then stay there.
 */
struct phi_cspace_inbox {
	__u32 size;
	__u32 flags;
	__aligned_u64 endpoint;
};

#define PHI_IOC_CSPACE_INBOX _IO(PHI_IOC_MAGIC, 0x1e)

/**
 * struct phi_cap_grant - ioctl(PHI_IOC_CAP_GRANT)
 * @size: sizeof(struct phi_cap_grant).
 * @flags: Must be 0.
 * @give: The capability, as one of a message.
 * @agent: AGENT handle with READ, or 0.
 * @data: Pointer to @len bytes that the receiver gets with it.
 * @len: 0 to PHI_MSG_MAX.
 * @pidfd: A pidfd when @agent is 0, else -1.
 *
 * Give a capability to a process or an agent, by way of its inbox. It arrives
 * there as a message: RECV shows type and rights, pid and uid of the sender,
 * and leaves the capability where it is with PHI_RECV_NOCAPS. All crosses or
 * nothing. The caller pays, and needs credit at the endpoint as for SEND; the
 * call never waits for it: EAGAIN.
 *
 * EPIPE when the receiver has no inbox, or its endpoint is dead. ESRCH when the
 * process has ended. EBADF when nothing is open under @pidfd, EINVAL when it is
 * no pidfd, or that of a thread which is not the first of its process.
 */
struct phi_cap_grant {
	__u32 size;
	__u32 flags;
	struct phi_xfer give;
	__aligned_u64 agent;
	__aligned_u64 data;
	__u32 len;
	__s32 pidfd;
};

#define PHI_IOC_CAP_GRANT _IO(PHI_IOC_MAGIC, 0x12)

#endif /* _PHI_CAP_H */
