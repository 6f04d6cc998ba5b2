// SPDX-License-Identifier: GPL-2.0-only
/*
 * Codes: a vector less the mean of all, in 8 to 1 bits a dimension. A row
 * has a step of its own, a multiple of its root mean square that was learnt
 * from a sample, and a scale that makes its product with itself come out
 * right, which takes the bias out of products with others (Gao and Long,
 * "RaBitQ", SIGMOD 2024; Aguerrebere et al., "LVQ", VLDB 2023). Queries are
 * coded in 8 bits by their own largest element. The walk only needs an
 * order, and the best are measured again on the originals.
 */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

/* Rows that the mean is learnt from, and the step, at most. */
#define SAMPLE 20000
#define SAMPLE_STEP 500
/* Steps that are tried, each so much larger than the one before. */
#define STEPS 40
#define STEP_RATIO 1.12f

/**
 * vdfs_quant_layout() - how a row of codes lies in memory
 * @ix: With its parameters set.
 * @codes: enum vdfs_codes.
 *
 * 4 bits: in blocks of 64 bytes the low halves are the first 64 dimensions
 * and the high halves the next; the last block may be of 32 bytes in the
 * same way. 2 bits: in blocks of 16 bytes the lowest two are the first 16
 * dimensions, and so on. 3 bits: such a block of their lower two, then 8 bytes
 * of the highest of the same 64. 1 bit: dimension 0 is bit 0. The tail may lie
 * in the bytes that pad the dimensions, for the query is zero there.
 */
void vdfs_quant_layout(struct vdfs_index *ix, uint32_t codes)
{
	static const uint32_t bits[VDFS_CODES_KINDS] = { 0, 8, 4, 1, 2, 3 };
	static const float middle[VDFS_CODES_KINDS] = { 0,    128,  7.5f,
							0.5f, 1.5f, 3.5f };
	size_t dim = ix->params.dim;
	size_t used = dim;
	size_t align = 64;

	ix->codes_kind = codes;
	ix->bits = bits[codes];
	ix->code_middle = middle[codes];
	ix->turned = ix->bits && ix->bits < 4;
	ix->code_n = (dim + 63) & ~(size_t)63;
	switch (ix->bits) {
	case 0:
		ix->code_n = 0;
		ix->code_stride = 0;
		return;
	case 4:
		used = dim % 128 <= 64 ? dim / 128 * 64 + dim % 128 :
					 (dim / 128 + 1) * 64;
		if (used > ix->code_n / 2)
			used = ix->code_n / 2;
		align = 32;
		break;
	case 3:
	case 2:
		used = ix->code_n * ix->bits / 8;
		align = 32;
		break;
	case 1:
		/* The more bits the better: it has few enough. */
		for (ix->code_n = 64; ix->code_n < dim;)
			ix->code_n *= 2;
		used = ix->code_n / 8;
		align = 8;
		break;
	default:
		break;
	}
	ix->tail = (used + 3) & ~(size_t)3;
	ix->code_stride = ix->tail + vdfs_tail_bytes(ix);
	if (ix->code_stride < ix->code_n * ix->bits / 8)
		ix->code_stride = ix->code_n * ix->bits / 8;
	ix->code_stride = (ix->code_stride + align - 1) & ~(align - 1);
}

/*
 * A random rotation, the same for all: signs at random and a Hadamard
 * transform, which mixes a power of two of dimensions. Where there are more,
 * it goes over the first ones and the last ones in turn.
 */
static void turn(const struct vdfs_index *ix, float *o)
{
	uint64_t seed = ix->params.seed;
	size_t n = 64;
	int i, times;

	while (n * 2 <= ix->code_n)
		n *= 2;
	times = n == ix->code_n ? 2 : 4;
	for (i = 0; i < times; i++) {
		size_t at = i % 2 ? ix->code_n - n : 0;

		ix->kernel->turn(o + at, n, i % 2 ? ~seed : seed);
		seed += (uint64_t)(i % 2) << 32;
	}
}

/*
 * A vector less the mean, shape [code_n]. For 3 bits and fewer it is
 * turned as well, so that no dimension says more than another; that keeps
 * lengths and products.
 */
static void centre(const struct vdfs_index *ix, const float *vector, float *o)
{
	size_t dim = ix->params.dim;
	size_t d;

	for (d = 0; d < dim; d++)
		o[d] = vector[d] - ix->mean[d];
	for (; d < ix->code_n; d++)
		o[d] = 0;
	if (ix->turned)
		turn(ix, o);
}

static float square(const struct vdfs_index *ix, const float *o)
{
	return ix->kernel->dot[VDFS_F32](o, o, ix->code_n);
}

/* The value of a code, in steps: codes are whole numbers from 0. */
static float level(const struct vdfs_index *ix, int code)
{
	return (float)code - ix->code_middle;
}

static int code_of(const struct vdfs_index *ix, float x)
{
	float top = (float)((1 << ix->bits) - 1);
	float c = rintf(x + ix->code_middle);

	if (c > top)
		c = top;
	return c > 0 ? (int)c : 0;
}

/* Share of its length that a row loses with a step of @step times its rms. */
static double loss(const struct vdfs_index *ix, const float *o, float step)
{
	float all = square(ix, o);
	double lost = 0;
	float unit;
	size_t d;

	unit = step * sqrtf(all / (float)ix->params.dim);
	if (!(unit > 0))
		return 0;
	for (d = 0; d < ix->params.dim; d++) {
		float e = o[d] / unit;

		e -= level(ix, code_of(ix, e));
		lost += (double)e * e;
	}
	return lost * unit * unit / all;
}

static float learn_step(const struct vdfs_index *ix, const float *rows,
			size_t n, size_t stride)
{
	float o[VDFS_DIM_MAX];
	double lost[STEPS] = { 0 };
	float step, first;
	size_t rest = n / SAMPLE_STEP + 1;
	size_t i, t;
	int best = 0;

	/* From what would suit numbers that are all alike, upwards. */
	first = 1 / (ix->code_middle + 0.5f);
	for (i = 0; i < n; i += rest) {
		const float *row = rows + i * stride * ix->params.dim;

		for (t = 0; t < ix->params.dim && isfinite(row[t]); t++)
			continue;
		if (t < ix->params.dim)
			continue;
		centre(ix, row, o);
		for (t = 0, step = first; t < STEPS; t++, step *= STEP_RATIO)
			lost[t] += loss(ix, o, step);
	}
	for (t = 1; t < STEPS; t++)
		if (lost[t] < lost[best])
			best = (int)t;
	return first * powf(STEP_RATIO, (float)best);
}

/**
 * vdfs_quant_train() - learn how to code from a sample
 * @ix: Not coded yet, no code in it.
 * @rows: f32, shape [n][dim]; normalised already for VDFS_COSINE.
 * @n: At least 1.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_quant_train(struct vdfs_index *ix, const float *rows, size_t n)
{
	size_t dim = ix->params.dim;
	size_t stride = n / SAMPLE + 1;
	size_t sample = (n + stride - 1) / stride;
	double *sum;
	size_t i, d;

	sum = calloc(dim, sizeof(*sum));
	if (!sum)
		return -ENOMEM;
	/* Skip values that are not finite: their vectors are refused later. */
	for (i = 0; i < sample; i++)
		for (d = 0; d < dim; d++)
			if (isfinite(rows[i * stride * dim + d]))
				sum[d] += rows[i * stride * dim + d];
	/* A shift does not keep inner products, so those go without. */
	for (d = 0; d < dim && ix->params.metric != VDFS_IP; d++)
		ix->mean[d] = (float)(sum[d] / (double)sample);
	free(sum);
	ix->step = learn_step(ix, rows, sample, stride);
	return 0;
}

static void put_code(const struct vdfs_index *ix, uint8_t *row, size_t d, int c)
{
	size_t at = d % 128;
	size_t half = 64;

	switch (ix->bits) {
	case 8:
		row[d] = (uint8_t)c;
		return;
	case 3:
		row += d / 64 * 24;
		row[d % 16] |= (uint8_t)((c & 3) << (d % 64 / 16 * 2));
		row[16 + d % 64 / 8] |= (uint8_t)(c >> 2 << (d % 8));
		return;
	case 2:
		row[d / 64 * 16 + d % 16] |= (uint8_t)(c << (d % 64 / 16 * 2));
		return;
	case 1:
		row[d / 8] |= (uint8_t)(c << (d % 8));
		return;
	default:
		if (d / 128 * 128 + 64 == ix->code_n)
			half = 32;
		row[d / 128 * 64 + at % half] |=
			(uint8_t)(at < half ? c : c << 4);
	}
}

static void encode_i8(const struct vdfs_index *ix, const float *vector,
		      uint8_t *row)
{
	struct vdfs_tail tail = { 0 };
	size_t d;

	for (d = 0; d < ix->params.dim; d++) {
		int v = (int)vector[d];

		row[d] = (uint8_t)(v + 128);
		tail.square += v * v;
	}
	tail.norm = (float)tail.square;
	/* Rows of int8 are not made unit vectors: this does it. */
	if (ix->params.metric == VDFS_COSINE)
		tail.norm = 1 / sqrtf(tail.norm);
	memcpy(row + ix->tail, &tail, vdfs_tail_bytes(ix));
}

/**
 * vdfs_quant_encode() - the code row of a vector
 * @ix: Coded.
 * @vector: f32, shape [dim].
 * @row: Out, shape [code_stride], tail included.
 */
void vdfs_quant_encode(const struct vdfs_index *ix, const float *vector,
		       uint8_t *row)
{
	size_t n = ix->turned ? ix->code_n : ix->params.dim;
	struct vdfs_tail tail = { 0 };
	float o[VDFS_DIM_MAX];
	double along = 0, length = 0;
	float unit;
	size_t d;

	memset(row, 0, ix->code_stride);
	if (ix->params.type == VDFS_I8) {
		encode_i8(ix, vector, row);
		return;
	}
	centre(ix, vector, o);
	tail.norm = square(ix, o);
	unit = ix->step * sqrtf(tail.norm / (float)ix->params.dim);
	unit = unit > 0 ? 1 / unit : 0;
	for (d = 0; d < n; d++) {
		int c = code_of(ix, o[d] * unit);

		put_code(ix, row, d, c);
		along += (double)o[d] * level(ix, c);
		length += (double)level(ix, c) * level(ix, c);
	}
	tail.scale = along > 0 ? (float)(tail.norm / along) : 0;
	tail.pair = length > 0 ? (float)sqrt(tail.norm / length) : 0;
	memcpy(row + ix->tail, &tail, vdfs_tail_bytes(ix));
}

/*
 * |r - q|^2 = |r|^2 + |q|^2 - 2 r q; -r q alone for inner products. r q is
 * the scale of the row times @unit times the sum of (code - middle) * s8.
 */
static void set_scales(const struct vdfs_index *ix, struct vdfs_probe *probe,
		       float unit, float norm)
{
	probe->sum = ix->kernel->sum(probe->s8, ix->code_n);
	probe->square = ix->kernel->square(probe->s8, ix->code_n);
	probe->shift = ix->code_middle * (float)probe->sum;
	probe->norm_weight = 1;
	probe->dot_weight = 2 * unit;
	probe->bias = norm;
	if (ix->params.metric == VDFS_IP) {
		probe->norm_weight = 0;
		probe->dot_weight = unit;
		probe->bias = 0;
	} else if (vdfs_unit_i8(ix)) {
		probe->dot_weight = 1 / sqrtf((float)probe->square);
		probe->bias = 1;
	}
}

/**
 * vdfs_quant_probe() - prepare @probe->s8 from @probe->f32
 * @ix: Coded.
 * @probe: With @f32 set.
 */
void vdfs_quant_probe(const struct vdfs_index *ix, struct vdfs_probe *probe)
{
	float o[VDFS_DIM_MAX];
	float unit = 1;
	float top;

	centre(ix, probe->f32, o);
	if (ix->params.type != VDFS_I8) {
		top = ix->kernel->top(o, ix->code_n);
		/* Of numbers too small to divide by, all codes are 0. */
		unit = top > FLT_MIN * 127 ? top / 127 : 1;
	}
	ix->kernel->to_s8(o, 1 / unit, probe->s8, ix->code_n);
	set_scales(ix, probe, unit, square(ix, o));
	probe->pair = false;
}

/**
 * vdfs_quant_probe_row() - prepare a probe that is a row itself
 * @ix: Coded.
 * @slot: Slot whose row becomes the probe.
 * @probe: Out; its @f32 is left alone.
 *
 * The probe measures from the vector that has the direction of the row's code
 * and the length of its original. A probe of a query multiplies by @scale of
 * the other row. That estimate is right on average; between two nearly equal
 * rows it comes out too short, and shorter for a longer row. Edges made by it
 * would lead from each of many near copies to the few longest ones, and none
 * would lead to the others.
 */
void vdfs_quant_probe_row(const struct vdfs_index *ix, uint32_t slot,
			  struct vdfs_probe *probe)
{
	const uint8_t *row = vdfs_code(ix, slot);
	const struct vdfs_tail *tail = vdfs_tail(ix, slot);
	bool i8 = ix->params.type == VDFS_I8;
	size_t n = ix->turned ? ix->code_n : ix->params.dim;
	bool pair = vdfs_tail_bytes(ix) > TAIL_SHORT;
	float unit = i8 ? 1 : pair ? tail->pair : tail->scale;

	ix->kernel->spread[ix->codes_kind](row, probe->s8, ix->code_n);
	memset(probe->s8 + n, 0, ix->code_n - n);
	/* Of fewer bits these are twice the levels. */
	if (ix->bits < 8)
		unit /= 2;
	set_scales(ix, probe, unit, tail->norm);
	probe->pair = pair;
}

/**
 * vdfs_quant_exact_i8() - exact distance of a query to an int8 row
 * @ix: Of type VDFS_I8.
 * @probe: The query.
 * @slot: Slot of the row.
 *
 * Return: By the metric of @ix, the full value.
 */
float vdfs_quant_exact_i8(const struct vdfs_index *ix,
			  const struct vdfs_probe *probe, uint32_t slot)
{
	int64_t square_row = vdfs_tail(ix, slot)->square;
	int64_t dot;

	dot = ix->kernel->dot_code[VDFS_CODES_8](vdfs_code(ix, slot), probe->s8,
						 ix->code_n) -
	      128 * probe->sum;
	switch (ix->params.metric) {
	case VDFS_L2:
		return (float)(square_row + probe->square - 2 * dot);
	case VDFS_IP:
		return (float)-dot;
	default:
		if (!probe->square || !square_row)
			return 1;
		return (float)(1 - (double)dot / sqrt((double)probe->square *
						      (double)square_row));
	}
}
