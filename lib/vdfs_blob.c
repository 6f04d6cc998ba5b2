// SPDX-License-Identifier: LGPL-2.1-or-later
/* Blobs: storing, reading and mapping them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vdfs_impl.h"

/* Bytes of a call when there are many. */
#define PIECE (1U << 20)

static void hash_out(const struct vdfs_ask *a, struct phi_vdfs_hash *out)
{
	if (out)
		*out = a->answer.hash;
}

int phi_vdfs_put_begin(struct phi_vdfs *v, unsigned int flags, uint64_t *id)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_PUT_BEGIN };
	int ret;

	a.req.flags = flags;
	ret = vdfs_do(v, &a);
	if (!ret)
		*id = a.answer.id;
	return ret;
}

int phi_vdfs_put_data(struct phi_vdfs *v, uint64_t id, const void *data,
		      size_t len)
{
	const char *bytes = data;
	int ret = 0;

	while (len && !ret) {
		struct vdfs_ask a = { .req.op = PHI_VDFS_PUT_DATA };

		a.req.id = id;
		a.data = bytes;
		a.data_len = len < PIECE ? len : PIECE;
		ret = vdfs_do(v, &a);
		bytes += a.data_len;
		len -= a.data_len;
	}
	return ret;
}

int phi_vdfs_put_end(struct phi_vdfs *v, uint64_t id, const char *name,
		     const struct phi_vdfs_hash *expect,
		     struct phi_vdfs_hash *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_PUT_END, .req.id = id };
	int ret;

	if (name && !*name)
		return -EINVAL;
	a.name = name;
	if (expect) {
		a.req.flags = PHI_VDFS_EXPECT;
		a.req.hash = *expect;
	}
	ret = vdfs_do(v, &a);
	if (!ret)
		hash_out(&a, out);
	return ret;
}

int phi_vdfs_put_abort(struct phi_vdfs *v, uint64_t id)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_PUT_ABORT, .req.id = id };

	return vdfs_do(v, &a);
}

/* A blob of one piece, in one call. */
static int put_once(struct phi_vdfs *v, const void *data, size_t len,
		    const char *name, unsigned int flags,
		    const struct phi_vdfs_hash *expect,
		    struct phi_vdfs_hash *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_PUT, .name = name };
	int ret;

	a.req.flags = flags;
	if (expect) {
		a.req.flags |= PHI_VDFS_EXPECT;
		a.req.hash = *expect;
	}
	a.data = data;
	a.data_len = len;
	ret = vdfs_do(v, &a);
	if (!ret)
		hash_out(&a, out);
	return ret;
}

int phi_vdfs_put(struct phi_vdfs *v, const void *data, size_t len,
		 const char *name, struct phi_vdfs_hash *out)
{
	uint64_t id;
	int ret;

	if (name && !*name)
		return -EINVAL;
	/* The daemon has no room for more without a copy of its own. */
	if (len < PIECE)
		return put_once(v, data, len, name, 0, NULL, out);
	ret = phi_vdfs_put_begin(v, 0, &id);
	if (ret)
		return ret;
	ret = phi_vdfs_put_data(v, id, data, len);
	if (!ret)
		return phi_vdfs_put_end(v, id, name, NULL, out);
	phi_vdfs_put_abort(v, id);
	return ret;
}

/* Fill @buf as far as the file goes. */
static ssize_t read_piece(int fd, char *buf, size_t len)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = read(fd, buf + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

/**
 * struct source - a file that is being put
 * @fd: Open for reading.
 * @buf: One piece of it.
 * @len: Bytes of the piece in @buf, or a negative errno; less than PIECE at
 *       the end.
 * @done: Bytes that the daemon has.
 * @progress: Called now and then; may be NULL.
 * @arg: For @progress.
 */
struct source {
	int fd;
	char *buf;
	ssize_t len;
	uint64_t done;
	phi_vdfs_progress *progress;
	void *arg;
};

static int advance(struct source *s)
{
	s->done += (uint64_t)s->len;
	if (s->progress && !s->progress(s->arg, s->done, 0))
		return -ECANCELED;
	return 0;
}

/*
 * Each piece is read into memory of this process, without the lock of the
 * session: read(2) may take long, and into the region read(2) fails with
 * -EFAULT where the file's filesystem pins the pages that read(2) fills.
 */
static int put_all(struct phi_vdfs *v, uint64_t id, struct source *s)
{
	int ret;

	do {
		ret = phi_vdfs_put_data(v, id, s->buf, (size_t)s->len);
		if (!ret)
			ret = advance(s);
		if (ret || s->len < PIECE)
			return ret;
		s->len = read_piece(s->fd, s->buf, PIECE);
	} while (s->len > 0);
	return (int)s->len;
}

static int put_source(struct phi_vdfs *v, struct source *s, const char *name,
		      unsigned int flags, const struct phi_vdfs_hash *expect,
		      struct phi_vdfs_hash *out)
{
	uint64_t id;
	int ret;

	s->len = read_piece(s->fd, s->buf, PIECE);
	if (s->len < 0)
		return (int)s->len;
	if (s->len < PIECE) {
		ret = s->len ? advance(s) : 0;
		return ret   ?:
			       put_once(v, s->buf, (size_t)s->len, name, flags,
					expect, out);
	}
	ret = phi_vdfs_put_begin(v, flags, &id);
	if (ret)
		return ret;
	ret = put_all(v, id, s);
	if (!ret)
		return phi_vdfs_put_end(v, id, name, expect, out);
	phi_vdfs_put_abort(v, id);
	return ret;
}

int phi_vdfs_put_fd(struct phi_vdfs *v, int fd, const char *name,
		    unsigned int flags, const struct phi_vdfs_hash *expect,
		    phi_vdfs_progress *progress, void *arg,
		    struct phi_vdfs_hash *out)
{
	struct source s = { .fd = fd, .progress = progress, .arg = arg };
	int ret;

	if (name && !*name)
		return -EINVAL;
	/* PHI_VDFS_EXPECT is for @expect to say. */
	if (flags & ~PHI_VDFS_WHOLE)
		return -EINVAL;
	s.buf = malloc(PIECE);
	if (!s.buf)
		return -ENOMEM;
	ret = put_source(v, &s, name, flags, expect, out);
	free(s.buf);
	return ret;
}

int phi_vdfs_blob_open(struct phi_vdfs *v, const char *blob,
		       struct phi_vdfs_blob *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_BLOB_OPEN };
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask_blob(v, &a, blob);
	pthread_mutex_unlock(&v->lock);
	if (ret)
		return ret;
	out->id = a.answer.id;
	out->bytes = a.answer.bytes;
	out->hash = a.answer.hash;
	return 0;
}

ssize_t phi_vdfs_blob_read(struct phi_vdfs *v, const struct phi_vdfs_blob *blob,
			   void *buf, size_t len, uint64_t offset)
{
	size_t have = 0;
	int ret;

	while (have < len) {
		struct vdfs_ask a = { .req.op = PHI_VDFS_BLOB_READ };

		a.req.id = blob->id;
		a.req.offset = offset + have;
		a.room = len - have < PIECE ? len - have : PIECE;
		pthread_mutex_lock(&v->lock);
		ret = vdfs_ask(v, &a);
		if (!ret)
			memcpy((char *)buf + have, a.out, a.answer.len);
		pthread_mutex_unlock(&v->lock);
		if (ret)
			return ret;
		have += a.answer.len;
		if (a.answer.len < a.room)
			break;
	}
	return (ssize_t)have;
}

int phi_vdfs_blob_close(struct phi_vdfs *v, const struct phi_vdfs_blob *blob)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_BLOB_CLOSE };

	a.req.id = blob->id;
	return vdfs_do(v, &a);
}

static int write_piece(int fd, const char *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get_all(struct phi_vdfs *v, const struct phi_vdfs_blob *blob, int fd,
		   phi_vdfs_progress *progress, void *arg)
{
	char *buf = malloc(PIECE);
	uint64_t done = 0;
	ssize_t n;
	int ret = 0;

	if (!buf)
		return -ENOMEM;
	while (!ret && done < blob->bytes) {
		n = phi_vdfs_blob_read(v, blob, buf, PIECE, done);
		if (n <= 0) {
			ret = n ? (int)n : -EPROTO;
			break;
		}
		ret = write_piece(fd, buf, (size_t)n);
		done += (uint64_t)n;
		if (!ret && progress && !progress(arg, done, blob->bytes))
			ret = -ECANCELED;
	}
	free(buf);
	return ret;
}

int phi_vdfs_get_fd(struct phi_vdfs *v, const char *blob, int fd,
		    phi_vdfs_progress *progress, void *arg,
		    struct phi_vdfs_hash *out)
{
	struct phi_vdfs_blob open;
	int ret, end;

	ret = phi_vdfs_blob_open(v, blob, &open);
	if (ret)
		return ret;
	ret = get_all(v, &open, fd, progress, arg);
	end = phi_vdfs_blob_close(v, &open);
	if (!ret)
		ret = end;
	if (!ret && out)
		*out = open.hash;
	return ret;
}

int phi_vdfs_map(struct phi_vdfs *v, const char *blob, struct phi_vdfs_map *out)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_MAP };
	void *addr;
	size_t len;
	int ret;

	pthread_mutex_lock(&v->lock);
	ret = vdfs_ask_blob(v, &a, blob);
	pthread_mutex_unlock(&v->lock);
	if (ret)
		return ret;
	ret = phi_region_map(v->phi, a.cap, PROT_READ, &addr, &len);
	if (!ret && (!a.answer.bytes || a.answer.bytes > len)) {
		phi_region_unmap(addr, len);
		ret = -EPROTO;
	}
	if (ret) {
		struct vdfs_ask back = { .req.op = PHI_VDFS_UNMAP };

		phi_cap_drop(v->phi, a.cap);
		back.req.id = a.answer.id;
		vdfs_do(v, &back);
		return ret;
	}
	*out = (struct phi_vdfs_map){ .addr = addr,
				      .bytes = a.answer.bytes,
				      .len = len,
				      .cap = a.cap,
				      .id = a.answer.id,
				      .hash = a.answer.hash };
	return 0;
}

int phi_vdfs_unmap(struct phi_vdfs *v, const struct phi_vdfs_map *map)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_UNMAP };

	phi_region_unmap((void *)map->addr, map->len);
	phi_cap_drop(v->phi, map->cap);
	a.req.id = map->id;
	return vdfs_do(v, &a);
}

int phi_vdfs_keep(struct phi_vdfs *v, const struct phi_vdfs_hash *hash)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_KEEP, .req.hash = *hash };

	return vdfs_do(v, &a);
}

int phi_vdfs_drop(struct phi_vdfs *v, const struct phi_vdfs_hash *hash)
{
	struct vdfs_ask a = { .req.op = PHI_VDFS_DROP, .req.hash = *hash };

	return vdfs_do(v, &a);
}
