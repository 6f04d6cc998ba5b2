// SPDX-License-Identifier: GPL-2.0-only
/*
 * 0x0600 to 0x060E: folders, names, links, locks and watches.
 */
#include <core/path.h>
#include <fcntl.h>
#include <kselftest_harness.h>
#include <sys/stat.h>

#include "dispatch.h"

FIXTURE(fs)
{
	struct dispatch d;
};

FIXTURE_SETUP(fs)
{
	ASSERT_TRUE(dispatch_init(&self->d));
}

FIXTURE_TEARDOWN(fs)
{
	dispatch_fini(&self->d);
}

#define DO(...) CALL(&self->d, __VA_ARGS__)
#define SH(_command) ASSERT_EQ(0, dispatch_shell(&self->d, _command))
#define HOLDS(_test) EXPECT_EQ(0, dispatch_shell(&self->d, _test))

static bool result_is(const char *text)
{
	return RESULT.n == strlen(text) && !memcmp(RESULT.text, text, RESULT.n);
}

TEST_F(fs, fs_mkdir)
{
	EXPECT_EQ(0, DO("fs_mkdir", STR("a")));
	HOLDS("test -d a");
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_mkdir", STR("a")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_mkdir", STR("b/c")));
	EXPECT_EQ(0, DO("fs_mkdir", STR("b/c/../d/e"), BOOL(true)));
	HOLDS("test -d b/d/e && test ! -e b/c");
	EXPECT_EQ(0, DO("fs_mkdir", STR("b/d/e"), BOOL(true)));
	EXPECT_EQ(0, DO("fs_mkdir", STR("."), BOOL(true)));
	SH("echo x >f");
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_mkdir", STR("f"), BOOL(true)));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_mkdir", STR("f/g"), BOOL(false)));
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_mkdir", STR("f/g"), BOOL(true)));
}

TEST_F(fs, fs_readdir)
{
	static const char *const names[] = { ".hid", "a", "b", "l", "p" };
	static const char *const types[] = { "file", "dir", "file", "link",
					     "fifo" };

	SH("mkdir d d/a && touch d/b d/.hid && ln -s x d/l && mkfifo d/p");
	ASSERT_EQ(0, DO("fs_readdir", STR("d")));
	ASSERT_EQ(5, RESULT.n);
	for (int i = 0; i < 5; i++) {
		const struct mathis_item *e = &RESULT.items[i];

		EXPECT_TRUE(
			mathis_item_is(mathis_item_get(e, "name"), names[i]));
		EXPECT_TRUE(
			mathis_item_is(mathis_item_get(e, "type"), types[i]));
	}
	EXPECT_EQ(0, DO("fs_readdir", STR("d/a")));
	EXPECT_EQ(0, RESULT.n);
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_readdir", STR("d/b")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_readdir", STR("e")));
	SH("touch \"d/a/$(printf '\\377')\"");
	ASSERT_EQ(0, DO("fs_readdir", STR("d/a")));
	EXPECT_EQ(MATHIS_BYTES, mathis_item_get(RESULT.items, "name")->kind);
}

TEST_F(fs, fs_remove)
{
	SH("mkdir -p d/e/f && touch d/x d/e/y d/e/f/z out && ln -s ../out d/l");
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_remove", STR("d")));
	EXPECT_EQ(0, DO("fs_remove", STR("d/x")));
	HOLDS("test ! -e d/x");
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_remove", STR("d/x")));
	EXPECT_EQ(0, DO("fs_remove", STR("d"), BOOL(true)));
	HOLDS("test ! -e d && test -f out");
	SH("mkdir d");
	EXPECT_EQ(0, DO("fs_remove", STR("d")));
	HOLDS("test ! -e d");
	/* A link goes, not what it leads to. */
	SH("mkdir keep && touch keep/k && ln -s keep l");
	EXPECT_EQ(0, DO("fs_remove", STR("l"), BOOL(true)));
	HOLDS("test -f keep/k && test ! -L l");
}

TEST_F(fs, fs_remove_has_a_depth)
{
	SH("p=d; for i in $(seq 65); do p=$p/d; done; mkdir -p $p");
	EXPECT_EQ(MATHIS_LIMIT, DO("fs_remove", STR("d"), BOOL(true)));
	EXPECT_EQ(0, DO("fs_remove", STR("d/d"), BOOL(true)));
	EXPECT_EQ(0, DO("fs_remove", STR("d")));
}

TEST_F(fs, fs_rename)
{
	SH("echo a >a && echo b >b && mkdir d");
	EXPECT_EQ(MATHIS_EXISTS,
		  DO("fs_rename", STR("a"), STR("b"), BOOL(false)));
	HOLDS("test $(cat b) = b");
	EXPECT_EQ(0, DO("fs_rename", STR("a"), STR("b")));
	HOLDS("test $(cat b) = a && test ! -e a");
	EXPECT_EQ(0, DO("fs_rename", STR("b"), STR("d/b"), BOOL(false)));
	HOLDS("test $(cat d/b) = a");
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_rename", STR("a"), STR("c")));
	EXPECT_EQ(MATHIS_IO, DO("fs_rename", STR("d"), STR("d/e")));
	EXPECT_EQ(EINVAL, mathis_item_get(&dispatch_last->detail, "errno")->i);
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("fs_rename", STR("d"), STR("/dev/shm/mathis-none")));
}

TEST_F(fs, fs_copy)
{
	SH("head -c 20000000 /dev/urandom >a && chmod 640 a && mkfifo p");
	ASSERT_EQ(0, DO("fs_copy", STR("a"), STR("b")));
	EXPECT_EQ(20000000, RESULT.i);
	HOLDS("cmp a b && test $(stat -c %a b) = 640");
	SH("echo x >a");
	ASSERT_EQ(0, DO("fs_copy", STR("a"), STR("b")));
	EXPECT_EQ(2, RESULT.i);
	HOLDS("test $(cat b) = x");
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_copy", STR("p"), STR("c")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_copy", STR("."), STR("c")));
	SH("mkdir d");
	EXPECT_EQ(MATHIS_IO, DO("fs_copy", STR("a"), STR("d")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_copy", STR("a"), STR("e/f")));
	/* From a file system that has no other way, and without a size. */
	ASSERT_EQ(0, DO("fs_copy", STR("/proc/version"), STR("v")));
	HOLDS("cmp /proc/version v");
	HOLDS("test $(ls -A | wc -l) = 5");
}

TEST_F(fs, fs_tempfile)
{
	struct mathis_item f;
	char *path;

	SH("mkdir d");
	ASSERT_EQ(0, DO("fs_tempfile", STR("d")));
	f = *mathis_item_get(&RESULT, "path");
	path = strndup(f.text, f.n);
	f = *mathis_item_get(&RESULT, "file");
	EXPECT_EQ(0, DO("io_write", f, STR("text")));
	EXPECT_EQ(0, DO("io_seek", f, INT(0), INT(0)));
	EXPECT_EQ(0, DO("io_read", f, INT(10)));
	EXPECT_TRUE(result_is("text"));
	EXPECT_EQ(0, DO("io_read_file", STR(path)));
	EXPECT_TRUE(result_is("text"));
	HOLDS("test $(stat -c %a d/*) = 600");
	free(path);
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_tempfile", STR("e")));
}

/* Wait for an event of a name; others may come first. */
static bool comes(struct dispatch *d, struct mathis_item stream,
		  const char *event, const char *name)
{
	for (int i = 0; i < 50; i++) {
		const struct mathis_item *got;

		if (CALL(d, "stream_next", stream, INT(20000)) ||
		    RESULT.kind != MATHIS_MAP)
			return false;
		got = mathis_item_get(&RESULT, "event");
		if (mathis_item_is(got, event) &&
		    (!name ||
		     mathis_item_is(mathis_item_get(&RESULT, "name"), name)))
			return true;
	}
	return false;
}

TEST_F(fs, fs_watch)
{
	struct mathis_item s;

	SH("mkdir d");
	ASSERT_EQ(0, DO("fs_watch", STR("d")));
	s = RESULT;
	EXPECT_EQ(0, DO("stream_next", s, INT(0)));
	EXPECT_EQ(MATHIS_NONE, RESULT.kind);
	SH("touch d/a");
	EXPECT_TRUE(comes(&self->d, s, "create", "a"));
	SH("echo x >d/a");
	EXPECT_TRUE(comes(&self->d, s, "modify", "a"));
	EXPECT_TRUE(comes(&self->d, s, "close", "a"));
	SH("chmod 600 d/a");
	EXPECT_TRUE(comes(&self->d, s, "attr", "a"));
	SH("mv d/a d/b");
	EXPECT_TRUE(comes(&self->d, s, "from", "a"));
	EXPECT_TRUE(comes(&self->d, s, "to", "b"));
	SH("rm d/b");
	EXPECT_TRUE(comes(&self->d, s, "remove", "b"));
	SH("rmdir d");
	EXPECT_TRUE(comes(&self->d, s, "gone", NULL));
	EXPECT_EQ(MATHIS_CLOSED, DO("stream_next", s));
	EXPECT_EQ(0, DO("stream_close", s));
}

TEST_F(fs, fs_watch_has_a_limit)
{
	struct mathis_item first = NONE;

	for (int i = 0; i < 32; i++) {
		ASSERT_EQ(0, DO("fs_watch", STR(".")));
		if (!i)
			first = RESULT;
	}
	EXPECT_EQ(MATHIS_LIMIT, DO("fs_watch", STR(".")));
	EXPECT_EQ(0, DO("stream_close", first));
	EXPECT_EQ(0, DO("fs_watch", STR(".")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_watch", STR("none")));
}

TEST_F(fs, fs_chmod_and_fs_truncate)
{
	SH("echo be >a && mkfifo p && mkdir d && ln -s a l");
	EXPECT_EQ(0, DO("fs_chmod", STR("l"), INT(0604)));
	EXPECT_EQ(0, DO("fs_chmod", STR("d"), INT(0700)));
	HOLDS("test $(stat -c %a a) = 604 && test $(stat -c %a d) = 700");
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_chmod", STR("b"), INT(0)));
	EXPECT_EQ(0, DO("fs_truncate", STR("a"), INT(1)));
	HOLDS("test $(cat a) = b");
	EXPECT_EQ(0, DO("fs_truncate", STR("a"), INT(5)));
	HOLDS("printf 'b\\0\\0\\0\\0' | cmp - a");
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_truncate", STR("b"), INT(2)));
	EXPECT_EQ(MATHIS_IO, DO("fs_truncate", STR("d"), INT(2)));
	EXPECT_EQ(MATHIS_IO, DO("fs_truncate", STR("p"), INT(2)));
}

TEST_F(fs, fs_symlink_and_fs_readlink_and_fs_lstat)
{
	static const char *const bad[] = { "/etc/passwd", "..", "../a", "b/..",
					   "b/../../x" };

	SH("echo text >a");
	EXPECT_EQ(0, DO("fs_symlink", STR("a"), STR("l")));
	EXPECT_EQ(0, DO("io_read_file", STR("l")));
	EXPECT_EQ(0, DO("fs_readlink", STR("l")));
	EXPECT_TRUE(result_is("a"));
	EXPECT_EQ(MATHIS_BAD_OPERATION, DO("fs_readlink", STR("a")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_readlink", STR("b")));
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_symlink", STR("a"), STR("l")));
	EXPECT_EQ(0, DO("fs_symlink", STR("..x/...//.y"), STR("m")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_EQ(MATHIS_POLICY,
			  DO("fs_symlink", STR(bad[i]), STR("n")));
	EXPECT_EQ(MATHIS_ARG_RANGE, DO("fs_symlink", STR(""), STR("n")));
	EXPECT_EQ(0, DO("fs_lstat", STR("l")));
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "type"), "link"));
	EXPECT_EQ(0, DO("fs_lstat", STR("a")));
	EXPECT_TRUE(mathis_item_is(mathis_item_get(&RESULT, "type"), "file"));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_lstat", STR("b")));
}

TEST_F(fs, fs_link)
{
	SH("echo a >a && ln -s a l && mkdir d");
	EXPECT_EQ(0, DO("fs_link", STR("a"), STR("b")));
	HOLDS("test a -ef b");
	EXPECT_EQ(MATHIS_EXISTS, DO("fs_link", STR("a"), STR("b")));
	EXPECT_EQ(MATHIS_NOT_FOUND, DO("fs_link", STR("x"), STR("c")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_link", STR("l"), STR("c")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_link", STR("d"), STR("c")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("fs_link", STR("a"), STR("/dev/shm/mathis-none")));
}

TEST_F(fs, fs_lock_and_fs_unlock)
{
	struct mathis_item a, b;

	ASSERT_EQ(0, DO("io_open", STR("f"), INT(0x103)));
	a = RESULT;
	ASSERT_EQ(0, DO("io_open", STR("f"), INT(1)));
	b = RESULT;
	ASSERT_EQ(0, DO("fs_lock", a));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("fs_lock", b, BOOL(true)));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(0, DO("fs_unlock", a));
	ASSERT_EQ(0, DO("fs_lock", b, BOOL(true)));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("fs_lock", a, BOOL(true)));
	EXPECT_EQ(1, RESULT.i);
	ASSERT_EQ(0, DO("fs_lock", a));
	EXPECT_EQ(0, RESULT.i);
	EXPECT_EQ(0, DO("io_close", b));
	ASSERT_EQ(0, DO("fs_lock", a));
	EXPECT_EQ(1, RESULT.i);
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("fs_lock", b));
	EXPECT_EQ(MATHIS_BAD_HANDLE, DO("fs_unlock", b));
	SH("mkfifo p");
	ASSERT_EQ(0, DO("io_open", STR("p"), INT(3)));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_lock", RESULT));
}

/* Only these rights, for paths below the folder of the test. */
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

TEST_F(fs, stays_in_the_folder)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "in" },
						{ "allow", "fs.write", "in" },
						{ NULL } };
	static const char *const out[] = { "o", "in/../o", "/etc/x", "in2/o",
					   "in/../../o" };
	static const char *const up[] = { "in/up/o", "in/abs/o" };

	SH("mkdir in in2 in/d out && touch out/o in/f o && ln -s ../out in/up");
	SH("ln -s $PWD/out in/abs && ln -s /proc/self/root in/root");
	limit(&self->d, rules);
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++) {
		struct mathis_item p = STR(out[i]);

		EXPECT_EQ(MATHIS_DENIED, DO("fs_mkdir", p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_mkdir", p, BOOL(true)));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_readdir", p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_remove", p, BOOL(true)));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_rename", p, STR("in/n")));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_rename", STR("in/f"), p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_copy", p, STR("in/n")));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_copy", STR("in/f"), p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_tempfile", p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_watch", p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_chmod", p, INT(0)));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_truncate", p, INT(0)));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_symlink", STR("x"), p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_readlink", p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_link", p, STR("in/n")));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_link", STR("in/f"), p));
		EXPECT_EQ(MATHIS_DENIED, DO("fs_lstat", p));
	}
	for (size_t i = 0; i < sizeof(up) / sizeof(*up); i++) {
		struct mathis_item p = STR(up[i]);

		EXPECT_EQ(MATHIS_POLICY, DO("fs_mkdir", p));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_remove", p, BOOL(true)));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_rename", p, STR("in/n")));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_rename", STR("in/f"), p));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_copy", p, STR("in/n")));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_copy", STR("in/f"), p));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_watch", p));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_chmod", p, INT(0)));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_truncate", p, INT(0)));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_link", p, STR("in/n")));
		EXPECT_EQ(MATHIS_POLICY, DO("fs_lstat", p));
	}
	EXPECT_EQ(MATHIS_POLICY, DO("fs_readdir", STR("in/up")));
	EXPECT_EQ(MATHIS_POLICY, DO("fs_readdir", STR("in/root")));
	EXPECT_EQ(MATHIS_POLICY, DO("fs_tempfile", STR("in/up")));
	EXPECT_EQ(MATHIS_POLICY, DO("fs_remove", STR("in"), BOOL(true)));
	EXPECT_EQ(MATHIS_ARG_RANGE,
		  DO("fs_remove", dispatch_text(MATHIS_STR, "in/f\0", 5)));
	EXPECT_EQ(0, DO("fs_remove", STR("in/up"), BOOL(true)));
	EXPECT_EQ(0, DO("fs_tempfile", STR("in")));
	HOLDS("test -f out/o && test -f in/f && test -f o");
}

TEST_F(fs, nothing_denied_is_moved)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "." },
						{ "allow", "fs.write", "." },
						{ "deny", "fs.read", "a/b/no" },
						{ "deny", "fs.write", "w" },
						{ NULL } };

	SH("mkdir -p a/b/no w d && echo s >a/b/no/s && touch w/x f");
	limit(&self->d, rules);
	EXPECT_EQ(MATHIS_POLICY, DO("fs_rename", STR("a"), STR("c")));
	EXPECT_EQ(MATHIS_POLICY, DO("fs_rename", STR("a/b"), STR("c")));
	EXPECT_EQ(MATHIS_DENIED, DO("fs_rename", STR("a/b/no"), STR("c")));
	EXPECT_EQ(MATHIS_DENIED, DO("fs_link", STR("a/b/no/s"), STR("c")));
	EXPECT_EQ(MATHIS_DENIED, DO("fs_rename", STR("w"), STR("c")));
	EXPECT_EQ(MATHIS_DENIED, DO("fs_rename", STR("f"), STR("w/x")));
	EXPECT_EQ(MATHIS_POLICY, DO("fs_remove", STR("a"), BOOL(true)));
	EXPECT_EQ(MATHIS_DENIED, DO("fs_remove", STR("w"), BOOL(true)));
	EXPECT_EQ(0, DO("fs_rename", STR("d"), STR("c")));
	HOLDS("test -f a/b/no/s && test -f w/x");
}

/* Where a path that was allowed leads to meanwhile. */
TEST_F(fs, the_place_itself_is_judged)
{
	static const char *const rules[][3] = { { "allow", "fs.read", "a" },
						{ "allow", "fs.write", "." },
						{ "deny", "fs.read", "a/no" },
						{ NULL } };
	static const struct {
		const char *folder;
		int ret;
	} places[] = { { "a", 0 }, { "a/b", 0 }, { "a/no", -1 }, { "w", -1 } };
	struct md_call *c;
	char path[128];

	SH("mkdir -p a/b a/no w && touch a/f");
	limit(&self->d, rules);
	c = md_call_new(self->d.session, 0x060B, 0);
	ASSERT_NE(NULL, c);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/%s", self->d.folder,
			 places[i].folder);
		fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(places[i].ret, md_path_at(c, "fs.read", fd, "x"));
		if (places[i].ret)
			EXPECT_EQ(MATHIS_POLICY, c->code);
		close(fd);
	}
	md_call_put(c);
	EXPECT_EQ(0, DO("fs_link", STR("a/f"), STR("w/f")));
	EXPECT_EQ(0, DO("fs_rename", STR("a/f"), STR("w/f")));
}

TEST_F(fs, the_kernel_s_files_need_io_special)
{
	struct md_rights *rights = &self->d.session->rights;

	md_rights_fini(rights);
	*rights = (struct md_rights){ 0 };
	ASSERT_EQ(0, md_rights_add(rights, false, "fs.read", NULL));
	ASSERT_EQ(0, md_rights_add(rights, false, "fs.write", NULL));
	SH("mkfifo p");
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_mkdir", STR("/proc/x")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_readdir", STR("/proc")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_readlink", STR("/proc/self/cwd")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("fs_chmod", STR("/proc/self/comm"), INT(0)));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("fs_truncate", STR("/proc/self/comm"), INT(0)));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_watch", STR("/proc/self/comm")));
	EXPECT_EQ(MATHIS_UNSUPPORTED,
		  DO("fs_copy", STR("/proc/self/mem"), STR("m")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_copy", STR("p"), STR("m")));
	EXPECT_EQ(MATHIS_UNSUPPORTED, DO("fs_truncate", STR("p"), INT(0)));
}

TEST_HARNESS_MAIN
