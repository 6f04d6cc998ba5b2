/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _PHI_SESSION_H
#define _PHI_SESSION_H

#include <phi/base.h>

/**
 * DOC: Sessions, and calls that are not of this module
 *
 * A dispatcher such as mathisd runs calls that the module does not know, for
 * clients that policies, decisions and budgets shall see as if each had made its
 * call itself. CALL_CHECK asks about such foreign calls.
 *
 * The dispatcher cannot claim a client. A client makes a SESSION with
 * SESSION_CREATE, for which the module notes the process, its user and, at each
 * check, the agent that the process is in; then it sends the dispatcher a
 * capability derived from it. Without a session of a process, nobody can spend
 * what the process has, or put records among its refusals. The client takes the
 * session back with CAP_REVOKE, and it ends when the process ends or executes
 * another program.
 *
 * A session gives no power over its client: all that a check can do is to be
 * refused.
 */

/**
 * struct phi_session_create - ioctl(PHI_IOC_SESSION_CREATE)
 * @size: sizeof(struct phi_session_create).
 * @flags: Must be 0.
 * @cap: Out, SESSION handle with EXEC, ADMIN and GRANT.
 *
 * Make a session of the calling process.
 */
struct phi_session_create {
	__u32 size;
	__u32 flags;
	__aligned_u64 cap;
};

#define PHI_IOC_SESSION_CREATE _IO(PHI_IOC_MAGIC, 0xa1)

/*
 * Policies and decisions know the foreign call n as PHI_CALL_FOREIGN + n, which
 * is above the number of each call of this module.
 */
#define PHI_CALL_FOREIGN 0x10000U

/* Most checks in one call. */
#define PHI_CHECKS_MAX 64

/**
 * struct phi_check - a question about one foreign call
 * @call: Its number, below PHI_CALL_FOREIGN, else EINVAL.
 * @result: Out, 0, or the negative errno that the foreign call shall fail with.
 * @cap: The capability that it is about, a handle of the caller; 0 = none.
 * @type: PHI_TYPE_* that @cap must have; 0 = any.
 * @rights: PHI_RIGHT_* that @cap must have. Without @cap this and @type are 0,
 *          else EINVAL.
 * @bytes: Bytes that the call moves, for policies and budgets.
 * @arg: Summary of the arguments, for policies; the dispatcher defines it for
 *       each call.
 */
struct phi_check {
	__u32 call;
	__s32 result;
	__aligned_u64 cap;
	__u32 type;
	__u32 rights;
	__aligned_u64 bytes;
	__aligned_u64 arg;
};

/**
 * struct phi_call_check - ioctl(PHI_IOC_CALL_CHECK)
 * @size: sizeof(struct phi_call_check).
 * @flags: Must be 0.
 * @session: SESSION handle with EXEC of the client, ESRCH when the client has
 *           ended or its agent was killed; 0 = the calling process asks for itself.
 * @checks: Pointer to @count struct phi_check.
 * @count: Checks, 1 to PHI_CHECKS_MAX, else EINVAL.
 * @refused: Out, how many of them were refused.
 *
 * Ask whether a client may make foreign calls. For each check in turn the hooks
 * run, with the number PHI_CALL_FOREIGN + @call, the user and the agent of the
 * client; then @cap is looked up. Its @result says what came of it: the errno of
 * a policy, EDQUOT when the budget of the client's agent has no call or too few
 * bytes left, EBADF, EKEYREVOKED, EKEYEXPIRED, EPERM, or EINVAL for another type.
 * Each refusal leaves a decision among those of the client.
 *
 * The call itself succeeds whatever the checks say. When it fails with EFAULT,
 * EINVAL or ESRCH no check was made; with EFAULT they may have been where
 * @checks ceased to be writable meanwhile.
 */
struct phi_call_check {
	__u32 size;
	__u32 flags;
	__aligned_u64 session;
	__aligned_u64 checks;
	__u32 count;
	__u32 refused;
};

#define PHI_IOC_CALL_CHECK _IO(PHI_IOC_MAGIC, 0xa0)

#endif /* _PHI_SESSION_H */
