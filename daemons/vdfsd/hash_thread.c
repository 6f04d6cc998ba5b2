// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that hashes what another one cuts and writes meanwhile: of a
 * large blob every byte is hashed twice, with its piece and with the whole.
 */
#include <semaphore.h>
#include <stdlib.h>

#include "store_impl.h"

/**
 * struct vdfs_hasher - a thread that hashes
 * @thread: The thread.
 * @go: There is something to do.
 * @done: It is done.
 * @ctx: Hash to go on with; NULL = end.
 * @data: Bytes.
 * @len: How many.
 * @err: What came of it.
 * @busy: Started, and not waited for; the owner's.
 */
struct vdfs_hasher {
	pthread_t thread;
	sem_t go;
	sem_t done;
	struct evp_md_ctx_st *ctx;
	const void *data;
	size_t len;
	int err;
	bool busy;
};

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		; /* a signal */
}

static void *hasher(void *arg)
{
	struct vdfs_hasher *h = arg;

	for (;;) {
		wait_for(&h->go);
		if (!h->ctx)
			return NULL;
		h->err = vdfs_hash_more(h->ctx, h->data, h->len);
		sem_post(&h->done);
	}
}

/**
 * vdfs_hasher_new() - start a thread that hashes
 *
 * Context: Any thread.
 * Return: It, or NULL: then hash without.
 */
struct vdfs_hasher *vdfs_hasher_new(void)
{
	struct vdfs_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	sem_init(&h->go, 0, 0);
	sem_init(&h->done, 0, 0);
	if (pthread_create(&h->thread, NULL, hasher, h)) {
		sem_destroy(&h->done);
		sem_destroy(&h->go);
		free(h);
		return NULL;
	}
	return h;
}

/**
 * vdfs_hasher_start() - begin to hash some bytes
 * @h: The thread, waited for; NULL = do it here.
 * @ctx: Hash to go on with.
 * @data: Bytes, left alone until vdfs_hasher_wait().
 * @len: How many.
 *
 * Context: The owner of @h.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hasher_start(struct vdfs_hasher *h, struct evp_md_ctx_st *ctx,
		      const void *data, size_t len)
{
	if (!h)
		return vdfs_hash_more(ctx, data, len);
	h->ctx = ctx;
	h->data = data;
	h->len = len;
	h->busy = true;
	sem_post(&h->go);
	return 0;
}

/**
 * vdfs_hasher_wait() - wait until the bytes are hashed
 * @h: The thread, or NULL.
 *
 * Context: The owner of @h.
 * Return: 0 or -ENOMEM.
 */
int vdfs_hasher_wait(struct vdfs_hasher *h)
{
	if (!h || !h->busy)
		return 0;
	h->busy = false;
	/* On a busy machine it may not have begun: then there is no need. */
	if (!sem_trywait(&h->go))
		return vdfs_hash_more(h->ctx, h->data, h->len);
	wait_for(&h->done);
	return h->err;
}

/**
 * vdfs_hasher_free() - end a thread that hashes
 * @h: NULL is nothing to do.
 *
 * Context: The owner of @h.
 */
void vdfs_hasher_free(struct vdfs_hasher *h)
{
	if (!h)
		return;
	vdfs_hasher_wait(h);
	h->ctx = NULL;
	sem_post(&h->go);
	pthread_join(h->thread, NULL);
	sem_destroy(&h->done);
	sem_destroy(&h->go);
	free(h);
}
