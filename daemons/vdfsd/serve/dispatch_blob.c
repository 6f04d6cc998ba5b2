// SPDX-License-Identifier: GPL-2.0-only
/* Blobs: storing and reading them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "serve_impl.h"

static const struct vdfs_hash *hash_in(const struct call *c)
{
	_Static_assert(sizeof(struct vdfs_hash) == sizeof(struct phi_vdfs_hash),
		       "one kind of hash");
	return (const struct vdfs_hash *)&c->req.hash;
}

static struct vdfs_hash *hash_out(struct call *c)
{
	return (struct vdfs_hash *)&c->answer.hash;
}

static uint32_t put_flags(const struct call *c)
{
	return c->req.flags & PHI_VDFS_WHOLE ? VDFS_PUT_WHOLE : 0;
}

/* The end of a put, under the name that was given, if any. */
static int commit(struct call *c, struct vdfs_put *put)
{
	bool expect = c->req.flags & PHI_VDFS_EXPECT;

	return vdfs_put_commit(put, expect ? hash_in(c) : NULL, c->name,
			       hash_out(c));
}

/**
 * do_put() - serve PUT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_put(struct call *c)
{
	struct vdfs_put *put;
	int ret;

	ret = vdfs_put_begin(c->session->server->store, &c->session->who,
			     put_flags(c), &put);
	if (ret)
		return ret;
	if (c->req.data.len)
		ret = vdfs_put_write(put, c->data, c->req.data.len);
	if (!ret)
		return commit(c, put);
	vdfs_put_abort(put);
	return ret;
}

/**
 * do_put_begin() - serve PUT_BEGIN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_put_begin(struct call *c)
{
	struct vdfs_put *put;
	int ret;

	ret = vdfs_put_begin(c->session->server->store, &c->session->who,
			     put_flags(c), &put);
	if (ret)
		return ret;
	ret = slot_add(c->session, KIND_PUT, put, &c->answer.id);
	if (ret)
		vdfs_put_abort(put);
	return ret;
}

/**
 * do_put_data() - serve PUT_DATA
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_put_data(struct call *c)
{
	void *put;
	int ret;

	ret = slot_get_alone(c->session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	ret = vdfs_put_write(put, c->data, c->req.data.len);
	slot_put(c->session, KIND_PUT, c->req.id);
	return ret;
}

/**
 * do_put_end() - serve PUT_END
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_put_end(struct call *c)
{
	void *put;
	int ret;

	ret = slot_get_alone(c->session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	slot_remove(c->session, KIND_PUT, c->req.id);
	return commit(c, put);
}

/**
 * do_put_abort() - serve PUT_ABORT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_put_abort(struct call *c)
{
	void *put;
	int ret;

	ret = slot_get_alone(c->session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	slot_remove(c->session, KIND_PUT, c->req.id);
	vdfs_put_abort(put);
	return 0;
}

/**
 * call_hash() - which blob does a call mean?
 * @c: BLOB_OPEN or MAP.
 * @hash: Out.
 *
 * Context: Worker.
 * Return: 0; -EINVAL without or with both name and hash; -EISDIR; or another
 * negative errno.
 */
int call_hash(struct call *c, struct vdfs_hash *hash)
{
	bool by_hash = c->req.flags & PHI_VDFS_BY_HASH;
	struct vdfs_stat st;
	int ret;

	if (by_hash == !!c->name)
		return -EINVAL;
	if (by_hash) {
		*hash = *hash_in(c);
		return 0;
	}
	ret = vdfs_name_stat(c->session->server->store, &c->session->who,
			     c->name, &st);
	if (ret)
		return ret;
	if ((st.mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	*hash = st.hash;
	return 0;
}

/**
 * do_blob_open() - serve BLOB_OPEN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_blob_open(struct call *c)
{
	struct vdfs_hash hash;
	struct vdfs_blob *blob;
	int ret;

	ret = call_hash(c, &hash);
	if (!ret)
		ret = vdfs_blob_open(c->session->server->store,
				     &c->session->who, &hash, &blob);
	if (ret)
		return ret;
	*hash_out(c) = hash;
	c->answer.bytes = vdfs_blob_size(blob);
	ret = slot_add(c->session, KIND_BLOB, blob, &c->answer.id);
	if (ret)
		vdfs_blob_close(blob);
	return ret;
}

/**
 * do_blob_read() - serve BLOB_READ
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_blob_read(struct call *c)
{
	ssize_t got;
	void *blob;
	int ret;

	ret = slot_get(c->session, KIND_BLOB, c->req.id, &blob);
	if (ret)
		return ret;
	got = vdfs_blob_read(blob, c->out, c->room, c->req.offset);
	slot_put(c->session, KIND_BLOB, c->req.id);
	if (got < 0)
		return got;
	c->answer.len = got;
	return 0;
}

/**
 * do_blob_close() - serve BLOB_CLOSE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_blob_close(struct call *c)
{
	void *blob;
	int ret;

	ret = slot_get_alone(c->session, KIND_BLOB, c->req.id, &blob);
	if (ret)
		return ret;
	slot_remove(c->session, KIND_BLOB, c->req.id);
	vdfs_blob_close(blob);
	return 0;
}

/**
 * do_keep() - serve KEEP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_keep(struct call *c)
{
	return vdfs_blob_keep(c->session->server->store, &c->session->who,
			      hash_in(c));
}

/**
 * do_drop() - serve DROP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_drop(struct call *c)
{
	return vdfs_blob_drop(c->session->server->store, &c->session->who,
			      hash_in(c));
}

static int add_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct phi_vdfs_entry entry = { .stat.bytes = size };

	memcpy(&entry.stat.hash, hash, sizeof(*hash));
	return entry_add(arg, &entry, "");
}

/**
 * do_blobs() - serve BLOBS_LIST
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int do_blobs(struct call *c)
{
	bool after = c->req.flags & PHI_VDFS_AFTER;

	return entries_end(
		c, vdfs_blob_list(c->session->server->store, &c->session->who,
				  after ? hash_in(c) : NULL, add_blob, c));
}
