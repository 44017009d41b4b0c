#include "CFileIO.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

static int has_pclmul(void) {
  unsigned a, b, c, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

// Folds `value` over the bytes after it: bits that are `distance` positions ahead are multiplied by x^distance modulo the polynomial, by
// two products of 64 by 33 bits in reversed bit order (V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ",
// Intel, 2009).
__attribute__((target("pclmul"))) static inline __m128i carried(__m128i value, __m128i factors, __m128i bytes) {
  const __m128i low = _mm_clmulepi64_si128(value, factors, 0x00), high = _mm_clmulepi64_si128(value, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), bytes);
}

__attribute__((target("pclmul"))) static void fold(uint32_t crc, const uint8_t *bytes, size_t count, uint8_t residue[16]) {
  // x^(512 + 32) and x^(512 - 32), x^(128 + 32) and x^(128 - 32), modulo the polynomial
  const __m128i by512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4), by128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
  const __m128i *next = (const __m128i *)bytes;
  __m128i lanes[4];
  for (int i = 0; i < 4; i++) lanes[i] = _mm_loadu_si128(next++);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_cvtsi32_si128((int)~crc));
  size_t left = count / 16 - 4;
  for (; left >= 4; left -= 4) {
    for (int i = 0; i < 4; i++) lanes[i] = carried(lanes[i], by512, _mm_loadu_si128(next++));
  }
  __m128i value = lanes[0];
  for (int i = 1; i < 4; i++) value = carried(value, by128, lanes[i]);
  for (; left > 0; left--) value = carried(value, by128, _mm_loadu_si128(next++));
  _mm_storeu_si128((__m128i *)residue, value);
}
#endif

int cfileio_crc32_fold(uint32_t crc, const uint8_t *bytes, size_t count, uint8_t residue[16]) {
#if defined(__x86_64__)
  if (count >= 64 && count % 16 == 0 && has_pclmul()) {
    fold(crc, bytes, count, residue);
    return 1;
  }
#else
  (void)crc, (void)bytes, (void)count, (void)residue;
#endif
  return 0;
}
