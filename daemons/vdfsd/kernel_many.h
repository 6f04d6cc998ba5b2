/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loops over many rows, for the file of each instruction set to include
 * after it has defined l2(), dot() and dot_u8(). A hop of the graph walk
 * names up to a few dozen rows that are nowhere near each other in memory;
 * fetching AHEAD of them before the first is used hides most of the wait.
 */
#ifndef VDFS_KERNEL_MANY_H
#define VDFS_KERNEL_MANY_H

#define AHEAD 6
#define LINE 64
/* The processor streams the rest of a long row in by itself. */
#define LINES_MAX 16

static inline void fetch(const struct vdfs_rows *rows, uint32_t id, size_t each)
{
	const char *row = rows->base + (size_t)id * rows->stride;
	size_t lines = (rows->n * each + LINE - 1) / LINE;
	size_t i;

	if (lines > LINES_MAX)
		lines = LINES_MAX;
	for (i = 0; i < lines; i++)
		__builtin_prefetch(row + i * LINE);
}

static inline const void *row_at(const struct vdfs_rows *rows, uint32_t id)
{
	return rows->base + (size_t)id * rows->stride;
}

/* The parameters are called query and out in every one. */
#define DEFINE_MANY(_name, _one, _query, _out, _each)                        \
	static void _name(_query, const struct vdfs_rows *rows,              \
			  const uint32_t *ids, size_t count, _out)           \
	{                                                                    \
		const size_t each = _each;                                   \
		for (size_t i = 0; i < count && i < AHEAD; i++)              \
			fetch(rows, ids[i], each);                           \
		for (size_t i = 0; i < count; i++) {                         \
			if (i + AHEAD < count)                               \
				fetch(rows, ids[i + AHEAD], each);           \
			out[i] = _one(row_at(rows, ids[i]), query, rows->n); \
		}                                                            \
	}

DEFINE_MANY(l2_many, l2, const float *query, float *out, sizeof(float))
DEFINE_MANY(dot_many, dot, const float *query, float *out, sizeof(float))
DEFINE_MANY(dot_u8_many, dot_u8, const int8_t *query, int32_t *out, 1)

#endif /* VDFS_KERNEL_MANY_H */
