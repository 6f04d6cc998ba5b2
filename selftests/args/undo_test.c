// SPDX-License-Identifier: GPL-2.0-only
/*
 * EFAULT means that nothing was done: calls whose struct cannot be written,
 * as a whole or at its end, from the start or since a moment ago.
 */

#include "kselftest_harness.h"

#include <stddef.h>
#include <sys/mman.h>

#include "infer_ioctl.h"
#include "phi_message.h"

#define ROUNDS 300

FIXTURE(undo)
{
	int phi;
	long page;
	/* Two pages; the struct of a call lies in the first, or in both. */
	uint8_t *map;
	struct phi_system_stats before;
};

FIXTURE_SETUP(undo)
{
	self->phi = do_open();
	ASSERT_LE(0, self->phi)
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, do_stats(self->phi, &self->before));
	self->page = sysconf(_SC_PAGESIZE);
	self->map = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(undo)
{
	close(self->phi);
	EXPECT_TRUE(do_restored(&self->before));
	munmap(self->map, 2 * self->page);
}

/*
 * Make a call with its struct @at, when the pages from @wall on are read-only.
 * Return: 0 or a negative errno. What was written shows in @arg.
 */
static int call_walled(int phi, unsigned int cmd, void *arg, uint32_t size,
		       uint8_t *at, uint8_t *wall, size_t len)
{
	int ret;

	memcpy(at, arg, size);
	memcpy(at, &size, sizeof(size));
	if (mprotect(wall, len, PROT_READ))
		return -errno;
	ret = ioctl(phi, cmd, at) ? -errno : 0;
	memcpy(arg, at, size);
	mprotect(wall, len, PROT_READ | PROT_WRITE);
	return ret;
}

/* The whole struct is read-only. */
#define CONSTANT(_cmd, _arg)                                          \
	call_walled(self->phi, PHI_IOC_##_cmd, &(_arg), sizeof(_arg), \
		    self->map, self->map, 2 * self->page)
/* All of it but the first @_cut bytes. */
#define TAIL(_cmd, _arg, _cut)                                               \
	call_walled(self->phi, PHI_IOC_##_cmd, &(_arg), sizeof(_arg),        \
		    self->map + self->page - (_cut), self->map + self->page, \
		    self->page)

/* A call without outputs only reads its struct. */
TEST_F(undo, inputs_may_be_constant)
{
	static const struct phi_system_info nowhere = { .size = 0 };
	struct phi_send send = { .flags = PHI_NONBLOCK };
	struct phi_notify_signal signal = { .bits = 5 };
	struct phi_notify_bind bind = { .eventfd = -1 };
	struct phi_endpoint_watch watch = { .bits = 8 };
	struct phi_cspace_share share = { .shared = 1 };
	struct phi_unit_update update = { .load = 7, .healthy = 1 };
	struct phi_cap_seal seal = { .rights = PHI_RIGHT_SEND };
	struct phi_cap_revoke revoke = {};
	struct phi_cap_drop drop = {};
	struct phi_unit_query query;
	struct phi_token token;
	uint64_t ep, notify, child, bits;
	uint32_t id;

	ASSERT_EQ(-1, ioctl(self->phi, PHI_IOC_SYSTEM_INFO, &nowhere));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	send.endpoint = ep;
	EXPECT_EQ(0, CONSTANT(SEND, send));
	EXPECT_EQ(0, do_take(self->phi, ep));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, ep));
	signal.notify = notify;
	EXPECT_EQ(0, CONSTANT(NOTIFY_SIGNAL, signal));
	EXPECT_EQ(0, do_bits(self->phi, notify, ~0ULL, &bits));
	EXPECT_EQ(5, bits);
	bind.notify = notify;
	EXPECT_EQ(0, CONSTANT(NOTIFY_BIND, bind));
	EXPECT_EQ(0, CONSTANT(CSPACE_SHARE, share));
	seal.cap = ep;
	seal.token = (uintptr_t)&token;
	EXPECT_EQ(0, CONSTANT(CAP_SEAL, seal));
	ASSERT_EQ(0, do_unseal(self->phi, &token, &child));
	revoke.cap = ep;
	EXPECT_EQ(0, CONSTANT(CAP_REVOKE, revoke));
	EXPECT_EQ(-EKEYREVOKED, do_probe(self->phi, child));
	ASSERT_EQ(0, do_derive(self->phi, ep, PHI_RIGHT_SEND, &child));
	watch.endpoint = child;
	watch.notify = notify;
	EXPECT_EQ(0, CONSTANT(ENDPOINT_WATCH, watch));
	ASSERT_EQ(0, do_unit(self->phi, PHI_UNIT_CPU, 1, &id,
			     (uint64_t *)&update.cap));
	EXPECT_EQ(0, CONSTANT(UNIT_UPDATE, update));
	ASSERT_EQ(0, do_unit_query(self->phi, id, &query));
	EXPECT_EQ(7, query.load);
	drop.cap = ep;
	EXPECT_EQ(0, CONSTANT(CAP_DROP, drop));
	EXPECT_EQ(-EBADF, do_probe(self->phi, ep));
	EXPECT_EQ(0, do_all_bits(self->phi, notify, 8));
}

TEST_F(undo, an_answer_may_be_constant)
{
	struct phi_call call = {};
	struct job job = JOB(self->phi, CALL, &call);
	struct phi_reply reply = {};
	struct phi_recv recv;
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	call.endpoint = ep;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	reply.reply = recv.reply;
	EXPECT_EQ(0, CONSTANT(REPLY, reply));
	EXPECT_EQ(0, job_join(&job));
	EXPECT_EQ(-EBADF, CONSTANT(REPLY, reply));
}

TEST_F(undo, a_message_stays)
{
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_send_cap(self->phi, ep, ep, 0, PHI_RIGHT_ALL));
	for (uint32_t cut = 8; cut < sizeof(struct phi_recv); cut += 8) {
		struct phi_recv recv = {
			.flags = PHI_NONBLOCK,
			.endpoint = ep,
		};

		ASSERT_EQ(-EFAULT, TAIL(RECV, recv, cut))
		{
			TH_LOG("cut at %u", cut);
		}
		ASSERT_EQ(0, recv.caps[0].cap);
		ASSERT_EQ(-EFAULT, CONSTANT(RECV, recv));
	}
	EXPECT_EQ(0, do_take(self->phi, ep));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, ep));
}

TEST_F(undo, bits_stay)
{
	struct phi_notify_wait wait = { .flags = PHI_NONBLOCK, .mask = 6 };
	uint64_t notify, bits;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_signal(self->phi, notify, 7));
	wait.notify = notify;
	EXPECT_EQ(-EFAULT, CONSTANT(NOTIFY_WAIT, wait));
	EXPECT_EQ(-EFAULT, TAIL(NOTIFY_WAIT, wait,
				offsetof(struct phi_notify_wait, bits) + 4));
	ASSERT_EQ(0, do_bits(self->phi, notify, ~0ULL, &bits));
	EXPECT_EQ(7, bits);
}

TEST_F(undo, keys_and_their_tokens_stay)
{
	struct phi_cap_rekey rekey = {};
	struct phi_token token;
	uint64_t notify, out;
	uint32_t first, next;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_rekey(self->phi, &first));
	ASSERT_EQ(0, do_seal(self->phi, notify, PHI_RIGHT_WRITE, 0, 0, &token));
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(-EFAULT, CONSTANT(CAP_REKEY, rekey));
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	EXPECT_EQ(first, token.key_id);
	ASSERT_EQ(0, do_rekey(self->phi, &next));
	EXPECT_NE(first, next);
	EXPECT_EQ(0, do_unseal(self->phi, &token, &out));
	ASSERT_EQ(0, do_rekey(self->phi, &next));
	EXPECT_EQ(-EKEYREJECTED, do_unseal(self->phi, &token, &out));
}

/* A unit, a model and an inference begun with it. */
static int infer(int phi, struct phi_infer_begin *begin, uint64_t *model_id)
{
	uint64_t unit, model = 0;
	uint32_t id;
	int ret = do_unit(phi, PHI_UNIT_CPU, 2, &id, &unit);

	ret = ret ?: do_model(phi, 1, 0, model_id, &model);
	*begin = (struct phi_infer_begin){ .model = model, .batch = 1 };
	return ret ?: PHI_DO(phi, INFER_BEGIN, begin);
}

TEST_F(undo, a_ticket_stays)
{
	struct phi_infer_begin begin;
	struct phi_infer_end end = {};
	uint64_t model;

	ASSERT_EQ(0, infer(self->phi, &begin, &model));
	end.ticket = begin.ticket;
	EXPECT_EQ(-EFAULT, CONSTANT(INFER_END, end));
	EXPECT_EQ(0, PHI_DO(self->phi, INFER_END, &end));
	EXPECT_LT(0, end.run_ns);
	EXPECT_EQ(-ENOENT, PHI_DO(self->phi, INFER_END, &end));
	EXPECT_EQ(-EFAULT, CONSTANT(INFER_BEGIN, begin));
}

TEST_F(undo, no_descriptor_is_left)
{
	struct phi_endpoint_fd arg = {};
	int next = dup(0);
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	arg.endpoint = ep;
	close(next);
	EXPECT_EQ(-EFAULT, CONSTANT(ENDPOINT_FD, arg));
	EXPECT_EQ(next, dup(0));
	close(next);
}

/* What the server cannot be asked twice, it is not asked once. */
TEST_F(undo, a_call_is_not_made)
{
	struct phi_call call = { .deadline_ns = 1, .reply_len = 8 };
	uint64_t room;
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	call.endpoint = ep;
	call.reply_data = (uintptr_t)&room;
	EXPECT_EQ(-EFAULT, CONSTANT(CALL, call));
	for (uint32_t cut = 8; cut < sizeof(call); cut += 8) {
		ASSERT_EQ(-EFAULT, TAIL(CALL, call, cut));
		ASSERT_EQ(-EAGAIN, do_take(self->phi, ep));
	}
	/* Nor when the answer has no room. */
	call.reply_data = (uintptr_t)self->map;
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, PHI_DO(self->phi, CALL, &call));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ | PROT_WRITE));
	call.reply_data = (uintptr_t)self->map + self->page - 4;
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, PHI_DO(self->phi, CALL, &call));
	ASSERT_EQ(0,
		  mprotect(self->map, 2 * self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(-EAGAIN, do_take(self->phi, ep));
}

/* The handle in the struct says whether the answer went out. */
TEST_F(undo, reply_recv_says_how_far_it_came)
{
	struct phi_call call = {};
	struct job job = JOB(self->phi, CALL, &call);
	struct phi_reply_recv both = {};
	struct phi_recv recv;
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	call.endpoint = ep;
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
	both.reply.size = sizeof(both.reply);
	both.reply.reply = recv.reply;
	both.recv.size = sizeof(both.recv);
	both.recv.endpoint = ep;
	both.recv.flags = PHI_NONBLOCK;
	/* Nothing is answered. */
	ASSERT_EQ(-EFAULT, CONSTANT(REPLY_RECV, both));
	for (uint32_t cut = 16; cut < sizeof(both) - 8; cut += 8) {
		ASSERT_EQ(-EFAULT, TAIL(REPLY_RECV, both, cut));
		ASSERT_EQ(recv.reply, both.reply.reply);
	}
	both.recv.data = (uintptr_t)self->map;
	both.recv.len = 8;
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, PHI_DO(self->phi, REPLY_RECV, &both));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, do_probe(self->phi, recv.reply));
	/* Answered, and nothing came. */
	EXPECT_EQ(-EAGAIN, PHI_DO(self->phi, REPLY_RECV, &both));
	EXPECT_EQ(0, both.reply.reply);
	EXPECT_EQ(0, both.reply_error);
	EXPECT_EQ(0, job_join(&job));
	EXPECT_EQ(-EBADF, do_probe(self->phi, recv.reply));
	/* The same call again only receives. */
	ASSERT_EQ(0, do_send(self->phi, ep, "next", 4));
	EXPECT_EQ(0, PHI_DO(self->phi, REPLY_RECV, &both));
	EXPECT_EQ(4, both.recv.len);
}

/* A sender with another user: sends one capability when told, and waits. */
static int send_as_user(void *arg)
{
	const struct phi_token *token = arg;
	uint64_t to, mine;
	int phi, ret = become(1234);

	phi = ret ?: do_open();
	if (phi < 0)
		return phi;
	ret = do_unseal(phi, token, &to) ?: do_notify(phi, &mine);
	return ret ?: do_send_cap(phi, to, mine, PHI_XFER_MOVE, PHI_RIGHT_ALL);
}

/* The struct was writable when the wait began, and is not when it ends. */
TEST_F(undo, a_message_that_cannot_be_told_is_the_next_again)
{
	struct phi_recv *recv = (void *)self->map;
	struct phi_system_stats before, after;
	struct phi_token token;
	struct phi_recv got;
	struct job job;
	uint64_t ep;

	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_seal(self->phi, ep, PHI_RIGHT_SEND, 0, 0, &token));
	*recv = (struct phi_recv){ .endpoint = ep };
	job = JOB(self->phi, RECV, recv);
	ASSERT_EQ(0, do_stats(self->phi, &before));
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	ASSERT_EQ(0, in_child(send_as_user, &token));
	EXPECT_EQ(-EFAULT, job_join(&job));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ | PROT_WRITE));
	/* The sender pays again. */
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(before.used[PHI_QUOTA_CAPS], after.used[PHI_QUOTA_CAPS]);
	ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &got));
	EXPECT_EQ(1, got.ncaps);
	EXPECT_EQ(0, do_probe(self->phi, got.caps[0].cap));
	ASSERT_EQ(0, do_stats(self->phi, &after));
	EXPECT_EQ(before.used[PHI_QUOTA_CAPS] + 1, after.used[PHI_QUOTA_CAPS]);
}

TEST_F(undo, bits_that_cannot_be_told_are_set_again)
{
	struct phi_notify_wait *wait = (void *)self->map;
	struct job job;
	uint64_t notify, bits;

	ASSERT_EQ(0, do_notify(self->phi, &notify));
	*wait = (struct phi_notify_wait){ .notify = notify, .mask = 12 };
	job = JOB(self->phi, NOTIFY_WAIT, wait);
	ASSERT_EQ(0, job_start(&job));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ));
	ASSERT_EQ(0, do_signal(self->phi, notify, 15));
	EXPECT_EQ(-EFAULT, job_join(&job));
	ASSERT_EQ(0, mprotect(self->map, self->page, PROT_READ | PROT_WRITE));
	ASSERT_EQ(0, do_bits(self->phi, notify, ~0ULL, &bits));
	EXPECT_EQ(15, bits);
}

/* A thread that makes a page read-only and writable, until told to stop. */
struct flicker {
	void *page;
	long len;
	int stop;
};

static void *flicker(void *arg)
{
	struct flicker *f = arg;

	while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
		mprotect(f->page, f->len, PROT_READ);
		mprotect(f->page, f->len, PROT_READ | PROT_WRITE);
	}
	return NULL;
}

/* Make a call whose struct is read-only every other moment. */
static int call_flickering(int phi, unsigned int cmd, void *arg, uint32_t size,
			   void *page, long len)
{
	struct flicker f = { page, len, 0 };
	pthread_t thread;
	int ret;

	memcpy(page, arg, size);
	memcpy(page, &size, sizeof(size));
	if (pthread_create(&thread, NULL, flicker, &f))
		return -EBADE;
	ret = ioctl(phi, cmd, page) ? -errno : 0;
	__atomic_store_n(&f.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	memcpy(arg, page, size);
	return ret;
}

#define FLICKERING(_cmd, _arg)                                            \
	call_flickering(self->phi, PHI_IOC_##_cmd, &(_arg), sizeof(_arg), \
			self->map, self->page)

/* Whenever the page closes, the call is done and told, or not done. */
TEST_F(undo, in_a_page_that_opens_and_closes)
{
	struct phi_endpoint_fd fd = {};
	struct phi_notify_wait wait = { .flags = PHI_NONBLOCK, .mask = 1 };
	struct phi_recv recv = { .flags = PHI_NONBLOCK };
	struct phi_cap_derive derive = { .rights = PHI_RIGHT_SEND };
	struct phi_infer_begin begin;
	struct phi_infer_end end = {};
	int ret, next = dup(0);
	uint32_t total, count;
	uint64_t ep, bits, notify;
	struct phi_model_query query = {};

	close(next);
	ASSERT_EQ(0, infer(self->phi, &begin, (uint64_t *)&query.id));
	ASSERT_EQ(0, do_endpoint(self->phi, &ep));
	ASSERT_EQ(0, do_notify(self->phi, &notify));
	ASSERT_EQ(0, do_list(self->phi, NULL, 0, &count, &total));
	fd.endpoint = ep;
	derive.cap = ep;
	wait.notify = notify;
	recv.endpoint = ep;
	for (int i = 0; i < ROUNDS; i++) {
		ret = FLICKERING(ENDPOINT_FD, fd);
		if (!ret)
			close(fd.fd);
		ret = FLICKERING(CAP_DERIVE, derive);
		if (!ret) {
			ASSERT_EQ(0, do_drop(self->phi, derive.out));
		}
		end.ticket = begin.ticket;
		ret = FLICKERING(INFER_END, end);
		ASSERT_EQ(ret ? 0 : -ENOENT,
			  PHI_DO(self->phi, INFER_END, &end));
		if (FLICKERING(INFER_BEGIN, begin)) {
			ASSERT_EQ(0, PHI_DO(self->phi, INFER_BEGIN, &begin));
		}

		ASSERT_EQ(0, do_signal(self->phi, notify, 1));
		ret = FLICKERING(NOTIFY_WAIT, wait);
		ASSERT_EQ(ret ? 0 : -EAGAIN,
			  do_bits(self->phi, notify, 1, &bits));

		ASSERT_EQ(0, do_send_cap(self->phi, ep, ep, 0, 0xff));
		ret = FLICKERING(RECV, recv);
		if (ret) {
			ASSERT_EQ(0, do_recv(self->phi, ep, NULL, 0, &recv));
		}
		ASSERT_EQ(-EAGAIN, do_take(self->phi, ep));
		ASSERT_EQ(0, do_drop(self->phi, recv.caps[0].cap));
	}
	EXPECT_EQ(next, dup(0));
	close(next);
	/* The kernel counts no undone BEGIN as a failed batch. */
	ASSERT_EQ(0, PHI_DO(self->phi, MODEL_QUERY, &query));
	EXPECT_EQ(ROUNDS, query.batches);
	EXPECT_EQ(0, query.failed);
	ASSERT_EQ(0, do_list(self->phi, NULL, 0, &count, &count));
	EXPECT_EQ(total, count);
}

TEST_HARNESS_MAIN
