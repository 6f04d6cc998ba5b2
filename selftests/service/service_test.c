// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <linux/capability.h>
#include <netinet/in.h>

#include "phi_message.h"

FIXTURE(service)
{
	int phi;
	uint64_t ep;
	struct phi_system_stats before;
};

FIXTURE_SETUP(service)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_endpoint(self->phi, &self->ep));
}

FIXTURE_TEARDOWN(service)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(service, message_shows_badge_type_and_rights)
{
	const uint32_t rights = PHI_RIGHT_SEND | PHI_RIGHT_READ |
				PHI_RIGHT_GRANT;
	struct phi_cap_query query;
	struct phi_recv arg;
	uint64_t file, weak;
	char byte;

	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, rights, 99,
			     &file));
	ASSERT_EQ(0, do_query(self->phi, file, &query));
	EXPECT_EQ(PHI_TYPE_FILE, query.type);
	EXPECT_EQ(rights, query.rights);
	EXPECT_EQ(99, query.badge);
	EXPECT_EQ(2, query.depth);
	ASSERT_EQ(0, do_send(self->phi, file, "x", 1));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, &byte, 1, &arg));
	EXPECT_EQ(PHI_TYPE_FILE, arg.type);
	EXPECT_EQ(rights, arg.rights);
	EXPECT_EQ(99, arg.badge);
	/* A weaker one shows its weaker rights, and the same badge. */
	ASSERT_EQ(0, do_derive(self->phi, file, PHI_RIGHT_SEND, &weak));
	ASSERT_EQ(0, do_send(self->phi, weak, "x", 1));
	ASSERT_EQ(0, do_recv(self->phi, self->ep, &byte, 1, &arg));
	EXPECT_EQ(PHI_RIGHT_SEND, arg.rights);
	EXPECT_EQ(99, arg.badge);
}

static int mint_until(int phi, uint64_t ep, uint32_t type, uint64_t badge,
		      uint64_t expires_ns, uint64_t *out)
{
	struct phi_cap_mint arg = {
		.endpoint = ep,
		.type = type,
		.rights = PHI_RIGHT_SEND,
		.badge = badge,
		.expires_ns = expires_ns,
	};
	int ret = PHI_DO(phi, CAP_MINT, &arg);

	*out = arg.out;
	return ret;
}

TEST_F(service, expires)
{
	const uint64_t port = PHI_NETWORK_BADGE(IPPROTO_TCP, 8080);
	uint64_t soon = boottime_ns() + 300 * MS, weak, cap[3];
	struct phi_cap_query query;

	ASSERT_EQ(0, mint_until(self->phi, self->ep, PHI_TYPE_FILE, 7, soon,
				&cap[0]));
	ASSERT_EQ(0, mint_until(self->phi, self->ep, PHI_TYPE_NETWORK, port,
				soon, &cap[1]));
	ASSERT_EQ(0, do_query(self->phi, cap[0], &query));
	EXPECT_EQ(soon, query.expires_ns);
	EXPECT_EQ(7, query.badge);
	/* The endpoint's own time is the end of what is minted from it. */
	ASSERT_EQ(0, do_derive_until(self->phi, self->ep,
				     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN, soon, 0,
				     &weak));
	ASSERT_EQ(0, mint_until(self->phi, weak, PHI_TYPE_FILE, 7,
				soon + 3600000 * MS, &cap[2]));
	ASSERT_EQ(0, do_query(self->phi, cap[2], &query));
	EXPECT_EQ(soon, query.expires_ns);
	while (boottime_ns() < soon)
		usleep(10000);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(-EKEYEXPIRED, do_send(self->phi, cap[i], "x", 1));
	}
	EXPECT_EQ(0, do_probe(self->phi, self->ep));
}

TEST_F(service, needs_send_to_send)
{
	uint64_t file;

	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, PHI_RIGHT_READ,
			     1, &file));
	EXPECT_EQ(-EPERM, do_send(self->phi, file, "x", 1));
}

TEST_F(service, dies_with_the_endpoint)
{
	uint64_t file;

	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, PHI_RIGHT_ALL,
			     1, &file));
	ASSERT_EQ(0, do_drop(self->phi, self->ep));
	EXPECT_EQ(-EPIPE, do_send(self->phi, file, "x", 1));
}

TEST_F(service, dies_with_the_capability_it_was_minted_from)
{
	uint64_t file;

	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, PHI_RIGHT_ALL,
			     1, &file));
	ASSERT_EQ(0, do_send(self->phi, file, "x", 1));
	ASSERT_EQ(0, do_revoke(self->phi, self->ep));
	EXPECT_EQ(-EKEYREVOKED, do_send(self->phi, file, "x", 1));
	/* What it had queued is flushed. */
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
}

TEST_F(service, revoke_of_the_object_reaches_the_endpoint)
{
	uint64_t file, child;
	struct phi_call arg = {};
	struct job job = JOB(self->phi, CALL, &arg);

	ASSERT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, PHI_RIGHT_ALL,
			     1, &file));
	ASSERT_EQ(0, do_derive(self->phi, file, PHI_RIGHT_SEND, &child));
	arg.endpoint = child;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_revoke(self->phi, file));
	EXPECT_EQ(-EKEYREVOKED, job_join(&job));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, self->ep));
	/* And a drop wakes who waits through it. */
	arg.endpoint = file;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_drop(self->phi, file));
	EXPECT_EQ(-EBADF, job_join(&job));
}

TEST_F(service, mint_refuses_bad_input)
{
	struct phi_cap_mint arg = {
		.endpoint = self->ep,
		.type = PHI_TYPE_FILE,
		.flags = 1,
	};
	uint64_t weak, notify, out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_MINT, &arg));
	for (uint32_t type = 0; type < 40; type++) {
		if (type == PHI_TYPE_FILE || type == PHI_TYPE_NETWORK)
			continue;
		EXPECT_EQ(-EINVAL,
			  do_mint(self->phi, self->ep, type, 1, 1, &out));
	}
	EXPECT_EQ(-EINVAL,
		  do_mint(self->phi, self->ep, PHI_TYPE_FILE, 0x100, 1, &out));
	EXPECT_EQ(-EBADF, do_mint(self->phi, 0, PHI_TYPE_FILE, 1, 1, &out));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	EXPECT_EQ(-EINVAL,
		  do_mint(self->phi, notify, PHI_TYPE_FILE, 1, 1, &out));
	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_SEND, &weak));
	EXPECT_EQ(-EPERM, do_mint(self->phi, weak, PHI_TYPE_FILE, 1, 1, &out));
}

/* Rights that the endpoint itself knows must be among the handle's. */
TEST_F(service, mint_gives_no_more_than_the_handle_has)
{
	const uint32_t own = PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_EXEC |
			     PHI_RIGHT_MAP;
	const uint32_t shared = PHI_RIGHT_SEND | PHI_RIGHT_RECV |
				PHI_RIGHT_GRANT;
	uint64_t admin, out;

	ASSERT_EQ(0, do_derive(self->phi, self->ep, PHI_RIGHT_ADMIN, &admin));
	for (uint32_t right = 1; right <= PHI_RIGHT_ALL; right <<= 1) {
		EXPECT_EQ(right & shared ? -EPERM : 0,
			  do_mint(self->phi, admin, PHI_TYPE_FILE, right, 1,
				  &out));
		EXPECT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_FILE, right,
				     1, &out));
	}
	EXPECT_EQ(0, do_mint(self->phi, admin, PHI_TYPE_FILE,
			     own | PHI_RIGHT_ADMIN, 1, &out));
	EXPECT_EQ(-EPERM,
		  do_mint(self->phi, admin, PHI_TYPE_NETWORK, PHI_RIGHT_SEND,
			  PHI_NETWORK_BADGE(IPPROTO_TCP, 80), &out));
}

TEST_F(service, a_badge_makes_no_other)
{
	const uint64_t tcp = PHI_NETWORK_BADGE(IPPROTO_TCP, 80);
	struct phi_cap_query query;
	uint64_t badged, out;

	ASSERT_EQ(0, do_derive_until(self->phi, self->ep,
				     PHI_RIGHT_SEND | PHI_RIGHT_ADMIN |
					     PHI_RIGHT_GRANT,
				     0, tcp, &badged));
	EXPECT_EQ(-EPERM, do_mint(self->phi, badged, PHI_TYPE_FILE,
				  PHI_RIGHT_SEND, 0, &out));
	EXPECT_EQ(-EPERM, do_mint(self->phi, badged, PHI_TYPE_FILE,
				  PHI_RIGHT_SEND, tcp + 1, &out));
	EXPECT_EQ(-EPERM, do_mint(self->phi, badged, PHI_TYPE_NETWORK,
				  PHI_RIGHT_SEND, tcp + 1, &out));
	ASSERT_EQ(0, do_mint(self->phi, badged, PHI_TYPE_NETWORK,
			     PHI_RIGHT_SEND, tcp, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(tcp, query.badge);
}

/* MODEL_REGISTER gives SEND, ADMIN and GRANT, so the endpoint's handle has them. */
TEST_F(service, model_register_gives_no_more_than_the_handle_has)
{
	const uint32_t need = PHI_RIGHT_SEND | PHI_RIGHT_ADMIN |
			      PHI_RIGHT_GRANT;
	struct phi_model_register arg = { .max_batch = 1, .name = "m" };
	uint64_t ep, weak, badged;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	for (uint32_t rights = 0; rights <= PHI_RIGHT_ALL; rights++) {
		if (rights & ~(need | PHI_RIGHT_RECV))
			continue;
		ASSERT_EQ(0, do_derive(self->phi, ep, rights, &weak));
		arg.endpoint = weak;
		EXPECT_EQ((rights & need) == need ? 0 : -EPERM,
			  PHI_DO(self->phi, MODEL_REGISTER, &arg));
	}
	ASSERT_EQ(0, do_derive_until(self->phi, ep, need, 0, 5, &badged));
	arg.endpoint = badged;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg.badge = 6;
	EXPECT_EQ(-EPERM, PHI_DO(self->phi, MODEL_REGISTER, &arg));
	arg.badge = 5;
	EXPECT_EQ(0, PHI_DO(self->phi, MODEL_REGISTER, &arg));
}

TEST_F(service, network_is_for_ports_of_tcp_and_udp)
{
	const uint64_t bad[] = {
		0,
		80,
		PHI_NETWORK_BADGE(1, 80),
		PHI_NETWORK_BADGE(255, 0),
		1ULL << 32 | PHI_NETWORK_BADGE(IPPROTO_TCP, 1),
		~0ULL,
	};
	uint64_t out;

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(-EINVAL, do_mint(self->phi, self->ep,
					   PHI_TYPE_NETWORK, 0, bad[i], &out));
	EXPECT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_NETWORK, 0,
			     PHI_NETWORK_BADGE(IPPROTO_UDP, 65535), &out));
	EXPECT_EQ(0, do_mint(self->phi, self->ep, PHI_TYPE_NETWORK, 0,
			     PHI_NETWORK_BADGE(IPPROTO_TCP, 0), &out));
}

static int drop_net_admin(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_NET_ADMIN);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int mint_without(void *arg)
{
	uint64_t ep, out;
	int phi;

	(void)arg;
	if (drop_net_admin())
		return -1;
	phi = do_open();
	if (phi < 0 || do_endpoint(phi, &ep))
		return -2;
	return do_mint(phi, ep, PHI_TYPE_NETWORK, 0,
		       PHI_NETWORK_BADGE(IPPROTO_TCP, 80), &out);
}

/* What the opener had at the time of the open counts. */
static int mint_with_older(void *arg)
{
	uint64_t ep, out;
	int phi = do_open();

	(void)arg;
	if (phi < 0 || do_endpoint(phi, &ep) || drop_net_admin())
		return -2;
	return do_mint(phi, ep, PHI_TYPE_NETWORK, 0,
		       PHI_NETWORK_BADGE(IPPROTO_TCP, 80), &out);
}

TEST_F(service, network_needs_net_admin)
{
	EXPECT_EQ(-EPERM, in_child(mint_without, NULL));
	EXPECT_EQ(0, in_child(mint_with_older, NULL));
}

TEST_HARNESS_MAIN
