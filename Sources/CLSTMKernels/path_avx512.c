#include "paths.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#define TABLE lstmk_avx512
#define TABLE_NAME "avx512"
#define VL 16
#define MR 8
#define HAS_FMA
#include "kernels.inc"
#pragma clang attribute pop
#endif
