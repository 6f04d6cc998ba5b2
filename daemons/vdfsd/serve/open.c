// SPDX-License-Identifier: GPL-2.0-only
/* Opening a store with names and collections in it. */
#include "collection/collection.h"
#include "names/names.h"
#include "open.h"

const char *const vdfs_schemas[] = { vdfs_schema_blob_quotas,
				     vdfs_schema_blob,
				     vdfs_schema_name_sums,
				     vdfs_schema_name_groups,
				     vdfs_schema_name_changed,
				     vdfs_schema_name_groups_read_only,
				     vdfs_schema_name_read_only,
				     vdfs_schema_name,
				     vdfs_schema_collection_base,
				     vdfs_schema_collection_stamps,
				     vdfs_schema_collection_read_only,
				     vdfs_schema_field_read_only,
				     vdfs_schema_collection,
				     NULL };

static const struct vdfs_store_above above = { .schemas = vdfs_schemas,
					       .shows = vdfs_name_shows,
					       .some = vdfs_name_some,
					       .each = vdfs_name_each };

/**
 * vdfs_store_open() - open a store with names and collections in it
 * @dir: Its directory; made when it is not there.
 * @options: How; NULL = all zeros.
 * @out: The store.
 *
 * Context: Any thread.
 * Return: As vdfs_store_open_above().
 */
int vdfs_store_open(const char *dir, const struct vdfs_store_options *options,
		    struct vdfs_store **out)
{
	int err = vdfs_store_open_above(dir, options, &above, out);

	if (err || (options && options->read_only))
		return err;
	err = vdfs_collection_upgrade(vdfs_store_meta(*out));
	if (err) {
		vdfs_store_close(*out);
		*out = NULL;
	}
	return err;
}
