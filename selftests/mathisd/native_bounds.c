// SPDX-License-Identifier: GPL-2.0-only
/* What a client can make the server hold, open, or wait for. */
#include <errno.h>
#include <mathis/calls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "dispatch.h"
#include "rig.h"

#define MANIFEST                                            \
	"{ \"allow\": [\"crypto\", \"fs.read=/usr,/tmp\"]," \
	"  \"base\": \"/usr\", \"deny\": [\"fs.read=/usr/bin\"] }"

FIXTURE(bounds)
{
	struct rig rig;
	struct rig_client c;
	struct mathis_reply reply;
};

FIXTURE_SETUP(bounds)
{
	mathis_pool_init(&self->reply.pool, 1 << 20);
	ASSERT_TRUE(rig_init(&self->rig, MANIFEST));
	ASSERT_EQ(0, rig_open(&self->rig, 100, 64, 65536, &self->c));
}

FIXTURE_TEARDOWN(bounds)
{
	mathis_pool_fini(&self->reply.pool);
	rig_close(&self->c);
	EXPECT_TRUE(rig_fini(&self->rig));
}

/* Look at a file: a code, or a negative errno. */
static int look(FIXTURE_DATA(bounds) * self, const char *path)
{
	struct mathis_item arg = STR(path);

	return mathis_client_call(self->c.client, rig_id("io_stat"), &arg, 1, &self->reply, 0) ?:
		       self->reply.code;
}

/* The client asks for 49 days; the manifest gives 20 ms. */
TEST(ends_what_the_manifest_calls_late)
{
	struct mathis_item hour = INT(3600000);
	struct mathis_reply reply;
	struct rig_client c;
	struct rig rig;

	mathis_pool_init(&reply.pool, 1 << 20);
	ASSERT_TRUE(rig_init(&rig, "{ \"call_ms\": 20 }"));
	ASSERT_EQ(0, rig_open(&rig, 100, 64, 65536, &c));
	ASSERT_NE(0, rig_submit(c.client, "time_sleep", &hour, 1, UINT32_MAX));
	EXPECT_EQ(MATHIS_TIMEOUT, rig_done(c.client, &reply));
	ASSERT_NE(0, rig_submit(c.client, "time_sleep", &hour, 1, 0));
	EXPECT_EQ(MATHIS_TIMEOUT, rig_done(c.client, &reply));
	mathis_pool_fini(&reply.pool);
	rig_close(&c);
	EXPECT_TRUE(rig_fini(&rig));
}

/* Give up rights: a code, or a negative errno. */
static int narrow(FIXTURE_DATA(bounds) * self, const char *rule)
{
	uint64_t ticket;

	return mathis_client_narrow(self->c.client, rule, &ticket) ?:
		       rig_done(self->c.client, &self->reply);
}

/* No answer says what exists; a relative path begins at the base, /usr. */
TEST_F(bounds, narrows_what_is_not_there)
{
	static const char text[] =
		"fs.read=/tmp/mathisd-a\\,b/c,share,/proc/1/cwd/x,/nowhere";
	const char *dir = "/tmp/mathisd-a,b";

	rmdir(dir);
	EXPECT_EQ(MATHIS_OK, look(self, "/usr/share"));
	EXPECT_EQ(MATHIS_OK, look(self, "/usr/lib"));
	EXPECT_EQ(MATHIS_OK, narrow(self, text));
	EXPECT_EQ(MATHIS_DENIED, look(self, "/usr/share"));
	EXPECT_EQ(MATHIS_OK, look(self, "/usr/lib"));
	ASSERT_EQ(0, mkdir(dir, 0700));
	EXPECT_EQ(MATHIS_OK, look(self, dir));
	EXPECT_EQ(MATHIS_DENIED, look(self, "/tmp/mathisd-a,b/c"));
	EXPECT_EQ(0, rmdir(dir));
	EXPECT_EQ(MATHIS_BAD_SPEC, narrow(self, "fs.read=/tmp,"));
	/* Nothing of that was added. */
	EXPECT_EQ(MATHIS_OK, look(self, "/tmp"));
}

/* One message with too many rules adds none, and opens no files. */
TEST_F(bounds, limits_the_rules_of_a_session)
{
	char text[8 + 2 * 300] = "fs.read=";
	size_t n = strlen(text);
	int fd, last;

	while (n + 2 < sizeof(text)) {
		text[n++] = '/';
		text[n++] = ',';
	}
	text[n - 1] = 0;
	fd = dup(0);
	EXPECT_EQ(MATHIS_LIMIT, narrow(self, text));
	EXPECT_EQ(MATHIS_OK, look(self, "/usr/lib"));
	for (int i = 0; i < 20; i++) {
		ASSERT_EQ(MATHIS_OK, narrow(self, "fs.read=/usr/x,/y,/z"));
	}
	last = dup(0);
	EXPECT_EQ(fd + 1, last);
	close(last);
	close(fd);
	text[8 + 2 * 200] = 0;
	EXPECT_EQ(MATHIS_OK, look(self, "/usr/lib"));
	EXPECT_EQ(MATHIS_LIMIT, narrow(self, text));
}

/* Arguments with more levels than there may be: the function comes back. */
TEST_F(bounds, drops_functions_of_what_cannot_be_read)
{
	static const uint8_t begin[] = { 0x83, 0xd9, 0x4d, 0x04, 0x82, 0x18,
					 79,   0x01, 0x62, 'a',	 'b' };
	struct {
		struct mathis_wire head;
		uint8_t data[sizeof(begin) + 80];
	} m = { .head = { .kind = MATHIS_WIRE_CALL,
			  .id = rig_id("crypto_sha256"),
			  .size = sizeof(m.data) } };

	memset(m.data, 0x81, sizeof(m.data));
	memcpy(m.data, begin, sizeof(begin));
	m.data[sizeof(m.data) - 1] = 0x80;
	ASSERT_EQ(0, phi_ring_send(self->c.ring, &m,
				   sizeof(m.head) + m.head.size));
	ASSERT_EQ(0, rig_next(self->c.client, MATHIS_REPLY_DONE, &self->reply));
	EXPECT_EQ(MATHIS_LIMIT, self->reply.code);
	ASSERT_EQ(0, rig_next(self->c.client, MATHIS_REPLY_DROP, &self->reply));
	EXPECT_EQ(79, self->reply.slot);
}

static int put_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs(text, f);
	return fclose(f);
}

TEST(refuses_two_manifests_of_a_user)
{
	struct manifests all = SLIST_HEAD_INITIALIZER(all);
	char dir[] = "/tmp/mathisd-two-XXXXXX", command[64];

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, put_file(dir, "root.json", "{}"));
	ASSERT_EQ(0, put_file(dir, "1.json", "{}"));
	EXPECT_EQ(0, mathisd_manifests_load(&all, dir));
	mathisd_manifests_free(&all);
	ASSERT_EQ(0, put_file(dir, "0.json", "{ \"deny\": [\"all\"] }"));
	EXPECT_EQ(-EEXIST, mathisd_manifests_load(&all, dir));
	mathisd_manifests_free(&all);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	EXPECT_EQ(0, system(command));
}

/* Begin a value of so many bytes, whose rest does not come. */
static int begin_value(struct rig_client *c, uint32_t size, uint32_t part)
{
	struct {
		struct mathis_wire head;
		uint8_t data[MATHIS_WIRE_PART_MIN];
	} m = { .head = { .kind = MATHIS_WIRE_CALL,
			  .id = rig_id("crypto_sha256"),
			  .size = size } };

	return phi_ring_send(c->ring, &m, (uint32_t)sizeof(m.head) + part);
}

/* Parts are long, unless they are the last: few of them make a value. */
TEST_F(bounds, ends_a_session_whose_parts_are_short)
{
	struct rig_client c;

	ASSERT_EQ(0, rig_open(&self->rig, 100, 8, 4096, &c));
	ASSERT_EQ(0, begin_value(&c, 2000, MATHIS_WIRE_PART_MIN - 1));
	EXPECT_EQ(-EPIPE, rig_done(c.client, &self->reply));
	rig_close(&c);
}

static int take_three(void *arg)
{
	struct rig_client *c = arg;
	struct mathis_pipe *p = &c->session->pipe;
	struct mathis_item dice[2] = { INT(1), INT(6) };
	struct mathis_wire head;
	const void *data;
	int ret = 0;

	for (int i = 0; i < 3; i++)
		rig_submit(c->client, "crypto_random_int", dice, 2, 0);
	mathis_pipe_budget(p, 8192);
	for (int i = 0; i < 2 && !ret; i++)
		ret = mathis_pipe_recv(p, &head, &data);
	if (ret)
		return ret;
	ret = mathis_pipe_recv(p, &head, &data);
	mathis_pipe_budget(p, 1);
	return mathis_pipe_recv(p, &head, &data) ?: ret;
}

TEST_F(bounds, takes_no_more_than_a_budget)
{
	EXPECT_EQ(-EINPROGRESS, rig_run(&self->rig, take_three, &self->c));
}

static int held(void *arg)
{
	struct mathisd_user *user = user_of(arg);

	return (int)(atomic_load(&user->owner->bytes) >> 20);
}

/* Digest so many bytes in a session: its code, or a negative errno. */
static int digest(struct rig_client *c, uint32_t n, struct mathis_reply *reply)
{
	static char data[1 << 20];
	struct mathis_item arg = { .kind = MATHIS_BYTES, .n = n, .text = data };

	return mathis_client_call(c->client, rig_id("crypto_sha256"), &arg, 1, reply, 0) ?:
		       reply->code;
}

/* Values that never come whole fill the share of their user, and no other's. */
TEST_F(bounds, charges_a_user_with_what_is_under_way)
{
	struct rig_client half[8], other;

	ASSERT_EQ(0, rig_open(&self->rig, 101, 64, 65536, &other));
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, rig_open(&self->rig, 100, 8, 4096, &half[i]));
		ASSERT_EQ(0, begin_value(&half[i], (i < 7 ? 64U : 63U) << 20,
					 MATHIS_WIRE_PART_MIN));
	}
	while (rig_run(&self->rig, held, self->c.session) < 511)
		;
	EXPECT_EQ(MATHIS_LIMIT, digest(&self->c, 1 << 20, &self->reply));
	EXPECT_EQ(MATHIS_OK, digest(&other, 1 << 20, &self->reply));
	for (int i = 0; i < 8; i++)
		rig_close(&half[i]);
	while (rig_run(&self->rig, held, self->c.session) > 0)
		;
	EXPECT_EQ(MATHIS_OK, digest(&self->c, 1 << 20, &self->reply));
	rig_close(&other);
}

/* Two sessions of a user have less memory together than each may have. */
TEST_F(bounds, shares_memory_among_the_sessions_of_a_user)
{
	struct mathis_item size = INT(64 << 20), mem = MATHIS_ITEM_NONE;
	struct rig_client more[2];
	int code = 0, n = 0;

	ASSERT_EQ(0, rig_open(&self->rig, 100, 64, 65536, &more[0]));
	ASSERT_EQ(0, rig_open(&self->rig, 100, 64, 65536, &more[1]));
	while (!code && n < 8) {
		ASSERT_NE(0, rig_submit(more[n / 4].client, "mem_alloc", &size,
					1, 0));
		code = rig_done(more[n / 4].client, &self->reply);
		mem = code ? mem : self->reply.value;
		n++;
	}
	/* The rings have some of it. */
	EXPECT_EQ(8, n);
	EXPECT_EQ(MATHIS_LIMIT, code);
	ASSERT_NE(0, rig_submit(more[1].client, "mem_free", &mem, 1, 0));
	ASSERT_EQ(MATHIS_OK, rig_done(more[1].client, &self->reply));
	ASSERT_NE(0, rig_submit(self->c.client, "mem_alloc", &size, 1, 0));
	EXPECT_EQ(MATHIS_OK, rig_done(self->c.client, &self->reply));
	for (int i = 0; i < 2; i++)
		rig_close(&more[i]);
}

TEST_HARNESS_MAIN
