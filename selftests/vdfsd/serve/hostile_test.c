// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients that break the rules of the wire: each is told so, and nobody else
 * notices.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/daemon.h"

#define STAGE (1 << 20)

/* A session that speaks the wire by hand. */
FIXTURE(hostile)
{
	struct daemon d;
	struct phi_vdfs *friend;
	int friend_phi;
	int phi;
	uint64_t life;
	uint64_t session;
	uint64_t region;
	char *mem;
	size_t len;
};

static int ask(int phi, uint64_t to, const void *data, uint32_t len,
	       uint64_t give, uint32_t rights, struct phi_vdfs_answer *answer,
	       uint64_t *got)
{
	struct phi_msg msg = { .data = data, .len = len, .ncaps = !!give };
	struct phi_msg_in in;
	int ret;

	msg.caps[0].cap = give;
	msg.caps[0].rights = give ? rights : 0;
	ret = phi_call(phi, to, &msg, &in, 0, now() + 60 * SECOND);
	if (ret)
		return ret;
	if (in.len != sizeof(*answer))
		return -EPROTO;
	memcpy(answer, in.data, sizeof(*answer));
	if (got)
		*got = in.ncaps ? in.caps[0].cap : 0;
	return answer->status;
}

FIXTURE_SETUP(hostile)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_ATTACH,
					.value = PHI_VDFS_VERSION };
	struct phi_vdfs_answer a;
	uint64_t cap;
	void *mem;

	ASSERT_EQ(0, daemon_new(&self->d));
	ASSERT_EQ(0, daemon_start(&self->d, "--threads 2"));
	ASSERT_EQ(0, session_new(&self->d, "vdfs", &self->friend_phi,
				 &self->friend));
	ASSERT_EQ(0, phi_vdfs_put(self->friend, "safe", 4, "safe", NULL));
	ASSERT_EQ(0, session_cap(&self->d, "vdfs", &self->phi, &cap));
	ASSERT_EQ(0, phi_endpoint_create(self->phi, &self->life));
	ASSERT_EQ(0, ask(self->phi, cap, &req, sizeof(req), self->life,
			 PHI_RIGHT_SEND, &a, &self->session));
	ASSERT_EQ(0, phi_region_create(self->phi, STAGE, 0, &self->region));
	ASSERT_EQ(0, phi_region_map(self->phi, self->region,
				    PROT_READ | PROT_WRITE, &mem, &self->len));
	self->mem = mem;
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_STAGE };
	ASSERT_EQ(0,
		  ask(self->phi, self->session, &req, sizeof(req), self->region,
		      PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP, &a,
		      NULL));
}

FIXTURE_TEARDOWN(hostile)
{
	struct phi_vdfs_stat st;

	/* Whatever happened, it serves others as before. */
	EXPECT_EQ(0, phi_vdfs_stat(self->friend, "safe", &st));
	phi_close(self->phi);
	session_end(self->friend_phi, self->friend);
	EXPECT_EQ(0, daemon_stop(&self->d, SIGTERM));
	EXPECT_EQ(0, daemon_check(&self->d));
	daemon_free(&self->d);
}

static int try(struct __test_metadata *_metadata, FIXTURE_DATA(hostile) * self,
	       const struct phi_vdfs_request *req)
{
	struct phi_vdfs_answer a;
	int ret = ask(self->phi, self->session, req, sizeof(*req), 0, 0, &a,
		      NULL);

	if (ret != -EPROTO)
		EXPECT_EQ(req->tag, a.tag);
	return ret;
}

SLOW_TEST(hostile, messages_that_make_no_sense_are_refused)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAT, .tag = 5 };
	struct phi_vdfs_answer a;
	uint64_t cap;
	uint32_t op;

	EXPECT_EQ(0, try(_metadata, self, &req));
	EXPECT_EQ(-EINVAL, ask(self->phi, self->session, &req, sizeof(req) - 1,
			       0, 0, &a, NULL));
	EXPECT_EQ(-EINVAL,
		  ask(self->phi, self->session, NULL, 0, 0, 0, &a, NULL));
	req.mode = 1;
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	req.mode = 0;
	req.flags = 0x80;
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	req.flags = 0;
	/* Operations there are not, and all there are with nothing given. */
	for (op = 0; op < PHI_VDFS_OPS + 8; op++) {
		int ret;

		req.op = op;
		if (op == PHI_VDFS_STAT || op == PHI_VDFS_PUT_BEGIN ||
		    op == PHI_VDFS_GC || op == PHI_VDFS_FSCK ||
		    op == PHI_VDFS_STATS || op == PHI_VDFS_QUOTA_GET ||
		    op == PHI_VDFS_QUOTA_SET || op == PHI_VDFS_ATTR_LIST ||
		    op == PHI_VDFS_PUT || op == PHI_VDFS_USAGE)
			continue;
		ret = try(_metadata, self, &req);
		EXPECT_EQ(-EINVAL, ret)
		{
			TH_LOG("op %u", op);
		}
	}
	req = (struct phi_vdfs_request){ .op = UINT32_MAX, .id = 1 };
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	/* A session asks for no session, what is published for nothing else. */
	ASSERT_EQ(0, session_cap(&self->d, "vdfs", &self->phi, &cap));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_STATS };
	EXPECT_EQ(-EINVAL,
		  ask(self->phi, cap, &req, sizeof(req), 0, 0, &a, NULL));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_ATTACH,
					 .value = PHI_VDFS_VERSION };
	EXPECT_EQ(-EINVAL,
		  ask(self->phi, cap, &req, sizeof(req), 0, 0, &a, NULL));
}

SLOW_TEST(hostile, spans_are_checked)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_STAT };

	memcpy(self->mem, "safe", 4);
	req.name.len = 4;
	EXPECT_EQ(0, try(_metadata, self, &req));
	req.name.at = STAGE;
	EXPECT_EQ(-ERANGE, try(_metadata, self, &req));
	req.name.at = UINT32_MAX;
	EXPECT_EQ(-ERANGE, try(_metadata, self, &req));
	req.name.at = STAGE - 2;
	EXPECT_EQ(-ERANGE, try(_metadata, self, &req));
	req.name = (struct phi_vdfs_span){ 0, PHI_VDFS_TEXT_MAX + 1 };
	EXPECT_EQ(-EMSGSIZE, try(_metadata, self, &req));
	req.name = (struct phi_vdfs_span){ 0, UINT32_MAX };
	EXPECT_EQ(-EMSGSIZE, try(_metadata, self, &req));
	/* A NUL would cut the name short unseen. */
	req.name = (struct phi_vdfs_span){ 0, 5 };
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_LIST };
	req.out = (struct phi_vdfs_span){ STAGE - 8, 64 };
	EXPECT_EQ(-ERANGE, try(_metadata, self, &req));
	req.out = (struct phi_vdfs_span){ 0, 8 };
	EXPECT_EQ(-EMSGSIZE, try(_metadata, self, &req));
}

SLOW_TEST(hostile, numbers_of_others_mean_nothing)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT_ABORT };
	uint64_t id, guess;

	ASSERT_EQ(0, phi_vdfs_put_begin(self->friend, 0, &id));
	for (guess = id - 4; guess < id + 4; guess++) {
		req.id = guess;
		EXPECT_EQ(-EBADF, try(_metadata, self, &req));
	}
	/* Nor does a thing of one kind pass for another. */
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_PUT_BEGIN };
	EXPECT_EQ(0, try(_metadata, self, &req));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_BLOB_CLOSE };
	for (req.id = 1 << 16; req.id < (1 << 16) + 16; req.id++)
		EXPECT_EQ(-EBADF, try(_metadata, self, &req));
	EXPECT_EQ(0, phi_vdfs_put_end(self->friend, id, NULL, NULL, NULL));
}

SLOW_TEST(hostile, records_are_checked)
{
	struct phi_vdfs_params params = { .dim = 2, .mode = 0644 };
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_OPEN };
	struct phi_vdfs_record good = { .bytes = 48, .dim = 2, .key_len = 3 };
	struct phi_vdfs_record r;
	struct phi_vdfs_answer a;
	uint64_t id;
	int ret;

	ASSERT_EQ(0, phi_vdfs_collection_create(self->friend, "c", &params));
	self->mem[0] = 'c';
	req.name.len = 1;
	ASSERT_EQ(0, ask(self->phi, self->session, &req, sizeof(req), 0, 0, &a,
			 NULL));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_JOB, .id = a.id };
	do
		ret = ask(self->phi, self->session, &req, sizeof(req), 0, 0, &a,
			  NULL);
	while (ret == -EINPROGRESS);
	ASSERT_EQ(0, ret);
	id = a.id;

	req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_INSERT };
	req.id = id;
	memset(self->mem, 0, 4096);
	good.bytes = (sizeof(good) + 8 + 4 + 1 + 7) & ~7;
	memcpy(self->mem + sizeof(good) + 8, "key", 3);
	((float *)(self->mem + sizeof(good)))[0] = 1;

	r = good;
	memcpy(self->mem, &r, sizeof(r));
	req.data.len = good.bytes - 1;
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	req.data.len = good.bytes + 8;
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	req.data.len = good.bytes;
	r.dim = UINT32_MAX;
	memcpy(self->mem, &r, sizeof(r));
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	r = good;
	r.key_len = UINT32_MAX;
	memcpy(self->mem, &r, sizeof(r));
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	r = good;
	r.metadata_len = 100;
	memcpy(self->mem, &r, sizeof(r));
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
	memcpy(self->mem, &good, sizeof(good));
	EXPECT_EQ(0, try(_metadata, self, &req));
	EXPECT_EQ(-EEXIST, try(_metadata, self, &req));
	/* Half a vector is none. */
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_COLLECTION_SEARCH };
	req.id = id;
	req.k = 1;
	req.data.len = 6;
	req.out = (struct phi_vdfs_span){ 4096, 4096 };
	EXPECT_EQ(-EMSGSIZE, try(_metadata, self, &req));
	req.data.len = 8;
	EXPECT_EQ(0, try(_metadata, self, &req));
	req.recall = 0x7fc00000; /* not a number */
	EXPECT_EQ(-EINVAL, try(_metadata, self, &req));
}

SLOW_TEST(hostile, a_region_that_goes_away_spoils_nothing_else)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT };
	struct phi_vdfs_answer a;
	uint64_t other;

	req.data = (struct phi_vdfs_span){ 0, STAGE };
	EXPECT_EQ(0, try(_metadata, self, &req));
	ASSERT_EQ(0, phi_cap_revoke(self->phi, self->region));
	EXPECT_EQ(-EFAULT, try(_metadata, self, &req));
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_LIST };
	req.out = (struct phi_vdfs_span){ 0, 4096 };
	EXPECT_EQ(-EFAULT, try(_metadata, self, &req));
	/* One that may not be written, or is no region, is not taken. */
	req = (struct phi_vdfs_request){ .op = PHI_VDFS_STAGE };
	ASSERT_EQ(0, phi_region_create(self->phi, 4096, 0, &other));
	EXPECT_EQ(-EPERM, ask(self->phi, self->session, &req, sizeof(req),
			      other, PHI_RIGHT_READ | PHI_RIGHT_MAP, &a, NULL));
	EXPECT_EQ(-EINVAL, ask(self->phi, self->session, &req, sizeof(req),
			       self->life, PHI_RIGHT_SEND, &a, NULL));
	EXPECT_EQ(0, ask(self->phi, self->session, &req, sizeof(req), other,
			 PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP, &a,
			 NULL));
}

/* Revokes while the daemon copies. */
static void revoke_region(FIXTURE_DATA(hostile) * self)
{
	usleep(rand() % 3000);
	phi_cap_revoke(self->phi, self->region);
}

static void *revoke_soon(void *arg)
{
	revoke_region(arg);
	return NULL;
}

SLOW_TEST(hostile, a_region_may_go_at_any_moment)
{
	struct phi_vdfs_request put = { .op = PHI_VDFS_PUT };
	struct phi_vdfs_request stage = { .op = PHI_VDFS_STAGE };
	struct phi_vdfs_answer a;
	pthread_t thread;
	int i, ret;

	put.data = (struct phi_vdfs_span){ 0, STAGE };
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, revoke_soon, self));
		ret = try(_metadata, self, &put);
		EXPECT_TRUE(ret == 0 || ret == -EFAULT)
		{
			TH_LOG("put: %d", ret);
		}
		pthread_join(thread, NULL);
		ASSERT_EQ(0, phi_region_create(self->phi, STAGE, 0,
					       &self->region));
		ASSERT_EQ(0,
			  ask(self->phi, self->session, &stage, sizeof(stage),
			      self->region,
			      PHI_RIGHT_READ | PHI_RIGHT_WRITE | PHI_RIGHT_MAP,
			      &a, NULL));
	}
}

/* As many calls at a time as threads can make. */
static void hammer_on(FIXTURE_DATA(hostile) * self)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT };
	struct phi_vdfs_answer a;
	int i;

	req.data = (struct phi_vdfs_span){ 0, STAGE };
	for (i = 0; i < 10; i++)
		ask(self->phi, self->session, &req, sizeof(req), 0, 0, &a,
		    NULL);
}

static void *hammer(void *arg)
{
	hammer_on(arg);
	return NULL;
}

SLOW_TEST(hostile, a_busy_one_leaves_the_others_their_turn)
{
	struct phi_vdfs_stat st;
	pthread_t threads[8];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, hammer, self));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, phi_vdfs_stat(self->friend, "safe", &st));
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
}

/* A client that dies with all that it may have under way. */
static void die_busy(const struct daemon *d)
{
	struct phi_vdfs_map map;
	struct phi_vdfs_blob b;
	struct phi_vdfs *v;
	uint64_t id;
	int phi, i;

	if (session_new(d, "vdfs", &phi, &v))
		_exit(1);
	for (i = 0; i < PHI_VDFS_PUTS; i++)
		phi_vdfs_put_begin(v, 0, &id);
	phi_vdfs_put_data(v, id, "unfinished", 10);
	phi_vdfs_blob_open(v, "safe", &b);
	phi_vdfs_map(v, "safe", &map);
	kill(getpid(), SIGKILL);
}

SLOW_TEST(hostile, one_that_dies_leaves_nothing_behind)
{
	struct phi_vdfs_stats st;
	int i, status;

	for (i = 0; i < 10; i++) {
		if (!fork())
			die_busy(&self->d);
		ASSERT_LT(0, wait(&status));
		EXPECT_TRUE(WIFSIGNALED(status));
	}
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, phi_vdfs_stats(self->friend, &st));
		if (st.sessions == 2)
			break;
		usleep(50000);
	}
	EXPECT_EQ(2, st.sessions);
	EXPECT_EQ(1, st.blobs);
}

TEST_HARNESS_MAIN
