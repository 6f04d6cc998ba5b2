// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ten thousand sessions at once: each makes a call, none costs much, and all go
 * without a trace.
 */
#include <errno.h>
#include <mathis/calls.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "dispatch.h"
#include "rig.h"

#define SESSIONS 10000
#define FILES 12000 /* one each here */

/* Bytes of each that are in memory, its ring in both mappings. */
#define EACH_MAX (96 << 10)

static struct rig rig;
static struct rig_client clients[SESSIONS];

static size_t resident(void)
{
	unsigned long all, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%lu %lu", &all, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

TEST(each_makes_a_call)
{
	struct rlimit files = { FILES, FILES };
	struct mathis_item dice[2] = { INT(1), INT(6) };
	int id = mathis_call_number("crypto_random_int", 17);
	struct mathis_reply reply;
	size_t before, each;
	int bell, n;

	bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, bell);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files))
	{
		TH_LOG("needs %d files", FILES);
	}
	mathis_pool_init(&reply.pool, 0);
	ASSERT_TRUE(rig_init(&rig, "{ \"allow\": [\"crypto\"] }"));
	before = resident();
	for (n = 0; n < SESSIONS; n++) {
		ASSERT_EQ(0, rig_open_small(&rig, 1000 + n % 20, bell,
					    &clients[n]));
	}
	EXPECT_EQ(SESSIONS, rig.server.daemon.nsessions);
	/* Forwards and backwards: the first waits for all others. */
	for (n = 0; n < 2 * SESSIONS; n++) {
		int i = n < SESSIONS ? n : 2 * SESSIONS - 1 - n;

		ASSERT_EQ(0, mathis_client_call(clients[i].client, (uint16_t)id,
						dice, 2, &reply, 0));
		ASSERT_EQ(MATHIS_OK, reply.code);
	}
	each = (resident() - before) / SESSIONS;
	printf("# %zu bytes a session\n", each);
	EXPECT_GE((size_t)EACH_MAX, each);
	for (n = 0; n < SESSIONS; n++)
		rig_close(&clients[n]);
	mathis_pool_fini(&reply.pool);
	EXPECT_TRUE(rig_fini(&rig));
	close(bell);
}

TEST_HARNESS_MAIN
