// SPDX-License-Identifier: GPL-2.0-only
/* Objects of a bucket. */
#include <errno.h>
#include <stdlib.h>

#include "s3_impl.h"

/**
 * vdfs_s3_put() - write an object
 * @s3: The bucket.
 * @key: Of the object.
 * @source: Its bytes, which are read twice where their hash is not known.
 * @info: Out, what the server says, without the size; NULL = nobody asks.
 *
 * It is there as a whole or not at all, and sent in one request: uploads in
 * parts leave what has to be collected when they break off, and not every
 * server gives back what came so. Servers take 5 GiB.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0 or a negative errno.
 */
int vdfs_s3_put(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_source *source, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "PUT",
				      .key = key,
				      .source = source };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	if (info)
		*info = rq.info;
	return err;
}

/**
 * vdfs_s3_get() - read an object
 * @s3: The bucket.
 * @key: Of the object.
 * @sink: Where its bytes go.
 * @info: Out, what the server says; NULL = nobody asks.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, -ENOENT, or another negative errno.
 */
int vdfs_s3_get(struct vdfs_s3 *s3, const char *key,
		const struct vdfs_s3_sink *sink, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "GET",
				      .key = key,
				      .sink = sink };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	if (info)
		*info = rq.info;
	return err;
}

/**
 * vdfs_s3_head() - ask about an object
 * @s3: The bucket.
 * @key: Of the object.
 * @info: Out, what the server says.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, -ENOENT, which a proxy may have said, or another negative errno.
 */
int vdfs_s3_head(struct vdfs_s3 *s3, const char *key, struct vdfs_s3_info *info)
{
	struct vdfs_s3_request rq = { .method = "HEAD", .key = key };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	*info = rq.info;
	return err;
}

/**
 * vdfs_s3_delete() - delete an object
 * @s3: The bucket.
 * @key: Of the object.
 *
 * Context: Any thread. Waits for the network.
 * Return: 0, also when there was none, or a negative errno.
 */
int vdfs_s3_delete(struct vdfs_s3 *s3, const char *key)
{
	struct vdfs_s3_request rq = { .method = "DELETE", .key = key };
	int err = vdfs_s3_do(s3, &rq);

	free(rq.text);
	return err == -ENOENT ? 0 : err;
}
