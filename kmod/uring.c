// SPDX-License-Identifier: GPL-2.0-only

#include "compat.h"
#include "dispatch.h"
#include "main.h"

/**
 * phi_uring_cmd() - run a call that came through io_uring
 * @cmd: IORING_OP_URING_CMD on /dev/phi; see uapi/phi/base.h.
 * @flags: IO_URING_F_*.
 *
 * A call that may wait runs in a worker of the ring, which is a thread of the
 * same process. A command could be parked here instead, but then only the end
 * of the ring would cancel it: IORING_OP_ASYNC_CANCEL and link timeouts reach
 * workers, not commands. It is not tried first either, for policies must see
 * each call once.
 *
 * To io_uring -EAGAIN means that a worker must try again. A call that ends
 * with this error has run, so its command completes here.
 *
 * Context: Process context. May sleep.
 * Return: The result of the call, -EAGAIN to be called from a worker, or
 * -EIOCBQUEUED when the command is complete.
 */
int phi_uring_cmd(struct io_uring_cmd *cmd, unsigned int flags)
{
	const u64 *arg = phi_sqe_cmd(cmd->sqe, u64);
	unsigned int nr = _IOC_NR(cmd->cmd_op);
	int ret;

	if (cmd->cmd_op != _IO(PHI_IOC_MAGIC, nr))
		return -ENOTTY;
	ret = phi_dispatch(cmd->file->private_data, nr,
			   u64_to_user_ptr(READ_ONCE(*arg)),
			   flags & IO_URING_F_NONBLOCK);
	switch (ret) {
	case -EIOCBQUEUED:
		return -EAGAIN;
	case -EAGAIN:
		phi_uring_done(cmd, ret, flags);
		return -EIOCBQUEUED;
	case -ERESTARTSYS:
		/* A cancelled worker; there is nothing to restart. */
		return -EINTR;
	default:
		return ret;
	}
}
