// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of files, folders and watches under mathisd's filter of system
 * calls, which lets no program run.
 */
#include <fcntl.h>
#include <kselftest_harness.h>
#include <serve/serve_impl.h>
#include <sys/stat.h>

#include "dispatch.h"

FIXTURE(confined)
{
	struct dispatch d;
};

FIXTURE_SETUP(confined)
{
	ASSERT_TRUE(dispatch_init(&self->d));
	ASSERT_EQ(0, mathisd_confine(NULL));
}

FIXTURE_TEARDOWN(confined)
{
	/* No shell can remove it. */
	CALL(&self->d, "fs_remove", STR(self->d.folder), BOOL(true));
	dispatch_fini(&self->d);
}

/* Make a call; print why it fails. */
#define DO(...) (CALL(&self->d, __VA_ARGS__) ? said() : 0)
static int said(void)
{
	printf("# %s\n", MESSAGE);
	return dispatch_last->code;
}

TEST_F(confined, files_and_folders)
{
	struct mathis_item f, watch;

	ASSERT_EQ(0, DO("fs_mkdir", STR("a/b"), BOOL(true)));
	EXPECT_EQ(0, DO("io_write_file", STR("a/f"), STR("text")));
	ASSERT_EQ(0, DO("fs_watch", STR("a")));
	watch = RESULT;
	EXPECT_EQ(0, DO("fs_chmod", STR("a/f"), INT(0600)));
	EXPECT_EQ(0, DO("stream_next", watch));
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "event"), "attr"));
	EXPECT_EQ(0, DO("fs_copy", STR("a/f"), STR("a/g")));
	EXPECT_EQ(0, DO("fs_rename", STR("a/g"), STR("a/h"), BOOL(false)));
	EXPECT_EQ(0, DO("fs_truncate", STR("a/h"), INT(2)));
	EXPECT_EQ(0, DO("fs_symlink", STR("h"), STR("a/l")));
	EXPECT_EQ(0, DO("fs_readlink", STR("a/l")));
	EXPECT_EQ(0, DO("fs_lstat", STR("a/l")));
	EXPECT_EQ(0, DO("fs_link", STR("a/h"), STR("a/i")));
	EXPECT_EQ(0, DO("fs_readdir", STR("a")));
	EXPECT_EQ(5, RESULT.n);
	ASSERT_EQ(0, DO("fs_tempfile", STR("a")));
	f = *mathis_item_get(&RESULT, "file");
	EXPECT_EQ(0, DO("fs_lock", f));
	EXPECT_EQ(1, RESULT.i);
	EXPECT_EQ(0, DO("fs_unlock", f));
	EXPECT_EQ(0, DO("fs_remove", STR("a"), BOOL(true)));
}

TEST_F(confined, logs_metrics_and_formats)
{
	struct mathis_item empty = { .kind = MATHIS_MAP };
	char data[200];
	int out[2];

	ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
	self->d.session->console[2] = out[1];
	EXPECT_EQ(0, DO("io_eprint", STR("x")));
	EXPECT_EQ(1, read(out[0], data, sizeof(data)));
	EXPECT_EQ(0, DO("log", STR("info"), STR("x")));
	EXPECT_LT(10, read(out[0], data, sizeof(data)));
	EXPECT_EQ(0, DO("metric_counter", STR("a"), empty, INT(1)));
	EXPECT_EQ(0, DO("metrics_text"));
	EXPECT_EQ(0, DO("span_start", STR("x")));
	EXPECT_EQ(0, DO("span_end", RESULT));
	EXPECT_EQ(0, DO("otlp_text"));
	EXPECT_EQ(0, DO("xml_parse", STR("<a/>")));
	EXPECT_EQ(0, DO("msgpack_encode", empty));
}

TEST_F(confined, no_program_runs)
{
	struct mathis_item argv = STR("/bin/true");
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 1,
				    .items = &argv };

	EXPECT_EQ(MATHIS_IO, DO("proc_exec", list));
	EXPECT_EQ(EPERM, mathis_item_get(&dispatch_last->detail, "errno")->i);
}

TEST_HARNESS_MAIN
