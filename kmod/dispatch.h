/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_DISPATCH_H
#define _PHI_DISPATCH_H

#include "cspace.h"

/* The longest struct of a call, in bytes. */
#define PHI_ARG_MAX 256

/* struct phi_op @waits: no flag helps. */
#define PHI_WAITS U16_MAX

/**
 * struct phi_op - one call
 * @size: Bytes of its struct that this module knows.
 * @min: Bytes of it that the first version had.
 * @target: Offset of the handle the call is about, 0 when it has none; the
 *          hooks show it to policies.
 * @made: Offset of the handle that the call makes, 0 when it makes none. The
 *        handle is dropped when the struct cannot be written back.
 * @waits: Offset of the flags without whose PHI_NONBLOCK the call may wait for
 *         others, 0 when it never does, PHI_WAITS when it does in any case.
 * @run: Checks the arguments, which are already in kernel memory, and does
 *       it. Returns 0 or a negative errno. What it writes to the struct goes
 *       back to the caller when it returns 0.
 * @undo: The struct could not be written back: undo what @run did. NULL when
 *        dropping @made is enough, or there is nothing to undo.
 */
struct phi_op {
	u16 size;
	u16 min;
	u16 target;
	u16 made;
	u16 waits;
	int (*run)(struct phi_cspace *cs, void *arg);
	void (*undo)(struct phi_cspace *cs, void *arg);
};

long phi_dispatch(struct phi_cspace *cs, unsigned int nr, void __user *uarg,
		  bool nowait);
u32 phi_dispatch_count(void);

/* Handlers, by noun. Each has the struct of its call as @arg. */
int phi_system_info(struct phi_cspace *cs, void *arg);
int phi_system_stats(struct phi_cspace *cs, void *arg);

int phi_cap_derive(struct phi_cspace *cs, void *arg);
int phi_cap_revoke(struct phi_cspace *cs, void *arg);
int phi_cap_drop(struct phi_cspace *cs, void *arg);
int phi_cap_query(struct phi_cspace *cs, void *arg);
int phi_cap_seal(struct phi_cspace *cs, void *arg);
int phi_cap_unseal(struct phi_cspace *cs, void *arg);
int phi_cap_same(struct phi_cspace *cs, void *arg);
int phi_cap_list(struct phi_cspace *cs, void *arg);
int phi_cap_rekey(struct phi_cspace *cs, void *arg);
int phi_cap_mint(struct phi_cspace *cs, void *arg);
int phi_cspace_share(struct phi_cspace *cs, void *arg);

int phi_region_create(struct phi_cspace *cs, void *arg);
int phi_region_info(struct phi_cspace *cs, void *arg);

int phi_endpoint_create(struct phi_cspace *cs, void *arg);
int phi_endpoint_fd(struct phi_cspace *cs, void *arg);
void phi_endpoint_fd_undo(struct phi_cspace *cs, void *arg);
int phi_endpoint_watch(struct phi_cspace *cs, void *arg);
int phi_send(struct phi_cspace *cs, void *arg);
int phi_recv(struct phi_cspace *cs, void *arg);
void phi_recv_undo(struct phi_cspace *cs, void *arg);
int phi_call(struct phi_cspace *cs, void *arg);
void phi_call_undo(struct phi_cspace *cs, void *arg);
int phi_reply(struct phi_cspace *cs, void *arg);
int phi_reply_recv(struct phi_cspace *cs, void *arg);
void phi_reply_recv_undo(struct phi_cspace *cs, void *arg);

int phi_notify_create(struct phi_cspace *cs, void *arg);
int phi_notify_signal(struct phi_cspace *cs, void *arg);
int phi_notify_wait(struct phi_cspace *cs, void *arg);
int phi_notify_bind(struct phi_cspace *cs, void *arg);

int phi_unit_register(struct phi_cspace *cs, void *arg);
int phi_unit_update(struct phi_cspace *cs, void *arg);
int phi_unit_query(struct phi_cspace *cs, void *arg);
int phi_model_register(struct phi_cspace *cs, void *arg);
int phi_model_query(struct phi_cspace *cs, void *arg);
int phi_infer_begin(struct phi_cspace *cs, void *arg);
void phi_infer_begin_undo(struct phi_cspace *cs, void *arg);
int phi_infer_end(struct phi_cspace *cs, void *arg);
int phi_infer_select(struct phi_cspace *cs, void *arg);
void phi_infer_close(struct phi_cspace *cs);

int phi_agent_register(struct phi_cspace *cs, void *arg);

#endif /* _PHI_DISPATCH_H */
