#ifndef LSTMK_PATHS_H
#define LSTMK_PATHS_H
#include "CLSTMKernels.h"

#if defined(__x86_64__)
extern const lstmk_table lstmk_avx512;
extern const lstmk_table lstmk_avx2;
#endif
extern const lstmk_table lstmk_portable; // 128-bit vectors: NEON on arm64, SSE2 on x86-64
extern const lstmk_table lstmk_scalar;   // the reference twin

#endif
