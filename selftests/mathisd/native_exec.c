// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0306: programs that a program runs.
 */
#include <kselftest_harness.h>

#include "dispatch.h"

FIXTURE(exec)
{
	struct dispatch d;
	struct mathis_item args[8];
	struct mathis_item pairs[16];
};

FIXTURE_SETUP(exec)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(exec)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)

/* Run a command of the shell with options by name: the code of the call. */
static int shell(FIXTURE_DATA(exec) * self, const char *command, unsigned int n)
{
	struct mathis_item argv = { .kind = MATHIS_LIST,
				    .n = 3,
				    .items = self->args };
	struct mathis_item opts = { .kind = MATHIS_MAP,
				    .n = n,
				    .items = self->pairs };

	self->args[0] = STR("/bin/sh");
	self->args[1] = STR("-c");
	self->args[2] = STR(command);
	return DO("proc_exec", argv, opts);
}

static bool part_is(const char *key, const char *text)
{
	const struct mathis_item *v = mathis_item_get(&RESULT, key);

	return v && v->n == strlen(text) && !memcmp(v->text, text, v->n);
}

static int64_t number(const char *key)
{
	const struct mathis_item *v = mathis_item_get(&RESULT, key);

	return v ? v->i : -1;
}

static void set(FIXTURE_DATA(exec) * self, unsigned int at, const char *key,
		struct mathis_item value)
{
	self->pairs[2 * at] = STR(key);
	self->pairs[2 * at + 1] = value;
}

#define SET(...) set(self, __VA_ARGS__)

TEST_F(exec, proc_exec_returns_what_a_program_says)
{
	EXPECT_EQ(0, shell(self, "echo out; echo err >&2; exit 3", 0));
	EXPECT_EQ(3, number("code"));
	EXPECT_TRUE(part_is("stdout", "out\n"));
	EXPECT_TRUE(part_is("stderr", "err\n"));
	EXPECT_EQ(0, shell(self, "kill -9 $$", 0));
	EXPECT_EQ(9, number("signal"));
	EXPECT_EQ(-1, number("code"));
	/* It has the streams and nothing else, and no environment. */
	EXPECT_EQ(0, shell(self, "ls /proc/self/fd | wc -l; pwd; /usr/bin/env",
			   0));
	EXPECT_EQ(0, strncmp(mathis_item_get(&RESULT, "stdout")->text,
			     "4\n/\nPWD=/\n", 10));
	EXPECT_EQ(NULL,
		  memmem(mathis_item_get(&RESULT, "stdout")->text,
			 mathis_item_get(&RESULT, "stdout")->n, "PATH=", 5));
}

TEST_F(exec, proc_exec_options)
{
	struct mathis_item env[] = { STR("A"), STR("b c") };
	struct mathis_item map = { .kind = MATHIS_MAP, .n = 1, .items = env };
	char want[100];

	SET(0, "input", STR("line\n"));
	SET(1, "env", map);
	SET(2, "cwd", STR("."));
	EXPECT_EQ(0, shell(self, "cat; echo $A; pwd", 3));
	snprintf(want, sizeof(want), "line\nb c\n%s\n", self->d.folder);
	EXPECT_TRUE(part_is("stdout", want));
	SET(0, "max_out", INT(3));
	EXPECT_EQ(0, shell(self, "echo ab", 1));
	EXPECT_TRUE(part_is("stdout", "ab\n"));
	EXPECT_EQ(MATHIS_LIMIT, shell(self, "echo abc", 1));
	EXPECT_EQ(MATHIS_LIMIT, shell(self, "while :; do echo x; done >&2", 1));
	SET(0, "timeout_ms", INT(20));
	EXPECT_EQ(MATHIS_TIMEOUT, shell(self, "sleep 1000", 1));
	SET(0, "cwd", STR("none"));
	EXPECT_EQ(MATHIS_NOT_FOUND, shell(self, "true", 1));
	env[0] = STR("a=b");
	SET(0, "env", map);
	EXPECT_EQ(MATHIS_ARG_RANGE, shell(self, "true", 1));
	env[0] = STR("a");
	env[1] = INT(1);
	EXPECT_EQ(MATHIS_ARG_TYPE, shell(self, "true", 1));
	SET(0, "shell", BOOL(true));
	EXPECT_EQ(MATHIS_ARG_TYPE, shell(self, "true", 1));
}

TEST_F(exec, what_it_leaves_behind_dies)
{
	const struct mathis_item *out;
	char command[100];

	EXPECT_EQ(0, shell(self, "sleep 1000 & echo $!", 0));
	EXPECT_EQ(0, number("code"));
	out = mathis_item_get(&RESULT, "stdout");
	snprintf(command, sizeof(command),
		 "while grep -qs '^State:.[^ZX]' /proc/%.*s/status; do :; done",
		 (int)out->n - 1, out->text);
	EXPECT_EQ(0, system(command));
}

TEST_F(exec, proc_exec_can_be_cancelled)
{
	struct mathis_item argv[] = { STR("/bin/sleep"), STR("1000") };
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 2,
				    .items = argv };
	struct md_call *c = dispatch_begin(&self->d, "proc_exec", &list, 1);

	EXPECT_EQ(0, md_session_cancel(self->d.session, c->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, c));
	md_call_put(c);
}

TEST_F(exec, proc_exec_refuses)
{
	struct md_rights *rights = &self->d.session->rights;
	struct mathis_item argv[] = { STR("/bin/none") };
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 1,
				    .items = argv };

	EXPECT_EQ(MATHIS_NOT_FOUND, DO("proc_exec", list));
	argv[0] = STR("sh");
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("proc_exec", list));
	argv[0] = STR("/tmp");
	EXPECT_EQ(MATHIS_IO, DO("proc_exec", list));
	argv[0] = dispatch_text(MATHIS_STR, "/bin/true\0x", 11);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("proc_exec", list));
	md_rights_fini(rights);
	*rights = (struct md_rights){ 0 };
	ASSERT_EQ(0, md_rights_add(rights, false, "proc.exec", "/bin/true"));
	EXPECT_EQ(MATHIS_DENIED, shell(self, "true", 0));
	argv[0] = STR("/bin/true");
	EXPECT_EQ(0, DO("proc_exec", list));
	EXPECT_EQ(0, number("code"));
	/* Another name of it is no other program. */
	argv[0] = STR("/bin/../bin/true");
	EXPECT_EQ(0, DO("proc_exec", list));
	self->d.core->confined = true;
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("proc_exec", list));
}

/* Have these rules alone. */
static void rule(struct dispatch *d, const char *allow, const char *deny)
{
	struct md_rights *rights = &d->session->rights;

	md_rights_fini(rights);
	*rights = (struct md_rights){ 0 };
	if (md_rights_add(rights, false, "proc.exec", allow) ||
	    (deny && md_rights_add(rights, true, "proc.exec", deny)))
		abort();
}

static int run(struct dispatch *d, const char *path)
{
	struct mathis_item argv[] = { STR(path) };
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 1,
				    .items = argv };

	return CALL(d, "proc_exec", list);
}

TEST_F(exec, no_other_name_leads_to_a_program)
{
	static const char *const names[] = { "/bin/true", "/bin//true",
					     "/usr/bin/true", "/bin/./true",
					     "/tmp/../bin/true" };
	char tools[128], path[256];

	ASSERT_EQ(0,
		  dispatch_shell(&self->d, "mkdir t o && cp /bin/true t/own"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s /bin/true t/link"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "cp /bin/true o/other"));
	snprintf(tools, sizeof(tools), "%s/t/*", self->d.folder);
	rule(&self->d, tools, NULL);
	snprintf(path, sizeof(path), "%s/t/own", self->d.folder);
	EXPECT_EQ(0, run(&self->d, path));
	snprintf(path, sizeof(path), "%s/t/../o/other", self->d.folder);
	EXPECT_EQ(MATHIS_DENIED, run(&self->d, path));
	snprintf(path, sizeof(path), "%s/t/link", self->d.folder);
	EXPECT_EQ(MATHIS_DENIED, run(&self->d, path));
	snprintf(path, sizeof(path), "%s/t/none", self->d.folder);
	EXPECT_EQ(MATHIS_NOT_FOUND, run(&self->d, path));
	snprintf(path, sizeof(path), "%s/o/none", self->d.folder);
	EXPECT_EQ(MATHIS_DENIED, run(&self->d, path));

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		rule(&self->d, "/*", names[i]);
		for (size_t j = 0; j < sizeof(names) / sizeof(*names); j++)
			EXPECT_EQ(MATHIS_DENIED, run(&self->d, names[j]));
		snprintf(path, sizeof(path), "%s/t/link", self->d.folder);
		EXPECT_EQ(MATHIS_DENIED, run(&self->d, path));
		EXPECT_EQ(0, run(&self->d, "/bin/ls"));
		rule(&self->d, names[i], NULL);
		EXPECT_EQ(0, run(&self->d, "/bin/true"));
		EXPECT_EQ(MATHIS_DENIED, run(&self->d, "/bin/ls"));
	}
	/* Nor a link to the file itself. */
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln t/own t/hard"));
	snprintf(path, sizeof(path), "%s/t/own", self->d.folder);
	rule(&self->d, tools, path);
	snprintf(path, sizeof(path), "%s/t/hard", self->d.folder);
	EXPECT_EQ(MATHIS_DENIED, run(&self->d, path));
}

TEST_HARNESS_MAIN
