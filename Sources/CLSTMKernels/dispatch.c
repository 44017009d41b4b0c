#include "paths.h"

size_t lstmk_available(const lstmk_table **tables, size_t capacity) {
  const lstmk_table *all[4];
  size_t count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    all[count++] = &lstmk_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all[count++] = &lstmk_avx2;
#endif
  all[count++] = &lstmk_portable;
  all[count++] = &lstmk_scalar;
  for (size_t i = 0; i < count && i < capacity; i++) tables[i] = all[i];
  return count;
}
