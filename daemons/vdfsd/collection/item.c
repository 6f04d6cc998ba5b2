// SPDX-License-Identifier: GPL-2.0-only
/* Items: what may be one, and a vector as the database has it. */
#include <errno.h>
#include <float.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "collection_impl.h"
#include "index/kernel/kernel.h"

/* SQLite reads JSON up to a depth of 1000. */
#define METADATA_DEPTH 100
/* So that no distance between two vectors is beyond f32. */
#define NORM2_MAX ((double)FLT_MAX / 4)
/* Halfway to what would be the next half: it rounds to infinity. */
#define HALF_MAX 65520
#define STEP VDFS_PAD_F32

static size_t element_bytes(const struct vdfs_collection_params *params)
{
	switch (params->type) {
	case VDFS_I8:
		return sizeof(int8_t);
	case VDFS_F16:
		return sizeof(uint16_t);
	default:
		return sizeof(float);
	}
}

/**
 * vdfs_vector_bytes() - how long a vector is in the database
 * @params: Of the collection.
 *
 * Return: Bytes.
 */
size_t vdfs_vector_bytes(const struct vdfs_collection_params *params)
{
	return params->dim * element_bytes(params);
}

/* To half precision, at any address. */
static void to_halves(const float *vector, size_t dim, unsigned char *out)
{
	uint16_t half[STEP];
	float part[STEP];
	size_t d, n;

	for (d = 0; d < dim; d += n) {
		n = dim - d < STEP ? dim - d : STEP;
		memset(part, 0, sizeof(part));
		memcpy(part, vector + d, n * sizeof(*part));
		vdfs_kernel_best()->to_f16(part, half, STEP);
		memcpy(out + d * sizeof(*half), half, n * sizeof(*half));
	}
}

static void from_halves(const unsigned char *stored, size_t dim, float *out)
{
	uint16_t half[STEP] = { 0 };
	float part[STEP];
	size_t d, n;

	for (d = 0; d < dim; d += n) {
		n = dim - d < STEP ? dim - d : STEP;
		memcpy(half, stored + d * sizeof(*half), n * sizeof(*half));
		vdfs_kernel_best()->from_f16(half, part, STEP);
		memcpy(out + d, part, n * sizeof(*part));
	}
}

/* The value of an element once the database has stored it. */
static float rounded(const struct vdfs_collection_params *params, float x)
{
	uint16_t half;

	if (params->type != VDFS_F16)
		return x;
	to_halves(&x, 1, (unsigned char *)&half);
	from_halves((unsigned char *)&half, 1, &x);
	return x;
}

static bool fits(const struct vdfs_collection_params *params, float x)
{
	if (!isfinite(x))
		return false;
	if (params->type == VDFS_I8)
		return x >= -128 && x <= 127 && x == rintf(x);
	return params->type != VDFS_F16 || fabsf(x) < HALF_MAX;
}

/**
 * vdfs_vector_check() - can a vector be in a collection
 * @params: Of the collection.
 * @vector: f32, shape [@dim].
 * @dim: Its length.
 *
 * Return: 0, -EMSGSIZE when it has another length, or -EDOM; see collection.h.
 */
int vdfs_vector_check(const struct vdfs_collection_params *params,
		      const float *vector, uint32_t dim)
{
	bool half = params->type == VDFS_F16;
	double norm2 = 0;
	uint32_t d;

	if (dim != params->dim)
		return -EMSGSIZE;
	for (d = 0; d < dim; d++) {
		if (!fits(params, vector[d]))
			return -EDOM;
		norm2 += (double)vector[d] * vector[d];
	}
	if (params->metric != VDFS_COSINE)
		return norm2 > NORM2_MAX ? -EDOM : 0;
	/* The stored vector must not be 0: it needs a direction. */
	for (d = 0; half && d < dim && rounded(params, vector[d]) == 0; d++)
		continue;
	return norm2 == 0 || (half && d == dim) ? -EDOM : 0;
}

/**
 * vdfs_vector_store() - write a vector as the database has it
 * @params: Of the collection.
 * @vector: f32, shape [dim]; vdfs_vector_check() took it.
 * @out: Out, vdfs_vector_bytes() long.
 */
void vdfs_vector_store(const struct vdfs_collection_params *params,
		       const float *vector, void *out)
{
	int8_t *ints = out;
	uint32_t d;

	switch (params->type) {
	case VDFS_I8:
		for (d = 0; d < params->dim; d++)
			ints[d] = (int8_t)vector[d];
		break;
	case VDFS_F16:
		to_halves(vector, params->dim, out);
		break;
	default:
		memcpy(out, vector, params->dim * sizeof(float));
	}
}

/**
 * vdfs_vector_load() - read a vector from the database
 * @params: Of the collection.
 * @stored: As vdfs_vector_store() wrote it, at any address.
 * @bytes: Its length.
 * @out: Out, f32, shape [dim].
 *
 * Return: 0, or -EBADMSG when that is no such vector.
 */
int vdfs_vector_load(const struct vdfs_collection_params *params,
		     const void *stored, size_t bytes, float *out)
{
	const int8_t *ints = stored;
	uint32_t d;

	if (!stored || bytes != vdfs_vector_bytes(params))
		return -EBADMSG;
	switch (params->type) {
	case VDFS_I8:
		for (d = 0; d < params->dim; d++)
			out[d] = ints[d];
		break;
	case VDFS_F16:
		from_halves(stored, params->dim, out);
		break;
	default:
		memcpy(out, stored, bytes);
	}
	return vdfs_vector_check(params, out, params->dim) ? -EBADMSG : 0;
}

/**
 * vdfs_key_check() - can this be a key
 * @key: Which.
 *
 * Return: 0, -EINVAL when it is empty, or -E2BIG when it is too long.
 */
int vdfs_key_check(const char *key)
{
	if (!key || !*key)
		return -EINVAL;
	return strnlen(key, VDFS_KEY_MAX + 1) > VDFS_KEY_MAX ? -E2BIG : 0;
}

static bool too_deep(const json_t *json, int depth)
{
	const json_t *value;
	const char *key;
	size_t i;

	if (!json_is_object(json) && !json_is_array(json))
		return false;
	if (depth > METADATA_DEPTH)
		return true;
	if (json_is_object(json)) {
		json_object_foreach((json_t *)json, key, value)
			if (too_deep(value, depth + 1))
				return true;
	} else {
		json_array_foreach(json, i, value)
			if (too_deep(value, depth + 1))
				return true;
	}
	return false;
}

/**
 * vdfs_metadata_check() - can this be an item's metadata
 * @metadata: Text; NULL is {}.
 *
 * Return: 0; -E2BIG when it is too long; -EINVAL when it is no JSON object,
 * has a key twice, or is nested too deep; -ENOMEM.
 */
int vdfs_metadata_check(const char *metadata)
{
	json_error_t error;
	json_t *json;
	size_t len;
	bool ok;

	if (!metadata)
		return 0;
	len = strnlen(metadata, VDFS_METADATA_MAX + 1);
	if (len > VDFS_METADATA_MAX)
		return -E2BIG;
	if (len == 2 && !memcmp(metadata, "{}", 2))
		return 0;
	json = json_loadb(metadata, len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return json_error_code(&error) == json_error_out_of_memory ?
			       -ENOMEM :
			       -EINVAL;
	ok = json_is_object(json) && !too_deep(json, 1);
	json_decref(json);
	return ok ? 0 : -EINVAL;
}
