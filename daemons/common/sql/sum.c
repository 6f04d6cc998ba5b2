// SPDX-License-Identifier: GPL-2.0-only
/* vdfs_sum(VALUE, ...) in SQL: a checksum for a row to carry. */
#include <stdint.h>

#include "base/crc.h"
#include "meta_impl.h"

/**
 * struct part - a value, or the head of its bytes
 * @type: SQLite's, but text is bytes.
 * @len: Length of its bytes.
 * @n: An integer, else 0.
 */
struct part {
	uint32_t type;
	uint32_t len;
	int64_t n;
};

static uint32_t add(uint32_t crc, struct sqlite3_value *value)
{
	struct part part = { .type = sqlite3_value_type(value) };
	const void *bytes = NULL;

	if (part.type == SQLITE_INTEGER) {
		part.n = sqlite3_value_int64(value);
	} else if (part.type != SQLITE_NULL) {
		part.type = SQLITE_BLOB;
		bytes = sqlite3_value_blob(value);
		part.len = sqlite3_value_bytes(value);
	}
	crc = vdfs_crc32c(crc, &part, sizeof(part));
	return part.len ? vdfs_crc32c(crc, bytes, part.len) : crc;
}

static void sum(struct sqlite3_context *context, int n,
		struct sqlite3_value **values)
{
	uint32_t crc = 0;
	int i;

	for (i = 0; i < n; i++)
		crc = add(crc, values[i]);
	sqlite3_result_int64(context, crc);
}

/**
 * vdfs_sql_functions() - let statements use vdfs_sum()
 * @db: A new connection.
 *
 * No schema may: other programs read the file, too.
 *
 * Context: The thread that has the connection.
 * Return: 0 or a negative errno.
 */
int vdfs_sql_functions(struct sqlite3 *db)
{
	int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;

	if (sqlite3_create_function_v2(db, "vdfs_sum", -1, flags, NULL, sum,
				       NULL, NULL, NULL))
		return vdfs_meta_errno(db);
	return 0;
}
