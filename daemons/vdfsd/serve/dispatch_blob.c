// SPDX-License-Identifier: GPL-2.0-only
/* Blobs: storing and reading them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve_impl.h"
#include "store/charge.h"

static const struct vdfs_hash *hash_in(const struct vdfsd_call *c)
{
	_Static_assert(sizeof(struct vdfs_hash) == sizeof(struct phi_vdfs_hash),
		       "one kind of hash");
	return (const struct vdfs_hash *)&c->req.hash;
}

static struct vdfs_hash *hash_out(struct vdfsd_call *c)
{
	return (struct vdfs_hash *)&c->answer.hash;
}

static uint32_t put_flags(const struct vdfsd_call *c)
{
	return c->req.flags & PHI_VDFS_WHOLE ? VDFS_PUT_WHOLE : 0;
}

/* The end of a put, under the name that was given, if any. */
static int commit(struct vdfsd_call *c, struct vdfs_put *put)
{
	bool expect = c->req.flags & PHI_VDFS_EXPECT;

	return vdfs_put_commit(put, expect ? hash_in(c) : NULL, c->name,
			       hash_out(c));
}

/**
 * vdfsd_put() - serve PUT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_put(struct vdfsd_call *c)
{
	struct vdfs_put *put;
	int ret;

	ret = vdfs_put_begin(server_of(c)->store, who_of(c), put_flags(c),
			     &put);
	if (ret)
		return ret;
	if (c->req.data.len)
		ret = vdfs_put_lend(put, c->data, c->req.data.len);
	if (!ret)
		return commit(c, put);
	vdfs_put_abort(put);
	return ret;
}

/**
 * vdfsd_put_begin() - serve PUT_BEGIN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_put_begin(struct vdfsd_call *c)
{
	struct vdfs_put *put;
	int ret;

	ret = vdfs_put_begin(server_of(c)->store, who_of(c), put_flags(c),
			     &put);
	if (ret)
		return ret;
	ret = handle_add(c->base.session, KIND_PUT, put, &c->answer.id);
	if (ret)
		vdfs_put_abort(put);
	return ret;
}

/* Out of the client's region into the windows of the put, at once. */
static int fill_put(struct vdfsd_call *c, struct vdfs_put *put)
{
	size_t len = c->req.data.len, done, n;
	struct vdfs_space space;
	struct stage window;
	int ret = 0;

	for (done = 0; done < len && !ret; done += n) {
		ret = vdfs_put_space(put, &space);
		if (ret)
			return ret;
		if (space.fd < 0) {
			ret = vdfsd_call_data(c);
			return ret ?: vdfs_put_write(put, c->data, len);
		}
		n = len - done < space.len ? len - done : space.len;
		window = (struct stage){ space.fd, space.mem, space.size };
		ret = vdfsd_call_data_to(c, done, n, &window, space.at);
		/* The put has the bytes before these already. */
		if (ret && done)
			vdfs_put_spoil(put, ret);
		if (!ret)
			ret = vdfs_put_filled(put, n);
	}
	return ret;
}

/**
 * vdfsd_put_data() - serve PUT_DATA
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_put_data(struct vdfsd_call *c)
{
	void *put;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	if (vdfs_put_is_large(put, c->req.data.len)) {
		ret = fill_put(c, put);
	} else {
		ret = vdfsd_call_data(c);
		if (!ret)
			ret = vdfs_put_write(put, c->data, c->req.data.len);
	}
	handle_put(c->base.session, KIND_PUT, c->req.id);
	return ret;
}

/**
 * vdfsd_put_end() - serve PUT_END
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_put_end(struct vdfsd_call *c)
{
	void *put;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	handle_remove(c->base.session, KIND_PUT, c->req.id);
	return commit(c, put);
}

/**
 * vdfsd_put_abort() - serve PUT_ABORT
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_put_abort(struct vdfsd_call *c)
{
	void *put;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_PUT, c->req.id, &put);
	if (ret)
		return ret;
	handle_remove(c->base.session, KIND_PUT, c->req.id);
	vdfs_put_abort(put);
	return 0;
}

/**
 * vdfsd_call_hash() - which blob does a call mean?
 * @c: BLOB_OPEN or MAP.
 * @hash: Out.
 *
 * Context: Worker.
 * Return: 0; -EINVAL without or with both name and hash; -EISDIR; or another
 * negative errno.
 */
int vdfsd_call_hash(struct vdfsd_call *c, struct vdfs_hash *hash)
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
	ret = vdfs_name_stat(server_of(c)->store, who_of(c), c->name, &st);
	if (ret)
		return ret;
	if ((st.mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	if (!vdfs_name_may(who_of(c), st.owner, st.gid, st.mode, R_OK))
		return -EACCES;
	*hash = st.hash;
	return 0;
}

/**
 * vdfsd_blob_release() - close a blob of a session
 * @session: Session, whose user is charged for it.
 * @blob: The blob; NULL = it could not be opened.
 *
 * Context: Any thread, without the lock.
 */
void vdfsd_blob_release(struct session *session, void *blob)
{
	struct vdfsd *s = (struct vdfsd *)session->daemon;

	vdfs_blob_close(blob);
	vdfs_uncharge(s->store, session->uid, VDFS_CHARGE_FILES, 1);
}

/**
 * vdfsd_blob_open() - serve BLOB_OPEN
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_blob_open(struct vdfsd_call *c)
{
	struct vdfs_hash hash;
	struct vdfs_blob *blob;
	int ret;

	ret = vdfsd_call_hash(c, &hash);
	if (!ret)
		ret = vdfs_charge(server_of(c)->store, who_of(c)->uid,
				  VDFS_CHARGE_FILES, 1);
	if (ret)
		return ret;
	ret = vdfs_blob_open(server_of(c)->store, who_of(c), &hash, &blob);
	if (ret) {
		vdfsd_blob_release(c->base.session, NULL);
		return ret;
	}
	*hash_out(c) = hash;
	c->answer.bytes = vdfs_blob_size(blob);
	ret = handle_add(c->base.session, KIND_BLOB, blob, &c->answer.id);
	if (ret)
		vdfsd_blob_release(c->base.session, blob);
	return ret;
}

/**
 * vdfsd_blob_read() - serve BLOB_READ
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_blob_read(struct vdfsd_call *c)
{
	ssize_t got;
	void *blob;
	int ret;

	ret = handle_get(c->base.session, KIND_BLOB, c->req.id, &blob);
	if (ret)
		return ret;
	got = vdfs_blob_read(blob, c->out, c->room, c->req.offset);
	handle_put(c->base.session, KIND_BLOB, c->req.id);
	if (got < 0)
		return got;
	c->answer.len = got;
	return 0;
}

/**
 * vdfsd_blob_close() - serve BLOB_CLOSE
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_blob_close(struct vdfsd_call *c)
{
	void *blob;
	int ret;

	ret = handle_get_alone(c->base.session, KIND_BLOB, c->req.id, &blob);
	if (ret)
		return ret;
	handle_remove(c->base.session, KIND_BLOB, c->req.id);
	vdfsd_blob_release(c->base.session, blob);
	return 0;
}

/**
 * vdfsd_keep() - serve KEEP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_keep(struct vdfsd_call *c)
{
	return vdfs_blob_keep(server_of(c)->store, who_of(c), hash_in(c));
}

/**
 * vdfsd_drop() - serve DROP
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_drop(struct vdfsd_call *c)
{
	return vdfs_blob_drop(server_of(c)->store, who_of(c), hash_in(c));
}

static int add_blob(void *arg, const struct vdfs_hash *hash, uint64_t size)
{
	struct phi_vdfs_entry entry = { .stat.bytes = size };

	memcpy(&entry.stat.hash, hash, sizeof(*hash));
	return vdfsd_entry_add(arg, &entry, "");
}

/**
 * vdfsd_blobs_list() - serve BLOBS_LIST
 * @c: Call.
 *
 * Context: Worker.
 * Return: 0 or a negative errno.
 */
int vdfsd_blobs_list(struct vdfsd_call *c)
{
	bool after = c->req.flags & PHI_VDFS_AFTER;

	return vdfsd_entries_end(
		c, vdfs_blob_list(server_of(c)->store, who_of(c),
				  after ? hash_in(c) : NULL, add_blob, c));
}
