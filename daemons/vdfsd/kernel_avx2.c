// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for AVX2 and FMA; see kernel.h. */
#include <immintrin.h>

#include "kernel.h"

static inline float sum8(__m256 v)
{
	__m128 x = _mm_add_ps(_mm256_castps256_ps128(v),
			      _mm256_extractf128_ps(v, 1));

	x = _mm_add_ps(x, _mm_movehl_ps(x, x));
	x = _mm_add_ss(x, _mm_movehdup_ps(x));
	return _mm_cvtss_f32(x);
}

static inline float l2(const float *a, const float *b, size_t n)
{
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		__m256 d0 = _mm256_sub_ps(_mm256_loadu_ps(a + i),
					  _mm256_loadu_ps(b + i));
		__m256 d1 = _mm256_sub_ps(_mm256_loadu_ps(a + i + 8),
					  _mm256_loadu_ps(b + i + 8));

		s0 = _mm256_fmadd_ps(d0, d0, s0);
		s1 = _mm256_fmadd_ps(d1, d1, s1);
	}
	return sum8(_mm256_add_ps(s0, s1));
}

static inline float dot(const float *a, const float *b, size_t n)
{
	__m256 s0 = _mm256_setzero_ps();
	__m256 s1 = _mm256_setzero_ps();
	size_t i;

	for (i = 0; i < n; i += 16) {
		s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i),
				     _mm256_loadu_ps(b + i), s0);
		s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8),
				     _mm256_loadu_ps(b + i + 8), s1);
	}
	return sum8(_mm256_add_ps(s0, s1));
}

/* By way of 16 bits: the shorter vpmaddubsw saturates. */
static inline int32_t dot_u8(const uint8_t *a, const int8_t *b, size_t n)
{
	__m256i sum = _mm256_setzero_si256();
	__m128i x;
	size_t i;

	for (i = 0; i < n; i += 16) {
		__m256i u = _mm256_cvtepu8_epi16(
			_mm_loadu_si128((const __m128i *)(a + i)));
		__m256i s = _mm256_cvtepi8_epi16(
			_mm_loadu_si128((const __m128i *)(b + i)));

		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(u, s));
	}
	x = _mm_add_epi32(_mm256_castsi256_si128(sum),
			  _mm256_extracti128_si256(sum, 1));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4e));
	x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xb1));
	return _mm_cvtsi128_si32(x);
}

#include "kernel_many.h"

const struct vdfs_kernel vdfs_kernel_avx2 = {
	.name = "avx2",
	.l2 = l2,
	.dot = dot,
	.l2_many = l2_many,
	.dot_many = dot_many,
	.dot_u8 = dot_u8,
	.dot_u8_many = dot_u8_many,
};
