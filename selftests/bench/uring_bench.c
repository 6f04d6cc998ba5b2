// SPDX-License-Identifier: GPL-2.0-only

/*
 * What it costs to ask an empty queue: a RECV with PHI_NONBLOCK by ioctl and
 * by io_uring, beside a socket asked in the same two ways, and beside the
 * request of a ring that does nothing.
 *
 * Prints lines "name value unit ratio": nanoseconds, which are guest
 * instructions in a machine that counts them, and how many times as long as
 * the ioctl it takes.
 */

#include <liburing.h>
#include <sys/socket.h>

#include "bench/median.h"
#include "phi_message.h"

static int phi, sockets[2];
static struct phi_recv recv_arg;
static char data[64];
static struct io_uring ring;

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "uring_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Have the ring run what @prep prepares. Return: its result. */
static int by_ring(void (*prep)(struct io_uring_sqe *sqe))
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	struct io_uring_cqe *cqe;
	int ret;

	need(sqe, "a free entry");
	prep(sqe);
	need(io_uring_submit_and_wait(&ring, 1) == 1, "submit");
	need(!io_uring_peek_cqe(&ring, &cqe), "completion");
	ret = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return ret;
}

static void phi_ioctl(void)
{
	need(ioctl(phi, PHI_IOC_RECV, &recv_arg) && errno == EAGAIN, "RECV");
}

static void phi_prep(struct io_uring_sqe *sqe)
{
	uint64_t arg = (uintptr_t)&recv_arg;

	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, phi, NULL, 0, 0);
	sqe->cmd_op = PHI_IOC_RECV;
	memcpy(sqe->cmd, &arg, sizeof(arg));
}

static void phi_ring(void)
{
	need(by_ring(phi_prep) == -EAGAIN, "RECV by the ring");
}

static void socket_call(void)
{
	need(recv(sockets[0], data, sizeof(data), MSG_DONTWAIT) < 0 &&
		     errno == EAGAIN,
	     "recv");
}

static void socket_prep(struct io_uring_sqe *sqe)
{
	io_uring_prep_recv(sqe, sockets[0], data, sizeof(data), MSG_DONTWAIT);
}

static void socket_ring(void)
{
	need(by_ring(socket_prep) == -EAGAIN, "recv by the ring");
}

static void nop_ring(void)
{
	need(!by_ring(io_uring_prep_nop), "nothing by the ring");
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} ways[] = {
		{ "phi-ioctl", phi_ioctl },
		{ "phi-io_uring", phi_ring },
		{ "unix-seqpacket", socket_call },
		{ "unix-seqpacket-io_uring", socket_ring },
		{ "nop-io_uring", nop_ring },
	};
	uint64_t endpoint;
	double first = 0;

	phi = do_open();
	need(phi >= 0, "/dev/phi");
	recv_arg.size = sizeof(recv_arg);
	recv_arg.flags = PHI_NONBLOCK;
	recv_arg.data = (uintptr_t)data;
	recv_arg.len = sizeof(data);
	need(!do_endpoint(phi, &endpoint), "endpoint");
	recv_arg.endpoint = endpoint;
	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), "socketpair");
	need(!io_uring_queue_init(4, &ring, 0), "io_uring");
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		double ns = median(ways[i].run);

		first = first ?: ns;
		printf("empty.%s %.0f ns %.2f\n", ways[i].name, ns, ns / first);
		fflush(stdout);
	}
	return 0;
}
