// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0001 to 0x0018 without the console: files by handle, whole files.
 */
#include <core/worker.h>
#include <fcntl.h>
#include <kselftest_harness.h>
#include <mathis/buf.h>
#include <sys/stat.h>

#include "dispatch.h"

FIXTURE(io)
{
	struct dispatch d;
};

FIXTURE_SETUP(io)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(io)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define TEXT(_text) result_is(_text)

static bool result_is(const char *text)
{
	return RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
}

/* Only the rights that the test names, for paths below its folder. */
static void limit(struct dispatch *d, const char *const (*rules)[3])
{
	md_rights_fini(&d->session->rights);
	d->session->rights = (struct md_rights){ 0 };
	for (; (*rules)[0]; rules++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", d->folder, (*rules)[2]);
		if (md_rights_add(&d->session->rights,
				  !strcmp((*rules)[0], "deny"), (*rules)[1],
				  path))
			abort();
	}
}

TEST_F(io, io_open_and_write_and_read_and_close)
{
	struct mathis_item f;

	EXPECT_EQ(MATHIS_NOT_FOUND, DO("io_open", STR("a"), INT(1)));
	ASSERT_EQ(0, DO("io_open", STR("a"), INT(0x103)));
	f = RESULT;
	EXPECT_EQ(0, DO("io_write", f, STR("hello ")));
	EXPECT_EQ(6, RESULT.i);
	EXPECT_EQ(0, DO("io_write", f, BYTES("\0\1", 2)));
	EXPECT_EQ(0, DO("io_seek", f, INT(0), INT(0)));
	EXPECT_EQ(0, DO("io_read", f, INT(5)));
	EXPECT_TRUE(TEXT("hello"));
	EXPECT_EQ(0, DO("io_read", f, INT(100)));
	EXPECT_EQ(3, RESULT.n);
	EXPECT_EQ(0, DO("io_read", f, INT(100)));
	EXPECT_EQ(0, RESULT.n);
	EXPECT_EQ(0, DO("io_read", f, INT(0)));
	EXPECT_EQ(0, DO("io_flush", f));
	EXPECT_EQ(0, DO("io_close", f));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("io_close", f));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("io_read", f, INT(1)));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("io_write", f, STR("x")));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("io_seek", f, INT(0), INT(0)));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("io_flush", f));
}

TEST_F(io, io_open_flags)
{
	struct mathis_item f;

	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_open", STR("a"), INT(0x100)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_open", STR("a"), INT(0x101)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_open", STR("a"), INT(0x201)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_open", STR("a"), INT(0x401)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_open", STR("a"), INT(0x83)));
	ASSERT_EQ(0, DO("io_write_file", STR("a"), STR("12345")));
	ASSERT_EQ(0, DO("io_open", STR("a"), INT(0x402)));
	f = RESULT;
	EXPECT_EQ(0, DO("io_write", f, STR("6")));
	EXPECT_EQ(MATHIS_BAD_OPERATION, DO("io_read", f, INT(1)));
	EXPECT_EQ(0, DO("io_read_file", STR("a")));
	EXPECT_TRUE(TEXT("123456"));
	ASSERT_EQ(0, DO("io_open", STR("a"), INT(1)));
	EXPECT_EQ(MATHIS_BAD_OPERATION, DO("io_write", RESULT, STR("x")));
	ASSERT_EQ(0, DO("io_open", STR("a"), INT(0x202)));
	EXPECT_EQ(0, DO("io_read_file", STR("a")));
	EXPECT_TRUE(TEXT(""));
}

TEST_F(io, io_seek_to_each_place)
{
	struct mathis_item f;

	ASSERT_EQ(0, DO("io_write_file", STR("a"), STR("12345")));
	ASSERT_EQ(0, DO("io_open", STR("a"), INT(1)));
	f = RESULT;
	EXPECT_EQ(0, DO("io_seek", f, INT(-2), INT(2)));
	EXPECT_EQ(3, RESULT.i);
	EXPECT_EQ(0, DO("io_seek", f, INT(1), INT(1)));
	EXPECT_EQ(4, RESULT.i);
	EXPECT_EQ(0, DO("io_read", f, INT(9)));
	EXPECT_TRUE(TEXT("5"));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_seek", f, INT(-6), INT(2)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_seek", f, INT(INT64_MAX), INT(1)));
	EXPECT_EQ(0, DO("io_seek", f, INT(0), INT(1)));
	EXPECT_EQ(5, RESULT.i);
}

TEST_F(io, io_stat_and_exists)
{
	ASSERT_EQ(0, DO("io_write_file", STR("a"), STR("12345")));
	ASSERT_EQ(0, DO("io_stat", STR("a")));
	EXPECT_EQ(5, mathis_item_get(&RESULT, "size")->i);
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "type"), "file"));
	EXPECT_EQ(1, mathis_item_get(&RESULT, "nlink")->i);
	ASSERT_EQ(0, DO("io_stat", STR(".")));
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "type"), "dir"));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("io_stat", STR("b")));
	EXPECT_EQ(0, DO("io_exists", STR("a")));
	EXPECT_EQ(1, RESULT.i);
	EXPECT_EQ(0, DO("io_exists", STR("b")));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(0, DO("io_exists", STR("a/b")));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("io_exists", dispatch_text(MATHIS_STR, "a\0b", 3)));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_exists", STR("")));
}

TEST_F(io, whole_files)
{
	struct mathis_item items[] = { INT(1), INT(255) };
	struct mathis_item list = { .kind = MATHIS_LIST,
				    .n = 2,
				    .items = items };
	char path[128];
	struct stat st;

	EXPECT_EQ(0, DO("io_write_file", STR("a"), STR("text")));
	EXPECT_EQ(0, DO("io_read_file", STR("a")));
	EXPECT_TRUE(TEXT("text"));
	snprintf(path, sizeof(path), "%s/a", self->d.folder);
	EXPECT_EQ(0, chmod(path, 0604));
	EXPECT_EQ(0, DO("io_write_file_bin", STR("a"), list));
	EXPECT_EQ(0, stat(path, &st));
	EXPECT_EQ(0604, st.st_mode & 0777);
	EXPECT_EQ(0, DO("io_read_file_bin", STR("a")));
	EXPECT_TRUE(RESULT.n == 2 && !memcmp(RESULT.text, "\1\377", 2));
	EXPECT_EQ(MATHIS_ENCODING, DO("io_read_file", STR("a")));
	items[1] = INT(256);
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("io_write_file_bin", STR("a"), list));
	EXPECT_EQ(MATHIS_NOT_FOUND,
		  DO("io_write_file_bin", STR("b/a"), BYTES("x", 1)));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("io_read_file", STR(".")));
	EXPECT_EQ(0, truncate(path, (16 << 20) + 1));
	EXPECT_EQ(MATHIS_LIMIT, DO("io_read_file_bin", STR("a")));
	EXPECT_EQ(0, truncate(path, 16 << 20));
	EXPECT_EQ(0, DO("io_read_file_bin", STR("a")));
	EXPECT_EQ(16 << 20, RESULT.n);
}

TEST_F(io, a_failed_write_leaves_the_old_file)
{
	ASSERT_EQ(0, DO("io_write_file", STR("a"), STR("old")));
	ASSERT_EQ(0, dispatch_shell(&self->d, "mkdir d"));
	EXPECT_EQ(MATHIS_IO, DO("io_write_file", STR("d"), STR("x")));
	EXPECT_EQ(0, dispatch_shell(&self->d, "test $(ls -A | wc -l) = 2"));
}

TEST_F(io, a_full_disk_says_how_much_it_took)
{
	struct mathis_item f;

	ASSERT_EQ(0, DO("io_open", STR("/dev/full"), INT(2)));
	f = RESULT;
	EXPECT_EQ(MATHIS_IO, DO("io_write", f, STR("x")));
	EXPECT_EQ(0, mathis_item_get(&dispatch_last->detail, "written")->i);
	EXPECT_EQ(ENOSPC, mathis_item_get(&dispatch_last->detail, "errno")->i);
}

TEST_F(io, paths_stay_in_the_folder)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "in" },
						{ "allow", "fs.write", "in" },
						{ NULL } };
	static const char *const outside[] = {
		"secret",      "in/../secret",
		"/etc/passwd", "in/../../../etc/passwd",
		"..",	       "/",
		"in2/x",
	};
	static const char *const leading_out[] = { "in/up", "in/abs",
						   "in/dir/secret", "in/proc" };
	ASSERT_EQ(0, dispatch_shell(&self->d, "mkdir in in2 in/sub"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo s >secret"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo x >in2/x"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo f >in/f"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s ../secret in/up"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s $PWD/secret in/abs"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s .. in/dir"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s /proc/self/root in/proc"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s f in/good"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s ../f in/sub/good"));
	limit(&self->d, rules);
	for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
		EXPECT_EQ(MATHIS_DENIED, DO("io_read_file", STR(outside[i])))
		{
			TH_LOG("%s", outside[i]);
		}
	}
	for (size_t i = 0; i < sizeof(leading_out) / sizeof(*leading_out);
	     i++) {
		EXPECT_EQ(MATHIS_POLICY, DO("io_stat", STR(leading_out[i])))
		{
			TH_LOG("%s: %s", leading_out[i], MESSAGE);
		}
	}
	EXPECT_EQ(MATHIS_POLICY, DO("io_open", STR("in/up"), INT(0x302)));
	EXPECT_EQ(MATHIS_POLICY, DO("io_write_file", STR("in"), STR("x")));
	EXPECT_EQ(0, DO("io_read_file", STR("in/good")));
	EXPECT_EQ(0, DO("io_read_file", STR("in/sub/good")));
	EXPECT_EQ(0, DO("io_read_file", STR("in/./sub/../f")));
	EXPECT_EQ(0, DO("io_write_file", STR("in/sub/new"), STR("x")));
}

TEST_F(io, deny_beats_allow)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "." },
						{ "allow", "fs.write", "." },
						{ "deny", "fs.write", "no" },
						{ "deny", "fs.read", "no/r" },
						{ NULL } };
	ASSERT_EQ(0, dispatch_shell(&self->d, "mkdir -p no/r"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo f >no/f"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo r >no/r/f"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s no/r/f way"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s no/f wway"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s no/new nway"));
	limit(&self->d, rules);
	EXPECT_EQ(0, DO("io_read_file", STR("no/f")));
	EXPECT_EQ(MATHIS_DENIED, DO("io_read_file", STR("no/r/f")));
	EXPECT_EQ(MATHIS_POLICY, DO("io_read_file", STR("way")));
	EXPECT_EQ(MATHIS_DENIED, DO("io_write_file", STR("no/f"), STR("x")));
	EXPECT_EQ(MATHIS_POLICY, DO("io_open", STR("wway"), INT(0x202)));
	EXPECT_EQ(MATHIS_POLICY, DO("io_open", STR("nway"), INT(0x102)));
	EXPECT_EQ(0, DO("io_read_file", STR("no/f")));
	EXPECT_TRUE(TEXT("f\n"));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("io_stat", STR("no/new")));
}

TEST_F(io, a_right_for_a_file_is_for_no_other)
{
	static const char *const rules[][3] = { { "allow", "fs.write", "out" },
						{ "allow", "fs.read", "out" },
						{ NULL } };

	ASSERT_EQ(0, dispatch_shell(&self->d, "echo o >out; echo s >secret"));
	limit(&self->d, rules);
	EXPECT_EQ(MATHIS_DENIED, DO("io_write_file", STR("out/x"), STR("x")));
	EXPECT_EQ(MATHIS_DENIED, DO("io_read_file", STR("out/secret")));
	EXPECT_EQ(MATHIS_DENIED, DO("io_open", STR("out/x"), INT(0x102)));
	EXPECT_EQ(0, dispatch_shell(&self->d, "test ! -e x"));
	EXPECT_EQ(0, DO("io_write_file", STR("out"), STR("new")));
	EXPECT_EQ(0, DO("io_read_file", STR("out")));
	EXPECT_TRUE(TEXT("new"));
}

TEST_F(io, a_file_to_be_read_and_written_needs_both_rights)
{
	static const char *const rules[][3] = { { "allow", "fs.write", "." },
						{ "allow", "fs.read", "in" },
						{ NULL } };

	ASSERT_EQ(0, dispatch_shell(&self->d, "mkdir in; echo s >secret"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "ln -s ../secret in/up"));
	ASSERT_EQ(0, dispatch_shell(&self->d, "echo f >in/f"));
	limit(&self->d, rules);
	EXPECT_EQ(0, DO("io_open", STR("in/up"), INT(2)));
	EXPECT_EQ(MATHIS_POLICY, DO("io_open", STR("in/up"), INT(3)));
	EXPECT_EQ(MATHIS_DENIED, DO("io_open", STR("secret"), INT(3)));
	EXPECT_EQ(0, DO("io_open", STR("in/f"), INT(3)));
	EXPECT_EQ(0, DO("io_open", STR("in/new"), INT(0x103)));
}

TEST_F(io, files_of_the_kernel_need_a_right)
{
	struct md_rights *rights = &self->d.session->rights;

	EXPECT_EQ(0, DO("io_open", STR("/proc/self/status"), INT(1)));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("io_open", STR("/proc/self/mem"), INT(1)));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("io_open", STR("/proc/thread-self/mem"), INT(3)));
	md_rights_fini(rights);
	*rights = (struct md_rights){ 0 };
	ASSERT_EQ(0, md_rights_add(rights, false, "fs.read", NULL));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("io_open", STR("/proc/self/status"), INT(1)));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("io_read_file", STR("/sys/kernel/uevent_seqnum")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("io_read_file", STR("/proc/self/mem")));
}

TEST_F(io, a_right_that_is_missing_is_named_in_whole_characters)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "." },
						{ NULL } };
	char path[256] = "/";

	limit(&self->d, rules);
	for (int shift = 0; shift < 2; shift++) {
		const struct mathis_item *right;

		for (int i = 1 + shift; i < 241; i += 2)
			memcpy(path + i, "\303\251", 3);
		path[shift] = shift ? 'x' : '/';
		EXPECT_EQ(MATHIS_DENIED, DO("io_stat", STR(path)));
		right = mathis_item_get(&dispatch_last->detail, "right");
		EXPECT_TRUE(mathis_utf8(right->text, right->n));
		EXPECT_LT(150, right->n);
	}
}

TEST_F(io, a_read_that_waits_keeps_no_one_waiting)
{
	struct mathis_item f;
	struct md_call *reads;
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", self->d.folder);
	ASSERT_EQ(0, mkfifo(path, 0600));
	ASSERT_EQ(0, DO("io_open", STR("fifo"), INT(3)));
	f = RESULT;
	reads = dispatch_begin(&self->d, "io_read",
			       (struct mathis_item[]){ f, INT(9) }, 2);
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("io_seek", f, INT(0), INT(0)));
	EXPECT_EQ(0, DO("io_write", f, STR("x")));
	EXPECT_EQ(0, dispatch_wait(&self->d, reads));
	EXPECT_EQ(1, reads->result.n);
	md_call_put(reads);
}

TEST_F(io, special_files_need_a_right)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "." },
						{ "allow", "fs.write", "." },
						{ NULL } };
	char path[128];
	struct mathis_item f;
	struct md_call *reads;

	snprintf(path, sizeof(path), "%s/fifo", self->d.folder);
	ASSERT_EQ(0, mkfifo(path, 0600));
	ASSERT_EQ(0, DO("io_open", STR("fifo"), INT(3)));
	f = RESULT;
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("io_seek", f, INT(0), INT(0)));
	/* A read waits for a write, and can be cancelled. */
	reads = dispatch_begin(&self->d, "io_read",
			       (struct mathis_item[]){ f, INT(9) }, 2);
	EXPECT_EQ(0, md_session_cancel(self->d.session, reads->ticket));
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, reads));
	EXPECT_EQ(-ENOENT, md_session_cancel(self->d.session, reads->ticket));
	md_call_put(reads);
	limit(&self->d, rules);
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("io_open", STR("fifo"), INT(3)));
}

TEST_F(io, a_deadline_ends_a_call)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", self->d.folder);
	ASSERT_EQ(0, mkfifo(path, 0600));
	ASSERT_EQ(0, DO("io_open", STR("fifo"), INT(3)));
	self->d.session->call_ms = 1;
	EXPECT_EQ(MATHIS_TIMEOUT, DO("io_read", RESULT, INT(9)));
}

TEST_F(io, many_calls_are_under_way)
{
	struct md_call *calls[20];
	struct mathis_item f;
	char path[128];

	snprintf(path, sizeof(path), "%s/fifo", self->d.folder);
	ASSERT_EQ(0, mkfifo(path, 0600));
	ASSERT_EQ(0, DO("io_open", STR("fifo"), INT(3)));
	f = RESULT;
	for (int i = 0; i < 20; i++)
		calls[i] = dispatch_begin(&self->d, "io_read",
					  (struct mathis_item[]){ f, INT(1) },
					  2);
	/* These, and the one that opened the file. */
	EXPECT_EQ(21, atomic_load(&self->d.session->n_calls));
	/* Those of the queue and those that run, in any order. */
	for (int i = 19; i >= 0; i -= 2) {
		md_call_stop(calls[i], MATHIS_CANCELLED);
		EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, calls[i]));
		md_call_put(calls[i]);
	}
	/* The end of the session ends the others. */
}

TEST_F(io, results_that_no_one_takes_have_a_limit)
{
	struct md_call *calls[32];
	int good = 0, refused = 0;

	ASSERT_EQ(0, dispatch_shell(&self->d, "truncate -s 16M a"));
	for (int i = 0; i < 32; i++)
		calls[i] = dispatch_begin(&self->d, "io_read_file_bin",
					  (struct mathis_item[]){ STR("a") },
					  1);
	for (int i = 0; i < 32; i++) {
		int code = dispatch_wait(&self->d, calls[i]);

		good += !code;
		refused += code == MATHIS_LIMIT;
	}
	EXPECT_EQ(32, good + refused);
	EXPECT_LT(14, good);
	EXPECT_LT(0, refused);
	EXPECT_EQ(MATHIS_LIMIT, DO("io_exists", STR("a")));
	for (int i = 0; i < 32; i++)
		md_call_put(calls[i]);
	EXPECT_EQ(0, DO("io_exists", STR("a")));
	EXPECT_EQ(0, DO("io_read_file_bin", STR("a")));
}

TEST_F(io, a_file_that_a_stopped_call_opened_is_closed)
{
	struct mathis_item args[] = { STR("/dev/null"), INT(1) };
	struct md_session *s = self->d.session;
	uint16_t id = (uint16_t)mathis_call_number("io_open", 7);
	struct md_call *c = md_call_new(s, id, 2);

	memcpy(c->args, args, sizeof(args));
	/* It is stopped while its function runs. */
	c->by_core = true;
	ASSERT_EQ(MD_LATER, md_call_start(c));
	while (atomic_load(&c->refs) > 1)
		usleep(1000);
	EXPECT_EQ(MATHIS_HANDLE, c->opened.kind);
	EXPECT_EQ(0, s->handles.open);
	md_call_stop(c, MATHIS_CANCELLED);
	EXPECT_EQ(MATHIS_CANCELLED, dispatch_wait(&self->d, c));
	md_call_put(c);
}

TEST_F(io, files_of_a_session_have_a_limit)
{
	struct mathis_item f;

	for (int i = 0; i < MD_FILES_MAX; i++)
		ASSERT_EQ(0, DO("io_open", STR("/dev/null"), INT(1)));
	f = RESULT;
	EXPECT_EQ(MATHIS_LIMIT, DO("io_open", STR("/dev/null"), INT(1)));
	EXPECT_EQ(0, DO("mutex_new"));
	EXPECT_EQ(0, DO("io_close", f));
	EXPECT_EQ(0, DO("io_open", STR("/dev/null"), INT(1)));
}

TEST_F(io, each_call_that_waits_gets_a_worker)
{
	int id = mathis_call_number("io_stat", 7);
	struct md_core *core = self->d.core;
	struct md_call *calls[2];
	unsigned int idle = 0;

	EXPECT_EQ(MATHIS_NOT_FOUND, DO("io_read_file", STR("x")));
	while (!idle) {
		pthread_mutex_lock(&core->lock);
		idle = core->idle;
		pthread_mutex_unlock(&core->lock);
	}
	for (int i = 0; i < 2; i++)
		calls[i] = md_call_new(self->d.session, (uint16_t)id, 1);
	pthread_mutex_lock(&core->lock);
	/* The one worker is called, and cannot run yet. */
	EXPECT_EQ(0, md_worker_queue(core, calls[0]));
	EXPECT_EQ(1, core->n_workers);
	EXPECT_EQ(0, md_worker_queue(core, calls[1]));
	EXPECT_EQ(2, core->n_workers);
	for (int i = 0; i < 2; i++)
		md_worker_unqueue(core, calls[i]);
	EXPECT_EQ(0, core->queued);
	pthread_mutex_unlock(&core->lock);
	for (int i = 0; i < 2; i++)
		md_call_put(calls[i]);
}

TEST_HARNESS_MAIN
