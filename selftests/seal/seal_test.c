// SPDX-License-Identifier: GPL-2.0-only

#include "kselftest_harness.h"

#include <endian.h>
#include <sched.h>
#include <sys/prctl.h>

#include "phi_ioctl.h"

#define RIGHTS \
	(PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_ADMIN | PHI_RIGHT_GRANT)
#define SOMEBODY 4242
#define OTHER 4243

FIXTURE(seal)
{
	int phi;
	uint64_t root;
	struct phi_token token;
	struct phi_system_stats before;
};

FIXTURE_SETUP(seal)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	ASSERT_EQ(0, do_notify(self->phi, &self->root));
	ASSERT_EQ(0,
		  do_seal(self->phi, self->root, RIGHTS, 0, 0, &self->token));
}

FIXTURE_TEARDOWN(seal)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
}

TEST_F(seal, roundtrip)
{
	struct phi_cap_query query;
	uint64_t out, far;
	int other = do_open();

	EXPECT_EQ(PHI_TOKEN_LEN, sizeof(struct phi_token));
	EXPECT_EQ(PHI_TYPE_NOTIFY, self->token.type);
	EXPECT_EQ(RIGHTS, self->token.rights);
	EXPECT_EQ(getpid(), le32toh(self->token.owner_pid));
	ASSERT_EQ(0, do_unseal(self->phi, &self->token, &out));
	EXPECT_EQ(1, do_same(self->phi, self->root, out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(PHI_TYPE_NOTIFY, query.type);
	EXPECT_EQ(RIGHTS, query.rights);
	EXPECT_EQ(2, query.depth);

	/* More than once, and anywhere. */
	ASSERT_EQ(0, do_unseal(self->phi, &self->token, &out));
	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_unseal(other, &self->token, &far));
	EXPECT_EQ(0, do_probe(other, far));
	close(other);
}

/* Send a capability to oneself: it comes back in another slot. */
static int move_around(int phi, uint64_t *cap)
{
	struct phi_send send = {
		.flags = PHI_NONBLOCK,
		.ncaps = 1,
		.caps = { { *cap, PHI_XFER_MOVE, PHI_RIGHT_ALL } },
	};
	struct phi_recv recv = { .flags = PHI_NONBLOCK };
	uint64_t ep;
	int ret = do_endpoint(phi, &ep);

	send.endpoint = ep;
	recv.endpoint = ep;
	if (!ret)
		ret = PHI_DO(phi, SEND, &send);
	if (!ret)
		ret = PHI_DO(phi, RECV, &recv);
	*cap = recv.caps[0].cap;
	return ret ?: do_drop(phi, ep);
}

/* A sender of a moved capability keeps no way back to it. */
TEST_F(seal, a_move_kills_tokens)
{
	struct phi_token token;
	uint64_t out;

	ASSERT_EQ(0, move_around(self->phi, &self->root));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &self->token, &out));
	/* One that is made where it is now works, and the old one never does. */
	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, 0, &token));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &self->token, &out));
	ASSERT_EQ(0, move_around(self->phi, &self->root));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &self->token, &out));
}

/* Many at once, found again through a table that grows and shrinks. */
TEST_F(seal, thousands_at_once)
{
	enum { MANY = 3000 };
	struct phi_token *token = calloc(MANY, sizeof(*token));
	uint64_t cap[MANY], out;

	ASSERT_NE(NULL, token);
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &cap[i]));
		ASSERT_EQ(0, do_seal(self->phi, cap[i], 0, 0, 0, &token[i]));
	}
	for (int i = 0; i < MANY; i += 2)
		ASSERT_EQ(0, do_drop(self->phi, cap[i]));
	for (int i = 0; i < MANY; i++) {
		EXPECT_EQ(i % 2 ? 0 : -EKEYREVOKED,
			  do_unseal(self->phi, &token[i], &out));
	}
	free(token);
}

TEST_F(seal, carries_badge_and_fewer_rights)
{
	struct phi_cap_query query;
	uint64_t endpoint, badged, out;
	struct phi_token token;

	ASSERT_EQ(0, do_endpoint(self->phi, &endpoint));
	ASSERT_EQ(0, do_derive_until(self->phi, endpoint,
				     PHI_RIGHT_SEND | PHI_RIGHT_GRANT, 0, 99,
				     &badged));
	ASSERT_EQ(0, do_seal(self->phi, badged, PHI_RIGHT_SEND, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(99, query.badge);
	EXPECT_EQ(PHI_RIGHT_SEND, query.rights);
	EXPECT_EQ(3, query.depth);
}

TEST_F(seal, refuses_bad_input)
{
	struct phi_cap_seal arg = { .flags = 1 };
	struct phi_cap_unseal unseal = { .flags = 1 };
	struct phi_token token;
	uint64_t weak, out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_SEAL, &arg));
	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_UNSEAL, &unseal));
	EXPECT_EQ(-EBADF, do_seal(self->phi, 0, 0, 0, 0, &token));
	EXPECT_EQ(-EFAULT, do_seal(self->phi, self->root, 0, 0, 0, NULL));
	EXPECT_EQ(-EFAULT, do_unseal(self->phi, NULL, &out));
	EXPECT_EQ(-EPERM, do_seal(self->phi, self->root,
				  RIGHTS | PHI_RIGHT_EXEC, 0, 0, &token));
	EXPECT_EQ(-EPERM, do_seal(self->phi, self->root, 0x100, 0, 0, &token));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS & ~PHI_RIGHT_GRANT,
			       &weak));
	EXPECT_EQ(-EPERM, do_seal(self->phi, weak, 0, 0, 0, &token));
	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &weak));
	EXPECT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_seal(self->phi, weak, 0, 0, 0, &token));
}

TEST_F(seal, every_damaged_bit_is_refused)
{
	uint64_t out;

	for (unsigned int bit = 0; bit < 8 * sizeof(self->token); bit++) {
		struct phi_token token = self->token;

		((uint8_t *)&token)[bit / 8] ^= 1 << bit % 8;
		ASSERT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out))
		{
			TH_LOG("bit %u", bit);
		}
	}
	EXPECT_EQ(0, do_unseal(self->phi, &self->token, &out));
}

TEST_F(seal, forged_ones_are_refused)
{
	struct phi_token token = self->token;
	uint64_t out;

	memset(token.mac, 0, sizeof(token.mac));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
	memset(&token, 0, sizeof(token));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
	memset(&token, 0xff, sizeof(token));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
	/* The MAC of another token. */
	ASSERT_EQ(0,
		  do_seal(self->phi, self->root, PHI_RIGHT_READ, 0, 0, &token));
	token.rights = RIGHTS;
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
}

TEST_F(seal, revocation_kills_tokens)
{
	struct phi_token token;
	uint64_t child, out;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &child));
	ASSERT_EQ(0, do_seal(self->phi, child, RIGHTS, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_revoke(self->phi, child));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
	/* A new token of the same capability works, the old one stays dead. */
	ASSERT_EQ(0, do_seal(self->phi, child, RIGHTS, 0, 0, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(0, do_unseal(self->phi, &self->token, &out));
	/* Above it. */
	ASSERT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &self->token, &out));
}

TEST_F(seal, drop_kills_tokens)
{
	struct phi_token token;
	uint64_t child, kept, out;

	ASSERT_EQ(0, do_derive(self->phi, self->root, RIGHTS, &child));
	ASSERT_EQ(0, do_seal(self->phi, child, RIGHTS, 0, 0, &token));
	/* A child of it keeps the node, but not the token, alive. */
	ASSERT_EQ(0, do_unseal(self->phi, &token, &kept));
	ASSERT_EQ(0, do_drop(self->phi, child));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(0, do_probe(self->phi, kept));
	ASSERT_EQ(0, do_drop(self->phi, kept));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
}

TEST_F(seal, closing_kills_tokens)
{
	struct phi_token token;
	uint64_t cap, out;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_notify(other, &cap));
	ASSERT_EQ(0, do_seal(other, cap, RIGHTS, 0, 0, &token));
	close(other);
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &out));
}

TEST_F(seal, expiry)
{
	struct phi_cap_query query;
	struct phi_token token, later;
	uint64_t soon = boottime_ns() + 1500000000;
	uint64_t child, out;

	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, soon, &token));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_query(self->phi, out, &query));
	EXPECT_EQ(soon, query.expires_ns);

	/* Never later than the capability it was made from. */
	ASSERT_EQ(0, do_derive_until(self->phi, self->root, RIGHTS, soon, 0,
				     &child));
	ASSERT_EQ(0, do_seal(self->phi, child, RIGHTS, 0, soon + 1, &later));
	EXPECT_EQ(soon, le64toh(later.expires_ns));
	ASSERT_EQ(0, do_seal(self->phi, child, RIGHTS, 0, 0, &later));
	EXPECT_EQ(soon, le64toh(later.expires_ns));

	while (boottime_ns() < soon)
		usleep(1000);
	EXPECT_EQ(-EKEYEXPIRED, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(-EKEYEXPIRED, do_unseal(self->phi, &later, &out));
	EXPECT_EQ(-EKEYEXPIRED,
		  do_seal(self->phi, child, RIGHTS, 0, 0, &later));
	EXPECT_EQ(0, do_unseal(self->phi, &self->token, &out));
}

TEST_F(seal, depth_counts)
{
	struct phi_token token;
	uint64_t cap = self->root, out;

	for (int depth = 2; depth <= PHI_DEPTH_MAX; depth++) {
		ASSERT_EQ(0, do_derive(self->phi, cap, RIGHTS, &cap));
	}
	ASSERT_EQ(0, do_seal(self->phi, cap, RIGHTS, 0, 0, &token));
	EXPECT_EQ(-ELOOP, do_unseal(self->phi, &token, &out));
}

/* Run by another user, on a cspace of its own. */
static int unseal_as_somebody(void *arg)
{
	uint64_t out;
	int ret = become(SOMEBODY), phi;

	if (ret)
		return ret;
	phi = do_open();
	return phi < 0 ? phi : do_unseal(phi, arg, &out);
}

TEST_F(seal, audience)
{
	struct phi_token token;
	uint64_t out;

	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, SOMEBODY + 1, 0,
			     &token));
	EXPECT_EQ(SOMEBODY + 1, le32toh(token.audience));
	/* Not even root may, nor whoever made it. */
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(0, in_child(unseal_as_somebody, &token));
	ASSERT_EQ(0,
		  do_seal(self->phi, self->root, RIGHTS, OTHER + 1, 0, &token));
	EXPECT_EQ(-EKEYREJECTED, in_child(unseal_as_somebody, &token));
	/* Root is uid 0, so its audience is 1. */
	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 1, 0, &token));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(-EKEYREJECTED, in_child(unseal_as_somebody, &token));
	/* For any, a stranger's as well. */
	EXPECT_EQ(0, in_child(unseal_as_somebody, &self->token));
	/* A stranger learns nothing from one that is dead either. */
	EXPECT_EQ(0, do_revoke(self->phi, self->root));
	EXPECT_EQ(-EKEYREJECTED, in_child(unseal_as_somebody, &token));
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

/* In a namespace whose only user, 0, is SOMEBODY outside. */
static int seal_in_namespace(void *arg)
{
	struct phi_token token;
	uint64_t cap;
	int ret = become(SOMEBODY), phi;

	(void)arg;
	if (ret)
		return ret;
	if (prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER))
		return -errno;
	ret = write_file("/proc/self/uid_map", "0 4242 1");
	if (ret)
		return ret;
	phi = do_open();
	if (phi < 0)
		return phi;
	ret = do_notify(phi, &cap);
	if (!ret)
		ret = do_seal(phi, cap, RIGHTS, 1, 0, &token);
	if (ret)
		return ret;
	if (le32toh(token.audience) != SOMEBODY + 1)
		return 1;
	/* A uid that the namespace does not have. */
	if (do_seal(phi, cap, RIGHTS, 2, 0, &token) != -EINVAL)
		return 2;
	return 0;
}

TEST_F(seal, audience_is_of_the_callers_namespace)
{
	EXPECT_EQ(0, in_child(seal_in_namespace, NULL));
}

static int rekey_as_somebody(void *arg)
{
	uint32_t key;
	int ret = become(SOMEBODY), phi;

	(void)arg;
	if (ret)
		return ret;
	phi = do_open();
	return phi < 0 ? phi : do_rekey(phi, &key);
}

/* What the host calls a process is none of its namespace's business. */
TEST_F(seal, sealer_is_named_as_it_knows_itself)
{
	struct phi_token token;
	uint64_t cap;
	int phi, status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (unshare(CLONE_NEWPID))
			_exit(2);
		pid = fork();
		if (pid) {
			waitpid(pid, &status, 0);
			_exit(WEXITSTATUS(status));
		}
		phi = do_open();
		if (phi < 0 || do_notify(phi, &cap) ||
		    do_seal(phi, cap, RIGHTS, 0, 0, &token))
			_exit(3);
		_exit(le32toh(token.owner_pid) != 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(seal, rekey_kills_old_tokens_at_the_second_time)
{
	struct phi_cap_rekey arg = { .flags = 1 };
	struct phi_token token;
	uint32_t first, second;
	uint64_t out;

	EXPECT_EQ(-EOPNOTSUPP, PHI_DO(self->phi, CAP_REKEY, &arg));
	arg = (struct phi_cap_rekey){ .pad = 1 };
	EXPECT_EQ(-EINVAL, PHI_DO(self->phi, CAP_REKEY, &arg));
	EXPECT_EQ(-EPERM, in_child(rekey_as_somebody, NULL));
	EXPECT_EQ(0, do_unseal(self->phi, &self->token, &out));

	ASSERT_EQ(0, do_rekey(self->phi, &first));
	EXPECT_NE(le16toh(self->token.key_id), first);
	EXPECT_EQ(0, do_unseal(self->phi, &self->token, &out));
	ASSERT_EQ(0, do_seal(self->phi, self->root, RIGHTS, 0, 0, &token));
	EXPECT_EQ(first, le16toh(token.key_id));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));

	ASSERT_EQ(0, do_rekey(self->phi, &second));
	EXPECT_NE(first, second);
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &self->token, &out));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_rekey(self->phi, &second));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
}

/* Whoever unseals pays for what it gets. */
static int unseal_and_count(void *arg)
{
	struct phi_system_stats stats;
	uint64_t out;
	int ret = become(SOMEBODY), phi;

	if (ret)
		return ret;
	phi = do_open();
	if (phi < 0)
		return phi;
	ret = do_unseal(phi, arg, &out);
	if (!ret)
		ret = do_stats(phi, &stats);
	return ret ?: (int)stats.used[PHI_QUOTA_CAPS];
}

TEST_F(seal, the_unsealer_pays)
{
	EXPECT_EQ(1, in_child(unseal_and_count, &self->token));
}

TEST_HARNESS_MAIN
