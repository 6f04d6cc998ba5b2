// SPDX-License-Identifier: GPL-2.0-only
/* Records: small objects, one behind the other in a segment. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <zstd.h>

#include "store_impl.h"

#define MAGIC VDFS_RECORD_MAGIC
#define COMPRESSED 0x1U
#define PAGE 4096
#define PUNCH_MIN (2 * PAGE)
#define CHECKED ((size_t)32 << 10) /* bytes at a time */
#define TOGETHER 64 /* in one write */

/**
 * struct vdfs_record_head - how a record begins
 * @magic: MAGIC.
 * @flags: COMPRESSED: the bytes are a zstd frame.
 * @stored: How many bytes follow.
 * @size: How many the object has.
 * @hash: SHA-256 of these.
 * @body_crc: CRC-32C of what follows.
 * @head_crc: CRC-32C of all before.
 */
struct vdfs_record_head {
	uint32_t magic;
	uint32_t flags;
	uint32_t stored;
	uint32_t size;
	struct vdfs_hash hash;
	uint32_t body_crc;
	uint32_t head_crc;
};

#define HEAD sizeof(struct vdfs_record_head)

static uint32_t head_crc(const struct vdfs_record_head *head)
{
	return vdfs_crc32c(0, head,
			   offsetof(struct vdfs_record_head, head_crc));
}

/* Shorten a segment by a record at its end; make a hole of any other one. */
static void give_back(struct vdfs_segment *seg, struct vdfs_record *record)
{
	uint64_t start = record->place;
	uint64_t end = start + record->stored;

	if (end == seg->end && !seg->sealed) {
		seg->end = start;
		if (!seg->writing && ftruncate(seg->fd, start))
			seg->sealed = true;
		return;
	}
	start = (start + PAGE - 1) / PAGE * PAGE;
	end = end / PAGE * PAGE;
	if (end >= start + PUNCH_MIN)
		fallocate(seg->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  start, end - start);
}

/**
 * vdfs_record_end() - be done with a record that was written
 * @store: The store.
 * @record: The record; nothing is done twice.
 * @kept: A commit refers to it.
 *
 * Context: Any thread. Of several, the last one first.
 */
void vdfs_record_end(struct vdfs_store *store, struct vdfs_record *record,
		     bool kept)
{
	struct vdfs_segment *seg = record->segment;

	if (!seg)
		return;
	record->segment = NULL;
	pthread_mutex_lock(&store->packs.lock);
	seg->writing--;
	if (!kept)
		give_back(seg, record);
	pthread_mutex_unlock(&store->packs.lock);
	vdfs_segment_put(store, seg);
}

/* Write all of @iov, which is changed. */
static int pwritev_all(int fd, struct iovec *iov, int n, uint64_t offset)
{
	for (;;) {
		ssize_t done = 0;

		for (; n && !iov->iov_len; iov++)
			n--;
		if (n)
			done = pwritev(fd, iov, n, offset);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno == EFBIG || errno == EDQUOT ? -ENOSPC :
								   -errno;
		if (!done)
			return n ? -EIO : 0;
		offset += done;
		for (; n && (size_t)done >= iov->iov_len; iov++, n--)
			done -= iov->iov_len;
		if (n) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= done;
		}
	}
}

/**
 * struct ready - a record as it is written
 * @head: How it begins.
 * @body: The bytes behind the head.
 */
struct ready {
	struct vdfs_record_head head;
	const void *body;
};

/* Some side by side, in one write for each segment they are in. */
static int write_out(struct vdfs_store *store, struct ready *ready,
		     struct vdfs_record *const *out, unsigned int n)
{
	struct iovec iov[2 * TOGETHER];
	unsigned int i, done;
	int err = 0, fit;

	for (i = 0; i < n; i++) {
		out[i]->stored = HEAD + ready[i].head.stored;
		iov[2 * i].iov_base = &ready[i].head;
		iov[2 * i].iov_len = HEAD;
		iov[2 * i + 1].iov_base = (void *)ready[i].body;
		iov[2 * i + 1].iov_len = ready[i].head.stored;
	}
	for (done = 0; !err && done < n; done += fit) {
		fit = vdfs_segment_reserve(store, out + done, n - done);
		if (fit < 0) {
			err = fit;
			break;
		}
		err = pwritev_all(out[done]->segment->fd, iov + 2 * done,
				  2 * fit, out[done]->place);
	}
	for (i = done; err && i--;)
		vdfs_record_end(store, out[i], false);
	return err;
}

/* Returns a smaller body and sets what the head says of it, or NULL. */
static void *compress(struct vdfs_store *store, const void *data, size_t len,
		      struct vdfs_record_head *head)
{
	size_t room = len - len / 16;
	size_t n;
	void *body;

	if (store->options.zstd <= 0 || len < 64)
		return NULL;
	body = malloc(room);
	if (!body)
		return NULL;
	n = ZSTD_compress(body, room, data, len, store->options.zstd);
	if (ZSTD_isError(n)) {
		free(body);
		return NULL;
	}
	head->flags |= COMPRESSED;
	head->stored = n;
	return body;
}

static void *prepare(struct vdfs_store *store, const struct vdfs_writing *w,
		     struct ready *ready)
{
	struct vdfs_record_head *head = &ready->head;
	void *smaller;

	memset(head, 0, sizeof(*head));
	head->magic = MAGIC;
	head->stored = w->len;
	head->size = w->len;
	head->hash = *w->hash;
	smaller = compress(store, w->data, w->len, head);
	ready->body = smaller ?: w->data;
	head->body_crc = vdfs_crc32c(0, ready->body, head->stored);
	head->head_crc = head_crc(head);
	return smaller;
}

static int write_some(struct vdfs_store *store, const struct vdfs_writing *w,
		      unsigned int n)
{
	struct vdfs_record *out[TOGETHER];
	struct ready ready[TOGETHER];
	void *smaller[TOGETHER];
	unsigned int i;
	int err;

	for (i = 0; i < n; i++) {
		smaller[i] = prepare(store, &w[i], &ready[i]);
		out[i] = w[i].out;
	}
	err = write_out(store, ready, out, n);
	for (i = 0; i < n; i++)
		free(smaller[i]);
	return err;
}

/**
 * vdfs_records_write() - write objects as records, not yet durably
 * @store: The store.
 * @w: The objects.
 * @n: How many.
 *
 * vdfs_segment_sync() makes them durable, and vdfs_record_end() has to follow
 * for each, whatever this returned.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_records_write(struct vdfs_store *store, const struct vdfs_writing *w,
		       unsigned int n)
{
	unsigned int done, some;
	int err = 0;

	for (done = 0; !err && done < n; done += some) {
		some = n - done < TOGETHER ? n - done : TOGETHER;
		err = write_some(store, w + done, some);
	}
	return err;
}

/**
 * vdfs_record_write() - write an object as a record, not yet durably
 * @store: The store.
 * @hash: Of the object.
 * @data: Its content.
 * @len: How long that is, at most VDFS_LARGE.
 * @out: Where it is; vdfs_segment_sync() makes it durable, and
 *       vdfs_record_end() has to follow.
 *
 * Context: Any thread.
 * Return: 0 or a negative errno.
 */
int vdfs_record_write(struct vdfs_store *store, const struct vdfs_hash *hash,
		      const void *data, size_t len, struct vdfs_record *out)
{
	struct vdfs_writing w = {
		.hash = hash, .data = data, .len = len, .out = out
	};

	return write_some(store, &w, 1);
}

static bool head_fits(const struct vdfs_record_head *head,
		      const struct vdfs_object *object)
{
	return head->magic == MAGIC && head->head_crc == head_crc(head) &&
	       head->stored == object->stored - HEAD &&
	       head->size == object->size &&
	       vdfs_hash_equal(&head->hash, &object->hash);
}

/**
 * vdfs_record_probe() - look for a record at a place of a segment
 * @seg: The segment, open.
 * @place: Where it would begin.
 * @end: Where the segment ends.
 * @out: The object that its head describes.
 *
 * Context: Any thread.
 * Return: 0 when there is a sound head and room for its body, -ENOENT when
 * there is not, or another negative errno.
 */
int vdfs_record_probe(struct vdfs_segment *seg, uint64_t place, uint64_t end,
		      struct vdfs_object *out)
{
	struct vdfs_record_head head;
	ssize_t n = pread(seg->fd, &head, HEAD, place);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)HEAD || head.magic != MAGIC ||
	    head.head_crc != head_crc(&head) || head.size > VDFS_LARGE ||
	    head.stored > head.size || place + HEAD + head.stored > end)
		return -ENOENT;
	*out = (struct vdfs_object){ .hash = head.hash,
				     .user = VDFS_COMMON,
				     .size = head.size,
				     .kind = VDFS_RECORD,
				     .segment = seg->number,
				     .place = place,
				     .stored = HEAD + head.stored };
	return 0;
}

/* Read head and body as they lie there, and check both. */
static int read_raw(struct vdfs_store *store, const struct vdfs_object *object,
		    struct vdfs_record_head *head, void *body)
{
	struct vdfs_segment *seg = vdfs_segment_get(store, object->segment);
	struct iovec iov[2] = {
		{ .iov_base = head, .iov_len = HEAD },
		{ .iov_base = body, .iov_len = object->stored - HEAD },
	};
	ssize_t n;
	int err = 0;

	if (!seg)
		return -errno;
	do {
		n = preadv(seg->fd, iov, 2, object->place);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	vdfs_segment_put(store, seg);
	if (err)
		return err;
	if ((uint64_t)n != object->stored || !head_fits(head, object) ||
	    head->body_crc != vdfs_crc32c(0, body, head->stored))
		return -EBADMSG;
	return 0;
}

/* Bounds for what a damaged database may say. */
static bool plausible(const struct vdfs_object *object)
{
	return object->stored >= HEAD && object->size <= VDFS_LARGE &&
	       object->stored - HEAD <= object->size &&
	       object->place <= INT64_MAX - object->stored;
}

/**
 * vdfs_record_read() - read the object in a record
 * @store: The store.
 * @object: The object, as its row describes it.
 * @buf: Room for its @size bytes.
 *
 * Context: Any thread.
 * Return: 0, -EBADMSG when it is damaged, -ESTALE when its segment is not
 * there any more, as when it was moved, or another negative errno.
 */
int vdfs_record_read(struct vdfs_store *store, const struct vdfs_object *object,
		     void *buf)
{
	struct vdfs_record_head head;
	size_t stored = object->stored - HEAD;
	void *body = buf;
	int err;

	if (!plausible(object))
		return -EBADMSG;
	if (stored != object->size)
		body = malloc(stored ?: 1);
	if (!body)
		return -ENOMEM;
	err = read_raw(store, object, &head, body);
	if (!err && body != buf &&
	    (!(head.flags & COMPRESSED) ||
	     ZSTD_decompress(buf, object->size, body, stored) != object->size))
		err = -EBADMSG;
	if (body != buf)
		free(body);
	return err;
}

/* Read on in a record, whose head is in place; @fill of @buf is its start. */
static int check_body(struct vdfs_segment *seg,
		      const struct vdfs_object *object,
		      const struct vdfs_record_head *head, char *buf,
		      size_t fill)
{
	uint32_t left = head->stored, crc = 0;
	uint64_t at = object->place + HEAD;
	ssize_t n = fill;

	if (!head_fits(head, object))
		return -EBADMSG;
	for (;;) {
		crc = vdfs_crc32c(crc, buf, n);
		left -= n;
		at += n;
		if (!left)
			break;
		n = pread(seg->fd, buf, left < CHECKED ? left : CHECKED, at);
		if (n <= 0)
			return n ? -errno : -EBADMSG;
	}
	return crc == head->body_crc ? 0 : -EBADMSG;
}

/**
 * vdfs_record_check() - see whether a record is whole
 * @store: The store.
 * @object: Its object, as its row describes it.
 *
 * Context: Any thread.
 * Return: As vdfs_record_read().
 */
int vdfs_record_check(struct vdfs_store *store,
		      const struct vdfs_object *object)
{
	struct vdfs_record_head head;
	struct vdfs_segment *seg;
	char buf[CHECKED];
	struct iovec iov[2] = {
		{ .iov_base = &head, .iov_len = HEAD },
		{ .iov_base = buf },
	};
	ssize_t n;
	int err;

	if (!plausible(object))
		return -EBADMSG;
	iov[1].iov_len = object->stored - HEAD;
	if (iov[1].iov_len > CHECKED)
		iov[1].iov_len = CHECKED;
	seg = vdfs_segment_get(store, object->segment);
	if (!seg)
		return -errno;
	n = preadv(seg->fd, iov, 2, object->place);
	if (n >= (ssize_t)HEAD)
		err = check_body(seg, object, &head, buf, n - HEAD);
	else
		err = n < 0 ? -errno : -EBADMSG;
	vdfs_segment_put(store, seg);
	return err;
}

/**
 * vdfs_record_copy() - write a record once more, elsewhere
 * @store: The store.
 * @from: Its object, as its row describes it.
 * @out: As for vdfs_record_write().
 *
 * Context: Any thread.
 * Return: As vdfs_record_read() and vdfs_record_write().
 */
int vdfs_record_copy(struct vdfs_store *store, const struct vdfs_object *from,
		     struct vdfs_record *out)
{
	struct ready ready;
	void *body;
	int err;

	if (!plausible(from))
		return -EBADMSG;
	body = malloc(from->stored);
	if (!body)
		return -ENOMEM;
	ready.body = body;
	err = read_raw(store, from, &ready.head, body);
	if (!err)
		err = write_out(store, &ready, &out, 1);
	free(body);
	return err;
}

/**
 * vdfs_record_punch() - give the disk back what a record took
 * @store: The store.
 * @object: Its object, as its row described it before that was dropped.
 *
 * Context: Any thread. Nobody reads it.
 */
void vdfs_record_punch(struct vdfs_store *store,
		       const struct vdfs_object *object)
{
	uint64_t start = (object->place + PAGE - 1) / PAGE * PAGE;
	uint64_t end = (object->place + object->stored) / PAGE * PAGE;
	struct vdfs_segment *seg;

	if (end < start + PUNCH_MIN)
		return;
	seg = vdfs_segment_get(store, object->segment);
	if (seg)
		fallocate(seg->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  start, end - start);
	vdfs_segment_put(store, seg);
}
