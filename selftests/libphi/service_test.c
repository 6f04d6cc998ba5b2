// SPDX-License-Identifier: GPL-2.0-only
/* Endpoints in the loop of a daemon: each message once, and the end once. */
#include <errno.h>
#include <phi/service.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"

#define MESSAGES 300

static uint64_t in_seconds(unsigned int s)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((uint64_t)ts.tv_sec + s) * 1000000000 + (uint64_t)ts.tv_nsec;
}

FIXTURE(service)
{
	struct phi_service *s;
	struct phi_source *src;
	int phi;
	uint64_t ep;
	uint32_t want;
	uint32_t stop_at;
	int gone;
};

FIXTURE_VARIANT(service)
{
	unsigned int flags;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(service, uring) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(service, epoll) {
	.flags = PHI_SERVICE_EPOLL,
};

/* clang-format on */

static int late(void *arg)
{
	phi_service_exit(arg, -ETIME);
	return 0;
}

static int on_message(void *arg, struct phi_msg_in *in)
{
	struct _test_data_service *self = arg;
	uint32_t n;

	if (!in) {
		self->gone++;
		phi_service_exit(self->s, 0);
		return 0;
	}
	if (in->len != sizeof(n))
		return -EBADMSG;
	memcpy(&n, in->data, sizeof(n));
	if (n != self->want++)
		return -EILSEQ;
	if (self->want == self->stop_at)
		phi_service_exit(self->s, 0);
	return 0;
}

FIXTURE_SETUP(service)
{
	struct phi_source *t;

	self->want = 0;
	self->gone = 0;
	self->phi = phi_open(0);
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, phi_endpoint_create(self->phi, &self->ep));
	ASSERT_EQ(0, phi_service_new(variant->flags, &self->s));
	ASSERT_EQ(0, phi_service_timer(self->s, late, self->s, &t));
	phi_source_set(t, in_seconds(25));
	ASSERT_EQ(0, phi_service_endpoint(self->s, self->phi, self->ep,
					  on_message, self, &self->src));
}

FIXTURE_TEARDOWN(service)
{
	phi_service_free(self->s);
	phi_close(self->phi);
}

static void *sender(void *arg)
{
	struct _test_data_service *self = arg;
	struct phi_msg msg = { .len = sizeof(uint32_t) };

	for (uint32_t i = 0; i < MESSAGES; i++) {
		struct timespec nap = { .tv_nsec = 2000000 };

		msg.data = &i;
		if (phi_send(self->phi, self->ep, &msg, 0, in_seconds(20)))
			return "cannot send";
		/* Let the loop fall asleep now and then. */
		if (!(i % 50))
			nanosleep(&nap, NULL);
	}
	return NULL;
}

TEST_F(service, takes_each_message_once)
{
	pthread_t thread;
	void *complaint;

	self->stop_at = MESSAGES;
	ASSERT_EQ(0, pthread_create(&thread, NULL, sender, self));
	EXPECT_EQ(0, phi_service_run(self->s));
	ASSERT_EQ(0, pthread_join(thread, &complaint));
	EXPECT_EQ(NULL, complaint);
	EXPECT_EQ(MESSAGES, self->want);
}

TEST_F(service, leaves_what_it_was_stopped_before)
{
	struct phi_msg msg = { .len = sizeof(uint32_t) };

	for (uint32_t i = 0; i < 10; i++) {
		msg.data = &i;
		ASSERT_EQ(0, phi_send(self->phi, self->ep, &msg, 0,
				      in_seconds(20)));
	}
	self->stop_at = 4;
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(4, self->want);
	self->stop_at = 10;
	EXPECT_EQ(0, phi_service_run(self->s));
	EXPECT_EQ(10, self->want);
}

static void *let_go(void *arg)
{
	struct _test_data_service *self = arg;
	struct timespec nap = { .tv_nsec = 100000000 };

	nanosleep(&nap, NULL);
	return phi_cap_drop(self->phi, self->ep) ? "cannot drop" : NULL;
}

TEST_F(service, tells_of_the_end_once)
{
	struct phi_source *t;
	pthread_t thread;
	void *complaint;

	ASSERT_EQ(0, pthread_create(&thread, NULL, let_go, self));
	EXPECT_EQ(0, phi_service_run(self->s));
	ASSERT_EQ(0, pthread_join(thread, &complaint));
	EXPECT_EQ(NULL, complaint);
	EXPECT_EQ(1, self->gone);
	phi_source_kick(self->src);
	ASSERT_EQ(0, phi_service_timer(self->s, late, self->s, &t));
	phi_source_set(t, 1);
	EXPECT_EQ(-ETIME, phi_service_run(self->s));
	EXPECT_EQ(1, self->gone);
}

TEST_F(service, needs_a_right)
{
	uint64_t tx;

	ASSERT_EQ(0, phi_cap_derive(self->phi, self->ep, PHI_RIGHT_ADMIN, 0, 0,
				    &tx));
	EXPECT_EQ(-EPERM, phi_service_endpoint(self->s, self->phi, tx,
					       on_message, self, NULL));
	EXPECT_EQ(-EBADF, phi_service_endpoint(self->s, self->phi, 12345,
					       on_message, self, NULL));
}

TEST_HARNESS_MAIN
