// SPDX-License-Identifier: GPL-2.0-only

/*
 * What a message costs through an endpoint, and through what Linux has
 * besides: a round trip between two processes, a message to oneself, and a
 * message that carries memory.
 *
 * Prints lines "name value unit ratio": nanoseconds, which are guest
 * instructions in a machine that counts them, and how many times as long as
 * by phi, whose line comes first in each group, it takes. Every transport
 * carries 32 bytes each way but eventfd, which can carry 8.
 */

#include <mqueue.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "bench/binder.h"
#include "bench/median.h"
#include "phi_message.h"

#define LEN 32

static char data[PHI_MSG_MAX];

/* The child's stdin is a socket to the parent: tell it that all is open. */
static void ready(void)
{
	char c = 0;

	if (write(STDIN_FILENO, &c, 1) != 1)
		exit(1);
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "endpoint_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * A way to send. serve() answers for ever, in a child, and says when it can;
 * ask() makes a round trip, loop() a message to oneself.
 */
struct transport {
	const char *name;
	bool (*open)(void); /* false when the kernel does not have it */
	void (*serve)(void);
	void (*ask)(void);
	void (*loop)(void);
};

/* phi */

static int phi = -1;
static uint64_t phi_ep;
static struct phi_token phi_token;

static bool phi_open(void)
{
	phi = do_open();
	need(phi >= 0, "/dev/phi");
	need(!do_endpoint(phi, &phi_ep), "endpoint");
	return true;
}

static void phi_serve(void)
{
	struct phi_reply_recv both = {};
	char request[LEN];
	uint64_t ep;
	int ret;

	/* The parent's cspace is the parent's: make one, and hand out a token. */
	phi = do_open();
	need(!do_endpoint(phi, &ep), "endpoint");
	need(!do_seal(phi, ep, PHI_RIGHT_SEND, 0, 0, &phi_token), "seal");
	need(write(STDIN_FILENO, &phi_token, sizeof(phi_token)) > 0, "token");
	both.recv.size = sizeof(both.recv);
	both.reply.size = sizeof(both.reply);
	both.recv.endpoint = ep;
	both.recv.data = (uintptr_t)request;
	both.recv.len = sizeof(request);
	both.reply.data = (uintptr_t)data;
	both.reply.len = LEN;
	ret = ioctl(phi, PHI_IOC_RECV, &both.recv);
	while (!ret) {
		both.reply.reply = both.recv.reply;
		both.recv.len = sizeof(request);
		ret = PHI_DO(phi, REPLY_RECV, &both);
	}
}

static uint64_t phi_to;

static void phi_ask(void)
{
	struct phi_call call = {
		.endpoint = phi_to,
		.data = (uintptr_t)data,
		.len = LEN,
		.reply_data = (uintptr_t)data,
		.reply_len = sizeof(data),
	};

	need(!PHI_DO(phi, CALL, &call), "call");
}

static void phi_loop(void)
{
	struct phi_recv recv;

	need(!do_send(phi, phi_ep, data, LEN), "send");
	need(!do_recv(phi, phi_ep, data, sizeof(data), &recv), "recv");
}

/* Whatever is read and written: pipes, sockets, eventfds */

static int to_server[2], to_client[2];
static size_t fd_len = LEN;

static bool pipe_open(void)
{
	fd_len = LEN;
	need(!pipe(to_server) && !pipe(to_client), "pipe");
	return true;
}

static bool seqpacket_open(void)
{
	int a[2], b[2];

	fd_len = LEN;
	need(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, a) &&
		     !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, b),
	     "socketpair");
	memcpy(to_server, a, sizeof(a));
	memcpy(to_client, b, sizeof(b));
	return true;
}

static bool eventfd_open(void)
{
	fd_len = sizeof(uint64_t);
	to_server[0] = eventfd(0, 0);
	to_server[1] = to_server[0];
	to_client[0] = eventfd(0, 0);
	to_client[1] = to_client[0];
	need(to_client[0] >= 0, "eventfd");
	return true;
}

static void fd_move(int from, int to)
{
	char in[LEN];

	need(read(from, in, fd_len) == (ssize_t)fd_len, "read");
	need(write(to, in, fd_len) == (ssize_t)fd_len, "write");
}

static void fd_serve(void)
{
	ready();
	for (;;)
		fd_move(to_server[0], to_client[1]);
}

static const uint64_t one[LEN / 8] = { 1 };

static void fd_ask(void)
{
	char in[LEN];

	need(write(to_server[1], one, fd_len) == (ssize_t)fd_len, "write");
	need(read(to_client[0], in, fd_len) == (ssize_t)fd_len, "read");
}

static void fd_loop(void)
{
	char in[LEN];

	need(write(to_client[1], one, fd_len) == (ssize_t)fd_len, "write");
	need(read(to_client[0], in, fd_len) == (ssize_t)fd_len, "read");
}

/* POSIX message queues */

static mqd_t mq_server, mq_client;

static bool mq_open_both(void)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = PHI_MSG_MAX };

	mq_server = mq_open("/phi-bench-a", O_RDWR | O_CREAT, 0600, &attr);
	mq_client = mq_open("/phi-bench-b", O_RDWR | O_CREAT, 0600, &attr);
	need(mq_server >= 0 && mq_client >= 0, "mq_open");
	mq_unlink("/phi-bench-a");
	mq_unlink("/phi-bench-b");
	return true;
}

static void mq_serve(void)
{
	ready();
	for (;;) {
		need(mq_receive(mq_server, data, sizeof(data), NULL) == LEN,
		     "mq_receive");
		need(!mq_send(mq_client, data, LEN, 0), "mq_send");
	}
}

static void mq_ask(void)
{
	need(!mq_send(mq_server, data, LEN, 0), "mq_send");
	need(mq_receive(mq_client, data, sizeof(data), NULL) == LEN,
	     "mq_receive");
}

static void mq_loop(void)
{
	need(!mq_send(mq_client, data, LEN, 0), "mq_send");
	need(mq_receive(mq_client, data, sizeof(data), NULL) == LEN,
	     "mq_receive");
}

static void binder_answer(void)
{
	binder_serve(ready);
}

static const struct transport transports[] = {
	{ "phi", phi_open, phi_serve, phi_ask, phi_loop },
	{ "pipe", pipe_open, fd_serve, fd_ask, fd_loop },
	{ "unix-seqpacket", seqpacket_open, fd_serve, fd_ask, fd_loop },
	{ "eventfd", eventfd_open, fd_serve, fd_ask, fd_loop },
	{ "posix-mq", mq_open_both, mq_serve, mq_ask, mq_loop },
	{ "binder", binder_open, binder_answer, binder_ask, NULL },
};

#define TRANSPORTS (sizeof(transports) / sizeof(*transports))

static pid_t serve(const struct transport *t)
{
	int link[2];
	pid_t pid;
	char c;

	need(!socketpair(AF_UNIX, SOCK_STREAM, 0, link), "socketpair");
	pid = fork();
	need(pid >= 0, "fork");
	if (!pid) {
		dup2(link[1], STDIN_FILENO);
		close(link[0]);
		t->serve();
		_exit(0);
	}
	close(link[1]);
	if (t->serve == phi_serve) {
		need(read(link[0], &phi_token, sizeof(phi_token)) ==
			     sizeof(phi_token),
		     "token");
		need(!do_unseal(phi, &phi_token, &phi_to), "unseal");
	} else {
		need(read(link[0], &c, 1) == 1, "server");
	}
	close(link[0]);
	return pid;
}

static void print(const char *what, const char *name, double ns, double phi_ns)
{
	printf("%s.%s %.0f ns %.2f\n", what, name, ns, ns / phi_ns);
	fflush(stdout);
}

/* Memory to another: a MEMORY capability, or a memfd in SCM_RIGHTS. */

static uint64_t region;
static int memfd;

static void region_pass(void)
{
	struct phi_recv recv;

	need(!do_send_cap(phi, phi_ep, region, 0, PHI_RIGHT_ALL), "send");
	need(!do_recv(phi, phi_ep, data, sizeof(data), &recv), "recv");
	need(!do_drop(phi, recv.caps[0].cap), "drop");
}

static void memfd_pass(void)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { data, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	int fd;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &memfd, sizeof(int));
	need(sendmsg(to_client[1], &msg, 0) == 1, "sendmsg");
	msg.msg_controllen = sizeof(control);
	need(recvmsg(to_client[0], &msg, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	need(!close(fd), "close");
}

int main(void)
{
	double base = 0, loops[TRANSPORTS] = {};

	for (size_t i = 0; i < TRANSPORTS; i++) {
		const struct transport *t = &transports[i];
		double ns;
		pid_t pid;

		if (!t->open())
			continue;
		pid = serve(t);
		ns = median(t->ask);
		if (!i)
			base = ns;
		print("round-trip", t->name, ns, base);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (t->loop)
			loops[i] = median(t->loop);
	}
	for (size_t i = 0; i < TRANSPORTS; i++) {
		if (loops[i])
			print("to-oneself", transports[i].name, loops[i],
			      loops[0]);
	}
	need(!do_region(phi, 1 << 20, 0, &region), "region");
	memfd = memfd_create("bench", MFD_CLOEXEC);
	need(memfd >= 0 && !ftruncate(memfd, 1 << 20), "memfd");
	seqpacket_open();
	base = median(region_pass);
	print("pass-memory", "phi", base, base);
	print("pass-memory", "memfd-scm-rights", median(memfd_pass), base);
	return 0;
}
