// SPDX-License-Identifier: GPL-2.0-only
/* Distance kernels for AVX-512 with VNNI; see kernel.h. */
#include <immintrin.h>

#include "kernel.h"

static inline float l2(const float *a, const float *b, size_t n)
{
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	__m512 d0, d1;
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		d0 = _mm512_sub_ps(_mm512_loadu_ps(a + i),
				   _mm512_loadu_ps(b + i));
		d1 = _mm512_sub_ps(_mm512_loadu_ps(a + i + 16),
				   _mm512_loadu_ps(b + i + 16));
		s0 = _mm512_fmadd_ps(d0, d0, s0);
		s1 = _mm512_fmadd_ps(d1, d1, s1);
	}
	if (i < n) {
		d0 = _mm512_sub_ps(_mm512_loadu_ps(a + i),
				   _mm512_loadu_ps(b + i));
		s0 = _mm512_fmadd_ps(d0, d0, s0);
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline float dot(const float *a, const float *b, size_t n)
{
	__m512 s0 = _mm512_setzero_ps();
	__m512 s1 = _mm512_setzero_ps();
	size_t i;

	for (i = 0; i + 32 <= n; i += 32) {
		s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i),
				     _mm512_loadu_ps(b + i), s0);
		s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16),
				     _mm512_loadu_ps(b + i + 16), s1);
	}
	if (i < n)
		s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i),
				     _mm512_loadu_ps(b + i), s0);
	return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static inline int32_t dot_u8(const uint8_t *a, const int8_t *b, size_t n)
{
	__m512i s0 = _mm512_setzero_si512();
	__m512i s1 = _mm512_setzero_si512();
	size_t i;

	for (i = 0; i + 128 <= n; i += 128) {
		s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(a + i),
					 _mm512_loadu_si512(b + i));
		s1 = _mm512_dpbusd_epi32(s1, _mm512_loadu_si512(a + i + 64),
					 _mm512_loadu_si512(b + i + 64));
	}
	if (i < n)
		s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(a + i),
					 _mm512_loadu_si512(b + i));
	return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

#include "kernel_many.h"

const struct vdfs_kernel vdfs_kernel_avx512 = {
	.name = "avx512",
	.l2 = l2,
	.dot = dot,
	.l2_many = l2_many,
	.dot_many = dot_many,
	.dot_u8 = dot_u8,
	.dot_u8_many = dot_u8_many,
};
