// SPDX-License-Identifier: GPL-2.0-only
/* Files of services: what they say, and each way in which one is refused. */
#include <kselftest_harness.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"

#define SECOND 1000000000ULL
#define RUN "[Service]\nExecStart=/bin/true\n"

FIXTURE(config)
{
	struct init_config *c;
	struct init_fault fault;
};

FIXTURE_SETUP(config)
{
	self->c = NULL;
	self->fault.text[0] = '\0';
}

FIXTURE_TEARDOWN(config)
{
	init_config_free(self->c);
}

TEST_F(config, has_defaults)
{
	self->c = init_config_parse("/etc/x/a.service", RUN, &self->fault);
	ASSERT_NE(NULL, self->c);
	EXPECT_STREQ("a", self->c->name);
	EXPECT_EQ(1, self->c->argc);
	EXPECT_STREQ("/bin/true", self->c->argv[0]);
	EXPECT_EQ(NULL, self->c->argv[1]);
	EXPECT_EQ(INIT_SIMPLE, self->c->type);
	EXPECT_EQ(INIT_ON_FAILURE, self->c->restart);
	EXPECT_EQ(SECOND / 10, self->c->delay_ns);
	EXPECT_EQ(30 * SECOND, self->c->delay_max_ns);
	EXPECT_EQ(0, self->c->burst);
	EXPECT_EQ(90 * SECOND, self->c->start_ns);
	EXPECT_EQ(10 * SECOND, self->c->stop_ns);
	EXPECT_EQ(SIGTERM, self->c->signal);
	EXPECT_EQ(512, self->c->tasks_max);
	EXPECT_EQ(0, self->c->ncaps);
	EXPECT_FALSE(self->c->all);
	EXPECT_FALSE(self->c->manual);
}

TEST_F(config, takes_every_key)
{
	static const char text[] =
		"# comment\n; another\n\n"
		"[Unit]\n"
		"Description = Digits, and more\t\n"
		"After=a b\n"
		"Requires=b c\n"
		"StartLimitBurst=5\n"
		"StartLimitIntervalSec=1min\n"
		"[Service]\n"
		"Type=notify\n"
		"ExecStart=/bin/x 'a b' \\\n  \"c\\\"d\" e\\ f ''\n"
		"Environment=A=1 \"B=x y\"\n"
		"Environment=C=\n"
		"Restart=always\n"
		"RestartSec=250ms\n"
		"RestartMaxDelaySec=1h\n"
		"TimeoutStartSec=infinity\n"
		"TimeoutStopSec=1.5\n"
		"KillSignal=SIGINT\n"
		"MemoryMax=64M\n"
		"TasksMax=7\n"
		"CPUQuota=20%\n"
		"[Agent]\n"
		"Capability=in=endpoint:store:recv,send\n"
		"Capability=mem=memory:m:read,map:8192\n"
		"Capability=bell=notify:n:write\n"
		"Capability=key=token:/run/x:send\n"
		"Capability=all=token:/run/y\n"
		"Sha256=00ff000000000000000000000000000000000000000000000000000000000010\n"
		"Group=g\n"
		"Strategy=one_for_all\n"
		"Manual=yes";
	struct init_config *c =
		init_config_parse("full.service", text, &self->fault);

	self->c = c;
	ASSERT_NE(NULL, c)
	{
		TH_LOG("%s", self->fault.text);
	}
	EXPECT_STREQ("Digits, and more", c->description);
	ASSERT_EQ(3, c->nafter);
	EXPECT_STREQ("a", c->after[0].name);
	EXPECT_FALSE(c->after[0].needed);
	EXPECT_STREQ("b", c->after[1].name);
	EXPECT_TRUE(c->after[1].needed);
	EXPECT_TRUE(c->after[2].needed);
	EXPECT_EQ(5, c->burst);
	EXPECT_EQ(60 * SECOND, c->interval_ns);
	EXPECT_EQ(INIT_NOTIFY, c->type);
	ASSERT_EQ(5, c->argc);
	EXPECT_STREQ("a b", c->argv[1]);
	EXPECT_STREQ("c\"d", c->argv[2]);
	EXPECT_STREQ("e f", c->argv[3]);
	EXPECT_STREQ("", c->argv[4]);
	ASSERT_EQ(3, c->envc);
	EXPECT_STREQ("B=x y", c->envp[1]);
	EXPECT_STREQ("C=", c->envp[2]);
	EXPECT_EQ(INIT_ALWAYS, c->restart);
	EXPECT_EQ(SECOND / 4, c->delay_ns);
	EXPECT_EQ(3600 * SECOND, c->delay_max_ns);
	EXPECT_EQ(0, c->start_ns);
	EXPECT_EQ(SECOND * 3 / 2, c->stop_ns);
	EXPECT_EQ(SIGINT, c->signal);
	EXPECT_EQ(64 << 20, c->memory_max);
	EXPECT_EQ(7, c->tasks_max);
	EXPECT_EQ(20, c->cpu_percent);
	ASSERT_EQ(5, c->ncaps);
	EXPECT_EQ(PHI_TYPE_ENDPOINT, c->caps[0].type);
	EXPECT_STREQ("in", c->caps[0].name);
	EXPECT_STREQ("store", c->caps[0].object);
	EXPECT_EQ(PHI_RIGHT_RECV | PHI_RIGHT_SEND, c->caps[0].rights);
	EXPECT_EQ(8192, c->caps[1].bytes);
	EXPECT_EQ(PHI_TYPE_NOTIFY, c->caps[2].type);
	EXPECT_EQ(0, c->caps[3].type);
	EXPECT_STREQ("/run/x", c->caps[3].object);
	EXPECT_EQ(0, c->caps[4].rights);
	EXPECT_TRUE(c->hashed);
	EXPECT_EQ(0xff, c->sha256[1]);
	EXPECT_EQ(0x10, c->sha256[31]);
	EXPECT_STREQ("g", c->group);
	EXPECT_TRUE(c->all);
	EXPECT_TRUE(c->manual);
}

static const struct {
	const char *text;
	const char *fault;
} refused[] = {
	{ "", "x.service:1: no ExecStart=" },
	{ "ExecStart=/a\n", ":1: 'ExecStart=/a' stands before" },
	{ "[Service\n", ":1: '[Service' does not end in ']'" },
	{ "[Install]\n", ":1: unknown section [Install]" },
	{ "[Service]\n\nfoo\n", ":3: 'foo' is not KEY=VALUE" },
	{ "[Service]\nRestrat=no\n",
	  ":2: unknown key Restrat in [Service]; is Restart in [Service] meant?" },
	{ "[Unit]\nexecstart=/a\n", "is ExecStart in [Service] meant?" },
	{ "[Service]\nAmbientCapabilities=x\n",
	  ":2: unknown key AmbientCapabilities in [Service]; initd.service(5)" },
	{ "[Service]\nExecStart=/a \\\n b\nType=fast\n",
	  ":4: Type cannot be 'fast'" },
	{ "[Service]\nExecStart=a\n", "begins with '/'" },
	{ "[Service]\nExecStart=\n", "begins with '/'" },
	{ "[Service]\nExecStart=/a 'b\n", "a quote" },
	{ "[Service]\nExecStart=/a \"b\\", "a quote" },
	{ RUN "ExecStart=/b\n", ":3: ExecStart cannot be '/b': there is" },
	{ RUN "Environment=A\n", "NAME=VALUE" },
	{ RUN "Environment==A\n", "NAME=VALUE" },
	{ RUN "Environment=PHI_FD=7\n", "initd sets PHI_*" },
	{ RUN "Environment=NOTIFY_SOCKET=/x\n", "initd sets PHI_*" },
	{ RUN "Restart=sometimes\n", "restart no, on-failure or" },
	{ RUN "RestartSec=0\n", "the least delay is 1ms" },
	{ RUN "RestartSec=-1\n", "a time is" },
	{ RUN "RestartSec=1 day\n", "a time is" },
	{ RUN "RestartSec=1e300\n", "a time is" },
	{ RUN "RestartSec=nan\n", "a time is" },
	{ RUN "RestartMaxDelaySec=x\n", "a time is" },
	{ RUN "RestartSec=31\n", "RestartSec= is more than" },
	{ RUN "TimeoutStartSec=soon\n", "a time is" },
	{ RUN "TimeoutStopSec=0\n", "needs some time" },
	{ RUN "TimeoutStopSec=infinity\n", "a time is" },
	{ RUN "TimeoutStopSec=300\n", "gives all services 300 s" },
	{ RUN "KillSignal=SIGNO\n", "a signal like" },
	{ RUN "KillSignal=0\n", "a signal like" },
	{ RUN "MemoryMax=0\n", "a number of bytes" },
	{ RUN "MemoryMax=1X\n", "a number of bytes" },
	{ RUN "TasksMax=0\n", "a number of tasks" },
	{ RUN "CPUQuota=20\n", "percent of one" },
	{ RUN "CPUQuota=%\n", "percent of one" },
	{ RUN "CPUQuota=0%\n", "percent of one" },
	{ RUN "CPUQuota=11111111111111111111%\n", "percent of one" },
	{ RUN "Type=oneshot\nRestart=always\n", "repeats a Type=oneshot" },
	{ RUN "[Unit]\nAfter=../x\n", "a name is" },
	{ RUN "[Unit]\nAfter=x\n", "x comes after itself" },
	{ RUN "[Unit]\nAfter=a b c d e f g h i j k l m n o p q\n",
	  "the names of services" },
	{ RUN "[Unit]\nAfter=a b c d e f g h i j k l m n o p\nAfter=q\n",
	  "more than 16" },
	{ RUN "[Unit]\nStartLimitBurst=-1\n", "a number of starts" },
	{ RUN "[Unit]\nStartLimitIntervalSec=\n", "a time is" },
	{ RUN "[Agent]\nCapability=x\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x=endpoint\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x=file:y:read\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x y=notify:n:read\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x=notify:n\n", "rights are" },
	{ RUN "[Agent]\nCapability=x=notify:n:\n", "rights are" },
	{ RUN "[Agent]\nCapability=x=notify:n:read,\n", "rights are" },
	{ RUN "[Agent]\nCapability=x=notify:n:fly\n", "rights are" },
	{ RUN "[Agent]\nCapability=x=notify:n:read:4096\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x=memory:m:read\n", "a capability is" },
	{ RUN "[Agent]\nCapability=x=memory:m:read:4097\n", "4096" },
	{ RUN "[Agent]\nCapability=x=memory:m:read:0\n", "4096" },
	{ RUN "[Agent]\nCapability=x=token:y\n", "begins with '/'" },
	{ RUN
	  "[Agent]\nCapability=x=notify:a:read\nCapability=x=notify:b:read\n",
	  ":5: Capability cannot be" },
	{ RUN "[Agent]\nSha256=00\n", "64 hexadecimal" },
	{ RUN
	  "[Agent]\nSha256=0x00000000000000000000000000000000000000000000000000000000000000\n",
	  "64 hexadecimal" },
	{ RUN "[Agent]\nGroup=\n", "a name is" },
	{ RUN "[Agent]\nStrategy=rest_for_one\n", "a strategy is" },
	{ RUN "[Agent]\nStrategy=one_for_all\n", "needs Group=" },
	{ RUN "[Agent]\nManual=perhaps\n", "yes or no" },
};

/* Each is refused, with the line and the reason. */
TEST_F(config, refuses)
{
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct init_config *c = init_config_parse(
			"x.service", refused[i].text, &self->fault);

		EXPECT_EQ(NULL, c)
		{
			TH_LOG("taken: %s", refused[i].text);
		}
		init_config_free(c);
		EXPECT_NE(NULL, strstr(self->fault.text, refused[i].fault))
		{
			TH_LOG("'%s' is refused by '%s'", refused[i].text,
			       self->fault.text);
		}
		EXPECT_EQ(0, strncmp(self->fault.text, "x.service:", 10));
	}
}

TEST_F(config, refuses_names)
{
	static const char *const names[] = {
		"x",	      ".service",
		"..service",  "a b.service",
		"a/.service", "0123456789012345678901234567890x.service",
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		EXPECT_EQ(NULL, init_config_parse(names[i], RUN, &self->fault));
		EXPECT_NE(NULL, strstr(self->fault.text, "name"));
	}
}

/* Cut or altered anywhere, a file is taken or refused, and nothing else. */
TEST_F(config, survives_any_text)
{
	static const char whole[] =
		"[Unit]\nAfter=a \\\n b\n[Service]\nExecStart=/x 'y' \"z\\\"\"\nCPUQuota=20%\n"
		"[Agent]\nCapability=m=memory:o:read,map:4096\nSha256=00\n";
	char text[sizeof(whole)];
	unsigned int seed = 1;
	int i, n;

	for (i = 0; i < 20000; i++) {
		memcpy(text, whole, sizeof(text));
		for (n = rand_r(&seed) % 4; n >= 0; n--)
			text[rand_r(&seed) % sizeof(whole)] =
				(char)(rand_r(&seed) % 128);
		text[sizeof(text) - 1] = '\0';
		init_config_free(
			init_config_parse("x.service", text, &self->fault));
	}
}

TEST_F(config, reads_no_file_that_is_too_long_or_binary)
{
	char dir[] = "/tmp/phi-initd-XXXXXX";
	char *big = malloc(INIT_FILE_MAX + 1);
	int at, fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	at = open(dir, O_RDONLY | O_DIRECTORY);
	memset(big, '\n', INIT_FILE_MAX + 1);
	memcpy(big, RUN, strlen(RUN));
	fd = openat(at, "a.service", O_WRONLY | O_CREAT, 0600);
	EXPECT_EQ(INIT_FILE_MAX, write(fd, big, INIT_FILE_MAX));
	self->c = init_config_read(at, "a.service", &self->fault);
	EXPECT_NE(NULL, self->c);
	EXPECT_EQ(1, write(fd, "\n", 1));
	EXPECT_EQ(NULL, init_config_read(at, "a.service", &self->fault));
	EXPECT_NE(NULL, strstr(self->fault.text, "File too large"));
	EXPECT_EQ(1, pwrite(fd, "", 1, 100));
	EXPECT_EQ(0, ftruncate(fd, 200));
	EXPECT_EQ(NULL, init_config_read(at, "a.service", &self->fault));
	EXPECT_NE(NULL, strstr(self->fault.text, "cannot read it"));
	EXPECT_EQ(NULL, init_config_read(at, "b.service", &self->fault));
	EXPECT_NE(NULL, strstr(self->fault.text, "No such file"));
	close(fd);
	unlinkat(at, "a.service", 0);
	close(at);
	rmdir(dir);
	free(big);
}

TEST_HARNESS_MAIN
