// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <dirent.h>
#include <liburing.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>

#include "file.h"
#include "phi_message.h"

/*
 * The calls through io_uring. A kernel whose io_uring is switched off skips
 * them: everything works by ioctl as well.
 */
FIXTURE(ring)
{
	int phi;
	uint64_t ep;
	struct io_uring ring;
	struct phi_system_stats before;
};

FIXTURE_SETUP(ring)
{
	int ret = io_uring_queue_init(64, &self->ring, 0);

	if (ret == -EPERM || ret == -ENOSYS)
		SKIP(return, "io_uring is switched off");
	ASSERT_EQ(0, ret);
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
}

FIXTURE_TEARDOWN(ring)
{
	io_uring_queue_exit(&self->ring);
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

static struct io_uring_sqe *prepare(struct io_uring *ring, int phi,
				    uint32_t cmd, void *arg, uint64_t tag)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	uint64_t pointer = (uintptr_t)arg;

	/* The tests never have more on their way than the ring holds. */
	if (!sqe)
		abort();
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = phi;
	sqe->cmd_op = cmd;
	sqe->user_data = tag;
	memcpy(sqe->cmd, &pointer, sizeof(pointer));
	return sqe;
}

#define PREPARE(_ring, _phi, _cmd, _arg, _tag)                  \
	({                                                      \
		__typeof__(_arg) _p = (_arg);                   \
		_p->size = sizeof(*_p);                         \
		prepare(_ring, _phi, PHI_IOC_##_cmd, _p, _tag); \
	})

/* The next completion: its result, and whose it is. */
static int complete(struct io_uring *ring, uint64_t *tag)
{
	struct __kernel_timespec limit = { .tv_sec = 20 };
	struct io_uring_cqe *cqe;
	int ret = io_uring_wait_cqe_timeout(ring, &cqe, &limit);

	if (ret)
		return -EBADE;
	if (tag)
		*tag = cqe->user_data;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

static bool nothing_yet(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;

	usleep(30000);
	return io_uring_peek_cqe(ring, &cqe) == -EAGAIN;
}

TEST_F(ring, calls_that_do_not_wait)
{
	struct phi_notify_create create = {};
	struct phi_notify_signal signal = { .bits = 3 };
	uint64_t bits;

	PREPARE(&self->ring, self->phi, NOTIFY_CREATE, &create, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, complete(&self->ring, NULL));
	ASSERT_EQ(0, do_probe(self->phi, create.cap));
	signal.notify = create.cap;
	PREPARE(&self->ring, self->phi, NOTIFY_SIGNAL, &signal, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, complete(&self->ring, NULL));
	ASSERT_EQ(0, do_bits(self->phi, create.cap, 3, &bits));
	EXPECT_EQ(3, bits);
}

TEST_F(ring, send_and_recv)
{
	struct phi_send send = {
		.endpoint = self->ep,
		.data = (uintptr_t)"hello",
		.len = 5,
	};
	char data[16] = {};
	struct phi_recv recv = {
		.endpoint = self->ep,
		.data = (uintptr_t)data,
		.len = sizeof(data),
	};
	uint64_t tag;

	PREPARE(&self->ring, self->phi, RECV, &recv, 2);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_TRUE(nothing_yet(&self->ring));
	PREPARE(&self->ring, self->phi, SEND, &send, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, complete(&self->ring, &tag));
	EXPECT_EQ(5, recv.len);
	EXPECT_STREQ("hello", data);
}

/* How an event loop does it: no worker waits anywhere. */
TEST_F(ring, poll_and_take)
{
	struct phi_recv recv = { .endpoint = self->ep, .flags = PHI_NONBLOCK };
	int fd = do_endpoint_fd(self->phi, self->ep);
	struct io_uring_cqe *cqe;
	uint64_t tag;

	ASSERT_LE(0, fd);
	io_uring_prep_poll_multishot(io_uring_get_sqe(&self->ring), fd, POLLIN);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_TRUE(nothing_yet(&self->ring));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, do_send(self->phi, self->ep, NULL, 0));
		ASSERT_EQ(POLLIN, complete(&self->ring, NULL) & POLLIN);
		PREPARE(&self->ring, self->phi, RECV, &recv, 5);
		ASSERT_EQ(1, io_uring_submit(&self->ring));
		/* Done at submission. */
		ASSERT_EQ(0, io_uring_peek_cqe(&self->ring, &cqe));
		EXPECT_EQ(0, complete(&self->ring, &tag));
		EXPECT_EQ(5, tag);
	}
	close(fd);
}

TEST_F(ring, many_wait_at_once)
{
	struct phi_recv recv[32] = {};
	unsigned long seen = 0;
	uint64_t n;

	for (uint64_t i = 0; i < 32; i++) {
		recv[i].endpoint = self->ep;
		recv[i].data = (uintptr_t)&recv[i].badge;
		PREPARE(&self->ring, self->phi, RECV, &recv[i], i);
	}
	ASSERT_EQ(32, io_uring_submit(&self->ring));
	EXPECT_TRUE(nothing_yet(&self->ring));
	for (int i = 0; i < 32; i++) {
		while (do_send(self->phi, self->ep, NULL, 0) == -EAGAIN)
			usleep(1000);
	}
	for (int i = 0; i < 32; i++) {
		EXPECT_EQ(0, complete(&self->ring, &n));
		seen |= 1UL << n;
	}
	EXPECT_EQ((1UL << 32) - 1, seen);
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
}

TEST_F(ring, call_is_answered)
{
	struct phi_recv recv = { .endpoint = self->ep };
	uint64_t answer = 0;
	struct phi_call call = {
		.endpoint = self->ep,
		.reply_data = (uintptr_t)&answer,
		.reply_len = sizeof(answer),
	};

	PREPARE(&self->ring, self->phi, CALL, &call, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, PHI_DO(self->phi, RECV, &recv));
	EXPECT_TRUE(nothing_yet(&self->ring));
	ASSERT_EQ(0, do_reply(self->phi, recv.reply, "answers", 8));
	EXPECT_EQ(0, complete(&self->ring, NULL));
	EXPECT_EQ(8, call.reply_len);
	EXPECT_EQ(0, memcmp(&answer, "answers", 8));
}

/* Is any thread of this process a worker of io_uring? */
static bool has_workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	char path[300], comm[32];
	struct dirent *entry;
	bool found = false;
	FILE *f;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			 entry->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f))
			found |= !strncmp(comm, "iou-wrk", 7);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A call that must not wait runs at submission, and not again in a worker. */
TEST_F(ring, calls_that_find_nothing_complete_at_once)
{
	struct phi_recv recv = { .endpoint = self->ep, .flags = PHI_NONBLOCK };
	struct io_uring_cqe *cqe;

	for (int i = 0; i < 100; i++) {
		PREPARE(&self->ring, self->phi, RECV, &recv, 1);
		ASSERT_EQ(1, io_uring_submit(&self->ring));
		ASSERT_EQ(0, io_uring_peek_cqe(&self->ring, &cqe));
		ASSERT_EQ(-EAGAIN, complete(&self->ring, NULL));
	}
	EXPECT_FALSE(has_workers());
	/* One that may wait does it in a worker. */
	recv.flags = 0;
	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	while (!has_workers())
		sched_yield();
	ASSERT_EQ(0, do_send(self->phi, self->ep, NULL, 0));
	EXPECT_EQ(0, complete(&self->ring, NULL));
}

#define TRACING "/sys/kernel/tracing"
#define EVENT TRACING "/events/phi/phi_call_enter"

/* How many calls with a number the trace shows, before the hooks are asked. */
static int traced(unsigned int nr)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[512], want[64];
	int n = 0;

	snprintf(want, sizeof(want), "phi_call_enter: nr=0x%02x ", nr);
	while (trace && fgets(line, sizeof(line), trace))
		n += !!strstr(line, want);
	if (trace)
		fclose(trace);
	return n;
}

/* The hooks see each call once: one that runs at once, and one that waits. */
TEST_F(ring, hooks_see_a_call_once)
{
	struct phi_recv recv = { .endpoint = self->ep, .flags = PHI_NONBLOCK };

	if (access(EVENT, F_OK))
		ASSERT_EQ(0, mount("tracefs", TRACING, "tracefs", 0, NULL));
	ASSERT_EQ(0, put_text(TRACING "/trace", ""));
	ASSERT_EQ(0, put_text(EVENT "/enable", "1"));
	for (int i = 0; i < 20; i++) {
		PREPARE(&self->ring, self->phi, RECV, &recv, 1);
		ASSERT_EQ(1, io_uring_submit(&self->ring));
		ASSERT_EQ(-EAGAIN, complete(&self->ring, NULL));
	}
	EXPECT_EQ(20, traced(_IOC_NR(PHI_IOC_RECV)));
	recv.flags = 0;
	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, do_send(self->phi, self->ep, NULL, 0));
	EXPECT_EQ(0, complete(&self->ring, NULL));
	EXPECT_EQ(21, traced(_IOC_NR(PHI_IOC_RECV)));
	EXPECT_EQ(0, put_text(EVENT "/enable", "0"));
	EXPECT_EQ(0, put_text(TRACING "/trace", ""));
}

TEST_F(ring, an_answer_goes_out_once)
{
	struct phi_call call = { .endpoint = self->ep };
	struct job job = JOB(self->phi, CALL, &call);
	struct phi_reply_recv both = {};
	struct phi_recv recv;

	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, NULL, 0, &recv));
	both.reply.size = sizeof(both.reply);
	both.reply.reply = recv.reply;
	both.recv.size = sizeof(both.recv);
	both.recv.endpoint = self->ep;
	both.recv.flags = PHI_NONBLOCK;
	PREPARE(&self->ring, self->phi, REPLY_RECV, &both, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-EAGAIN, complete(&self->ring, NULL));
	EXPECT_EQ(0, both.reply.reply);
	EXPECT_EQ(0, both.reply_error);
	EXPECT_EQ(0, job_join(&job));
}

TEST_F(ring, errors_are_those_of_the_ioctl)
{
	struct phi_notify_wait wait = { .mask = 1 };
	struct phi_recv recv = { .endpoint = self->ep, .flags = PHI_NONBLOCK };
	uint64_t notify, weak;

	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-EAGAIN, complete(&self->ring, NULL));
	recv.flags = 0;
	recv.deadline_ns = monotonic_ns() + 50 * MS;
	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-ETIMEDOUT, complete(&self->ring, NULL));
	recv.endpoint = 0;
	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-EBADF, complete(&self->ring, NULL));
	PREPARE(&self->ring, self->phi, RECV, &recv, 1);
	recv.size = 8;
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-EINVAL, complete(&self->ring, NULL));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_derive(self->phi, notify, PHI_RIGHT_READ, &weak));
	wait.notify = weak;
	PREPARE(&self->ring, self->phi, NOTIFY_WAIT, &wait, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_TRUE(nothing_yet(&self->ring));
	ASSERT_EQ(0, do_revoke(self->phi, notify));
	EXPECT_EQ(-EKEYREVOKED, complete(&self->ring, NULL));
}

TEST_F(ring, refuses_what_is_no_call)
{
	const uint32_t bad[] = {
		0,
		1, /* a number alone */
		_IO('Q', 1),
		_IOR('P', 1, int),
		_IO('P', 0xef),
		PHI_IOC_RECV | 1U << 31,
	};
	struct phi_recv recv = { .size = sizeof(recv), .endpoint = self->ep };

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		prepare(&self->ring, self->phi, bad[i], &recv, 1);
		ASSERT_EQ(1, io_uring_submit(&self->ring));
		EXPECT_EQ(-ENOTTY, complete(&self->ring, NULL));
	}
	prepare(&self->ring, self->phi, PHI_IOC_RECV, (void *)8, 1);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_EQ(-EFAULT, complete(&self->ring, NULL));
}

/* Cancel what is tagged 7. Return: how it ends. */
static int cancel(struct io_uring *ring)
{
	uint64_t tag[2] = { 0, 0 };
	int ret[2];

	io_uring_prep_cancel64(io_uring_get_sqe(ring), 7, 0);
	if (io_uring_submit(ring) != 1)
		return -EBADE;
	for (int i = 0; i < 2; i++)
		ret[i] = complete(ring, &tag[i]);
	return tag[0] == 7 ? ret[0] : tag[1] == 7 ? ret[1] : -EBADE;
}

TEST_F(ring, waiting_recv_is_cancelled)
{
	struct phi_recv recv = { .endpoint = self->ep };
	int ret;

	PREPARE(&self->ring, self->phi, RECV, &recv, 7);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	EXPECT_TRUE(nothing_yet(&self->ring));
	ret = cancel(&self->ring);
	EXPECT_TRUE(ret == -ECANCELED || ret == -EINTR);
	/* It took no message along. */
	ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
	EXPECT_EQ(0, do_take(self->phi, self->ep));
}

/* A worker is told by what is, in other threads, work to be put off. */
TEST_F(ring, call_that_was_taken_is_cancelled)
{
	struct phi_recv recv = { .endpoint = self->ep };
	struct phi_call call = { .endpoint = self->ep };
	int ret;

	PREPARE(&self->ring, self->phi, CALL, &call, 7);
	ASSERT_EQ(1, io_uring_submit(&self->ring));
	ASSERT_EQ(0, PHI_DO(self->phi, RECV, &recv));
	EXPECT_TRUE(nothing_yet(&self->ring));
	ret = cancel(&self->ring);
	EXPECT_TRUE(ret == -ECANCELED || ret == -EINTR);
	EXPECT_EQ(-EPIPE, do_reply(self->phi, recv.reply, "late", 4));
}

static int exit_while_waiting(void *arg)
{
	static struct phi_recv recv;
	static struct phi_call call;
	struct io_uring ring;
	uint64_t ep;
	int phi = do_open();

	(void)arg;
	if (phi < 0 || io_uring_queue_init(8, &ring, 0) ||
	    do_endpoint(phi, &ep))
		return -1;
	recv.endpoint = ep;
	PREPARE(&ring, phi, RECV, &recv, 1);
	PREPARE(&ring, phi, RECV, &recv, 2);
	if (do_endpoint(phi, &ep))
		return -1;
	call.endpoint = ep;
	PREPARE(&ring, phi, CALL, &call, 3);
	if (io_uring_submit(&ring) != 3 || !nothing_yet(&ring))
		return -2;
	return 0; /* and exit, with all of them waiting */
}

TEST_F(ring, process_exits_while_calls_wait)
{
	struct phi_system_stats before;

	ASSERT_EQ(0, do_stats(self->phi, &before));
	EXPECT_EQ(0, in_child(exit_while_waiting, NULL));
	EXPECT_TRUE(do_settled(self->phi, &before));
}

TEST_F(ring, ring_closes_while_calls_wait)
{
	struct phi_recv recv = { .endpoint = self->ep };
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init(4, &ring, 0));
	PREPARE(&ring, self->phi, RECV, &recv, 1);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_TRUE(nothing_yet(&ring));
	io_uring_queue_exit(&ring);
	/* The ring ends in the background. */
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, do_send(self->phi, self->ep, "x", 1));
		usleep(10000);
		if (!do_take(self->phi, self->ep))
			break;
		ASSERT_NE(999, i);
	}
}

/* A cspace is its opener's, whatever way the call comes. */
static int recv_by_ring(void *arg)
{
	struct phi_recv recv = {};
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0))
		return -1;
	PREPARE(&ring, *(int *)arg, RECV, &recv, 1);
	if (io_uring_submit(&ring) != 1)
		return -2;
	return complete(&ring, NULL);
}

TEST_F(ring, another_process_is_refused)
{
	EXPECT_EQ(-EPERM, in_child(recv_by_ring, &self->phi));
}

TEST_HARNESS_MAIN
