// SPDX-License-Identifier: GPL-2.0-only
/* The main things that programs do in the view. */
#include "cost.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int get_attr(struct self *s)
{
	struct fuse_attr attr;

	return attr_of(s->view, s->node, &attr);
}

/* stat(2) of a path: a component each. */
static int look_up(struct self *s)
{
	return node_at(s->view, "names/pub/a") ? 0 : -1;
}

static int open_it(struct self *s)
{
	return open_at(s->view, s->node, O_RDONLY, &s->fh);
}

static int close_it(struct self *s)
{
	return close_at(s->view, s->node, s->fh, false);
}

static int read_it(struct self *s)
{
	struct fuse_read_in in = { .fh = s->fh, .size = 1024 };
	struct asker a = s->view;
	char buf[1024];
	int n;

	a.node = s->node;
	n = ask(a, FUSE_READ, &in, sizeof(in), NULL, buf, sizeof(buf));
	return n < 0 ? n : 0;
}

static int create(struct self *s)
{
	return create_at(s->view, s->pub, "made", 0644, &s->made);
}

static int write_and_sync(struct self *s)
{
	struct fuse_fsync_in in = { .fh = s->made.open.fh };
	struct asker a = s->view;
	char text[24];
	int n;

	snprintf(text, sizeof(text), "%llu", (unsigned long long)s->serial++);
	a.node = s->made.entry.nodeid;
	if (write_at(s->view, a.node, in.fh, text))
		return -1;
	n = ask(a, FUSE_FSYNC, &in, sizeof(in), NULL, NULL, 0);
	return n < 0 ? n : 0;
}

static int close_made(struct self *s)
{
	return close_at(s->view, s->made.entry.nodeid, s->made.open.fh, true);
}

static int create_and_close(struct self *s)
{
	int ret = create(s);

	return ret ? ret : close_made(s);
}

static int remove_name(struct self *s, const char *name)
{
	struct asker a = s->view;
	int n;

	a.node = s->pub;
	n = ask(a, FUSE_UNLINK, NULL, 0, name, NULL, 0);
	return n < 0 ? n : 0;
}

static int remove_made(struct self *s)
{
	return remove_name(s, "made");
}

static int remove_moved(struct self *s)
{
	return remove_name(s, "moved");
}

static int rename_made(struct self *s)
{
	char in[sizeof(struct fuse_rename_in) + sizeof("made")] = {};
	struct fuse_rename_in to = { .newdir = s->pub };
	struct asker a = s->view;
	int n;

	memcpy(in, &to, sizeof(to));
	memcpy(in + sizeof(to), "made", sizeof("made"));
	a.node = s->pub;
	n = ask(a, FUSE_RENAME, in, sizeof(in), "moved", NULL, 0);
	return n < 0 ? n : 0;
}

static int read_dir(struct self *s)
{
	char names[4096];
	int n = list_at(s->view, node_at(s->view, "names/own"), names,
			sizeof(names));

	return n < 0 ? n : 0;
}

static int read_attr(struct self *s)
{
	char value[2048];
	int n = get_xattr(s->view, s->node, "user.user.a", value,
			  sizeof(value));

	return n < 0 ? n : 0;
}

static int find(struct self *s)
{
	char names[4096];
	uint64_t node;

	node = node_at(s->view, "collections/mine/search/k=5,key=k7");
	return node ? list_at(s->view, node, names, sizeof(names)) : -1;
}

static int lock(struct self *s, uint32_t type)
{
	struct fuse_lk_in in = {
		.fh = s->fh,
		.owner = 1,
		.lk = { .end = 10, .type = type, .pid = 1 },
	};
	struct asker a = s->view;
	int n;

	a.node = s->node;
	n = ask(a, FUSE_SETLK, &in, sizeof(in), NULL, NULL, 0);
	return n < 0 ? n : 0;
}

static int lock_it(struct self *s)
{
	return lock(s, F_RDLCK);
}

static int unlock_it(struct self *s)
{
	return lock(s, F_UNLCK);
}

/* clang-format off */
#define RUN(_run) { .run = (_run) }
#define NONE {}

const struct row view_rows[] = {
	{ "(stat)", 0, { NONE }, RUN(look_up), { NONE } },
	{ "(fstat)", 0, { NONE }, RUN(get_attr), { NONE } },
	{ "(open)", 0, { NONE }, RUN(open_it), { RUN(close_it) } },
	{ "(close)", 0, { RUN(open_it) }, RUN(close_it), { NONE } },
	{ "(read)", 0, { RUN(open_it) }, RUN(read_it), { RUN(close_it) } },
	{ "(create)", 0, { NONE }, RUN(create),
	  { RUN(close_made), RUN(remove_made) } },
	{ "(write+fsync)", 0, { RUN(create) }, RUN(write_and_sync),
	  { RUN(close_made), RUN(remove_made) } },
	{ "(unlink)", 0, { RUN(create_and_close) }, RUN(remove_made),
	  { NONE } },
	{ "(rename)", 0, { RUN(create_and_close) }, RUN(rename_made),
	  { RUN(remove_moved) } },
	{ "(readdir)", 0, { NONE }, RUN(read_dir), { NONE } },
	{ "(getxattr)", 0, { NONE }, RUN(read_attr), { NONE } },
	{ "(lock)", 0, { RUN(open_it) }, RUN(lock_it),
	  { RUN(unlock_it), RUN(close_it) } },
	{ "(search)", 0, { NONE }, RUN(find), { NONE } },
	{},
};

/* clang-format on */
