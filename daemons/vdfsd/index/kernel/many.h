/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loops over many rows, for the file of each instruction set to include
 * after it has defined l2_f32() and the others. A hop of the graph walk
 * names up to a few dozen rows that are nowhere near each other in memory;
 * fetching AHEAD of them before the first is used hides most of the wait.
 */
#ifndef VDFS_KERNEL_MANY_H
#define VDFS_KERNEL_MANY_H

#define AHEAD 8
#define LINE 64
/* The processor streams the rest of a long row in by itself. */
#define LINES_MAX 16

static inline const void *row_at(const struct vdfs_rows *rows, uint32_t id)
{
	return rows->base + (size_t)id * rows->stride;
}

static inline void fetch(const struct vdfs_rows *rows, uint32_t id)
{
	const char *row = row_at(rows, id);
	size_t lines = (rows->stride + LINE - 1) / LINE;
	size_t i;

	if (lines > LINES_MAX)
		lines = LINES_MAX;
	for (i = 0; i < lines; i++)
		__builtin_prefetch(row + i * LINE);
}

/* The parameters are called query and out in every one. */
#define DEFINE_MANY(_name, _one, _query, _out)                               \
	static void _name(_query, const struct vdfs_rows *rows,              \
			  const uint32_t *ids, size_t count, _out)           \
	{                                                                    \
		for (size_t i = 0; i < count && i < AHEAD; i++)              \
			fetch(rows, ids[i]);                                 \
		for (size_t i = 0; i < count; i++) {                         \
			if (i + AHEAD < count)                               \
				fetch(rows, ids[i + AHEAD]);                 \
			out[i] = _one(row_at(rows, ids[i]), query, rows->n); \
		}                                                            \
	}

DEFINE_MANY(l2_f32_many, l2_f32, const float *query, float *out)
DEFINE_MANY(l2_f16_many, l2_f16, const float *query, float *out)
DEFINE_MANY(dot_f32_many, dot_f32, const float *query, float *out)
DEFINE_MANY(dot_f16_many, dot_f16, const float *query, float *out)
DEFINE_MANY(dot_u8_many, dot_u8, const int8_t *query, int32_t *out)
DEFINE_MANY(dot_u4_many, dot_u4, const int8_t *query, int32_t *out)
DEFINE_MANY(dot_u3_many, dot_u3, const int8_t *query, int32_t *out)
DEFINE_MANY(dot_u2_many, dot_u2, const int8_t *query, int32_t *out)
DEFINE_MANY(dot_u1_many, dot_u1, const int8_t *query, int32_t *out)

/* Functions of a struct vdfs_kernel, all but its name. */
#define KERNEL_LOOPS                                                          \
	.l2 = { [VDFS_F32] = l2_f32, [VDFS_F16] = l2_f16 },                   \
	.dot = { [VDFS_F32] = dot_f32, [VDFS_F16] = dot_f16 },                \
	.l2_many = { [VDFS_F32] = l2_f32_many, [VDFS_F16] = l2_f16_many },    \
	.dot_many = { [VDFS_F32] = dot_f32_many, [VDFS_F16] = dot_f16_many }, \
	.dot_code = { [VDFS_CODES_8] = dot_u8,                                \
		      [VDFS_CODES_4] = dot_u4,                                \
		      [VDFS_CODES_3] = dot_u3,                                \
		      [VDFS_CODES_2] = dot_u2,                                \
		      [VDFS_CODES_1] = dot_u1 },                              \
	.dot_code_many = { [VDFS_CODES_8] = dot_u8_many,                      \
			   [VDFS_CODES_4] = dot_u4_many,                      \
			   [VDFS_CODES_3] = dot_u3_many,                      \
			   [VDFS_CODES_2] = dot_u2_many,                      \
			   [VDFS_CODES_1] = dot_u1_many },                    \
	.spread = { [VDFS_CODES_8] = spread_u8,                               \
		    [VDFS_CODES_4] = spread_u4,                               \
		    [VDFS_CODES_3] = spread_u3,                               \
		    [VDFS_CODES_2] = spread_u2,                               \
		    [VDFS_CODES_1] = spread_u1 },                             \
	.to_f16 = to_f16, .from_f16 = from_f16, .top = top, .to_s8 = to_s8,   \
	.sum = sum_of, .square = square_of, .turn = turn

#endif /* VDFS_KERNEL_MANY_H */
