// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where tokens go, and who may use them: what the command line may say of it,
 * and files that come and go. No kernel seals a token here, so none may be
 * left where clients look.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "publish.h"

FIXTURE(publish)
{
	struct publish p;
	char dir[32];
};

FIXTURE_SETUP(publish)
{
	memset(&self->p, 0, sizeof(self->p));
	snprintf(self->dir, sizeof(self->dir), "/tmp/publish-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	self->p.dir = self->dir;
}

/* Nothing may be left in it. */
FIXTURE_TEARDOWN(publish)
{
	EXPECT_EQ(0, rmdir(self->dir));
}

TEST_F(publish, modes_are_octal_and_of_files)
{
	static const char *const wrong[] = {
		"",	 "x",	 "8",
		"0x1ff", "1000", "644x",
		"644 ",	 "-1",	 "77777777777777777777777"
	};
	size_t i;

	EXPECT_EQ(0, publish_set_mode(&self->p, "640"));
	EXPECT_EQ(0640, self->p.mode);
	EXPECT_EQ(0, publish_set_mode(&self->p, "0"));
	EXPECT_EQ(0, self->p.mode);
	EXPECT_EQ(0, publish_set_mode(&self->p, "0777"));
	EXPECT_EQ(0777, self->p.mode);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(-EINVAL, publish_set_mode(&self->p, wrong[i]))
		{
			TH_LOG("mode %s", wrong[i]);
		}
	}
}

TEST_F(publish, audience_is_a_user_or_a_number)
{
	static const char *const wrong[] = {
		"",	      "nobody-of-this-name", "-1", "+5", " 5", "12x",
		"4294967295", "18446744073709551616"
	};
	size_t i;

	EXPECT_EQ(0, publish_set_audience(&self->p, "root"));
	EXPECT_EQ(1, self->p.audience);
	EXPECT_EQ(0, publish_set_audience(&self->p, "nobody"));
	EXPECT_EQ(65534 + 1, self->p.audience);
	EXPECT_EQ(0, publish_set_audience(&self->p, "0"));
	EXPECT_EQ(1, self->p.audience);
	EXPECT_EQ(0, publish_set_audience(&self->p, "4294967294"));
	EXPECT_EQ(UINT32_MAX, self->p.audience);
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		EXPECT_EQ(-EINVAL, publish_set_audience(&self->p, wrong[i]))
		{
			TH_LOG("audience %s", wrong[i]);
		}
		EXPECT_EQ(UINT32_MAX, self->p.audience);
	}
}

TEST_F(publish, nothing_is_left_of_what_cannot_be_sealed)
{
	char name[PATH_MAX];

	EXPECT_EQ(-EBADF, publish_token(&self->p, -1, 1, "name"));
	/* So long that only ".new" behind it does not fit. */
	memset(name, 'n', sizeof(name));
	name[PATH_MAX - strlen(self->dir) - strlen("/.token.new")] = '\0';
	EXPECT_EQ(-ENAMETOOLONG, publish_token(&self->p, -1, 1, name));
	publish_remove(&self->p, name);
}

TEST_F(publish, removes_the_token_and_nothing_else)
{
	static const char *const names[] = { "a.token", "b.token", "a",
					     "a.token.new" };
	char path[64];
	int i, fd;

	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		ASSERT_LE(0, fd);
		close(fd);
	}
	publish_remove(&self->p, "a");
	publish_remove(&self->p, "none");
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", self->dir, names[i]);
		EXPECT_EQ(i ? 0 : -1, unlink(path));
	}
}

TEST_HARNESS_MAIN
