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
#define SQRT(x) ((vf)_mm256_sqrt_ps((__m256)(x)))
#include "kernels.inc"
#pragma clang attribute pop
#endif
