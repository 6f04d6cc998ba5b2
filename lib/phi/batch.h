/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef PHI_BATCH_H
#define PHI_BATCH_H

#include <linux/types.h>
#include <phi/tensor.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * DOC: Talking to the batcher
 *
 * A client holds a MODEL capability and gets, in this order:
 *
 *  1. a session, by a phi_call() of ATTACH on the MODEL handle. It gives an
 *     ENDPOINT (SEND) that it alone receives from: when that dies
 *     so does the session, however the client went. It gets an ENDPOINT
 *     (SEND) whose badge is the session; all further calls go there;
 *  2. slots for its regions, by REGION: the batcher maps each once, and
 *     tensors name it by slot from then on;
 *  3. answers, by INFER, one a call; or
 *  4. a ring, by RING, and then INFER requests on it as many at a time as
 *     the session has credits. The batcher made the ring's memory, so that
 *     no client can pull it from under it; either side rings the other
 *     through the NOTIFY it was given.
 *
 * A request is read once, into private memory, and checked there. The
 * elements may change while they are read; that spoils the result of this
 * request and nothing else. So does revoking a region in mid-request: its
 * status is EFAULT.
 *
 * All structs are as the host lays them out; padding and reserved fields are
 * 0 or the answer is EINVAL. A message shorter or longer than its struct is
 * EINVAL.
 */

#define PHI_BATCH_VERSION 1

/* Regions of one session. */
#define PHI_BATCH_SLOTS 16

/* Operations of messages. */
#define PHI_BATCH_ATTACH 1
#define PHI_BATCH_REGION 2
#define PHI_BATCH_FORGET 3
#define PHI_BATCH_RING 4
#define PHI_BATCH_INFER 5

/* Priorities; higher goes first within a model. */
#define PHI_BATCH_PRIORITY_LOW 0
#define PHI_BATCH_PRIORITY_NORMAL 1
#define PHI_BATCH_PRIORITY_HIGH 2

/**
 * struct phi_batch_tensor - a dense, row-major tensor in a slot
 * @offset: Bytes from the region's start, a multiple of the element's size.
 * @slot: From REGION.
 * @dtype: PHI_DTYPE_*.
 * @ndim: Dimensions, 1 to PHI_TENSOR_NDIM_MAX.
 * @pad: Must be 0.
 * @shape: Lengths; the first is the number of inputs. 0 past @ndim.
 */
struct phi_batch_tensor {
	__u64 offset;
	__u32 slot;
	__u8 dtype;
	__u8 ndim;
	__u16 pad;
	__u32 shape[PHI_TENSOR_NDIM_MAX];
};

/**
 * struct phi_batch_head - how every request begins
 * @op: PHI_BATCH_*.
 * @flags: Must be 0.
 * @tag: Comes back with the answer.
 */
struct phi_batch_head {
	__u32 op;
	__u32 flags;
	__u64 tag;
};

/**
 * struct phi_batch_attach - open a session
 * @head: PHI_BATCH_ATTACH.
 * @version: PHI_BATCH_VERSION, else EPROTONOSUPPORT.
 * @pad: Must be 0.
 *
 * Called on the MODEL handle with one capability, the client's own ENDPOINT
 * with SEND.
 */
struct phi_batch_attach {
	struct phi_batch_head head;
	__u32 version;
	__u32 pad;
};

/**
 * struct phi_batch_attached - answer to ATTACH
 * @status: 0 or a negative errno; the fields after it are 0 then.
 * @version: PHI_BATCH_VERSION.
 * @tag: The request's.
 * @model: The model's number.
 * @max_batch: Most inputs in one request.
 * @credits: Requests the session may have in flight.
 * @input: Type and shape of an input; the first length is 0 and stands for
 *         the number of inputs, offset and slot are 0.
 * @output: The same of an output.
 *
 * Comes with one capability, the session's ENDPOINT.
 */
struct phi_batch_attached {
	__s32 status;
	__u32 version;
	__u64 tag;
	__u64 model;
	__u32 max_batch;
	__u32 credits;
	struct phi_batch_tensor input;
	struct phi_batch_tensor output;
};

/**
 * struct phi_batch_region - give the batcher a region, or take it back
 * @head: PHI_BATCH_REGION or PHI_BATCH_FORGET.
 * @slot: For FORGET: which. For REGION: must be 0.
 * @pad: Must be 0.
 *
 * REGION comes with one MEMORY capability with MAP and READ, and WRITE where
 * results go; the answer is a struct phi_batch_slot. ENOSPC when all
 * PHI_BATCH_SLOTS are taken. FORGET unmaps the region once no request uses
 * it, and only then is answered, so call it with a deadline.
 */
struct phi_batch_region {
	struct phi_batch_head head;
	__u32 slot;
	__u32 pad;
};

/**
 * struct phi_batch_slot - answer to REGION and FORGET
 * @status: 0 or a negative errno.
 * @slot: Which slot.
 * @tag: The request's.
 */
struct phi_batch_slot {
	__s32 status;
	__u32 slot;
	__u64 tag;
};

/**
 * struct phi_batch_ring - ask for a ring
 * @head: PHI_BATCH_RING.
 * @entries: Requests it holds, a power of two from 8 to 1024.
 * @pad: Must be 0.
 *
 * Comes with one NOTIFY capability with WRITE, which the batcher signals
 * when the client sleeps and answers wait. The answer is a struct
 * phi_batch_slot with two capabilities: the ring's MEMORY (MAP, READ, WRITE)
 * and the NOTIFY (WRITE) that wakes the batcher. One ring a session: EEXIST
 * for a second.
 */
struct phi_batch_ring {
	struct phi_batch_head head;
	__u32 entries;
	__u32 pad;
};

/**
 * struct phi_batch_request - run inputs through the model
 * @head: PHI_BATCH_INFER.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 * @priority: PHI_BATCH_PRIORITY_*.
 * @pad: Must be 0.
 * @input: Input to read; as many inputs as its first length says.
 * @output: Where to write; its first length is the same.
 */
struct phi_batch_request {
	struct phi_batch_head head;
	__u64 deadline_ns;
	__u32 priority;
	__u32 pad;
	struct phi_batch_tensor input;
	struct phi_batch_tensor output;
};

/**
 * struct phi_batch_answer - what became of a request
 * @status: 0, or a negative errno:
 *          EINVAL       the request makes no sense, or does not fit the model
 *          EBADF        no region in that slot
 *          EPERM        the region may not be read, or written
 *          ERANGE       a tensor reaches past its region
 *          EFAULT       the region was revoked meanwhile
 *          EAGAIN       no credit, or the queue is full
 *          ETIMEDOUT    the deadline passed, or could not be met
 *          ECANCELED    the batcher is stopping
 *          EIO          the model failed
 *          and what a policy says.
 * @unit: The unit that ran it, or PHI_UNIT_UNKNOWN.
 * @tag: The request's.
 * @queue_ns: From its arrival until its batch began.
 * @run_ns: How long the batch ran.
 * @expected_ns: When the deadline could not be met: how long from its arrival
 *               it would have taken. Else 0.
 * @batch: Inputs in the batch it ran in.
 * @why: PHI_CHOSEN_*, who chose the unit; 0 when none was.
 */
struct phi_batch_answer {
	__s32 status;
	__u32 unit;
	__u64 tag;
	__u64 queue_ns;
	__u64 run_ns;
	__u64 expected_ns;
	__u32 batch;
	__u32 why;
};

/**
 * phi_batch_tensor_get() - check a tensor that came over the wire
 * @wire: A private copy.
 * @bytes: Length of the region in its slot.
 * @out: Out, the same as a struct phi_tensor.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL, -EOVERFLOW or -ERANGE, as phi_tensor_check(); -EINVAL
 * also when padding is not 0.
 */
int phi_batch_tensor_get(const struct phi_batch_tensor *wire, uint64_t bytes,
			 struct phi_tensor *out);

/**
 * phi_batch_tensor_put() - put a tensor on the wire
 * @t: A contiguous tensor of 1 to PHI_TENSOR_NDIM_MAX dimensions.
 * @slot: Slot of its region.
 * @out: Out.
 *
 * Context: Any thread.
 * Return: 0, or -EINVAL when it is not contiguous or a length is too large.
 */
int phi_batch_tensor_put(const struct phi_tensor *t, uint32_t slot,
			 struct phi_batch_tensor *out);

struct phi_batch;

/* phi_batch_open() flag: requests go over a ring, many at a time. */
#define PHI_BATCH_OPEN_RING 0x1U

/**
 * phi_batch_open() - open a session with the batcher
 * @phi: Cspace; must outlive the session.
 * @model: MODEL handle with SEND.
 * @flags: 0 or PHI_BATCH_OPEN_RING.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 * @out: Out, the session, to be closed with phi_batch_close().
 *
 * Context: Any thread. Waits for the batcher.
 * Return: 0, -EPROTO when the answer makes no sense, or another negative
 * errno.
 */
int phi_batch_open(int phi, uint64_t model, unsigned int flags,
		   uint64_t deadline_ns, struct phi_batch **out);

/**
 * phi_batch_close() - end a session
 * @b: Session, or NULL.
 *
 * The batcher forgets its regions. Requests that it still runs may write
 * their results until then; phi_batch_forget() waits for that.
 *
 * Context: Any thread; no other may use the session.
 */
void phi_batch_close(struct phi_batch *b);

/**
 * phi_batch_info() - what the batcher said when the session began
 * @b: Session.
 *
 * Context: Any thread.
 * Return: Limits, and types and shapes of the model; valid until the close.
 */
const struct phi_batch_attached *phi_batch_info(const struct phi_batch *b);

/**
 * phi_batch_region() - let the batcher reach a region
 * @b: Session.
 * @cap: MEMORY handle with GRANT; a copy is given.
 * @rights: PHI_RIGHT_READ, PHI_RIGHT_WRITE or both, for the batcher.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * Context: One thread at a time. Waits for the batcher.
 * Return: The slot, 0 or more, or a negative errno.
 */
int phi_batch_region(struct phi_batch *b, uint64_t cap, uint32_t rights,
		     uint64_t deadline_ns);

/**
 * phi_batch_forget() - take a region back
 * @b: Session.
 * @slot: From phi_batch_region().
 * @deadline_ns: CLOCK_MONOTONIC; 0 = none.
 *
 * Context: One thread at a time. Waits until no request uses the region.
 * Return: 0 or a negative errno.
 */
int phi_batch_forget(struct phi_batch *b, uint32_t slot, uint64_t deadline_ns);

/**
 * phi_batch_infer() - run one request and wait for its answer
 * @b: Session, with a ring or without.
 * @req: The request; its op is set here.
 * @answer: Out.
 *
 * Goes as a call, never over the ring. A batcher that says nothing until a
 * second after the deadline gives -ETIMEDOUT.
 *
 * Context: Any thread.
 * Return: 0 when an answer came, whatever its status; or a negative errno.
 */
int phi_batch_infer(struct phi_batch *b, const struct phi_batch_request *req,
		    struct phi_batch_answer *answer);

/**
 * phi_batch_submit() - put a request on the ring
 * @b: Session with a ring.
 * @req: The request; its op is set here.
 *
 * Context: One thread at a time. Never waits.
 * Return: 0; -EAGAIN when all credits are in use: reap first; -EPROTO when
 * the batcher broke the ring; -EINVAL without a ring.
 */
int phi_batch_submit(struct phi_batch *b, const struct phi_batch_request *req);

/**
 * phi_batch_reap() - take answers from the ring
 * @b: Session with a ring.
 * @answers: Out, room for @max.
 * @max: At least 1.
 * @deadline_ns: CLOCK_MONOTONIC; 0 = wait for ever; 1 = not at all.
 *
 * Waits until there is one answer, then takes all that
 * have come.
 *
 * Context: One thread at a time, the one that submits or another.
 * Return: Answers taken; 0 when none is in flight; -ETIMEDOUT; -EINTR;
 * -EPIPE when the batcher is gone; -EPROTO; -EINVAL without a ring.
 */
int phi_batch_reap(struct phi_batch *b, struct phi_batch_answer *answers,
		   unsigned int max, uint64_t deadline_ns);

/**
 * phi_batch_fd() - file that becomes readable when answers may have come
 * @b: Session with a ring.
 *
 * It is armed by a phi_batch_reap() that found nothing.
 *
 * Context: Any thread.
 * Return: An eventfd that belongs to the session, or -EINVAL.
 */
int phi_batch_fd(const struct phi_batch *b);

#ifdef __cplusplus
}
#endif

#endif /* PHI_BATCH_H */
