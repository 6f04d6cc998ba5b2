/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_CAPS_H
#define PHI_CAPS_H

#include <phi.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: libphi, the calls on capabilities
 *
 * A part of phi.h, which includes it: derive, revoke, look at, seal, mint and
 * watch capabilities. See there for what holds for all calls.
 */

/**
 * phi_cap_derive() - make a weaker child of a capability
 * @phi: Cspace.
 * @cap: Handle to derive from.
 * @rights: PHI_RIGHT_*, a subset of those of @cap.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @cap.
 * @badge: For an ENDPOINT without one; 0 = as @cap.
 * @out: Out, the new handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno, see &struct phi_cap_derive.
 */
int phi_cap_derive(int phi, uint64_t cap, uint32_t rights, uint64_t expires_ns,
		   uint64_t badge, uint64_t *out);

/**
 * phi_cap_revoke() - kill everything derived from a capability
 * @phi: Cspace.
 * @cap: Handle with ADMIN; it stays alive.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno. When it is 0 no holder of a derived
 * capability can use it or what was mapped through it.
 */
int phi_cap_revoke(int phi, uint64_t cap);

/**
 * phi_cap_revoke_wait() - revoke and wait for the last pin
 * @phi: Cspace.
 * @cap: Handle with ADMIN; it stays alive.
 *
 * Context: Any thread.
 * Return: As phi_cap_revoke(); -EINTR when all are dead but pages still pinned.
 */
int phi_cap_revoke_wait(int phi, uint64_t cap);

/**
 * phi_cap_revoke_one() - kill one capability and everything derived from it
 * @phi: Cspace.
 * @cap: Handle with ADMIN.
 * @child: Handle of what was derived from @cap, or @cap to end that itself.
 *
 * Context: Any thread.
 * Return: 0; -EINVAL when @child was not derived from @cap; or another negative
 * errno. When it is 0 no holder of a killed capability can use it or what was
 * mapped through it. Others that were derived from @cap are alive.
 */
int phi_cap_revoke_one(int phi, uint64_t cap, uint64_t child);

/**
 * phi_cap_drop() - forget a handle
 * @phi: Cspace.
 * @cap: Handle, live or dead.
 *
 * Context: Any thread.
 * Return: 0 or -EBADF.
 */
int phi_cap_drop(int phi, uint64_t cap);

/**
 * phi_cap_query() - say what a handle is
 * @phi: Cspace.
 * @cap: Handle.
 * @out: Out, type, rights, depth, version, expiry, badge and the way to the
 *       root.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_cap_query(int phi, uint64_t cap, struct phi_cap_query *out);

/**
 * phi_cap_seal() - put a capability into a token of 64 bytes
 * @phi: Cspace.
 * @cap: Handle with GRANT.
 * @rights: Rights that unsealing gives, a subset of those of @cap.
 * @audience: The uid that may unseal it plus 1; 0 = any.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @cap.
 * @token: Out.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_cap_seal(int phi, uint64_t cap, uint32_t rights, uint32_t audience,
		 uint64_t expires_ns, struct phi_token *token);

/**
 * phi_cap_unseal() - turn a token into a capability
 * @phi: Cspace.
 * @token: Made by phi_cap_seal() on this host.
 * @out: Out, the new handle.
 *
 * Context: Any thread.
 * Return: 0; -EKEYREJECTED for any kind of bad token; -EKEYREVOKED or
 * -EKEYEXPIRED for a genuine one that is dead; or another negative errno.
 */
int phi_cap_unseal(int phi, const struct phi_token *token, uint64_t *out);

/**
 * phi_cap_seal_aios() - put a capability into a token of 96 bytes
 * @phi: Cspace.
 * @cap: Handle with GRANT.
 * @rights: Rights that unsealing gives, a subset of those of @cap.
 * @audience: The uid that may unseal it plus 1; 0 = any.
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @cap.
 * @token: Out, in the encoding of AIOS.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_cap_seal_aios(int phi, uint64_t cap, uint32_t rights, uint32_t audience,
		      uint64_t expires_ns, struct phi_aios_token *token);

/**
 * phi_cap_unseal_aios() - turn a token of 96 bytes into a capability
 * @phi: Cspace.
 * @token: Made by phi_cap_seal_aios() on this host.
 * @out: Out, the new handle.
 *
 * Context: Any thread.
 * Return: As phi_cap_unseal().
 */
int phi_cap_unseal_aios(int phi, const struct phi_aios_token *token,
			uint64_t *out);

/**
 * phi_cap_same() - do two handles name one object?
 * @phi: Cspace.
 * @a: Handle.
 * @b: Handle.
 *
 * Context: Any thread.
 * Return: 1 when they do, 0 when not, or a negative errno.
 */
int phi_cap_same(int phi, uint64_t a, uint64_t b);

/**
 * phi_cap_list() - list the handles of a cspace
 * @phi: Cspace.
 * @handles: Out, room for @count.
 * @count: Room at @handles; may be 0.
 * @total: Out, handles there are; may be NULL.
 *
 * Context: Any thread.
 * Return: Handles written, or a negative errno.
 */
int phi_cap_list(int phi, uint64_t *handles, uint32_t count, uint32_t *total);

/**
 * phi_cap_rekey() - change the key of sealed tokens
 * @phi: Cspace.
 * @key_id: Out, id of the new key; may be NULL.
 *
 * Context: Any thread.
 * Return: 0, -EPERM without CAP_SYS_ADMIN, or another negative errno.
 */
int phi_cap_rekey(int phi, uint32_t *key_id);

/**
 * phi_cap_mint() - make a FILE or NETWORK service object
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle with ADMIN that will receive its messages.
 * @type: PHI_TYPE_FILE or PHI_TYPE_NETWORK.
 * @rights: Of the new capability: SEND, RECV, ADMIN and GRANT at most as in
 *          @endpoint; READ, WRITE, EXEC and MAP mean what the service says.
 * @badge: The receiver sees it; when @endpoint has a badge, only that one.
 * @out: Out, the new handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_cap_mint(int phi, uint64_t endpoint, uint32_t type, uint32_t rights,
		 uint64_t badge, uint64_t *out);

/**
 * phi_cap_mint_until() - make a service object whose capability expires
 * @phi: Cspace.
 * @endpoint: As for phi_cap_mint().
 * @type: As for phi_cap_mint().
 * @rights: As for phi_cap_mint().
 * @badge: As for phi_cap_mint().
 * @expires_ns: CLOCK_BOOTTIME; 0 = as @endpoint.
 * @out: Out, the new handle.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int phi_cap_mint_until(int phi, uint64_t endpoint, uint32_t type,
		       uint32_t rights, uint64_t badge, uint64_t expires_ns,
		       uint64_t *out);

/**
 * phi_cap_watch() - hear of the end of a capability
 * @phi: Cspace.
 * @cap: Handle.
 * @notify: NOTIFY handle with WRITE.
 * @revoked: Bits to signal there when @cap is revoked, or 0.
 * @expired: Bits to signal there when @cap expires, or 0.
 * @gone: Bits to signal there when the endpoint behind @cap dies, or 0; 0
 *        unless @cap is an ENDPOINT, MODEL, FILE or NETWORK.
 *
 * Context: Any thread.
 * Return: 0; -ENOSPC when PHI_WATCHES_MAX watches are on @cap; or another
 * negative errno.
 */
int phi_cap_watch(int phi, uint64_t cap, uint64_t notify, uint64_t revoked,
		  uint64_t expired, uint64_t gone);

/**
 * phi_cap_invoke() - do what a capability is for, whatever it names
 * @phi: Cspace.
 * @cap: Handle.
 * @op: PHI_OP_*, which its type must have.
 * @in: Input; NULL when @in_len is 0.
 * @in_len: Its length in bytes.
 * @out: Room for what comes out; NULL when nothing does.
 * @out_len: In, that room in bytes; Out, how many came. NULL when nothing does.
 *
 * Context: Any thread.
 * Return: 0; -EMSGSIZE when there is too little room; or another negative
 * errno.
 */
int phi_cap_invoke(int phi, uint64_t cap, uint32_t op, const void *in,
		   size_t in_len, void *out, size_t *out_len);

/**
 * phi_cap_grant() - give a capability to a process
 * @phi: Cspace.
 * @pidfd: Pidfd of a process that has named an inbox.
 * @give: Handle with GRANT, PHI_XFER_MOVE or 0, and a mask of rights.
 * @data: Bytes that the receiver gets with it.
 * @len: Of @data, 0 to PHI_MSG_MAX.
 *
 * Context: Any thread.
 * Return: 0; -EPIPE when it has no inbox; -ESRCH when it has ended; -EAGAIN
 * without credit; or another negative errno, see &struct phi_cap_grant.
 */
int phi_cap_grant(int phi, int pidfd, const struct phi_xfer *give,
		  const void *data, size_t len);

/**
 * phi_cap_grant_agent() - give a capability to an agent
 * @phi: Cspace.
 * @agent: AGENT handle with READ.
 * @give: As for phi_cap_grant().
 * @data: Bytes that the receiver gets with it.
 * @len: Of @data, 0 to PHI_MSG_MAX.
 *
 * Context: Any thread.
 * Return: As phi_cap_grant().
 */
int phi_cap_grant_agent(int phi, uint64_t agent, const struct phi_xfer *give,
			const void *data, size_t len);

/**
 * phi_cspace_inbox() - name the endpoint that takes what others grant
 * @phi: Cspace.
 * @endpoint: ENDPOINT handle with SEND and GRANT; 0 = none from now on.
 * @flags: 0, or PHI_INBOX_AGENT for that of the caller's agent.
 *
 * Context: Any thread.
 * Return: 0; -EEXIST when another cspace of the process, or of the agent, has
 * one; -ENOENT when the caller has no agent; -EPERM when the cspace is that of
 * another process; or another negative errno.
 */
int phi_cspace_inbox(int phi, uint64_t endpoint, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif /* PHI_CAPS_H */
