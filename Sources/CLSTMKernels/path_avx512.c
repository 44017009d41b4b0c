#include "paths.h"
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#define TABLE lstmk_avx512
#define TABLE_NAME "avx512"
#define VL 16
#define MR 8
#define HAS_FMA
// p * 2^n with a single rounding, denormals included; and a reciprocal with 14 correct bits.
#define SCALE(p, n) ((vf)_mm512_scalef_ps((__m512)(p), (__m512)(n)))
#define RECIPROCAL(x) ((vf)_mm512_rcp14_ps((__m512)(x)))
#define LARGER(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#define SMALLER(a, b) ((vf)_mm512_min_ps((__m512)(a), (__m512)(b)))
#define SIZE_UP_TO(bound, a) ((vf)_mm512_range_ps((__m512)(a), (__m512)(bound), 0xa))
#define SQRT(x) ((vf)_mm512_sqrt_ps((__m512)(x)))
#define FIRST_LANES(width) ((__mmask16)((1u << (width)) - 1))
#define LOAD_PART(p, width) ((vf)_mm512_maskz_loadu_ps(FIRST_LANES(width), p))
#define LOAD_BETWEEN(p, low, high) ((vf)_mm512_maskz_loadu_ps(FIRST_LANES(high) & ~FIRST_LANES(low), p))
#define STORE_PART(p, width, v) _mm512_mask_storeu_ps(p, FIRST_LANES(width), (__m512)(v))
#define ROW_PANELS 7
#define ROW_STREAMS 3
#include "kernels.inc"
#pragma clang attribute pop
#endif
