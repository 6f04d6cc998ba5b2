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
#include <sys/resource.h>
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

/* Submit calls that take an hour; waits for room. */
static int submit_sleeps(struct mathis_client *c, struct mathis_reply *reply,
			 unsigned int n)
{
	struct mathis_item hour = INT(3600000);
	int ret = 0;

	while (n && !ret) {
		uint64_t ticket;

		ret = mathis_client_submit(c, id("time_sleep"), &hour, 1, 0, 0,
					   &ticket);
		if (!ret)
			n--;
		else if (ret == -EAGAIN)
			ret = mathis_client_wait(c, reply, 0);
		ret = ret == -EAGAIN ? 0 : ret;
	}
	return ret;
}

#define MOUNT_BPF "cd /sys/fs/bpf; mountpoint -q . || mount -t bpf none ."
#define LOAD_POLICY                                                          \
	"phi policy load $PHI_BPF/call_filter.bpf.o --config rules=0x10900," \
	"any,any:1"

/* Policies see the call as one of this process, and why() says so. */
SLOW_TEST(serve, is_checked_by_the_hosts_policies)
{
	struct phi_decision d;
	int code = -1;

	ASSERT_EQ(0, system(MOUNT_BPF));
	ASSERT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	ASSERT_EQ(0, system(LOAD_POLICY));
	EXPECT_EQ(MATHIS_DENIED, CALL("crypto_sha256", STR("abc")));
	EXPECT_EQ(MATHIS_OK, CALL("crypto_random_int", INT(1), INT(1)));
	EXPECT_EQ(0, phi_decision_query(self->phi, 0, PHI_DECISION_BEFORE, 0,
					&d, NULL));
	EXPECT_EQ(PHI_CALL_FOREIGN + 0x900, d.call);
	EXPECT_EQ(-EPERM, d.error);
	EXPECT_EQ((uint32_t)getpid(), d.pid);
	EXPECT_EQ(0, system("phi policy unload call_filter"));
	/* The kernel detaches it a little later. */
	for (int i = 0; i < 1000; i++) {
		code = CALL("crypto_sha256", STR("abc"));
		if (code == MATHIS_OK)
			break;
		usleep(10000);
	}
	EXPECT_EQ(MATHIS_OK, code);
}

/* kill -9 with a thousand calls under way: one error, and a new one serves. */
SLOW_TEST(serve, dies_and_begins_again)
{
	ASSERT_EQ(0, submit_sleeps(self->client, &self->reply, 1000));
	ASSERT_NE(0, server_stop(&self->d, SIGKILL));
	EXPECT_EQ(-EPIPE, mathis_client_wait(self->client, &self->reply, 0));
	EXPECT_EQ(-EPIPE, mathis_client_wait(self->client, &self->reply, 0));
	mathis_client_close(self->client);
	phi_close(self->phi);
	self->client = NULL;
	ASSERT_EQ(0, server_start(&self->d));
	ASSERT_EQ(0, server_client(&self->d, NULL, &self->phi, &self->client));
	EXPECT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
}

/* Clients are killed with calls under way; others go on. */
SLOW_TEST(serve, outlives_its_clients)
{
	for (int i = 0; i < 8; i++) {
		struct mathis_client *c;
		int phi, status;
		pid_t pid = fork();

		if (!pid) {
			if (server_client(&self->d, NULL, &phi, &c) ||
			    submit_sleeps(c, &self->reply, 100))
				_exit(1);
			raise(SIGKILL);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		ASSERT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	}
}

/* Hundreds of sessions of one user, until its quota or that of mathisd is spent. */
SLOW_TEST(serve, limits_the_sessions_of_a_user)
{
	static const struct mathis_client_size small = { 8, 4096 };
	static struct mathis_client *all[1024];
	uint64_t endpoint;
	char path[128];
	struct rlimit files = { 16384, 16384 };
	int ret = 0, n = 0;

	/* Each has two files here. */
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	snprintf(path, sizeof(path), "%s/tokens/mathisd.token", self->d.dir);
	ASSERT_EQ(0, mathis_client_token(self->phi, path, &endpoint));
	while (n < 1024 && !ret) {
		ret = mathis_client_open(self->phi, endpoint, &small,
					 in_seconds(60), &all[n]);
		n += !ret;
	}
	EXPECT_EQ(-EDQUOT, ret);
	EXPECT_LE(256, n);
	EXPECT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
	while (n)
		mathis_client_close(all[--n]);
	EXPECT_EQ(MATHIS_OK, CALL("crypto_sha256", STR("abc")));
}

TEST_HARNESS_MAIN
