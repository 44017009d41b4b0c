#include "paths.h"
#define TABLE lstmk_portable
#if defined(__aarch64__)
#define TABLE_NAME "neon"
#define MR 8
#define ROW_PANELS 7
#define HAS_FMA
#else
#define TABLE_NAME "portable"
#define MR 4
#endif
#define VL 4
#if defined(__aarch64__)
#include <arm_neon.h>
#define LARGER(a, b) ((vf)vmaxq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define SMALLER(a, b) ((vf)vminq_f32((float32x4_t)(a), (float32x4_t)(b)))
#define SQRT(x) ((vf)vsqrtq_f32((float32x4_t)(x)))
#elif defined(__SSE2__)
#include <emmintrin.h>
#define LARGER(a, b) ((vf)_mm_max_ps((__m128)(a), (__m128)(b)))
#define SMALLER(a, b) ((vf)_mm_min_ps((__m128)(a), (__m128)(b)))
#define SQRT(x) ((vf)_mm_sqrt_ps((__m128)(x)))
#else
#define SQRT(x) ((vf){sqrtf((x)[0]), sqrtf((x)[1]), sqrtf((x)[2]), sqrtf((x)[3])})
#endif
#include "kernels.inc"
