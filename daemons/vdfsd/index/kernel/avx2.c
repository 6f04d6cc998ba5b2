// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for AVX2, FMA and F16C; see kernel.h. */
#include <immintrin.h>

#include "kernel.h"

/* Bit n in byte n. */
#define EACH_BIT -0x7fbfdfeff7fbfdffLL

static inline float sum8(__m256 v)
{
	__m128 x = _mm_add_ps(_mm256_castps256_ps128(v),
			      _mm256_extractf128_ps(v, 1));

	x = _mm_add_ps(x, _mm_movehl_ps(x, x));
	x = _mm_add_ss(x, _mm_movehdup_ps(x));
	return _mm_cvtss_f32(x);
}

static inline int32_t sum8i(__m256i v)
{
	__m128i x = _mm_add_epi32(_mm256_castsi256_si128(v),
				  _mm256_extracti128_si256(v, 1));

	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
	return _mm_cvtsi128_si32(x);
}

static inline __m256 half8(const uint16_t *from)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

static void to_f16(const float *from, void *to, size_t n)
{
	uint16_t *out = to;
	size_t i;

	for (i = 0; i < n; i += 8)
		_mm_storeu_si128((__m128i *)(out + i),
				 _mm256_cvtps_ph(_mm256_loadu_ps(from + i),
						 _MM_FROUND_TO_NEAREST_INT));
}

static void from_f16(const void *from, float *to, size_t n)
{
	const uint16_t *in = from;
	size_t i;

	for (i = 0; i < n; i += 8)
		_mm256_storeu_ps(to + i, half8(in + i));
}

static float top(const float *from, size_t n)
{
	const __m256 sign = _mm256_set1_ps(-0.0f);
	__m256 most = _mm256_setzero_ps();
	float each[8];
	size_t i;

	for (i = 0; i < n; i += 8)
		most = _mm256_max_ps(
			most,
			_mm256_andnot_ps(sign, _mm256_loadu_ps(from + i)));
	_mm256_storeu_ps(each, most);
	for (i = 1; i < 8; i++)
		each[0] = each[i] > each[0] ? each[i] : each[0];
	return each[0];
}

static void to_s8(const float *from, float factor, int8_t *to, size_t n)
{
	const __m256 times = _mm256_set1_ps(factor);
	size_t i;

	for (i = 0; i < n; i += 8) {
		__m256i x = _mm256_cvtps_epi32(
			_mm256_mul_ps(_mm256_loadu_ps(from + i), times));
		__m128i y = _mm_packs_epi32(_mm256_castsi256_si128(x),
					    _mm256_extracti128_si256(x, 1));

		_mm_storel_epi64((__m128i *)(to + i), _mm_packs_epi16(y, y));
	}
}

static inline __m256 add_square(__m256 sum, __m256 a, __m256 b)
{
	__m256 d = _mm256_sub_ps(a, b);

	return _mm256_fmadd_ps(d, d, sum);
}

static inline float l2_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		s0 = add_square(s0, _mm256_loadu_ps(a + i),
				_mm256_loadu_ps(query + i));
		s1 = add_square(s1, _mm256_loadu_ps(a + i + 8),
				_mm256_loadu_ps(query + i + 8));
	}
	return sum8(_mm256_add_ps(s0, s1));
}

static inline float l2_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		s0 = add_square(s0, half8(a + i), _mm256_loadu_ps(query + i));
		s1 = add_square(s1, half8(a + i + 8),
				_mm256_loadu_ps(query + i + 8));
	}
	return sum8(_mm256_add_ps(s0, s1));
}

static inline float dot_f32(const void *row, const float *query, size_t n)
{
	const float *a = row;
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i),
				     _mm256_loadu_ps(query + i), s0);
		s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8),
				     _mm256_loadu_ps(query + i + 8), s1);
	}
	return sum8(_mm256_add_ps(s0, s1));
}

static inline float dot_f16(const void *row, const float *query, size_t n)
{
	const uint16_t *a = row;
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		s0 = _mm256_fmadd_ps(half8(a + i), _mm256_loadu_ps(query + i),
				     s0);
		s1 = _mm256_fmadd_ps(half8(a + i + 8),
				     _mm256_loadu_ps(query + i + 8), s1);
	}
	return sum8(_mm256_add_ps(s0, s1));
}

/* By way of 16 bits: the shorter vpmaddubsw saturates. */
static inline int32_t dot_u8(const uint8_t *row, const int8_t *query, size_t n)
{
	__m256i sum = _mm256_setzero_si256();
	size_t i;

	for (i = 0; i < n; i += 16) {
		__m256i u = _mm256_cvtepu8_epi16(
			_mm_loadu_si128((const __m128i *)(row + i)));
		__m256i s = _mm256_cvtepi8_epi16(
			_mm_loadu_si128((const __m128i *)(query + i)));

		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(u, s));
	}
	return sum8i(sum);
}

/* Codes of up to 15 cannot saturate; add 32 products of them to @sum. */
static inline __m256i add_small(__m256i sum, __m256i codes, const int8_t *query)
{
	__m256i q = _mm256_loadu_si256((const __m256i *)query);
	__m256i pairs = _mm256_maddubs_epi16(codes, q);

	return _mm256_add_epi32(sum,
				_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline int32_t dot_u4(const uint8_t *row, const int8_t *query, size_t n)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i sum = _mm256_setzero_si256();
	size_t half = 64;
	size_t i, j;

	for (i = 0; i < n; i += 2 * half) {
		if (i + half == n)
			half = 32;
		for (j = 0; j < half; j += 32) {
			__m256i two = _mm256_loadu_si256(
				(const __m256i *)(row + i / 2 + j));

			sum = add_small(sum, _mm256_and_si256(two, low),
					query + i + j);
			two = _mm256_and_si256(_mm256_srli_epi16(two, 4), low);
			sum = add_small(sum, two, query + i + half + j);
		}
	}
	return sum8i(sum);
}

/* 32 codes of 2 bits, of the dimensions from 0 or 32 on. */
static inline __m256i twos(const uint8_t *row, int from)
{
	const __m256i shift = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
	__m256i x = _mm256_broadcastsi128_si256(
		_mm_loadu_si128((const __m128i *)row));

	x = _mm256_srlv_epi32(_mm256_srli_epi32(x, from / 8), shift);
	return _mm256_and_si256(x, _mm256_set1_epi8(3));
}

/* 32 bytes of all ones or none, by the bits of a row. */
static inline __m256i masks(const uint8_t *row)
{
	const __m256i spread = _mm256_setr_epi64x(
		0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
	const __m256i bit = _mm256_set1_epi64x(EACH_BIT);
	uint32_t bits;
	__m256i x;

	__builtin_memcpy(&bits, row, sizeof(bits));
	x = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), spread);
	return _mm256_cmpeq_epi8(_mm256_and_si256(x, bit), bit);
}

/* 32 codes of 3 bits. */
static inline __m256i threes(const uint8_t *row, int from)
{
	__m256i high = _mm256_and_si256(masks(row + 16 + from / 8),
					_mm256_set1_epi8(4));

	return _mm256_or_si256(twos(row, from), high);
}

/* Rows of @bytes for 64 codes, which @codes unpacks by halves. */
static inline __attribute__((always_inline)) int32_t
dot_blocks(const uint8_t *row, const int8_t *query, size_t n, size_t bytes,
	   __m256i (*codes)(const uint8_t *, int))
{
	__m256i sum = _mm256_setzero_si256();
	size_t i;

	for (i = 0; i < n; i += 64, row += bytes) {
		sum = add_small(sum, codes(row, 0), query + i);
		sum = add_small(sum, codes(row, 32), query + i + 32);
	}
	return sum8i(sum);
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
	const __m256i one = _mm256_set1_epi8(1);
	__m256i sum = _mm256_setzero_si256();
	size_t i;

	for (i = 0; i < n; i += 32)
		sum = add_small(sum, _mm256_and_si256(masks(row + i / 8), one),
				query + i);
	return sum8i(sum);
}

#include "many.h"
#include "plain.h"

const struct vdfs_kernel vdfs_kernel_avx2 = {
	.name = "avx2",
	KERNEL_LOOPS,
};
