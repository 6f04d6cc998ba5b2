// SPDX-License-Identifier: GPL-2.0-only
/* Command lines, as all daemons read them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "options.h"

struct own {
	uint64_t size;
	bool flag;
};

static const struct option rows[] = { { "size", required_argument, NULL, 's' },
				      { "flag", no_argument, NULL, 'f' },
				      {} };

static int set(void *arg, int c, char *text)
{
	struct own *own = arg;

	if (c == 's')
		return options_size(text, &own->size);
	own->flag = true;
	return 0;
}

static const char *wrong(const void *arg, const struct daemon_options *o)
{
	const struct own *own = arg;

	return own->flag && o->user ? "--flag has no use for --user" : NULL;
}

static const struct options_table table = {
	.name = "thing",
	.version = "1.2",
	.rows = rows,
	.help = "usage: thing\n",
	.set = set,
	.wrong = wrong,
};

FIXTURE(options)
{
	struct daemon_options o;
	struct own own;
	char said[512];
};

FIXTURE_SETUP(options)
{
}

FIXTURE_TEARDOWN(options)
{
}

/* Read a command line; keeps what it prints to a descriptor. */
static int read_line(FIXTURE_DATA(options) * self, int fd, char **argv)
{
	FILE *to = fd == STDOUT_FILENO ? stdout : stderr;
	int argc = 0, kept = dup(fd), ends[2], ret;
	ssize_t n;

	while (argv[argc])
		argc++;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		abort();
	fflush(to);
	dup2(ends[1], fd);
	optind = 0;
	self->own = (struct own){};
	ret = options_read(argc, argv, &table, &self->o, &self->own);
	fflush(to);
	dup2(kept, fd);
	n = read(ends[0], self->said, sizeof(self->said) - 1);
	self->said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	close(ends[1]);
	close(kept);
	return ret;
}

#define READ(_fd, ...) \
	read_line(self, _fd, (char *[]){ "thing", ##__VA_ARGS__, NULL })

TEST_F(options, are_set_by_name_and_by_letter)
{
	ASSERT_EQ(0, READ(2));
	EXPECT_EQ(NULL, self->o.user);
	EXPECT_EQ(NULL, self->o.publish.dir);
	EXPECT_EQ(0644, self->o.publish.mode);
	EXPECT_EQ(-1, self->o.ready_fd);
	EXPECT_FALSE(self->o.verbose);
	ASSERT_EQ(0, READ(2, "--user", "me", "--size", "1"));
	EXPECT_STREQ("me", self->o.user);
	EXPECT_EQ(1, self->own.size);
	ASSERT_EQ(0, READ(2, "-u", "you", "-s2"));
	EXPECT_STREQ("you", self->o.user);
	EXPECT_EQ(2, self->own.size);
	EXPECT_STREQ("", self->said);
}

TEST_F(options, of_all_daemons_and_of_one)
{
	ASSERT_EQ(0, READ(2, "--verbose", "-p", "/p", "-o600", "--audience=77",
			  "-r", "9", "-fs", "3K"));
	EXPECT_TRUE(self->o.verbose);
	EXPECT_STREQ("/p", self->o.publish.dir);
	EXPECT_EQ(0600, self->o.publish.mode);
	EXPECT_EQ(78, self->o.publish.audience);
	EXPECT_EQ(9, self->o.ready_fd);
	EXPECT_TRUE(self->own.flag);
	EXPECT_EQ(3072, self->own.size);
}

TEST_F(options, that_are_wrong_are_named)
{
	EXPECT_EQ(-EINVAL, READ(2, "-s", "3X"));
	EXPECT_STREQ("thing: -s cannot be \"3X\"\nusage: thing\n", self->said);
	EXPECT_EQ(-EINVAL, READ(2, "--mode=8"));
	EXPECT_STREQ("thing: -o cannot be \"8\"\nusage: thing\n", self->said);
	EXPECT_EQ(-EINVAL, READ(2, "--ready-fd=-1"));
	EXPECT_EQ(-EINVAL, READ(2, "word"));
	EXPECT_STREQ("thing: too many words\nusage: thing\n", self->said);
	EXPECT_EQ(-EINVAL, READ(2, "-fu", "me"));
	EXPECT_STREQ("thing: --flag has no use for --user\nusage: thing\n",
		     self->said);
	EXPECT_EQ(-EINVAL, READ(2, "--nonsense"));
	EXPECT_NE(NULL, strstr(self->said, "usage: thing\n"));
}

TEST_F(options, tell_the_version_and_help)
{
	EXPECT_EQ(1, READ(1, "--version"));
	EXPECT_STREQ("thing 1.2\n", self->said);
	EXPECT_EQ(1, READ(1, "-h", "word"));
	EXPECT_STREQ("usage: thing\n", self->said);
}

TEST(numbers)
{
	uint64_t n = 0;
	double v = 0;

	EXPECT_EQ(0, options_number("0", 0, 9, &n));
	EXPECT_EQ(0, options_number("9", 0, 9, &n));
	EXPECT_EQ(9, n);
	EXPECT_EQ(-EINVAL, options_number("10", 0, 9, &n));
	EXPECT_EQ(-EINVAL, options_number("0", 1, 9, &n));
	EXPECT_EQ(-EINVAL, options_number("-1", 0, UINT64_MAX, &n));
	EXPECT_EQ(-EINVAL, options_number(" 1", 0, 9, &n));
	EXPECT_EQ(-EINVAL, options_number("1 ", 0, 9, &n));
	EXPECT_EQ(-EINVAL, options_number("", 0, 9, &n));
	EXPECT_EQ(-EINVAL,
		  options_number("18446744073709551616", 0, UINT64_MAX, &n));
	EXPECT_EQ(0, options_real("0.25", 0, 1, &v));
	EXPECT_EQ(0.25, v);
	EXPECT_EQ(-EINVAL, options_real("1.5", 0, 1, &v));
	EXPECT_EQ(-EINVAL, options_real("nan", 0, 1, &v));
	EXPECT_EQ(-EINVAL, options_real("", 0, 1, &v));
	EXPECT_EQ(-EINVAL, options_real("1x", 0, 1, &v));
}

TEST(sizes)
{
	uint64_t n = 0;

	EXPECT_EQ(0, options_size("5", &n));
	EXPECT_EQ(5, n);
	EXPECT_EQ(0, options_size("1T", &n));
	EXPECT_EQ(1ULL << 40, n);
	EXPECT_EQ(0, options_size("16777215T", &n));
	EXPECT_EQ(16777215ULL << 40, n);
	EXPECT_EQ(-EINVAL, options_size("16777216T", &n));
	EXPECT_EQ(-EINVAL, options_size("1KB", &n));
	EXPECT_EQ(-EINVAL, options_size("K", &n));
	EXPECT_EQ(-EINVAL, options_size("-1", &n));
	EXPECT_EQ(16777215ULL << 40, n);
}

TEST_HARNESS_MAIN
