/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PHI_DISPATCH_H
#define _PHI_DISPATCH_H

#include "cspace.h"

struct crypto_shash;
struct file;
struct phi_hook_target;
struct phi_message;
struct phi_ticket;

/* The longest struct of a call, in bytes. */
#define PHI_ARG_MAX 320

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
 * @waits_if: Flags with which it may, in place of PHI_NONBLOCK; 0 = none.
 * @sends: Offset of the count of bytes that the call may move from the caller, 0
 *         when it moves none; @run says what it moved with phi_frame_sent().
 * @takes: Offset of the count of those that it moves to the caller: before the
 *         call the room for them, after it how many came.
 * @most: Of each count, no more is moved.
 * @free: An agent whose budget is spent may still make the call: it gives back,
 *        or asks why.
 * @out: Offset of the first byte that is written back.
 * @out_end: Offset past the last one; 0 when the struct is only read.
 * @aim: Finds out who receives what a call gives, for the policies, and leaves
 *       in the frame the capability that reaches the receiver, for @run; or why
 *       there is none. NULL for most calls.
 * @run: Checks the arguments, which are already in kernel memory, and does
 *       it. Returns 0 or a negative errno. When it returns 0 the bytes from
 *       @out to @out_end go back to the caller; they were writable before.
 * @settle: The end of a call whose @run returned 0. With @told the caller has
 *          the outputs; without, whatever @run did is undone, because the
 *          call fails with EFAULT. NULL when dropping @made is enough, or
 *          there is nothing to undo.
 */
struct phi_op {
	u16 size;
	u16 min;
	u16 target;
	u16 made;
	u16 waits;
	u16 waits_if;
	u16 sends;
	u16 takes;
	u16 most;
	bool free;
	u16 out;
	u16 out_end;
	void (*aim)(struct phi_cspace *cs, void *arg,
		    struct phi_hook_target *to);
	int (*run)(struct phi_cspace *cs, void *arg);
	void (*settle)(struct phi_cspace *cs, void *arg, bool told);
};

/**
 * struct phi_frame - a call on its way
 * @uarg: Its struct, in the memory of the current process.
 * @cap: For @run to leave to @settle, as are the next ones.
 * @bits: Bits that were taken of the notify that @cap names.
 * @msg: A message in hand.
 * @file: A file without a descriptor.
 * @tfm: A key that is not used yet.
 * @ticket: An inference that ends.
 * @silent: Set by @run: no output changed, so none is written back.
 * @left: Set by @run: something has left the caller, so that the call is paid
 *        for even if it fails or comes again.
 * @sent: With @left: its bytes.
 * @arg: A copy of the struct, for phi_frame_of().
 */
struct phi_frame {
	void __user *uarg;
	struct phi_cap *cap;
	u64 bits;
	struct phi_message *msg;
	struct file *file;
	struct crypto_shash *tfm;
	struct phi_ticket *ticket;
	bool silent;
	bool left;
	u32 sent;
	u64 arg[PHI_ARG_MAX / sizeof(u64)];
};

/**
 * phi_frame_of() - the call that a handler runs
 * @arg: Argument of the handler.
 *
 * Context: Any.
 * Return: The frame around @arg.
 */
static inline struct phi_frame *phi_frame_of(void *arg)
{
	return container_of(arg, struct phi_frame, arg);
}

/**
 * phi_frame_sent() - bytes have left the caller
 * @arg: Argument of the handler.
 * @len: How many.
 *
 * Context: Any.
 */
static inline void phi_frame_sent(void *arg, u32 len)
{
	struct phi_frame *frame = phi_frame_of(arg);

	frame->left = true;
	frame->sent = len;
}

bool phi_frame_writable(void __user *to, size_t len);
int phi_frame_reserve(void *arg, struct file *file);
void phi_frame_open(void *arg, int fd, bool told);
long phi_dispatch(struct phi_cspace *cs, unsigned int nr, void __user *uarg,
		  bool nowait);
int phi_dispatch_as(struct phi_cspace *cs, unsigned int cmd,
		    struct phi_frame *frame);
u32 phi_dispatch_count(void);

/* Handlers, by noun. Each has the struct of its call as @arg. */
int phi_system_info(struct phi_cspace *cs, void *arg);
int phi_system_stats(struct phi_cspace *cs, void *arg);

int phi_decision_query(struct phi_cspace *cs, void *arg);

int phi_budget_create(struct phi_cspace *cs, void *arg);
int phi_budget_query(struct phi_cspace *cs, void *arg);
int phi_budget_reserve(struct phi_cspace *cs, void *arg);
void phi_budget_reserve_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_budget_settle(struct phi_cspace *cs, void *arg);
int phi_budget_grant(struct phi_cspace *cs, void *arg);
int phi_budget_watch(struct phi_cspace *cs, void *arg);
void phi_budget_close(struct phi_cspace *cs);

int phi_cap_derive(struct phi_cspace *cs, void *arg);
int phi_cap_revoke(struct phi_cspace *cs, void *arg);
int phi_cap_drop(struct phi_cspace *cs, void *arg);
int phi_cap_query(struct phi_cspace *cs, void *arg);
int phi_cap_seal(struct phi_cspace *cs, void *arg);
int phi_cap_unseal(struct phi_cspace *cs, void *arg);
int phi_cap_same(struct phi_cspace *cs, void *arg);
int phi_cap_list(struct phi_cspace *cs, void *arg);
int phi_cap_rekey(struct phi_cspace *cs, void *arg);
void phi_cap_rekey_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_cap_mint(struct phi_cspace *cs, void *arg);
int phi_cap_watch(struct phi_cspace *cs, void *arg);
void phi_cap_grant_aim(struct phi_cspace *cs, void *arg,
		       struct phi_hook_target *to);
int phi_cap_grant(struct phi_cspace *cs, void *arg);
int phi_cap_invoke(struct phi_cspace *cs, void *arg);
void phi_cap_invoke_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_cspace_share(struct phi_cspace *cs, void *arg);
int phi_cspace_inbox(struct phi_cspace *cs, void *arg);

int phi_region_create(struct phi_cspace *cs, void *arg);
int phi_region_info(struct phi_cspace *cs, void *arg);
int phi_region_snapshot(struct phi_cspace *cs, void *arg);
int phi_region_slice(struct phi_cspace *cs, void *arg);
int phi_region_adopt(struct phi_cspace *cs, void *arg);
int phi_region_wait(struct phi_cspace *cs, void *arg);
int phi_region_wake(struct phi_cspace *cs, void *arg);

int phi_endpoint_create(struct phi_cspace *cs, void *arg);
int phi_endpoint_fd(struct phi_cspace *cs, void *arg);
void phi_endpoint_fd_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_endpoint_watch(struct phi_cspace *cs, void *arg);
int phi_send(struct phi_cspace *cs, void *arg);
int phi_recv(struct phi_cspace *cs, void *arg);
void phi_recv_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_call(struct phi_cspace *cs, void *arg);
void phi_call_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_reply(struct phi_cspace *cs, void *arg);
int phi_reply_recv(struct phi_cspace *cs, void *arg);
void phi_reply_recv_settle(struct phi_cspace *cs, void *arg, bool told);

int phi_notify_create(struct phi_cspace *cs, void *arg);
int phi_notify_signal(struct phi_cspace *cs, void *arg);
int phi_notify_wait(struct phi_cspace *cs, void *arg);
void phi_notify_wait_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_notify_bind(struct phi_cspace *cs, void *arg);

int phi_unit_register(struct phi_cspace *cs, void *arg);
int phi_unit_update(struct phi_cspace *cs, void *arg);
int phi_unit_query(struct phi_cspace *cs, void *arg);
int phi_model_register(struct phi_cspace *cs, void *arg);
int phi_model_query(struct phi_cspace *cs, void *arg);
int phi_infer_begin(struct phi_cspace *cs, void *arg);
void phi_infer_begin_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_infer_end(struct phi_cspace *cs, void *arg);
void phi_infer_end_settle(struct phi_cspace *cs, void *arg, bool told);
int phi_infer_select(struct phi_cspace *cs, void *arg);
void phi_infer_close(struct phi_cspace *cs);
void phi_park_forget(struct phi_cspace *cs);
void phi_park_close(struct phi_cspace *cs);

int phi_session_create(struct phi_cspace *cs, void *arg);
int phi_call_check(struct phi_cspace *cs, void *arg);

int phi_thread_register(struct phi_cspace *cs, void *arg);
int phi_thread_place(struct phi_cspace *cs, void *arg);
int phi_thread_yield(struct phi_cspace *cs, void *arg);
int phi_thread_signal(struct phi_cspace *cs, void *arg);
int phi_thread_join(struct phi_cspace *cs, void *arg);
int phi_thread_exit(struct phi_cspace *cs, void *arg);
int phi_thread_query(struct phi_cspace *cs, void *arg);
int phi_thread_class(struct phi_cspace *cs, void *arg);

int phi_process_endow(struct phi_cspace *cs, void *arg);
void phi_process_endow_settle(struct phi_cspace *cs, void *arg, bool told);

int phi_agent_register(struct phi_cspace *cs, void *arg);
int phi_agent_kill(struct phi_cspace *cs, void *arg);
int phi_agent_query(struct phi_cspace *cs, void *arg);
int phi_agent_watch(struct phi_cspace *cs, void *arg);
int phi_agent_open(struct phi_cspace *cs, void *arg);
int phi_agent_charge(struct phi_cspace *cs, void *arg);
int phi_agent_evict(struct phi_cspace *cs, void *arg);

#endif /* _PHI_DISPATCH_H */
