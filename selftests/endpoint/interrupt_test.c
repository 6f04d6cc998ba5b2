// SPDX-License-Identifier: GPL-2.0-only
/* What ends a call that the server has seen, and what does not. */

#include "kselftest_harness.h"

#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/rseq.h>
#include <unistd.h>

#include "lib/phi_message.h"

/* A thread that calls, while io_uring waits for an event on its behalf. */
struct caller {
	pthread_t thread;
	int phi;
	int event;
	int result;
	unsigned int done;
	struct phi_call arg;
};

FIXTURE(interrupt)
{
	int server;
	uint64_t ep;
	struct caller caller;
	struct phi_recv recv;
	char data[16];
};

/*
 * Threads with restartable sequences are given work after each switch, and do
 * all that there is: nobody would notice that some was forgotten. How long the
 * C library made the area is its secret.
 */
static int forgo_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	for (uint32_t len = 20; __rseq_size && len <= 512; len++) {
		if (!syscall(SYS_rseq, area, len, RSEQ_FLAG_UNREGISTER,
			     RSEQ_SIG))
			return 0;
	}
	return __rseq_size ? -EINVAL : 0;
}

static void *call(void *arg)
{
	struct caller *c = arg;
	struct io_uring ring;
	struct io_uring_sqe *sqe;

	c->result = forgo_rseq();
	if (c->result)
		return NULL;
	c->result = io_uring_queue_init(4, &ring, 0);
	if (c->result)
		return NULL;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_poll_add(sqe, c->event, POLLIN);
	io_uring_submit(&ring);
	c->result = PHI_DO(c->phi, CALL, &c->arg);
	c->done = io_uring_cq_ready(&ring);
	io_uring_queue_exit(&ring);
	return NULL;
}

static void ignore(int sig)
{
	(void)sig;
}

FIXTURE_SETUP(interrupt)
{
	struct sigaction action = { .sa_handler = ignore };
	struct caller *c = &self->caller;
	int tries = 0;
	uint64_t to;

	self->server = do_open();
	ASSERT_LE(0, self->server)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	c->phi = do_open();
	ASSERT_LE(0, c->phi);
	ASSERT_EQ(0, do_endpoint(self->server, &self->ep));
	ASSERT_EQ(0,
		  do_give(self->server, self->ep, PHI_RIGHT_SEND, c->phi, &to));
	c->arg.endpoint = to;
	c->arg.reply_data = (uintptr_t)self->data;
	c->arg.reply_len = sizeof(self->data);
	c->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, c->event);
	ASSERT_EQ(0, pthread_create(&c->thread, NULL, call, c));
	while (do_recv(self->server, self->ep, NULL, 0, &self->recv) ==
	       -EAGAIN) {
		ASSERT_GT(10000, tries++);
		usleep(1000);
	}
}

FIXTURE_TEARDOWN(interrupt)
{
	close(self->caller.event);
	close(self->caller.phi);
	close(self->server);
}

/* Let io_uring have something to do in the thread that calls. */
static void happen(struct caller *c)
{
	eventfd_write(c->event, 1);
	usleep(100000);
}

TEST_F(interrupt, work_of_io_uring_waits)
{
	struct caller *c = &self->caller;

	happen(c);
	EXPECT_EQ(0, do_reply(self->server, self->recv.reply, "answer", 6));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(0, c->result);
	EXPECT_EQ(0, memcmp(self->data, "answer", 6));
	/* It was put off, and not forgotten. */
	EXPECT_EQ(1, c->done);
}

TEST_F(interrupt, a_signal_ends_it_all_the_same)
{
	struct caller *c = &self->caller;

	happen(c);
	ASSERT_EQ(0, pthread_kill(c->thread, SIGUSR1));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(-EINTR, c->result);
	EXPECT_EQ(1, c->done);
	EXPECT_EQ(-EPIPE, do_reply(self->server, self->recv.reply, "late", 4));
}

TEST_F(interrupt, so_does_the_death_of_the_server)
{
	struct caller *c = &self->caller;

	happen(c);
	ASSERT_EQ(0, do_drop(self->server, self->recv.reply));
	ASSERT_EQ(0, pthread_join(c->thread, NULL));
	EXPECT_EQ(-EPIPE, c->result);
	EXPECT_EQ(1, c->done);
}

TEST_HARNESS_MAIN
