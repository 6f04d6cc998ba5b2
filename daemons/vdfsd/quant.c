// SPDX-License-Identifier: GPL-2.0-only
/*
 * One byte a dimension: a vector less the mean of all, in steps that let
 * nearly every element fit -128..127, kept as an unsigned byte 128 higher.
 * Queries are coded more finely, by their own largest element. The walk only
 * needs an order, so terms that are the same for every row are left out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"

/* Rows that the mean and the step are learnt from, at most. */
#define SAMPLE 20000
/* Share of the elements that may be clipped. */
#define CLIP 0.0005

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a;
	float y = *(const float *)b;

	return (x > y) - (x < y);
}

/* The step with which all but CLIP of the elements fit. */
static float learn_step(const float *rows, size_t n, size_t dim, size_t stride,
			const float *mean, float *values, size_t max)
{
	size_t total = 0;
	size_t skip = n * dim / max + 1;
	size_t i;
	float top;

	for (i = 0; i < n * dim && total < max; i += skip) {
		float x = rows[i / dim * stride * dim + i % dim];

		if (isfinite(x))
			values[total++] = fabsf(x - mean[i % dim]);
	}
	if (!total)
		return 1;
	qsort(values, total, sizeof(*values), by_value);
	top = values[(size_t)((double)(total - 1) * (1 - CLIP))];
	if (top == 0)
		top = values[total - 1];
	return top > 0 ? top / 127 : 1;
}

/**
 * vdfs_quant_train() - learn how to code from a sample
 * @ix: Not coded yet, no vector in it.
 * @rows: f32, shape [n][dim]; normalised already for VDFS_COSINE.
 * @n: At least 1.
 *
 * Return: 0, or -ENOMEM.
 */
int vdfs_quant_train(struct vdfs_index *ix, const float *rows, size_t n)
{
	const size_t max = 1 << 18;
	size_t dim = ix->params.dim;
	size_t stride = n / SAMPLE + 1;
	size_t sample = (n + stride - 1) / stride;
	double *sum;
	float *values;
	size_t i, d;

	sum = calloc(dim, sizeof(*sum));
	values = malloc(max * sizeof(*values));
	if (!sum || !values) {
		free(sum);
		free(values);
		return -ENOMEM;
	}
	/* What is not finite is refused later; it must not spoil the rest. */
	for (i = 0; i < sample; i++)
		for (d = 0; d < dim; d++)
			if (isfinite(rows[i * stride * dim + d]))
				sum[d] += rows[i * stride * dim + d];
	/* A shift does not keep inner products, so those go without. */
	for (d = 0; d < dim && ix->params.metric != VDFS_IP; d++)
		ix->mean[d] = (float)(sum[d] / (double)sample);
	ix->step = learn_step(rows, sample, dim, stride, ix->mean, values, max);
	free(sum);
	free(values);
	return 0;
}

static int clamp8(float x)
{
	long v = lrintf(x < -128 ? -128 : x > 127 ? 127 : x);

	return (int)v;
}

/**
 * vdfs_quant_encode() - the code row of a vector
 * @ix: Coded.
 * @vector: f32, shape [dim].
 * @row: Out, shape [dim_u8], tail included.
 */
void vdfs_quant_encode(const struct vdfs_index *ix, const float *vector,
		       uint8_t *row)
{
	struct vdfs_tail tail = { 0 };
	size_t d;

	memset(row, 0, ix->dim_u8);
	for (d = 0; d < ix->params.dim; d++) {
		int v = clamp8((vector[d] - ix->mean[d]) / ix->step);

		row[d] = (uint8_t)(v + 128);
		tail.norm += v * v;
		tail.sum += v;
	}
	memcpy(row + ix->tail, &tail, sizeof(tail));
}

/*
 * |r - q|^2 = |r|^2 + |q|^2 - 2 r q, where r is step * (code - 128) and q is
 * scale * s8; -r q alone for inner products.
 */
static void set_scales(const struct vdfs_index *ix, struct vdfs_probe *probe,
		       float scale, struct vdfs_tail tail)
{
	probe->scale_norm = ix->step * ix->step;
	probe->scale_dot = 2 * ix->step * scale;
	probe->bias = scale * scale * (float)tail.norm;
	if (ix->params.metric == VDFS_IP) {
		probe->scale_norm = 0;
		probe->scale_dot = ix->step * scale;
		probe->bias = 0;
	}
	probe->bias += probe->scale_dot * 128 * (float)tail.sum;
}

/**
 * vdfs_quant_probe() - prepare @probe->s8 from @probe->f32
 * @ix: Coded.
 * @probe: With @f32 set.
 */
void vdfs_quant_probe(const struct vdfs_index *ix, struct vdfs_probe *probe)
{
	size_t dim = ix->params.dim;
	struct vdfs_tail tail = { 0 };
	float top = 0;
	float scale;
	size_t d;

	memset(probe->s8, 0, ix->dim_u8);
	if (ix->params.type == VDFS_I8) {
		scale = 1;
	} else {
		for (d = 0; d < dim; d++)
			top = fmaxf(top, fabsf(probe->f32[d] - ix->mean[d]));
		scale = top > 0 ? top / 127 : 1;
	}
	for (d = 0; d < dim; d++) {
		int v = clamp8((probe->f32[d] - ix->mean[d]) / scale);

		probe->s8[d] = (int8_t)v;
		tail.norm += v * v;
		tail.sum += v;
	}
	set_scales(ix, probe, scale, tail);
}

/**
 * vdfs_quant_probe_row() - prepare a probe that is a row itself
 * @ix: Coded.
 * @slot: Whose row.
 * @probe: Out; its @f32 is left alone.
 */
void vdfs_quant_probe_row(const struct vdfs_index *ix, uint32_t slot,
			  struct vdfs_probe *probe)
{
	const uint8_t *row = vdfs_code(ix, slot);
	size_t d;

	/* 128 lower, and signed: the top bit turned over. */
	for (d = 0; d < ix->params.dim; d++)
		probe->s8[d] = (int8_t)(row[d] ^ 0x80);
	set_scales(ix, probe, ix->step, *vdfs_tail(ix, slot));
}

/**
 * vdfs_quant_exact_i8() - exact distance of a query to an int8 row
 * @ix: Of type VDFS_I8.
 * @probe: The query.
 * @slot: Whose row.
 *
 * Return: By the metric of @ix, the full value.
 */
float vdfs_quant_exact_i8(const struct vdfs_index *ix,
			  const struct vdfs_probe *probe, uint32_t slot)
{
	const struct vdfs_tail *tail = vdfs_tail(ix, slot);
	int64_t sum = 0;
	int64_t norm = 0;
	int64_t dot;
	size_t d;

	for (d = 0; d < ix->params.dim; d++) {
		sum += probe->s8[d];
		norm += probe->s8[d] * probe->s8[d];
	}
	dot = ix->kernel->dot_u8(vdfs_code(ix, slot), probe->s8, ix->dim_u8) -
	      128 * sum;
	switch (ix->params.metric) {
	case VDFS_L2:
		return (float)(tail->norm + norm - 2 * dot);
	case VDFS_IP:
		return (float)-dot;
	default:
		if (!norm || !tail->norm)
			return 1;
		return (float)(1 - (double)dot / sqrt((double)norm *
						      (double)tail->norm));
	}
}
