// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holes of files that are written are not read: not when the file is handed over,
 * nor when it is written again, nor by those who read it. Bytes that are read
 * from files are counted.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vdfsd/kernel.h"
#include "vdfsd/store.h"

#define MIB ((uint64_t)1 << 20)
#define LEN (64 * MIB)

static atomic_ulong bytes_read;

/* In the place of the C library's, for the daemon's rooms. */
ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	static ssize_t (*next)(int, void *, size_t, off_t);
	ssize_t n;

	if (!next)
		next = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT,
								     "pread");
	n = next(fd, buf, len, at);
	if (n > 0)
		atomic_fetch_add(&bytes_read, (unsigned long)n);
	return n;
}

FIXTURE(sparse)
{
	struct tree t;
	struct vdfs_fuse *fuse;
	struct asker a;
	struct fuse_made made;
};

FIXTURE_SETUP(sparse)
{
	ASSERT_EQ(0, tree_make(&self->t, NULL));
	ASSERT_EQ(0, kernel_start(self->t.store, NULL, self->t.dir, &self->fuse,
				  &self->a));
	ASSERT_EQ(0, create_at(self->a, node_at(self->a, "names"), "f",
			       S_IFREG | 0666, &self->made));
}

FIXTURE_TEARDOWN(sparse)
{
	vdfs_fuse_stop(self->fuse);
	close(self->a.fd);
	tree_remove(&self->t);
}

static int truncate_to(struct asker a, uint64_t node, uint64_t fh,
		       uint64_t size)
{
	struct fuse_setattr_in in = { .fh = fh,
				      .size = size,
				      .valid = FATTR_SIZE | FATTR_FH };
	struct fuse_attr_out out;
	int n;

	a.node = node;
	n = ask(a, FUSE_SETATTR, &in, sizeof(in), NULL, &out, sizeof(out));
	return n < 0 ? n : 0;
}

/* Write a text at an offset. */
static int write_text(struct asker a, uint64_t node, uint64_t fh, uint64_t at,
		      const char *text)
{
	struct {
		struct fuse_write_in in;
		char text[16];
	} w = {
		.in = { .fh = fh, .size = (uint32_t)strlen(text), .offset = at }
	};
	struct fuse_write_out out;
	int n;

	a.node = node;
	memcpy(w.text, text, w.in.size);
	n = ask(a, FUSE_WRITE, &w, sizeof(w.in) + w.in.size, NULL, &out,
		sizeof(out));
	return n < 0 ? n : 0;
}

/* Whether "f" has the text there, is so long, and else zeros. */
static bool has(struct vdfs_store *store, uint64_t at, const char *text)
{
	struct vdfs_hash hash;
	struct vdfs_stat st;
	char *data = calloc(1, LEN);
	bool same;

	memcpy(data + at, text, strlen(text));
	same = !vdfs_name_stat(store, &admin, "f", &st) &&
	       !vdfs_hash_bytes(data, LEN, &hash) &&
	       vdfs_hash_equal(&hash, &st.hash) &&
	       !get_same(store, &admin, &hash, data, LEN);
	free(data);
	return same;
}

TEST_F(sparse, a_hole_is_not_read)
{
	const uint64_t node = self->made.entry.nodeid;
	uint64_t fh = self->made.open.fh;

	ASSERT_EQ(0, truncate_to(self->a, node, fh, LEN));
	ASSERT_EQ(0, write_text(self->a, node, fh, 5 * MIB + 3, "text"));
	atomic_store(&bytes_read, 0);
	ASSERT_EQ(0, close_at(self->a, node, fh, true));
	EXPECT_GT(4 * MIB, atomic_load(&bytes_read));
	atomic_store(&bytes_read, 0);
	EXPECT_TRUE(has(self->t.store, 5 * MIB + 3, "text"));
	EXPECT_GT(4 * MIB, atomic_load(&bytes_read));
}

/* A file that is there is a file with holes to who writes it next. */
TEST_F(sparse, a_hole_stays_one)
{
	uint64_t node = self->made.entry.nodeid, fh = self->made.open.fh;

	ASSERT_EQ(0, truncate_to(self->a, node, fh, LEN));
	ASSERT_EQ(0, close_at(self->a, node, fh, true));
	node = node_at(self->a, "names/f");
	ASSERT_EQ(0, open_at(self->a, node, O_RDWR, &fh));
	atomic_store(&bytes_read, 0);
	ASSERT_EQ(0, write_text(self->a, node, fh, LEN - 9, "later"));
	ASSERT_EQ(0, close_at(self->a, node, fh, true));
	EXPECT_GT(4 * MIB, atomic_load(&bytes_read));
	EXPECT_TRUE(has(self->t.store, LEN - 9, "later"));
}

TEST_HARNESS_MAIN
