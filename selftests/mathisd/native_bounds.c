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

TEST_HARNESS_MAIN
