// SPDX-License-Identifier: GPL-2.0-only
/* Large blobs as they come: two windows, see put_impl.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pace.h"
#include "put_impl.h"

#define FULL (VDFS_CHUNK_MAX + VDFS_WINDOW)

/* Without one the windows are allocated when they are needed. */
static void make_memfd(struct vdfs_stream *s)
{
	void *mem;
	int fd;

	fd = memfd_create("vdfs-put", MFD_CLOEXEC);
	if (fd < 0)
		return;
	mem = MAP_FAILED;
	if (!ftruncate(fd, 2 * FULL))
		mem = mmap(NULL, 2 * FULL, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0);
	if (mem == MAP_FAILED) {
		close(fd);
		return;
	}
	s->mem_fd = fd;
	s->mem = mem;
}

static bool window_mem(struct vdfs_stream *s, int i)
{
	struct vdfs_window *w = &s->window[i];

	if (!w->mem)
		w->mem = s->mem ? s->mem + i * FULL : malloc(FULL);
	return w->mem;
}

static void windows_free(struct vdfs_stream *s)
{
	int i;

	for (i = 0; i < 2 && !s->mem; i++)
		free(s->window[i].mem);
	if (!s->mem)
		return;
	munmap(s->mem, 2 * FULL);
	close(s->mem_fd);
}

/**
 * vdfs_stream_new() - go on with a put as with a large one
 * @put: The put; what it has so far moves.
 * @memfd: Its windows are to be a memfd, if that can be.
 *
 * Context: The put's thread.
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int vdfs_stream_new(struct vdfs_put *put, bool memfd)
{
	struct vdfs_stream *s;
	struct vdfs_window *w;
	int err = vdfs_put_charge_memory(put, 2 * FULL);

	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->fd = -1;
	s->mem_fd = -1;
	if (memfd)
		make_memfd(s);
	s->group[0].put = put;
	s->group[1].put = put;
	vdfs_jobs_init(&s->queue);
	put->stream = s;
	w = &s->window[0];
	s->ctx = vdfs_hash_new();
	if (!s->ctx || !window_mem(s, 0))
		return -ENOMEM;
	w->start = VDFS_CHUNK_MAX;
	w->end = VDFS_CHUNK_MAX + put->size;
	if (put->size)
		memcpy(w->mem + w->start, put->buf, put->size);
	vdfs_put_free_buf(put);
	return 0;
}

/**
 * vdfs_stream_free() - give up what a large put has, but what was committed
 * @put: The put.
 *
 * Context: The put's thread.
 */
void vdfs_stream_free(struct vdfs_put *put)
{
	struct vdfs_stream *s = put->stream;
	int i;

	if (!s)
		return;
	vdfs_jobs_fini(&put->store->helpers, &s->queue);
	vdfs_group_stop(put);
	for (i = 0; i < 2; i++) {
		vdfs_group_forget(&s->group[i]);
		free(s->group[i].parts);
		free(s->group[i].slot);
	}
	windows_free(s);
	if (s->fd >= 0)
		close(s->fd);
	vdfs_hash_free(s->ctx);
	free(s->sums);
	free(s);
	put->stream = NULL;
}

/* The hash of the whole goes on, in the order in which bytes came. */
static void start_whole(struct vdfs_put *put, struct vdfs_window *w)
{
	struct vdfs_stream *s = put->stream;

	w->whole.job.fn = vdfs_hash_job;
	w->whole.ctx = s->ctx;
	w->whole.data = w->mem + VDFS_CHUNK_MAX;
	w->whole.len = w->end - VDFS_CHUNK_MAX;
	vdfs_job_start(&put->store->helpers, &s->queue, &w->whole.job);
	w->pending = true;
}

/* Be done with a window, so that it can be filled again. */
static int settle(struct vdfs_put *put, struct vdfs_window *w, bool last)
{
	struct vdfs_stream *s = put->stream;
	int err = 0;

	if (!w->pending)
		return 0;
	w->pending = false;
	if (!(put->flags & VDFS_PUT_WHOLE))
		err = vdfs_list_write(put, w, last);
	return err   ?:
		       vdfs_job_wait(&put->store->helpers, &s->queue,
				     &w->whole.job);
}

/* The rest of a window goes before the bytes that come into the other one. */
static int turn_to(struct vdfs_put *put, struct vdfs_window *from,
		   struct vdfs_window *to)
{
	struct vdfs_stream *s = put->stream;
	size_t left = from->end - from->start;

	if (!window_mem(s, !s->now))
		return -ENOMEM;
	to->start = VDFS_CHUNK_MAX - left;
	to->end = VDFS_CHUNK_MAX;
	to->hole = 0;
	to->hole_end = 0;
	if (from->hole_end == from->end && from->hole < from->end) {
		if (from->hole < from->start)
			from->hole = from->start;
		to->hole = to->start + (from->hole - from->start);
		to->hole_end = to->end;
	}
	memcpy(to->mem + to->start, from->mem + from->start, left);
	s->now ^= 1;
	return 0;
}

/* A window is full, or nothing more comes. */
static int turn(struct vdfs_put *put, bool last)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_window *w = &s->window[s->now];
	struct vdfs_window *before = &s->window[!s->now];
	bool whole = put->flags & VDFS_PUT_WHOLE;
	bool first = !before->pending;
	int err;

	err = vdfs_put_charge_staged(put);
	if (!err && !whole)
		err = vdfs_group_prepare(put);
	if (err)
		return err;
	if (first)
		start_whole(put, w);
	if (!whole)
		vdfs_list_cut(put, w, last);
	if (!err && !first) {
		err = settle(put, before, false);
		if (!err)
			start_whole(put, w);
	}
	if (!err && whole)
		err = vdfs_put_file_write(put, w, last);
	if (!err && (last || vdfs_group_full(put))) {
		err = settle(put, w, last);
		if (!err && !last)
			err = vdfs_group_start(put);
	}
	if (!err && !last)
		err = turn_to(put, w, before);
	return err;
}

/**
 * vdfs_put_space() - where the next bytes of a large put go
 * @put: The put; with these bytes it is a large one, see vdfs_put_is_large().
 * @space: Out, valid until the next call about the put.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno, after which the put can only be aborted.
 */
int vdfs_put_space(struct vdfs_put *put, struct vdfs_space *space)
{
	struct vdfs_stream *s;
	struct vdfs_window *w;

	if (!put->err && !put->stream)
		put->err = vdfs_stream_new(put, true);
	if (put->err)
		return put->err;
	s = put->stream;
	w = &s->window[s->now];
	*space = (struct vdfs_space){
		.fd = s->mem_fd,
		.mem = s->mem,
		.size = 2 * FULL,
		.at = s->now * FULL + w->end,
		.len = FULL - w->end,
	};
	return 0;
}

/* A window has so many more bytes. */
static int advance(struct vdfs_put *put, size_t len)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_window *w = &s->window[s->now];

	w->end += len;
	put->size += len;
	if (w->end < FULL)
		return 0;
	pace_step();
	return turn(put, false);
}

/**
 * vdfs_put_filled() - bytes are where vdfs_put_space() said
 * @put: The put.
 * @len: How many, at most what fits.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno, after which the put can only be aborted.
 */
int vdfs_put_filled(struct vdfs_put *put, size_t len)
{
	if (!put->err && len > (uint64_t)INT64_MAX - put->size)
		put->err = -EFBIG;
	if (!put->err)
		put->err = advance(put, len);
	return put->err;
}

/**
 * vdfs_put_spoil() - a put lacks bytes, and can only be aborted
 * @put: The put.
 * @err: The negative errno that it ends with.
 *
 * Context: The put's thread.
 */
void vdfs_put_spoil(struct vdfs_put *put, int err)
{
	if (!put->err)
		put->err = err;
}

/**
 * vdfs_stream_write() - give a large put its next bytes
 * @put: The put.
 * @data: Bytes.
 * @len: How many.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno, after which the put can only be aborted.
 */
int vdfs_stream_write(struct vdfs_put *put, const uint8_t *data, size_t len)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_window *w;
	size_t n;
	int err = 0;

	while (!err && len) {
		w = &s->window[s->now];
		n = FULL - w->end;
		if (n > len)
			n = len;
		memcpy(w->mem + w->end, data, n);
		err = advance(put, n);
		data += n;
		len -= n;
	}
	return err;
}

/* So many zeros come to the window next. */
static void note_hole(struct vdfs_window *w, size_t n)
{
	size_t start = w->hole_end == w->end ? w->hole : w->end;

	if (w->end + n - start < w->hole_end - w->hole)
		return;
	w->hole = start;
	w->hole_end = w->end + n;
}

static int stream_zeros(struct vdfs_put *put, uint64_t len)
{
	struct vdfs_stream *s = put->stream;
	struct vdfs_window *w;
	size_t n;
	int err = 0;

	while (!err && len) {
		w = &s->window[s->now];
		n = FULL - w->end;
		if (n > len)
			n = (size_t)len;
		memset(w->mem + w->end, 0, n);
		note_hole(w, n);
		err = advance(put, n);
		len -= n;
	}
	return err;
}

/**
 * vdfs_put_zeros() - give a put zeros, as a hole of a file is
 * @put: The put.
 * @len: How many.
 *
 * Pieces of zeros are neither looked at nor hashed; the whole is.
 *
 * Context: One thread at a time.
 * Return: As vdfs_put_write().
 */
int vdfs_put_zeros(struct vdfs_put *put, uint64_t len)
{
	static const uint8_t zeros[4096];
	size_t n;

	if (!put->err && len > (uint64_t)INT64_MAX - put->size)
		put->err = -EFBIG;
	if (put->err || !vdfs_put_is_large(put, len)) {
		for (; !put->err && len; len -= n) {
			n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);
			vdfs_put_write(put, zeros, n);
		}
		return put->err;
	}
	if (!put->stream)
		put->err = vdfs_stream_new(put, false);
	if (!put->err)
		put->err = stream_zeros(put, len);
	return put->err;
}

/**
 * vdfs_stream_end() - write all that has come
 * @put: The put.
 * @out: Its hash.
 *
 * A file is durable then, parts that are not committed are not.
 *
 * Context: The put's thread.
 * Return: 0 or a negative errno.
 */
int vdfs_stream_end(struct vdfs_put *put, struct vdfs_hash *out)
{
	int err;

	err = turn(put, true);
	if (!err)
		err = vdfs_group_wait(put);
	return err ?: vdfs_hash_end(put->stream->ctx, out);
}
