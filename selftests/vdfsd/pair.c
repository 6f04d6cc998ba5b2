// SPDX-License-Identifier: GPL-2.0-only
/* Two hosts that share a bucket. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pair.h"

static void say(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "# %s\n", line);
}

/**
 * pair_make() - make a bucket and two stores that share it
 * @p: The pair.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int pair_make(struct pair *p)
{
	struct vdfs_s3_options bucket;
	int err;

	memset(p, 0, sizeof(*p));
	err = bucket_make(&p->b);
	p->options.s3.credentials = p->b.credentials;
	p->options.s3.http = true;
	p->options.s3.tries = 1;
	p->options.s3.say = say;
	p->options.fresh_ms = PAIR_FRESH_MS;
	if (!err)
		err = tree_make(&p->here, NULL);
	if (!err)
		err = tree_make(&p->there, NULL);
	bucket = p->options.s3;
	bucket.url = p->b.url;
	if (!err)
		err = vdfs_s3_open(&bucket, &p->s3);
	if (!err)
		err = vdfs_remote_attach(p->here.store, p->b.url, &p->options);
	return err ?: vdfs_remote_attach(p->there.store, p->b.url, &p->options);
}

/**
 * pair_remove() - delete all of it
 * @p: The pair.
 *
 * Context: A test.
 */
void pair_remove(struct pair *p)
{
	tree_remove(&p->here);
	tree_remove(&p->there);
	vdfs_s3_close(p->s3);
	bucket_remove(&p->b);
}

/**
 * pair_reopen() - stop and start a host
 * @p: The pair.
 * @t: One of its stores; it may be closed already.
 *
 * Context: A test.
 * Return: 0 or a negative errno.
 */
int pair_reopen(struct pair *p, struct tree *t)
{
	int err;

	if (t->store)
		vdfs_store_close(t->store);
	t->store = NULL;
	err = vdfs_store_open(t->dir, NULL, &t->store);
	return err ?: vdfs_remote_attach(t->store, p->b.url, &p->options);
}

/**
 * pair_get_old() - wait until nothing is fresh any more
 *
 * Context: A test.
 */
void pair_get_old(void)
{
	struct timespec t = { .tv_nsec = 2 * PAIR_FRESH_MS * 1000000L };

	nanosleep(&t, NULL);
}

/**
 * no_fault() - check a store
 * @t: The store.
 *
 * Context: A test.
 * Return: 0, the number of faults, or a negative errno.
 */
int no_fault(struct tree *t)
{
	struct vdfs_fsck_result result;
	int err = vdfs_fsck(t->store, 0, say, NULL, NULL, &result);

	return err ?: (int)result.faults;
}

/**
 * name_same() - compare what a name stands for
 * @t: Where.
 * @who: Who asks.
 * @name: The name.
 * @data: What it should be.
 * @len: Its length.
 *
 * Context: A test.
 * Return: 0, -EILSEQ when it is something else, or another negative errno.
 */
int name_same(struct tree *t, const struct vdfs_who *who, const char *name,
	      const void *data, size_t len)
{
	struct vdfs_stat st;
	int err = vdfs_name_stat(t->store, who, name, &st);

	if (!err && st.size != len)
		err = -EILSEQ;
	return err ?: get_same(t->store, who, &st.hash, data, len);
}
