// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is told to look again, and what they find: the test is the kernel, so
 * that it decides which thread asks what, and when.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "daemons/vdfsd/view/view.h"
#include "vdfsd/store.h"

#define READER 1
#define WRITER 2
#define OTHER 3
#define SEVERAL 100

/* What is asked for: which thread of whom, about which inode. */
struct asker {
	int fd;
	uint32_t uid;
	uint32_t tid;
	uint64_t node;
};

FIXTURE(hint)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker kernel;
};

/* One request. Return: bytes of the answer, or a negative errno. */
static int ask(struct asker a, uint32_t op, const void *arg, size_t len,
	       const char *name, void *out, size_t room)
{
	struct fuse_in_header in = {
		.opcode = op,
		.unique = 2,
		.nodeid = a.node,
		.uid = a.uid,
		.pid = a.tid,
	};
	struct fuse_out_header reply;
	struct iovec to[] = {
		{ &in, sizeof(in) },
		{ (void *)arg, len },
		{ (void *)name, name ? strlen(name) + 1 : 0 },
	};
	struct iovec from[] = { { &reply, sizeof(reply) }, { out, room } };
	ssize_t n;

	in.len = (uint32_t)(sizeof(in) + to[1].iov_len + to[2].iov_len);
	if (writev(a.fd, to, 3) < 0)
		return -errno;
	n = readv(a.fd, from, 2);
	if (n < (ssize_t)sizeof(reply))
		return n < 0 ? -errno : -EPROTO;
	return reply.error ?: (int)(n - (ssize_t)sizeof(reply));
}

static struct asker as(const struct asker *kernel, uint32_t tid)
{
	struct asker a = *kernel;

	a.tid = tid;
	return a;
}

/*
 * Look up "names/d", from the start as the kernel does, and @name in it.
 *
 * Return: the inode, 0 without one.
 */
static uint64_t look(struct asker a, const char *name, struct fuse_attr *attr)
{
	const char *const walk[] = { "names", "d", name };
	struct fuse_entry_out entry = { .nodeid = FUSE_ROOT_ID };
	size_t i;

	for (i = 0; i < 3 && walk[i]; i++) {
		a.node = entry.nodeid;
		if (ask(a, FUSE_LOOKUP, NULL, 0, walk[i], &entry,
			sizeof(entry)) < 0)
			return 0;
	}
	if (attr)
		*attr = entry.attr;
	return entry.nodeid;
}

static int open_at(struct asker a, uint64_t node, int flags, uint64_t *fh)
{
	struct fuse_open_in in = { .flags = (uint32_t)flags };
	struct fuse_open_out out = {};
	int n;

	a.node = node;
	n = ask(a, FUSE_OPEN, &in, sizeof(in), NULL, &out, sizeof(out));
	*fh = out.fh;
	return n < 0 ? n : 0;
}

static int close_at(struct asker a, uint64_t node, uint64_t fh, bool wrote)
{
	struct fuse_release_in release = { .fh = fh };
	struct fuse_flush_in flush = { .fh = fh };
	int err = 0;

	a.node = node;
	if (wrote)
		err = ask(a, FUSE_FLUSH, &flush, sizeof(flush), NULL, NULL, 0);
	return ask(a, FUSE_RELEASE, &release, sizeof(release), NULL, NULL, 0) ?:
		       err;
}

static int write_at(struct asker a, uint64_t node, uint64_t fh,
		    const char *text)
{
	struct fuse_write_in in = { .fh = fh, .size = (uint32_t)strlen(text) };
	struct fuse_write_out out;

	/* What follows is no name, but its zero is not counted. */
	a.node = node;
	return ask(a, FUSE_WRITE, &in, sizeof(in), text, &out, sizeof(out)) < 0;
}

static bool reads(struct asker a, uint64_t node, uint64_t fh, const char *text)
{
	struct fuse_read_in in = { .fh = fh, .size = 100 };
	char buf[100];
	int n;

	a.node = node;
	n = ask(a, FUSE_READ, &in, sizeof(in), NULL, buf, sizeof(buf));
	return n == (int)strlen(text) && !memcmp(buf, text, strlen(text));
}

/* Somebody else's file takes the place of "d/f". */
static int replace(FIXTURE_DATA(hint) * self, const char *text)
{
	struct vdfs_hash hash;

	return put_bytes(self->t.store, &admin, text, strlen(text), 0, "d/g", &hash) ?:
		       vdfs_name_rename(self->t.store, &admin, "d/g", "d/f",
					false);
}

static int contains(FIXTURE_DATA(hint) * self, const char *text)
{
	struct vdfs_stat st;

	return vdfs_name_stat(self->t.store, &admin, "d/f", &st) ?:
		       get_same(self->t.store, &admin, &st.hash, text,
				strlen(text));
}

FIXTURE_SETUP(hint)
{
	struct vdfs_fuse_options options = { .stage_dir = self->t.dir };
	struct timeval patience = { .tv_sec = 20 };
	struct fuse_init_in init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.flags = FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES,
	};
	struct fuse_init_out out;
	struct vdfs_hash hash;
	char path[32];
	int fds[2];

	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "one", 3, 0, "d/f", &hash));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds));
	ASSERT_EQ(0, setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &patience,
				sizeof(patience)));
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[1]);
	ASSERT_EQ(0, vdfs_fuse_start(self->t.store, NULL, path, &options,
				     &self->fuse));
	self->kernel.fd = fds[0];
	ASSERT_LT(0, ask(self->kernel, FUSE_INIT, &init, 16, NULL, &out,
			 sizeof(out)));
	self->kernel.node = look(self->kernel, NULL, NULL);
	ASSERT_NE(0, self->kernel.node);
}

FIXTURE_TEARDOWN(hint)
{
	vdfs_fuse_stop(self->fuse);
	close(self->kernel.fd);
	tree_remove(&self->t);
}

TEST_F(hint, a_writer_looks_again)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node = look(reader, "f", NULL), again, rfh, wfh;

	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	ASSERT_EQ(node, look(writer, "f", NULL));
	ASSERT_EQ(-ESTALE, open_at(writer, node, O_WRONLY | O_TRUNC, &wfh));
	again = look(writer, "f", NULL);
	ASSERT_NE(node, again);
	ASSERT_EQ(0, open_at(writer, again, O_WRONLY | O_TRUNC, &wfh));
	EXPECT_EQ(0, write_at(writer, again, wfh, "two"));
	EXPECT_TRUE(reads(reader, node, rfh, "one"));
	EXPECT_EQ(0, close_at(writer, again, wfh, true));
	EXPECT_TRUE(reads(reader, node, rfh, "one"));
	EXPECT_EQ(0, contains(self, "two"));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

/* The kernel looked a second time by itself: there is no third. */
TEST_F(hint, a_writer_that_looked_again_already)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node, own, rfh, wfh;

	ASSERT_NE(0, look(writer, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(reader, "f", NULL);
	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	own = look(writer, "f", NULL);
	ASSERT_NE(node, own);
	/* Once to see that what it knew is gone, and once to know. */
	ASSERT_EQ(own, look(writer, "f", NULL));
	ASSERT_EQ(node, look(as(&self->kernel, OTHER), "f", NULL));
	ASSERT_EQ(0, open_at(writer, own, O_RDWR, &wfh));
	EXPECT_TRUE(reads(writer, own, wfh, "two"));
	EXPECT_EQ(0, write_at(writer, own, wfh, "2"));
	EXPECT_EQ(0, close_at(writer, own, wfh, true));
	EXPECT_EQ(0, contains(self, "2wo"));
	EXPECT_TRUE(reads(reader, node, rfh, "two"));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

/* What it will open it has, whatever becomes of the name meanwhile. */
TEST_F(hint, what_was_found_is_held)
{
	struct asker a = as(&self->kernel, READER),
		     b = as(&self->kernel, WRITER);
	struct vdfs_gc_result result;
	uint64_t mine, other, fh;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_NE(0, look(b, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	mine = look(a, "f", NULL);
	other = look(b, "f", NULL);
	ASSERT_NE(mine, other);
	ASSERT_EQ(0, replace(self, "three"));
	ASSERT_EQ(0, vdfs_gc(self->t.store, NULL, NULL, &result));
	ASSERT_EQ(0, open_at(a, mine, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, mine, fh, "two"));
	EXPECT_EQ(0, close_at(a, mine, fh, false));
	ASSERT_EQ(0, open_at(b, other, O_RDWR, &fh));
	EXPECT_TRUE(reads(b, other, fh, "two"));
	EXPECT_EQ(0, close_at(b, other, fh, true));
	EXPECT_EQ(0, contains(self, "three"));
}

/* Who looks and opens nothing sees all that happens to the name. */
TEST_F(hint, who_only_looks)
{
	struct asker a = as(&self->kernel, OTHER);
	struct fuse_attr attr;
	uint64_t node, fh;

	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(3, attr.size);
	ASSERT_EQ(0, replace(self, "second"));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(6, attr.size);
	ASSERT_EQ(0, vdfs_name_change(self->t.store, &admin, "d/f", 0600,
				      INT64_MIN));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(S_IFREG | 0600, attr.mode);
	ASSERT_EQ(0, replace(self, "third"));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(5, attr.size);
	node = look(a, "f", NULL);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, node, fh, "third"));
	EXPECT_EQ(0, close_at(a, node, fh, false));
	ASSERT_EQ(0, vdfs_name_unlink(self->t.store, &admin, "d/f"));
	EXPECT_EQ(0, look(a, "f", NULL));
	ASSERT_EQ(0, vdfs_name_mkdir(self->t.store, &admin, "d/f", 0755));
	ASSERT_NE(0, look(a, "f", &attr));
	EXPECT_EQ(S_IFDIR | 0755, attr.mode);
}

TEST_F(hint, a_file_that_is_being_made_grows)
{
	struct fuse_create_in in = { .flags = O_WRONLY,
				     .mode = S_IFREG | 0644 };
	struct asker a = as(&self->kernel, OTHER);
	struct asker writer = as(&self->kernel, WRITER);
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	struct fuse_attr attr;

	EXPECT_EQ(0, look(a, "new", NULL));
	EXPECT_EQ(0, look(writer, "new", NULL));
	ASSERT_LT(0, ask(writer, FUSE_CREATE, &in, sizeof(in), "new", &out,
			 sizeof(out)));
	ASSERT_EQ(0, write_at(writer, out.entry.nodeid, out.open.fh, "grows"));
	EXPECT_EQ(out.entry.nodeid, look(a, "new", &attr));
	EXPECT_EQ(5, attr.size);
	EXPECT_EQ(0, close_at(writer, out.entry.nodeid, out.open.fh, true));
	EXPECT_EQ(out.entry.nodeid, look(writer, "new", NULL));
}

/* Whoever did something with a file shares what is in memory of it. */
TEST_F(hint, what_a_thread_did_itself)
{
	struct asker a = as(&self->kernel, WRITER);
	struct {
		struct fuse_rename2_in in;
		char names[4];
	} arg = { { .newdir = self->kernel.node }, "g\0f" };
	struct asker b = as(&self->kernel, OTHER);
	struct vdfs_hash hash;
	uint64_t node, fh;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "two", 3, 0, "d/g", &hash));
	node = look(a, "g", NULL);
	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, ask(a, FUSE_RENAME2, &arg, sizeof(arg.in) + 4, NULL, NULL,
			 0));
	EXPECT_EQ(node, look(a, "f", NULL));
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_EQ(0, close_at(a, node, fh, false));
	ASSERT_EQ(0, replace(self, "three"));
	node = look(b, "f", NULL);
	EXPECT_EQ(node, look(a, "f", NULL));
	ASSERT_EQ(0, ask(a, FUSE_UNLINK, NULL, 0, "f", NULL, 0));
	ASSERT_EQ(0, replace(self, "four"));
	node = look(a, "f", NULL);
	EXPECT_EQ(node, look(as(&self->kernel, READER), "f", NULL));
}

/* Of threads of other namespaces the kernel does not say which they are. */
TEST_F(hint, threads_without_a_number)
{
	struct asker a = as(&self->kernel, 0);
	uint64_t node;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(as(&self->kernel, READER), "f", NULL);
	EXPECT_EQ(node, look(a, "f", NULL));
}

/* An inode of one's own is no reason to be shown what is half written. */
TEST_F(hint, half_written)
{
	struct asker a = as(&self->kernel, OTHER);
	struct asker writer = as(&self->kernel, WRITER);
	struct vdfs_hash hash;
	uint64_t node, fh, wfh;

	ASSERT_EQ(0,
		  put_bytes(self->t.store, &admin, "old", 3, 0, "d/h", &hash));
	node = look(writer, "h", NULL);
	ASSERT_EQ(0, open_at(writer, node, O_WRONLY, &wfh));
	ASSERT_EQ(0, write_at(writer, node, wfh, "ha"));
	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	ASSERT_NE(0, look(a, "f", NULL));
	EXPECT_EQ(-ESTALE, open_at(a, node, O_RDONLY, &fh));
	node = look(a, "h", NULL);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_TRUE(reads(a, node, fh, "old"));
	EXPECT_EQ(0, close_at(a, node, fh, false));
}

/* Numbers of threads are used again, by other users too. */
TEST_F(hint, another_users_thread)
{
	struct asker a = as(&self->kernel, OTHER), b = a;
	uint64_t node, other, fh;

	ASSERT_NE(0, look(a, "f", NULL));
	ASSERT_EQ(0, replace(self, "two"));
	node = look(a, "f", NULL);
	b.uid = 1000;
	other = look(b, "f", NULL);
	EXPECT_NE(0, other);
	EXPECT_NE(node, other);
	ASSERT_EQ(0, open_at(a, node, O_RDONLY, &fh));
	EXPECT_EQ(0, close_at(a, node, fh, false));
}

/* One that never comes back does not cost others what is held for them. */
TEST_F(hint, a_thread_has_one_place)
{
	struct asker reader = as(&self->kernel, READER);
	struct asker writer = as(&self->kernel, WRITER);
	uint64_t node = look(reader, "f", NULL), again, rfh, fh;
	int i;

	ASSERT_EQ(0, open_at(reader, node, O_RDONLY, &rfh));
	ASSERT_EQ(-ESTALE, open_at(writer, node, O_WRONLY, &fh));
	for (i = 0; i < SEVERAL; i++)
		ASSERT_EQ(-ESTALE, open_at(as(&self->kernel, OTHER), node,
					   O_WRONLY, &fh));
	again = look(writer, "f", NULL);
	ASSERT_NE(node, again);
	ASSERT_EQ(0, open_at(writer, again, O_WRONLY, &fh));
	EXPECT_EQ(0, close_at(writer, again, fh, true));
	EXPECT_EQ(0, close_at(reader, node, rfh, false));
}

TEST_HARNESS_MAIN
