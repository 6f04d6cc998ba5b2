// SPDX-License-Identifier: GPL-2.0-only
/*
 * mathisd on a kernel with phi.ko: sessions, calls over rings, refusals, and
 * both sides dying.
 */
#include <errno.h>
#include <mathis/calls.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <phi/phi.h>

#include <kselftest_harness.h>

#include "dispatch.h"
#include "server.h"

/* Software emulation on a busy machine takes its time. */
#define SLOW_TEST(_fixture, _name) TEST_F_TIMEOUT(_fixture, _name, 240)

FIXTURE(serve)
{
	struct daemon_run d;
	struct mathis_client *client;
	struct mathis_reply reply;
	int phi;
};

FIXTURE_SETUP(serve)
{
	char text[256];

	memset(self, 0, sizeof(*self));
	self->phi = -1;
	mathis_pool_init(&self->reply.pool, 1 << 20);
	ASSERT_EQ(0, server_new(&self->d));
	snprintf(text, sizeof(text),
		 "{ \"allow\": [\"crypto\", \"fs.read=%s\"],\n"
		 "  \"deny\": [\"io.special\"] }\n",
		 self->d.dir);
	ASSERT_EQ(0, server_manifest(&self->d, "default", text));
	ASSERT_EQ(0, server_start(&self->d))
	{
		TH_LOG("is phi.ko loaded?");
	}
	ASSERT_EQ(0, server_client(&self->d, NULL, &self->phi, &self->client));
}

FIXTURE_TEARDOWN(serve)
{
	mathis_pool_fini(&self->reply.pool);
	mathis_client_close(self->client);
	if (self->phi >= 0)
		phi_close(self->phi);
	EXPECT_EQ(0, server_stop(&self->d, SIGTERM));
	server_free(&self->d);
}

/* The number of a call. */
static uint16_t id(const char *name)
{
	return (uint16_t)mathis_call_number(name, strlen(name));
}

/* Make a call and wait: its code, or a negative errno. */
static int call(FIXTURE_DATA(serve) * self, const char *name,
		const struct mathis_item *args, unsigned int argc)
{
	int ret = mathis_client_call(self->client, id(name), args, argc,
				     &self->reply, in_seconds(60));

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

SLOW_TEST(serve, makes_a_call_and_refuses_another)
{
	const struct mathis_item *detail;

	ASSERT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	EXPECT_EQ(MATHIS_BYTES, self->reply.value.kind);
	EXPECT_EQ(32, self->reply.value.n);
	/* Its right is not in the manifest: the error names it. */
	ASSERT_EQ(MATHIS_DENIED, CALL("io_println", STR("x")));
	EXPECT_EQ(MATHIS_MAP, self->reply.value.kind);
	EXPECT_TRUE(text_is(&self->reply.value, "name", "Denied"));
	detail = mathis_item_get(&self->reply.value, "detail");
	ASSERT_NE(NULL, detail);
	EXPECT_TRUE(text_is(detail, "right", "console"));
}

TEST_HARNESS_MAIN
