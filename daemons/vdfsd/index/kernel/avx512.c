// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for AVX-512 with VNNI; see kernel.h. */
#include <immintrin.h>

#include "kernel.h"

static inline __m512 half16(const uint16_t *from)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

static void to_f16(const float *from, void *to, size_t n)
{
	uint16_t *out = to;
	size_t i;

	for (i = 0; i < n; i += 16)
		_mm256_storeu_si256((__m256i *)(out + i),
				    _mm512_cvtps_ph(_mm512_loadu_ps(from + i),
						    _MM_FROUND_TO_NEAREST_INT));
}

static void from_f16(const void *from, float *to, size_t n)
{
	const uint16_t *in = from;
	size_t i;

	for (i = 0; i < n; i += 16)
		_mm512_storeu_ps(to + i, half16(in + i));
}

static float top(const float *from, size_t n)
{
	__m512 most = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16)
		most = _mm512_max_ps(most,
				     _mm512_abs_ps(_mm512_loadu_ps(from + i)));
	return _mm512_reduce_max_ps(most);
}

static void to_s8(const float *from, float factor, int8_t *to, size_t n)
{
	const __m512 times = _mm512_set1_ps(factor);
	size_t i;

	for (i = 0; i < n; i += 16) {
		__m512i x = _mm512_cvtps_epi32(
			_mm512_mul_ps(_mm512_loadu_ps(from + i), times));

		_mm_storeu_si128((__m128i *)(to + i), _mm512_cvtsepi32_epi8(x));
	}
}

static inline __m512 add_square(__m512 sum, __m512 a, __m512 b)
{
	__m512 d = _mm512_sub_ps(a, b);

	return _mm512_fmadd_ps(d, d, sum);
}

static inline float l2_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		s0 = add_square(s0, _mm512_loadu_ps(a + i),
				_mm512_loadu_ps(query + i));
		s1 = add_square(s1, _mm512_loadu_ps(a + i + 16),
				_mm512_loadu_ps(query + i + 16));
	}
	if (i < n)
		s0 = add_square(s0, _mm512_loadu_ps(a + i),
				_mm512_loadu_ps(query + i));
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline float l2_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		s0 = add_square(s0, half16(a + i), _mm512_loadu_ps(query + i));
		s1 = add_square(s1, half16(a + i + 16),
				_mm512_loadu_ps(query + i + 16));
	}
	if (i < n)
		s0 = add_square(s0, half16(a + i), _mm512_loadu_ps(query + i));
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline float dot_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i),
				     _mm512_loadu_ps(query + i), s0);
		s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16),
				     _mm512_loadu_ps(query + i + 16), s1);
	}
	if (i < n)
		s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i),
				     _mm512_loadu_ps(query + i), s0);
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline float dot_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		s0 = _mm512_fmadd_ps(half16(a + i), _mm512_loadu_ps(query + i),
				     s0);
		s1 = _mm512_fmadd_ps(half16(a + i + 16),
				     _mm512_loadu_ps(query + i + 16), s1);
	}
	if (i < n)
		s0 = _mm512_fmadd_ps(half16(a + i), _mm512_loadu_ps(query + i),
				     s0);
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline int32_t dot_u8(const uint8_t *row, const int8_t *query, size_t n)
{
	__m512i s0 = _mm512_setzero_si512();
	__m512i s1 = _mm512_setzero_si512();
	size_t i;

	for (i = 0; i + 128 <= n; i += 128) {
		s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(row + i),
					 _mm512_loadu_si512(query + i));
		s1 = _mm512_dpbusd_epi32(s1, _mm512_loadu_si512(row + i + 64),
					 _mm512_loadu_si512(query + i + 64));
	}
	if (i < n)
		s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(row + i),
					 _mm512_loadu_si512(query + i));
	return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

static inline int32_t dot_u4(const uint8_t *row, const int8_t *query, size_t n)
{
	const __m512i low = _mm512_set1_epi8(15);
	__m512i s0 = _mm512_setzero_si512();
	__m512i s1 = _mm512_setzero_si512();
	__m512i two;
	size_t i;

	for (i = 0; i + 128 <= n; i += 128) {
		two = _mm512_loadu_si512(row + i / 2);
		s0 = _mm512_dpbusd_epi32(s0, _mm512_and_si512(two, low),
					 _mm512_loadu_si512(query + i));
		two = _mm512_and_si512(_mm512_srli_epi16(two, 4), low);
		s1 = _mm512_dpbusd_epi32(s1, two,
					 _mm512_loadu_si512(query + i + 64));
	}
	if (i < n) {
		__m256i last =
			_mm256_loadu_si256((const __m256i *)(row + i / 2));

		two = _mm512_inserti64x4(_mm512_castsi256_si512(last),
					 _mm256_srli_epi16(last, 4), 1);
		s0 = _mm512_dpbusd_epi32(s0, _mm512_and_si512(two, low),
					 _mm512_loadu_si512(query + i));
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

/* 64 codes of 2 bits. */
static inline __m512i twos(const uint8_t *row)
{
	const __m512i shift = _mm512_set_epi32(6, 6, 6, 6, 4, 4, 4, 4, 2, 2, 2,
					       2, 0, 0, 0, 0);
	__m512i x =
		_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)row));

	return _mm512_and_si512(_mm512_srlv_epi32(x, shift),
				_mm512_set1_epi8(3));
}

/* 64 codes of 3 bits. */
static inline __m512i threes(const uint8_t *row)
{
	__m512i x = twos(row);
	uint64_t high;

	__builtin_memcpy(&high, row + 16, sizeof(high));
	return _mm512_mask_add_epi8(x, high, x, _mm512_set1_epi8(4));
}

/* Rows of @bytes for 64 codes, which @codes unpacks. */
static inline __attribute__((always_inline)) int32_t
dot_blocks(const uint8_t *row, const int8_t *query, size_t n, size_t bytes,
	   __m512i (*codes)(const uint8_t *))
{
	__m512i s0 = _mm512_setzero_si512();
	__m512i s1 = _mm512_setzero_si512();
	size_t i;

	for (i = 0; i + 128 <= n; i += 128, row += 2 * bytes) {
		s0 = _mm512_dpbusd_epi32(s0, codes(row),
					 _mm512_loadu_si512(query + i));
		s1 = _mm512_dpbusd_epi32(s1, codes(row + bytes),
					 _mm512_loadu_si512(query + i + 64));
	}
	if (i < n)
		s0 = _mm512_dpbusd_epi32(s0, codes(row),
					 _mm512_loadu_si512(query + i));
	return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

static inline int32_t dot_u3(const uint8_t *row, const int8_t *query, size_t n)
{
	return dot_blocks(row, query, n, 24, threes);
}

static inline int32_t dot_u2(const uint8_t *row, const int8_t *query, size_t n)
{
	return dot_blocks(row, query, n, 16, twos);
}

static inline int32_t dot_u1(const uint8_t *row, const int8_t *query, size_t n)
{
	const __m512i one = _mm512_set1_epi8(1);
	__m512i sum = _mm512_setzero_si512();
	uint64_t bits;
	size_t i;

	for (i = 0; i < n; i += 64) {
		__builtin_memcpy(&bits, row + i / 8, sizeof(bits));
		sum = _mm512_dpbusd_epi32(sum, _mm512_maskz_mov_epi8(bits, one),
					  _mm512_loadu_si512(query + i));
	}
	return _mm512_reduce_add_epi32(sum);
}

#include "many.h"
#include "plain.h"

const struct vdfs_kernel vdfs_kernel_avx512 = {
	.name = "avx512",
	KERNEL_LOOPS,
};
