/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VDFS_FILTER_H
#define VDFS_FILTER_H

#include <stddef.h>

#include "collection.h"

/**
 * DOC: Filters
 *
 * A filter (see struct vdfs_search) becomes a WHERE clause over a column
 * "metadata". Values are bound, never written into the text; names of fields
 * are quoted, and those that cannot be are refused. The value of a field and
 * its JSON type are compared together, so that 1, "1" and true are three
 * things; an index on both (vdfs_filter_index()) answers it alone.
 */

struct sqlite3_stmt;

#define VDFS_FILTER_DEPTH 32 /* filters inside filters */
#define VDFS_FIELD_MAX 255

const char *vdfs_filter_sql(const struct vdfs_filter *filter);
int vdfs_filter_bind(const struct vdfs_filter *filter,
		     struct sqlite3_stmt *stmt, int first);
char *vdfs_filter_index(const char *field);

#endif /* VDFS_FILTER_H */
