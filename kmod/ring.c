// SPDX-License-Identifier: GPL-2.0-only

#include "compat.h"
#include "dispatch.h"
#include "main.h"

/* Calls that may wait for another process. */
static bool phi_ring_waits(unsigned int nr)
{
	switch (nr) {
	case _IOC_NR(PHI_IOC_SEND):
	case _IOC_NR(PHI_IOC_RECV):
	case _IOC_NR(PHI_IOC_CALL):
	case _IOC_NR(PHI_IOC_REPLY_RECV):
	case _IOC_NR(PHI_IOC_NOTIFY_WAIT):
		return true;
	default:
		return false;
	}
}

/**
 * phi_ring_cmd() - run a call that came through io_uring
 * @cmd: IORING_OP_URING_CMD on /dev/phi: the number of the ioctl in cmd_op, a
 *       pointer to the struct of the call in the first 8 bytes of cmd.
 * @flags: IO_URING_F_*.
 *
 * A call that may wait runs in a worker of the ring, which is a thread of the
 * same process; cancelling it is a signal to that thread. It is not tried
 * here first: policies must see each call once.
 *
 * Context: Process context. May sleep.
 * Return: The result of the call, or -EAGAIN to be called from a worker.
 */
int phi_ring_cmd(struct io_uring_cmd *cmd, unsigned int flags)
{
	const u64 *arg = phi_sqe_cmd(cmd->sqe, u64);
	unsigned int nr = _IOC_NR(cmd->cmd_op);
	int ret;

	if (cmd->cmd_op != _IO(PHI_IOC_MAGIC, nr))
		return -ENOTTY;
	if (flags & IO_URING_F_NONBLOCK && phi_ring_waits(nr))
		return -EAGAIN;
	ret = phi_dispatch(cmd->file->private_data, nr,
			   u64_to_user_ptr(READ_ONCE(*arg)));
	/* A cancelled worker; there is nothing to restart. */
	return ret == -ERESTARTSYS ? -EINTR : ret;
}
