// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server with clients in one process: every message, and clients that do
 * their worst.
 */
#include <errno.h>
#include <mathis/calls.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "dispatch.h"
#include "rig.h"

#define MANIFEST                                                  \
	"{ \"allow\": [\"crypto\", \"fs.read=/usr,/tmp\","        \
	"\"fs.write=/tmp\", \"io.special\"], \"base\": \"/usr\"," \
	"  \"deny\": [\"fs.read=/usr/bin\"] }"

FIXTURE(serve)
{
	struct rig rig;
	struct rig_client c;
	struct mathis_reply reply;
};

FIXTURE_SETUP(serve)
{
	mathis_pool_init(&self->reply.pool, 1 << 20);
	ASSERT_TRUE(rig_init(&self->rig, MANIFEST));
	ASSERT_EQ(0, rig_open(&self->rig, 100, 64, 65536, &self->c));
}

FIXTURE_TEARDOWN(serve)
{
	mathis_pool_fini(&self->reply.pool);
	rig_close(&self->c);
	EXPECT_TRUE(rig_fini(&self->rig));
}

/* Make a call and wait: its code, or a negative errno. */
static int call(FIXTURE_DATA(serve) * self, const char *name,
		const struct mathis_item *args, unsigned int argc)
{
	int ret = mathis_client_call(self->c.client, rig_id(name), args, argc,
				     &self->reply, 0);

	return ret ?: self->reply.code;
}

#undef CALL
#define CALL(_name, ...)                                         \
	call(self, _name, (struct mathis_item[]){ __VA_ARGS__ }, \
	     sizeof((struct mathis_item[]){ __VA_ARGS__ }) /     \
		     sizeof(struct mathis_item))

static bool text_is(const struct mathis_item *map, const char *key,
		    const char *text)
{
	const struct mathis_item *v = mathis_item_get(map, key);

	return v && mathis_item_is(v, text);
}

TEST_F(serve, makes_a_call_and_refuses_another)
{
	const struct mathis_item *detail;

	ASSERT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	EXPECT_EQ(MATHIS_BYTES, self->reply.value.kind);
	EXPECT_EQ(32, self->reply.value.n);
	ASSERT_EQ(MATHIS_DENIED, CALL("io_println", STR("x")));
	EXPECT_TRUE(text_is(&self->reply.value, "name", "Denied"));
	detail = mathis_item_get(&self->reply.value, "detail");
	ASSERT_NE(NULL, detail);
	EXPECT_TRUE(text_is(detail, "right", "console"));
}

TEST_F(serve, carries_what_is_longer_than_its_ring)
{
	struct rig_client small;

	ASSERT_EQ(0, rig_open(&self->rig, 100, 8, 4096, &small));
	for (int i = 0; i < 3; i++) {
		struct mathis_item n = INT(1 << 20);
		struct mathis_item data;
		struct mathis_reply r;

		mathis_pool_init(&r.pool, 1 << 20);
		ASSERT_NE(0, rig_submit(small.client, "crypto_random_bytes", &n,
					1, 0));
		ASSERT_EQ(MATHIS_OK, rig_done(small.client, &self->reply));
		ASSERT_EQ(1U << 20, self->reply.value.n);
		data = self->reply.value;
		/* There and back: a digest of all of it. */
		ASSERT_NE(0, rig_submit(small.client, "crypto_sha256", &data, 1,
					0));
		ASSERT_EQ(MATHIS_OK, rig_done(small.client, &r));
		EXPECT_EQ(32, r.value.n);
		ASSERT_EQ(MATHIS_OK, CALL("crypto_sha256", data));
		EXPECT_EQ(0, memcmp(r.value.text, self->reply.value.text, 32));
		mathis_pool_fini(&r.pool);
	}
	rig_close(&small);
}

/* All that was taken is told once, however late the client looks. */
TEST_F(serve, loses_no_completion_without_room)
{
	static bool seen[10001];
	struct mathis_item min[2] = { INT(1), INT(6) };
	uint64_t ticket, n = 0, told = 0;
	unsigned int full = 0;

	/* Nobody awaits: there is no room at last. */
	while (full < 1000) {
		ticket = rig_submit(self->c.client, "crypto_random_int", min, 2,
				    0);
		if (ticket)
			n = ticket;
		else
			full++;
	}
	EXPECT_LT(0, n);
	while (n < 10000) {
		int code;

		while (n < 10000 &&
		       (ticket = rig_submit(self->c.client, "crypto_random_int",
					    min, 2, 0)))
			n = ticket;
		code = rig_done(self->c.client, &self->reply);
		ASSERT_EQ(MATHIS_OK, code);
		ASSERT_FALSE(seen[self->reply.ticket]);
		seen[self->reply.ticket] = true;
		told++;
	}
	for (; told < n; told++) {
		ASSERT_EQ(MATHIS_OK, rig_done(self->c.client, &self->reply));
		ASSERT_FALSE(seen[self->reply.ticket]);
		seen[self->reply.ticket] = true;
	}
	EXPECT_EQ(-ETIMEDOUT,
		  mathis_client_wait(self->c.client, &self->reply, 1));
}

TEST_F(serve, cancels_and_ends_what_is_late)
{
	struct mathis_item hour = INT(3600000);
	uint64_t slow, late;

	slow = rig_submit(self->c.client, "time_sleep", &hour, 1, 0);
	late = rig_submit(self->c.client, "time_sleep", &hour, 1, 1);
	ASSERT_EQ(MATHIS_TIMEOUT, rig_done(self->c.client, &self->reply));
	EXPECT_EQ(late, self->reply.ticket);
	ASSERT_EQ(0, mathis_client_cancel(self->c.client, slow));
	ASSERT_EQ(MATHIS_CANCELLED, rig_done(self->c.client, &self->reply));
	EXPECT_EQ(slow, self->reply.ticket);
	/* It has ended: this says nothing. */
	ASSERT_EQ(0, mathis_client_cancel(self->c.client, slow));
	EXPECT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
}

TEST_F(serve, limits_the_calls_of_a_session)
{
	struct mathis_item hour = INT(3600000);
	unsigned int refused = 0;
	uint64_t n = 0, ticket;

	while (n < MD_CALLS_MAX + 100) {
		ticket = rig_submit(self->c.client, "time_sleep", &hour, 1, 0);
		if (ticket)
			n = ticket;
		else if (mathis_client_wait(self->c.client, &self->reply, 0) !=
			 -EAGAIN)
			refused += self->reply.code == MATHIS_LIMIT;
	}
	while (refused < 100) {
		ASSERT_EQ(MATHIS_LIMIT, rig_done(self->c.client, &self->reply));
		refused++;
	}
	EXPECT_EQ(100, refused);
	/* That they are under way keeps no cancel out. */
	while (mathis_client_cancel(self->c.client, 1)) {
		mathis_client_wait(self->c.client, &self->reply, 0);
	}
	ASSERT_EQ(MATHIS_CANCELLED, rig_done(self->c.client, &self->reply));
	EXPECT_EQ(1, self->reply.ticket);
}

static int end_session(void *arg)
{
	session_close(arg, NULL);
	return 0;
}

TEST_F(serve, tells_once_that_a_session_is_over)
{
	struct mathis_item hour = INT(3600000);
	struct rig_client c;
	uint64_t n = 0;

	ASSERT_EQ(0, rig_open(&self->rig, 100, 1024, 262144, &c));
	while (n < 1000) {
		uint64_t ticket =
			rig_submit(c.client, "time_sleep", &hour, 1, 0);

		if (ticket)
			n = ticket;
		else
			mathis_client_wait(c.client, &self->reply, 1);
	}
	ASSERT_EQ(0, rig_run(&self->rig, end_session, c.session));
	EXPECT_EQ(-EPIPE, rig_done(c.client, &self->reply));
	EXPECT_EQ(-EPIPE, rig_done(c.client, &self->reply));
	rig_close(&c);
	EXPECT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
}

/* The client dies with calls under way; rig_fini() sees that nothing is left. */
TEST_F(serve, ends_the_calls_of_a_dead_client)
{
	struct mathis_item hour = INT(3600000);
	struct rig_client c;

	ASSERT_EQ(0, rig_open(&self->rig, 101, 64, 65536, &c));
	for (int i = 0; i < 50; i++) {
		ASSERT_NE(0, rig_submit(c.client, "time_sleep", &hour, 1, 0));
	}
	rig_close(&c);
	EXPECT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
}

TEST_F(serve, knows_no_handle_of_another_session)
{
	struct mathis_item open[2] = { STR("/usr/lib/os-release"), INT(1) };
	struct mathis_item handle, read[2] = { { 0 }, INT(10) };
	struct rig_client c;

	ASSERT_EQ(0, rig_open(&self->rig, 100, 64, 65536, &c));
	ASSERT_EQ(MATHIS_OK, CALL("io_open", open[0], open[1]));
	handle = self->reply.value;
	ASSERT_EQ(MATHIS_HANDLE, handle.kind);
	ASSERT_EQ(MATHIS_OK, CALL("io_read", handle, INT(10)));
	/* The same kind and slot of another session. */
	ASSERT_NE(0, rig_submit(c.client, "io_open", open, 2, 0));
	ASSERT_EQ(MATHIS_OK, rig_done(c.client, &self->reply));
	EXPECT_EQ(handle.i, self->reply.value.i);
	read[0] = handle;
	ASSERT_NE(0, rig_submit(c.client, "io_read", read, 2, 0));
	EXPECT_EQ(MATHIS_BAD_HANDLE, rig_done(c.client, &self->reply));
	rig_close(&c);
	ASSERT_EQ(MATHIS_OK, CALL("io_close", handle));
	EXPECT_EQ(MATHIS_BAD_HANDLE, CALL("io_read", handle, INT(10)));
}

TEST_F(serve, gives_up_rights_and_keeps_denied_what_is)
{
	struct mathis_item path = STR("/usr/lib/os-release");
	uint64_t ticket;

	ASSERT_EQ(MATHIS_OK, CALL("io_stat", path));
	/* The manifest denies what it allows above. */
	EXPECT_EQ(MATHIS_DENIED, CALL("io_stat", STR("/usr/bin/env")));
	EXPECT_EQ(MATHIS_DENIED, CALL("io_stat", STR("/etc/passwd")));
	ASSERT_EQ(0, mathis_client_narrow(self->c.client, "fs.read=/usr/lib",
					  &ticket));
	ASSERT_EQ(MATHIS_OK, rig_done(self->c.client, &self->reply));
	EXPECT_EQ(MATHIS_DENIED, CALL("io_stat", path));
	EXPECT_EQ(MATHIS_OK, CALL("io_stat", STR("/usr/share")));
	ASSERT_EQ(0, mathis_client_narrow(self->c.client, "all", &ticket));
	ASSERT_EQ(MATHIS_OK, rig_done(self->c.client, &self->reply));
	EXPECT_EQ(MATHIS_DENIED, CALL("crypto_random_int", INT(1), INT(1)));
	ASSERT_EQ(0, mathis_client_narrow(self->c.client, "fly", &ticket));
	EXPECT_EQ(MATHIS_BAD_SPEC, rig_done(self->c.client, &self->reply));
}

TEST_F(serve, narrows_nothing_while_calls_are_under_way)
{
	struct mathis_item hour = INT(3600000);
	uint64_t slow, ticket;

	slow = rig_submit(self->c.client, "time_sleep", &hour, 1, 0);
	ASSERT_EQ(0, mathis_client_narrow(self->c.client, "all", &ticket));
	EXPECT_EQ(MATHIS_BUSY, rig_done(self->c.client, &self->reply));
	ASSERT_EQ(0, mathis_client_cancel(self->c.client, slow));
	EXPECT_EQ(MATHIS_CANCELLED, rig_done(self->c.client, &self->reply));
}

/* A function of the client runs each second, until its job is cancelled. */
TEST_F(serve, runs_functions_of_the_client)
{
	struct mathis_item func = { .kind = MATHIS_FUNC, .aux = 1, .i = 77 };
	struct mathis_item none = MATHIS_ITEM_NONE;
	struct mathis_item cron, args[2], job;
	uint64_t ticket;

	ASSERT_EQ(MATHIS_OK, CALL("cron_parse", STR("* * * * * *")));
	cron = self->reply.value;
	args[0] = cron;
	args[1] = func;
	ASSERT_NE(0, rig_submit(self->c.client, "cron_schedule", args, 2, 0));
	ASSERT_EQ(MATHIS_OK, rig_done(self->c.client, &self->reply));
	job = self->reply.value;
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, rig_next(self->c.client, MATHIS_REPLY_UPCALL,
				      &self->reply));
		EXPECT_EQ(77, self->reply.slot);
		ASSERT_EQ(MATHIS_LIST, self->reply.value.kind);
		ASSERT_EQ(1, self->reply.value.n);
		EXPECT_NE(NULL, mathis_item_get(self->reply.value.items,
						"scheduled"));
		ticket = self->reply.ticket;
		/* One that is no upcall is dropped. */
		ASSERT_EQ(0, mathis_client_answer(self->c.client, ticket + 9,
						  MATHIS_OK, &none));
		ASSERT_EQ(0, mathis_client_answer(
				     self->c.client, ticket,
				     i ? MATHIS_HANDLER : MATHIS_OK, &none));
	}
	ASSERT_NE(0, rig_submit(self->c.client, "cron_cancel", &job, 1, 0));
	ASSERT_EQ(0, rig_next(self->c.client, MATHIS_REPLY_DROP, &self->reply));
	EXPECT_EQ(77, self->reply.slot);
	/* No call takes this one: it comes back at once. */
	args[0] = func;
	args[0].i = 78;
	ASSERT_NE(0, rig_submit(self->c.client, "crypto_sha256", args, 1, 0));
	ASSERT_EQ(0, rig_next(self->c.client, MATHIS_REPLY_DROP, &self->reply));
	EXPECT_EQ(78, self->reply.slot);
}

static void note_turn(struct mathisd_user *user, uint32_t *order, int *n)
{
	if (user && *n < 64)
		order[(*n)++] = user->base.uid;
}

/* What plays the loop's part, in its thread. */
struct turns {
	struct rig *rig;
	struct rig_client *many;
	struct rig_client *one;
	uint32_t order[64];
	int n;
};

static int take_turns(void *arg)
{
	struct turns *t = arg;
	struct server *s = &t->rig->server;

	for (int i = 0; i < 8; i++)
		mathisd_ready(t->many[i].session);
	mathisd_ready(t->one->session);
	while (!TAILQ_EMPTY(&s->turns)) {
		note_turn(TAILQ_FIRST(&s->turns), t->order, &t->n);
		mathisd_turn(s);
	}
	return 0;
}

/* However many sessions a user has, another waits for one turn of them. */
TEST_F(serve, takes_turns_by_user)
{
	struct mathis_item dice[2] = { INT(1), INT(6) };
	struct turns t = { .rig = &self->rig };
	struct rig_client many[8], one;
	int at = -1;

	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, rig_open(&self->rig, 200, 64, 65536, &many[i]));
	}
	ASSERT_EQ(0, rig_open(&self->rig, 201, 64, 65536, &one));
	for (int i = 0; i < 8; i++) {
		rig_submit(many[i].client, "crypto_random_int", dice, 2, 0);
	}
	rig_submit(one.client, "crypto_random_int", dice, 2, 0);
	t.many = many;
	t.one = &one;
	ASSERT_EQ(0, rig_run(&self->rig, take_turns, &t));
	for (int i = 0; i < t.n && at < 0; i++)
		at = t.order[i] == 201 ? i : -1;
	/* Of user 200 one session was before it. */
	EXPECT_LE(0, at);
	EXPECT_GE(1, at);
	for (int i = 0; i < 8; i++)
		rig_close(&many[i]);
	rig_close(&one);
}

/* Reads that wait hold at most half of the workers, of all a user's sessions. */
TEST_F(serve, leaves_workers_to_other_users)
{
	static const char path[] = "/tmp/mathisd-serve-fifo";
	struct mathis_item open[2] = { STR(path), INT(3) };
	struct mathis_item read[2] = { { 0 }, INT(1) }, files[4];
	struct rig_client hogs[4];

	unlink(path);
	ASSERT_EQ(0, mkfifo(path, 0600));
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, rig_open(&self->rig, 300, 64, 65536, &hogs[i]));
		ASSERT_NE(0, rig_submit(hogs[i].client, "io_open", open, 2, 0));
		ASSERT_EQ(MATHIS_OK, rig_done(hogs[i].client, &self->reply));
		files[i] = self->reply.value;
	}
	for (int i = 0; i < 4 * MD_WORKERS_MAX; i++) {
		read[0] = files[i % 4];
		ASSERT_NE(0, rig_submit(hogs[i % 4].client, "io_read", read, 2,
					0));
	}
	EXPECT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	for (int i = 0; i < 4; i++)
		rig_close(&hogs[i]);
	unlink(path);
}

/* The figure of a name in a file of metrics, or -1. */
static long figure(const char *path, const char *name)
{
	char line[256], word[128];
	FILE *f = fopen(path, "r");
	long value = -1, n;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%127s %ld", word, &n) == 2 &&
		    !strcmp(word, name))
			value = n;
	}
	if (f)
		fclose(f);
	return value;
}

static int write_metrics(void *arg)
{
	return mathisd_metrics_write(arg, "/tmp/mathisd-figures.prom");
}

TEST_F(serve, counts_what_it_does)
{
	const char *path = "/tmp/mathisd-figures.prom";
	struct mathis_item hour = INT(3600000);

	ASSERT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
	ASSERT_EQ(MATHIS_DENIED, CALL("io_println", STR("x")));
	ASSERT_EQ(MATHIS_ARG_TYPE, CALL("crypto_sha256", INT(1)));
	ASSERT_NE(0, rig_submit(self->c.client, "time_sleep", &hour, 1, 1));
	ASSERT_EQ(MATHIS_TIMEOUT, rig_done(self->c.client, &self->reply));
	ASSERT_EQ(0, rig_run(&self->rig, write_metrics, &self->rig.server));
	EXPECT_EQ(1, figure(path, "mathisd_sessions"));
	EXPECT_EQ(1, figure(path, "mathisd_sessions_total"));
	EXPECT_EQ(4, figure(path, "mathisd_calls_total"));
	EXPECT_EQ(1, figure(path, "mathisd_calls_denied_total"));
	EXPECT_EQ(1, figure(path, "mathisd_calls_stopped_total"));
	EXPECT_EQ(1, figure(path, "mathisd_calls_failed_total"));
	EXPECT_EQ(0, figure(path, "mathisd_calls_limited_total"));
	EXPECT_EQ(0, unlink(path));
}

/* Each breaks a rule of wire.h, with this many bytes behind the head. */
static const struct {
	struct mathis_wire head;
	unsigned int n;
	uint8_t data[8];
} broken[] = {
	{ .head = { .kind = 0 } },
	{ .head = { .kind = MATHIS_WIRE_DONE } },
	{ .head = { .kind = 200 } },
	{ .head = { .kind = MATHIS_WIRE_PART } },
	{ .head = { .kind = MATHIS_WIRE_CANCEL, .pad = 1 } },
	{ .head = { .kind = MATHIS_WIRE_CANCEL, .pad2 = 1 } },
	{ .head = { .kind = MATHIS_WIRE_CALL, .size = UINT32_MAX } },
	{ .head = { .kind = MATHIS_WIRE_CALL, .size = 1 },
	  .n = 2,
	  .data = { 0x80, 0x80 } },
	/* No arguments; no list; half a list; two of them. */
	{ .head = { .kind = MATHIS_WIRE_CALL } },
	{ .head = { .kind = MATHIS_WIRE_CALL, .size = 1 },
	  .n = 1,
	  .data = { 0x01 } },
	{ .head = { .kind = MATHIS_WIRE_CALL, .size = 1 },
	  .n = 1,
	  .data = { 0x81 } },
	{ .head = { .kind = MATHIS_WIRE_CALL, .size = 2 },
	  .n = 2,
	  .data = { 0x80, 0x80 } },
	{ .head = { .kind = MATHIS_WIRE_NARROW } },
	{ .head = { .kind = MATHIS_WIRE_NARROW, .size = 1 },
	  .n = 1,
	  .data = { 0x01 } },
	{ .head = { .kind = MATHIS_WIRE_NARROW, .size = 2 },
	  .n = 2,
	  .data = { 0x61, 0x00 } },
};

TEST_F(serve, ends_a_session_that_breaks_a_rule)
{
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++) {
		struct rig_client c;
		char message[40];

		ASSERT_EQ(0, rig_open(&self->rig, 102, 8, 4096, &c));
		memcpy(message, &broken[i].head, sizeof(broken[i].head));
		memcpy(message + sizeof(broken[i].head), broken[i].data,
		       sizeof(broken[i].data));
		ASSERT_EQ(0,
			  phi_ring_send(c.ring, message,
					sizeof(broken[i].head) + broken[i].n));
		EXPECT_EQ(-EPIPE, rig_done(c.client, &self->reply))
		{
			TH_LOG("message %zu", i);
		}
		rig_close(&c);
	}
	EXPECT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
}

/* Bytes of the ring change in every way while an honest client works. */
TEST_F(serve, outlives_a_client_that_scribbles)
{
	srandom(7);
	for (int round = 0; round < 60; round++) {
		struct mathis_item dice[2] = { INT(1), INT(6) };
		struct rig_client c;

		ASSERT_EQ(0, rig_open(&self->rig, 103, 8, 4096, &c));
		for (int i = 0; i < 200; i++) {
			size_t at = (size_t)random() % c.len;

			if (i % 8 == 0)
				rig_submit(c.client, "crypto_random_int", dice,
					   2, 0);
			__atomic_store_n((uint8_t *)c.mem + at,
					 (uint8_t)random(), __ATOMIC_RELAXED);
		}
		ASSERT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(6)));
		rig_close(&c);
	}
}

TEST_HARNESS_MAIN
