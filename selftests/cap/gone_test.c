// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dead handles must not keep an object, its pages, the quota of its maker or a
 * place in a table. Two users: the maker is root; the keeper, a child of the
 * test with another uid, never drops its handle.
 */

#include "kselftest_harness.h"

#include <sys/socket.h>

#include "infer_ioctl.h"
#include "phi_message.h"

#define SOMEBODY 4242
#define BYTES (64ULL << 20)
/* Long enough to set a test up on a slow machine. */
#define SOON_NS (4000 * MS)
#define OTHERS 3000
#define ALL (PHI_RIGHT_ALL & ~(PHI_RIGHT_SEND | PHI_RIGHT_RECV))

FIXTURE(gone)
{
	int phi;
	struct phi_system_stats before;
};

FIXTURE_SETUP(gone)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
}

FIXTURE_TEARDOWN(gone)
{
	EXPECT_TRUE(do_settled(self->phi, &self->before));
	close(self->phi);
}

/*
 * The keeper: opens a cspace, unseals what comes through the socket, answers,
 * and holds it until the socket closes. Then it says what it sees.
 */
static int keep(void *arg, bool poll)
{
	int socket = dup2(*(int *)arg, 3), phi, ret = become(SOMEBODY);
	struct phi_token token;
	uint64_t cap = 0;

	/* The maker's cspace must end with the maker's descriptor. */
	if (ret || socket != 3 || close_range(4, ~0U, 0))
		return ret ?: -errno;
	phi = do_open();
	if (phi < 0)
		return phi;
	if (read(socket, &token, sizeof(token)) != sizeof(token))
		return -EIO;
	ret = do_unseal(phi, &token, &cap);
	if (!ret && poll)
		ret = do_endpoint_fd(phi, cap) < 0 ? -EIO : 0;
	if (write(socket, &ret, sizeof(ret)) != sizeof(ret))
		return -EIO;
	if (read(socket, &ret, sizeof(ret)) != 0)
		return -EIO;
	return do_probe(phi, cap);
}

struct keeper {
	uint32_t rights;
	bool polls;
	int socket;
	pid_t pid;
	struct phi_system_stats before;
};

/* Start a keeper of what is sealed; its cspace is part of what was before. */
static int keeper_take(struct keeper *keeper, const struct phi_token *token)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	keeper->pid = fork();
	if (!keeper->pid) {
		close(pair[0]);
		_exit(-keep(&pair[1], keeper->polls));
	}
	close(pair[1]);
	keeper->socket = pair[0];
	if (write(pair[0], token, sizeof(*token)) != sizeof(*token) ||
	    read(pair[0], &ret, sizeof(ret)) != sizeof(ret))
		return -EIO;
	return ret;
}

static int keeper_start(struct keeper *keeper, int phi, uint64_t cap)
{
	struct phi_token token;

	return do_seal(phi, cap, keeper->rights, 0, 0, &token) ?:
		       keeper_take(keeper, &token);
}

/* Return: the errno that the keeper's handle gives in the end, or 0. */
static int keeper_ask(struct keeper *keeper)
{
	int status;

	close(keeper->socket);
	if (waitpid(keeper->pid, &status, 0) != keeper->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void wait_until(uint64_t when_ns)
{
	while (boottime_ns() < when_ns)
		usleep(10000);
}

/* With a keeper about: nothing but its cspace is more than before. */
static bool all_gone(int phi, const struct phi_system_stats *before)
{
	struct phi_system_stats want = *before;

	want.cspaces++;
	return do_settled(phi, &want);
}

/* The same in the call that revoked or dropped: all figures, at one look. */
static bool gone_at_once(int phi, const struct phi_system_stats *before)
{
	struct phi_system_stats want = *before, now;

	want.cspaces++;
	return !do_stats(phi, &now) &&
	       !memcmp(&now, &want, offsetof(struct phi_system_stats, limit));
}

TEST_F(gone, pages_after_a_revoke)
{
	struct keeper keeper = {};
	uint64_t region;

	ASSERT_EQ(0, do_region(self->phi, BYTES, 0, &region));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, region));
	ASSERT_EQ(0, do_revoke(self->phi, region));
	ASSERT_EQ(0, do_drop(self->phi, region));
	EXPECT_TRUE(gone_at_once(self->phi, &self->before));
	EXPECT_EQ(EKEYREVOKED, keeper_ask(&keeper));
}

/* The handles that the chain went through are dropped, not revoked. */
TEST_F(gone, chain_after_a_revoke)
{
	uint64_t region, middle, last;
	struct keeper keeper = {};

	ASSERT_EQ(0, do_region(self->phi, getpagesize(), 0, &region));
	ASSERT_EQ(0, do_derive(self->phi, region, ALL, &middle));
	ASSERT_EQ(0, do_derive(self->phi, middle, ALL, &last));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, last));
	ASSERT_EQ(0, do_drop(self->phi, last));
	ASSERT_EQ(0, do_drop(self->phi, middle));
	ASSERT_EQ(0, do_revoke(self->phi, region));
	ASSERT_EQ(0, do_drop(self->phi, region));
	EXPECT_TRUE(gone_at_once(self->phi, &self->before));
	EXPECT_EQ(EKEYREVOKED, keeper_ask(&keeper));
}

/* A live one keeps the object; its expiry is enough, nobody touches it. */
TEST_F(gone, pages_after_an_expiry)
{
	uint64_t region, child, when;
	struct keeper keeper = {};

	ASSERT_EQ(0, do_region(self->phi, BYTES, 0, &region));
	when = boottime_ns() + SOON_NS;
	ASSERT_EQ(0, do_derive_until(self->phi, region, ALL, when, 0, &child));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, child));
	ASSERT_EQ(0, do_drop(self->phi, region));
	ASSERT_EQ(0, do_drop(self->phi, child));
	wait_until(when);
	EXPECT_TRUE(all_gone(self->phi, &self->before));
	EXPECT_EQ(EKEYEXPIRED, keeper_ask(&keeper));
}

/* The next to expire may be dropped before, or be made after others. */
TEST_F(gone, expiries_in_any_order)
{
	uint64_t region, child[8], now = boottime_ns();

	ASSERT_EQ(0, do_region(self->phi, getpagesize(), 0, &region));
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, do_derive_until(self->phi, region, ALL,
					     now + (50 + i * 5 % 8) * MS, 0,
					     &child[i]));
	}
	ASSERT_EQ(0, do_drop(self->phi, child[0]));
	ASSERT_EQ(0, do_drop(self->phi, region));
	for (int tries = 0; tries < 500; tries++) {
		struct phi_system_stats stats;

		ASSERT_EQ(0, do_stats(self->phi, &stats));
		if (stats.objects[0] == self->before.objects[0])
			break;
		ASSERT_NE(499, tries);
		usleep(10000);
	}
	for (int i = 1; i < 8; i++) {
		EXPECT_EQ(-EKEYEXPIRED, do_probe(self->phi, child[i]));
		EXPECT_EQ(0, do_drop(self->phi, child[i]));
	}
}

/* Make @n objects that end when the only capability to them expires. */
static int notifies_until(int phi, unsigned int n, uint64_t when_ns)
{
	uint64_t cap, child;
	int ret = 0;

	while (!ret && n--) {
		ret = do_notify(phi, &cap);
		if (!ret)
			ret = do_derive_until(phi, cap, PHI_RIGHT_READ, when_ns,
					      0, &child);
		if (!ret)
			ret = do_drop(phi, cap);
	}
	return ret;
}

/*
 * Wait until the region is gone, which expired last. Return: whether others,
 * which expired before, were still there.
 */
static bool overtaken(int phi, const struct phi_system_stats *before)
{
	struct phi_system_stats now;

	do {
		if (do_stats(phi, &now))
			return false;
	} while (now.objects[PHI_TYPE_MEMORY] >
		 before->objects[PHI_TYPE_MEMORY]);
	return now.objects[PHI_TYPE_NOTIFY] > before->objects[PHI_TYPE_NOTIFY];
}

/*
 * One that expires waits for none of another user's that expired before. Where
 * the machine looks elsewhere too long to see that, it is done again.
 */
TEST_F_TIMEOUT(gone, expiry_waits_for_no_other_user, 300)
{
	uint64_t region, child, when;
	bool seen = false;

	for (int tries = 0; tries < 20 && !seen; tries++) {
		int other = do_open_as(SOMEBODY);

		ASSERT_LE(0, other);
		when = boottime_ns() + SOON_NS;
		ASSERT_EQ(0, notifies_until(other, OTHERS, when));
		ASSERT_EQ(0, do_region(self->phi, getpagesize(), 0, &region));
		ASSERT_EQ(0, do_derive_until(self->phi, region, ALL, when + 1,
					     0, &child));
		ASSERT_EQ(0, do_drop(self->phi, region));
		wait_until(when - 50 * MS);
		seen = overtaken(self->phi, &self->before);
		EXPECT_EQ(0, do_drop(self->phi, child));
		close(other);
		ASSERT_TRUE(do_settled(self->phi, &self->before));
	}
	EXPECT_TRUE(seen);
}

/* Nobody reads the mailbox; what is queued there is dead. */
TEST_F(gone, queued_in_a_mailbox)
{
	struct phi_system_stats stats;
	uint64_t region, ep;
	struct phi_recv arg;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_region(self->phi, BYTES, 0, &region));
	ASSERT_EQ(0, do_send_cap(self->phi, ep, region, 0, PHI_RIGHT_ALL));
	ASSERT_EQ(0, do_revoke(self->phi, region));
	ASSERT_EQ(0, do_drop(self->phi, region));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.used[PHI_QUOTA_PAGES],
		  stats.used[PHI_QUOTA_PAGES]);
	EXPECT_EQ(self->before.objects[PHI_TYPE_MEMORY],
		  stats.objects[PHI_TYPE_MEMORY]);
	/* It arrives dead, and still says what it was. */
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &arg));
	ASSERT_EQ(1, arg.ncaps);
	EXPECT_EQ(PHI_TYPE_MEMORY, arg.caps[0].type);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, arg.caps[0].cap));
	EXPECT_EQ(0, do_drop(self->phi, arg.caps[0].cap));
	EXPECT_EQ(0, do_drop(self->phi, ep));
}

/* A dead handle can be listed and dropped, and sealed no more. */
TEST_F(gone, dead_handles_are_stubs)
{
	uint64_t region, child, handles[2];
	struct phi_system_stats stats;
	struct phi_token token;
	uint32_t count, total;

	ASSERT_EQ(0, do_region(self->phi, getpagesize(), 0, &region));
	ASSERT_EQ(0, do_derive(self->phi, region, ALL, &child));
	ASSERT_EQ(0, do_seal(self->phi, child, 0, 0, 0, &token));
	ASSERT_EQ(0, do_revoke(self->phi, region));
	ASSERT_EQ(0, do_drop(self->phi, region));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.objects[0], stats.objects[0]);
	EXPECT_EQ(self->before.used[PHI_QUOTA_CAPS] + 1,
		  stats.used[PHI_QUOTA_CAPS]);
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, child));
	EXPECT_EQ(-EKEYREVOKED, do_derive(self->phi, child, 0, &region));
	EXPECT_EQ(-EKEYREVOKED, do_unseal(self->phi, &token, &region));
	EXPECT_EQ(-EKEYREVOKED, do_seal(self->phi, child, 0, 0, 0, &token));
	EXPECT_EQ(-EKEYREVOKED, do_same(self->phi, child, child));
	ASSERT_EQ(0, do_list(self->phi, handles, 2, &count, &total));
	EXPECT_EQ(1, total);
	EXPECT_EQ(child, handles[0]);
	EXPECT_EQ(0, do_drop(self->phi, child));
}

/* Nor is it chosen any more. */
TEST_F(gone, unit_after_a_revoke)
{
	struct phi_unit_query query;
	struct phi_infer_select select;
	struct phi_infer_begin begin;
	struct phi_system_stats before;
	struct keeper keeper = {};
	uint64_t id, model, cap;
	uint32_t unit;
	int other = do_open();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, do_model(other, 1, 0, &id, &model));
	ASSERT_EQ(0, do_stats(self->phi, &before));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &unit, &cap));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, cap));
	ASSERT_EQ(0, do_unit_query(self->phi, unit, &query));
	ASSERT_EQ(0, do_begin(other, model, 1, &begin));
	ASSERT_EQ(unit, begin.unit);
	ASSERT_EQ(0, do_end(other, begin.ticket, 0));
	ASSERT_EQ(0, do_select(other, model, 1, &select));
	ASSERT_EQ(0, do_revoke(self->phi, cap));
	ASSERT_EQ(0, do_drop(self->phi, cap));
	EXPECT_TRUE(gone_at_once(self->phi, &before));
	EXPECT_EQ(-ENOENT, do_unit_query(self->phi, unit, &query));
	EXPECT_EQ(-ENOENT, do_begin(other, model, 1, &begin));
	EXPECT_EQ(-ENOENT, do_select(other, model, 1, &select));
	EXPECT_EQ(EKEYREVOKED, keeper_ask(&keeper));
	close(other);
}

/* Revoking the endpoint reaches the models behind it. */
TEST_F(gone, model_after_a_revoke)
{
	struct phi_model_register model = { .max_batch = 1, .name = "gone" };
	struct phi_model_query query = {};
	struct phi_system_stats stats;
	struct keeper keeper = {};
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	model.endpoint = ep;
	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_REGISTER, &model));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, model.cap));
	ASSERT_EQ(0, do_drop(self->phi, model.cap));
	query.id = model.id;
	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_QUERY, &query));
	ASSERT_EQ(model.id, query.id);
	ASSERT_EQ(0, do_revoke(self->phi, ep));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.objects[PHI_TYPE_MODEL],
		  stats.objects[PHI_TYPE_MODEL]);
	query.id = model.id;
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, MODEL_QUERY, &query));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	EXPECT_TRUE(gone_at_once(self->phi, &self->before));
	EXPECT_EQ(EKEYREVOKED, keeper_ask(&keeper));
}

/* The daemon is gone; a client's handle, alive, leads nowhere. */
TEST_F(gone, model_of_a_dead_endpoint)
{
	struct phi_model_register model = { .max_batch = 1, .name = "gone" };
	struct phi_model_query query = {};
	int daemon = do_open();
	struct keeper keeper = {};

	ASSERT_LE(0, daemon);
	ASSERT_EQ(0, do_endpoint(daemon, (uint64_t *)&model.endpoint));
	ASSERT_EQ(0, PHI_DO(daemon, MODEL_REGISTER, &model));
	ASSERT_EQ(0, keeper_start(&keeper, daemon, model.cap));
	close(daemon);
	query.id = model.id;
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, MODEL_QUERY, &query));
	EXPECT_EQ(0, keeper_ask(&keeper));
}

/* A daemon: registers a model, gives it away, and stays until it is killed. */
static pid_t daemon_start(struct phi_token *token)
{
	uint64_t id, cap;
	int pair[2], phi;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		phi = do_open();
		if (phi < 0 || do_model(phi, 1, 0, &id, &cap) ||
		    do_seal(phi, cap, 0, 0, 0, token) ||
		    write(pair[1], token, sizeof(*token)) != sizeof(*token))
			_exit(1);
		for (;;)
			pause();
	}
	close(pair[1]);
	if (read(pair[0], token, sizeof(*token)) != sizeof(*token))
		pid = -EIO;
	close(pair[0]);
	return pid;
}

static int daemon_kill(pid_t pid)
{
	return kill(pid, SIGKILL)	    ? -errno :
	       waitpid(pid, NULL, 0) == pid ? 0 :
					      -ECHILD;
}

/* Models in the list that have the name of do_model()'s. */
static int models_listed(int phi)
{
	struct phi_model_query query = {};
	int n = 0;

	while (!PHI_DO(phi, MODEL_QUERY, &query)) {
		n += !strcmp((char *)query.name, "model");
		query = (struct phi_model_query){ .id = query.id + 1 };
	}
	return n;
}

/* A daemon that was killed starts again, while clients have the old model. */
TEST_F(gone, model_of_a_killed_daemon)
{
	struct keeper keeper = {};
	struct phi_token token;
	pid_t daemon;

	daemon = daemon_start(&token);
	ASSERT_LT(0, daemon);
	ASSERT_EQ(0, keeper_take(&keeper, &token));
	EXPECT_EQ(1, models_listed(self->phi));
	ASSERT_EQ(0, daemon_kill(daemon));
	EXPECT_EQ(0, models_listed(self->phi));
	daemon = daemon_start(&token);
	ASSERT_LT(0, daemon);
	EXPECT_EQ(1, models_listed(self->phi));
	ASSERT_EQ(0, daemon_kill(daemon));
	EXPECT_EQ(0, keeper_ask(&keeper));
}

/* An endpoint dies with its last receiver, also when that one expires. */
TEST_F(gone, endpoint_whose_receiver_expires)
{
	struct phi_call arg = {};
	struct job job = JOB(self->phi, CALL, &arg);
	uint64_t ep, to, from;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &to));
	ASSERT_EQ(0, do_derive_until(self->phi, ep, PHI_RIGHT_RECV,
				     boottime_ns() + SOON_NS, 0, &from));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	arg.endpoint = to;
	ASSERT_EQ(0, job_start(&job));
	EXPECT_EQ(-EPIPE, job_join(&job));
	EXPECT_EQ(-EPIPE, do_send(self->phi, to, "x", 1));
	EXPECT_EQ(-EKEYEXPIRED, do_take(self->phi, from));
	EXPECT_EQ(0, do_drop(self->phi, to));
	EXPECT_EQ(0, do_drop(self->phi, from));
}

/* A file to poll an endpoint with does not keep it. */
TEST_F(gone, endpoint_that_is_polled)
{
	struct keeper keeper = {
		.rights = PHI_RIGHT_SEND | PHI_RIGHT_RECV,
		.polls = true,
	};
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, keeper_start(&keeper, self->phi, ep));
	ASSERT_EQ(0, do_revoke(self->phi, ep));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	EXPECT_TRUE(all_gone(self->phi, &self->before));
	EXPECT_EQ(EKEYREVOKED, keeper_ask(&keeper));
}

/* Neither does a REPLY for which nobody waits. */
TEST_F(gone, endpoint_of_an_unanswered_call)
{
	struct phi_call arg = {};
	struct job job = JOB(self->phi, CALL, &arg);
	struct phi_system_stats stats;
	struct phi_recv recv;
	uint64_t ep, to;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &to));
	arg.endpoint = to;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv_soon(self->phi, ep, NULL, 0, &recv));
	ASSERT_EQ(0, do_revoke(self->phi, ep));
	EXPECT_EQ(-EKEYREVOKED, job_join(&job));
	ASSERT_EQ(0, do_drop(self->phi, ep));
	ASSERT_EQ(0, do_stats(self->phi, &stats));
	EXPECT_EQ(self->before.objects[PHI_TYPE_ENDPOINT],
		  stats.objects[PHI_TYPE_ENDPOINT]);
	EXPECT_EQ(-EPIPE, do_reply(self->phi, recv.reply, "late", 4));
	EXPECT_EQ(0, do_drop(self->phi, to));
}

/* A wide and deep subtree goes, in whatever order it was made. */
TEST_F(gone, a_bush)
{
	uint64_t region, caps[400];
	struct phi_system_stats stats;
	int phi = do_open();

	ASSERT_LE(0, phi);
	ASSERT_EQ(0, do_region(phi, getpagesize(), 0, &region));
	for (int i = 0; i < 400; i++) {
		uint64_t from = i < 20 ? region : caps[i % 20];

		if (i >= 200)
			from = caps[i - 180];
		ASSERT_EQ(0, do_derive(phi, from, ALL, &caps[i]));
	}
	/* Some were dropped: their children hold the tree together. */
	for (int i = 0; i < 400; i += 3)
		ASSERT_EQ(0, do_drop(phi, caps[i]));
	ASSERT_EQ(0, do_revoke(phi, region));
	for (int i = 0; i < 400; i++) {
		EXPECT_EQ(i % 3 ? -EKEYREVOKED : -EBADF,
			  do_probe(phi, caps[i]));
	}
	ASSERT_EQ(0, do_drop(phi, region));
	ASSERT_EQ(0, do_stats(phi, &stats));
	EXPECT_EQ(self->before.objects[0], stats.objects[0]);
	EXPECT_EQ(self->before.used[PHI_QUOTA_CAPS] + 400 - 134,
		  stats.used[PHI_QUOTA_CAPS]);
	for (int i = 0; i < 400; i++) {
		if (i % 3)
			EXPECT_EQ(0, do_drop(phi, caps[i]));
	}
	close(phi);
}

TEST_HARNESS_MAIN
