#include "paths.h"
#define TABLE lstmk_portable
#if defined(__aarch64__)
#define TABLE_NAME "neon"
#define MR 8
#define HAS_FMA
#else
#define TABLE_NAME "portable"
#define MR 4
#endif
#define VL 4
#include "kernels.inc"
