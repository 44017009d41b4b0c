#include "paths.h"
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define TABLE lstmk_avx2
#define TABLE_NAME "avx2"
#define VL 8
#define MR 6
#define MR_STRIP 4
#define HAS_FMA
#define LARGER(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#define SMALLER(a, b) ((vf)_mm256_min_ps((__m256)(a), (__m256)(b)))
#define SQRT(x) ((vf)_mm256_sqrt_ps((__m256)(x)))
#define FIRST_LANES(width) \
  _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(width)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define LOAD_PART(p, width) ((vf)_mm256_maskload_ps(p, FIRST_LANES(width)))
#define LOAD_BETWEEN(p, low, high) ((vf)_mm256_maskload_ps(p, _mm256_andnot_si256(FIRST_LANES(low), FIRST_LANES(high))))
#define STORE_PART(p, width, v) _mm256_maskstore_ps(p, FIRST_LANES(width), (__m256)(v))
#define ROW_PANELS 6
#define ROW_STREAMS 6
#include "kernels.inc"
#pragma clang attribute pop
#endif
