// SPDX-License-Identifier: GPL-2.0-only
/* Kinds of things that another user can make. */
#include "cost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Attributes of each name. */
#define ATTRS 20

/* A name, numbered. */
static struct phi_vdfs_span numbered(struct bus_client *c, const char *format,
				     int i)
{
	char name[64];

	snprintf(name, sizeof(name), format, i);
	return bus_text(c, BUS_NAME, name);
}

/* The hash of content that is the other user's, and of nobody else. */
static int put_content(struct other *o, const char *name, uint64_t number,
		       struct phi_vdfs_hash *hash)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_PUT };
	int ret;

	req.name = bus_text(&o->client, BUS_NAME, name);
	memset(o->client.mem + BUS_DATA, 0, 1024);
	memcpy(o->client.mem + BUS_DATA, &number, sizeof(number));
	req.data = (struct phi_vdfs_span){ BUS_DATA, 1024 };
	ret = bus_ask(&o->client, &req);
	*hash = o->client.call.answer.hash;
	return ret;
}

static int link_all(struct other *o, const char *format,
		    const struct phi_vdfs_hash *hash, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_LINK,
						.hash = *hash };

		req.name = numbered(&o->client, format, i);
		ret = bus_ask(&o->client, &req);
	}
	return ret;
}

/* In the directory in which the measured user has names. */
static int make_names(struct other *o, int from, int to)
{
	struct phi_vdfs_hash hash;
	int ret = put_content(o, "oth/b", 1ULL << 40, &hash);

	return ret ? ret : link_all(o, "pub/o%d", &hash, from, to);
}

/* Names of the blob that the measured user has: the first that it put. */
static int make_references(struct other *o, int from, int to)
{
	struct phi_vdfs_hash hash;
	int ret = put_content(o, "oth/c", 1, &hash);

	return ret ? ret : link_all(o, "oth/r%d", &hash, from, to);
}

static int make_dirs(struct other *o, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_MKDIR,
						.mode = 0755 };

		req.name = numbered(&o->client, "pub/d%d", i);
		ret = bus_ask(&o->client, &req);
	}
	return ret;
}

static int make_attrs(struct other *o, int from, int to)
{
	struct phi_vdfs_hash hash;
	char attr[16];
	int ret;

	ret = put_content(o, "oth/b", 1ULL << 40, &hash);
	if (!ret && from < to)
		ret = link_all(o, "pub/x%d", &hash, from / ATTRS, to / ATTRS);
	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_ATTR_SET };

		req.name = numbered(&o->client, "pub/x%d", i / ATTRS);
		snprintf(attr, sizeof(attr), "user.%d", i % ATTRS);
		req.more = bus_text(&o->client, BUS_MORE, attr);
		req.data = (struct phi_vdfs_span){ BUS_DATA, 16 };
		ret = bus_ask(&o->client, &req);
	}
	return ret;
}

static int make_blobs(struct other *o, int from, int to)
{
	struct phi_vdfs_hash hash;
	char name[32];
	int ret = 0;

	for (int i = from; i < to && !ret; i++) {
		snprintf(name, sizeof(name), "oth/b%d", i);
		ret = put_content(o, name, (1ULL << 40) + (uint64_t)i, &hash);
	}
	return ret;
}

/* The session that thing @i belongs to, @each in one. */
static struct bus_client *session_for(struct other *o, int i, int each)
{
	while (o->sessions <= (size_t)(i / each)) {
		if (bus_attach(&o->more[o->sessions], OTHER))
			return NULL;
		o->sessions++;
	}
	return &o->more[i / each];
}

static int make_puts(struct other *o, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_PUT_BEGIN };
		struct bus_client *c = session_for(o, i, PHI_VDFS_PUTS);

		ret = c ? bus_ask(c, &req) : -EDQUOT;
		if (ret)
			break;
		req = (struct phi_vdfs_request){ .op = PHI_VDFS_PUT_DATA,
						 .id = c->call.answer.id };
		req.data = (struct phi_vdfs_span){ BUS_DATA, 1024 };
		ret = bus_ask(c, &req);
	}
	return ret;
}

static int make_opens(struct other *o, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_BLOB_OPEN };
		struct bus_client *c = session_for(o, i, PHI_VDFS_BLOBS);

		if (!c)
			return -EDQUOT;
		req.name = bus_text(c, BUS_NAME, "oth/a");
		ret = bus_ask(c, &req);
	}
	return ret;
}

static int make_maps(struct other *o, int from, int to)
{
	int ret = make_blobs(o, from, to);

	for (int i = from; i < to && !ret; i++) {
		struct phi_vdfs_request req = { .op = PHI_VDFS_MAP };
		struct bus_client *c = session_for(o, i, PHI_VDFS_MAPS);

		if (!c)
			return -EDQUOT;
		req.name = numbered(c, "oth/b%d", i);
		ret = bus_ask(c, &req);
	}
	return ret;
}

static int create_collection(struct other *o, int i)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_CREATE };

	req.name = numbered(&o->client, "o%d", i);
	req.params.dim = DIM;
	req.params.mode = 0600;
	return bus_ask(&o->client, &req);
}

static int make_collections(struct other *o, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++)
		ret = create_collection(o, i);
	return ret;
}

static int insert_some(struct other *o, int from, int to)
{
	struct phi_vdfs_request req = { .op = PHI_VDFS_COLLECTION_INSERT,
					.id = o->collection };
	float vector[DIM] = { 1 };
	char *at = o->client.mem + BUS_DATA;
	char key[16];

	for (int i = from; i < to; i++) {
		vector[1] = (float)i;
		snprintf(key, sizeof(key), "o%d", i);
		at += bus_record(at, key, vector, DIM, "{\"n\":1}");
	}
	req.data.at = BUS_DATA;
	req.data.len = (uint32_t)(at - o->client.mem) - BUS_DATA;
	return bus_ask(&o->client, &req);
}

static int make_items(struct other *o, int from, int to)
{
	int ret = 0;

	if (!o->collection) {
		ret = create_collection(o, 0);
		if (!ret)
			ret = bus_open(&o->client, "o0", &o->collection);
	}
	for (int i = from; i < to && !ret; i += 500)
		ret = insert_some(o, i, i + 500 < to ? i + 500 : to);
	return ret;
}

static int make_sessions(struct other *o, int from, int to)
{
	return from < to && !session_for(o, to - 1, 1) ? -EDQUOT : 0;
}

/* Each of another user, as one may have who has subordinate uids. */
static int make_users(struct other *o, int from, int to)
{
	int ret = 0;

	for (int i = from; i < to && !ret; i++)
		ret = bus_attach(&o->more[i], MANY + (uint32_t)i);
	return ret;
}

static int make_files(struct other *o, int from, int to)
{
	uint64_t fh;
	int ret = 0;

	for (int i = from; i < to && !ret; i++)
		ret = open_at(o->view, o->node, O_RDONLY, &fh);
	return ret;
}

static int make_opendirs(struct other *o, int from, int to)
{
	uint64_t node = node_at(o->view, "names/pub");
	uint64_t fh;
	int ret = 0;

	for (int i = from; i < to && !ret; i++)
		ret = open_at(o->view, node, O_RDONLY | O_DIRECTORY, &fh);
	return ret;
}

/* Names that the kernel knows. */
static int make_nodes(struct other *o, int from, int to)
{
	char path[32];
	int ret = make_names(o, from, to);

	for (int i = from; i < to && !ret; i++) {
		snprintf(path, sizeof(path), "names/pub/o%d", i);
		ret = node_at(o->view, path) ? 0 : -ENOENT;
	}
	return ret;
}

/* On one file that both users may read: one owner has 4096 at most. */
static int make_locks(struct other *o, int from, int to)
{
	struct asker a = o->view;
	struct fuse_lk_in in = {
		.owner = 2,
		.lk = { .type = F_RDLCK, .pid = 2 },
	};
	int n = 0;

	a.node = node_at(o->view, "names/pub/a");
	if (from < to)
		n = open_at(a, a.node, O_RDONLY, &in.fh);
	for (int i = from; i < to && n >= 0; i++) {
		in.lk.start = 1000 + 2 * (uint64_t)i;
		in.lk.end = in.lk.start;
		n = ask(a, FUSE_SETLK, &in, sizeof(in), NULL, NULL, 0);
	}
	return n < 0 ? n : 0;
}

/* clang-format off */
#define KIND(_name, ...) \
	{ .name = #_name, .make = make_##_name, ##__VA_ARGS__ }

const struct things kinds[] = {
	KIND(names),
	KIND(references),
	KIND(dirs),
	KIND(attrs),
	KIND(blobs),
	KIND(puts, .most = 64),
	KIND(opens, .most = 1000),
	KIND(maps, .most = 1000),
	KIND(collections, .most = 1000),
	KIND(items),
	KIND(sessions, .most = 60),
	KIND(users, .most = 900),
	KIND(files, .most = 1000),
	KIND(opendirs, .most = 1000),
	KIND(nodes),
	KIND(locks, .most = 4000),
	{},
};

/* clang-format on */
