// SPDX-License-Identifier: GPL-2.0-only
/* Items as they lie on the wire: nothing a client says of them is believed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_impl.h"

/**
 * vdfsd_record_read() - read an item off the wire
 * @at: Where it begins, aligned to 4; private.
 * @len: Bytes that are there.
 * @item: Out; points into them.
 * @bytes: Out, how many it takes.
 *
 * Context: Any thread.
 * Return: 0, or -EINVAL when it makes no sense.
 */
int vdfsd_record_read(char *at, size_t len, struct vdfs_item *item,
		      size_t *bytes)
{
	struct phi_vdfs_record r;
	uint64_t need = sizeof(r);
	char *p = at + sizeof(r);

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, at, sizeof(r));
	need += (uint64_t)r.dim * sizeof(float) + r.key_len + 1;
	need += (uint64_t)r.metadata_len + 1;
	need = (need + 7) & ~7ULL;
	if (r.bytes != need || need > len || r.query || r.dist || !r.key_len)
		return -EINVAL;
	*item = (struct vdfs_item){ .dim = r.dim };
	if (r.dim)
		item->vector = (float *)p;
	p += r.dim * sizeof(float);
	item->key = p;
	p += r.key_len + 1;
	if (r.metadata_len)
		item->metadata = p;
	/* NULs within would cut them short unseen. */
	if (strnlen(item->key, r.key_len + 1) != r.key_len ||
	    strnlen(p, r.metadata_len + 1) != r.metadata_len)
		return -EINVAL;
	*bytes = need;
	return 0;
}

/**
 * vdfsd_records_read() - read items off the wire
 * @data: Where they are, aligned to 4; private.
 * @len: Bytes that are there; all of them are items.
 * @out: Out, to be freed; the items point into @data.
 * @n: Out, how many.
 *
 * Context: Any thread.
 * Return: 0, -EINVAL when they make no sense, or -ENOMEM.
 */
int vdfsd_records_read(char *data, size_t len, struct vdfs_item **out,
		       size_t *n)
{
	size_t at = 0, bytes, room = 64, count = 0;
	struct vdfs_item *items = NULL, *grown;
	int ret = 0;

	while (at < len && !ret) {
		if (!items || count == room) {
			room *= 2;
			grown = reallocarray(items, room, sizeof(*items));
			if (!grown) {
				ret = -ENOMEM;
				break;
			}
			items = grown;
		}
		ret = vdfsd_record_read(data + at, len - at, &items[count],
					&bytes);
		if (!ret) {
			at += bytes;
			count++;
		}
	}
	if (ret) {
		free(items);
		return ret;
	}
	*out = items;
	*n = count;
	return 0;
}
