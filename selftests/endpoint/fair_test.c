// SPDX-License-Identifier: GPL-2.0-only
/* One user beside another at an endpoint: turns go by user. */

#include "kselftest_harness.h"

#include "lib/phi_message.h"

#define CSPACES 40

FIXTURE(fair)
{
	int phi;
	uint64_t ep;
	struct phi_system_stats before;
	struct phi_token token;
};

FIXTURE_SETUP(fair)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_seal(self->phi, self->ep, PHI_RIGHT_SEND, 0, 0,
			     &self->token));
}

FIXTURE_TEARDOWN(fair)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

struct sender {
	const struct phi_token *token;
	uid_t uid;
	int cspaces;
	int messages; /* from each */
	char name;
};

static int send_all(void *arg)
{
	const struct sender *s = arg;
	int ret = become(s->uid);

	for (int i = 0; !ret && i < s->cspaces; i++) {
		char data[2] = { s->name, (char)i };
		int phi = do_open();
		uint64_t to;

		ret = phi < 0 ? phi : do_unseal(phi, s->token, &to);
		for (int n = 0; !ret && n < s->messages; n++)
			ret = do_send(phi, to, data, sizeof(data));
	}
	return ret;
}

/* However many cspaces a user has, another waits for one message of it. */
TEST_F(fair, turns_are_by_user)
{
	struct sender many = { &self->token, 1001, CSPACES, 2, 'm' };
	struct sender one = { &self->token, 1002, 1, 3, 'o' };
	struct phi_recv recv;
	char data[2], order[8] = {};

	ASSERT_EQ(0, in_child(send_all, &many));
	ASSERT_EQ(0, in_child(send_all, &one));
	for (int i = 0; i < 7; i++) {
		ASSERT_EQ(0, do_recv(self->phi, self->ep, data, 2, &recv));
		order[i] = data[0];
	}
	EXPECT_STREQ("momomom", order);
	while (!do_take(self->phi, self->ep))
		;
}

/* And its own cspaces take turns among themselves. */
TEST_F(fair, then_by_cspace)
{
	struct sender two = { &self->token, 1001, 2, 3, 't' };
	struct phi_recv recv;
	char data[2];

	ASSERT_EQ(0, in_child(send_all, &two));
	for (int i = 0; i < 6; i++) {
		ASSERT_EQ(0, do_recv(self->phi, self->ep, data, 2, &recv));
		EXPECT_EQ(i % 2, data[1]);
	}
}

TEST_HARNESS_MAIN
