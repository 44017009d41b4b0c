#include "CFileIO.h"

static const uint32_t K[64] = {
    // The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, //
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, //
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, //
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, //
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, //
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, //
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, //
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static inline uint32_t rotated(uint32_t x, int count) { return x >> count | x << (32 - count); }

static void compress_portable(uint32_t state[8], const uint8_t *bytes, size_t blocks) {
  for (; blocks > 0; blocks--, bytes += 64) {
    uint32_t words[16];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
// Unrolled, the compiler renames the eight variables instead of moving them.
#pragma clang loop unroll(full)
    for (int t = 0; t < 64; t++) {
      uint32_t word;
      if (t < 16) {
        word = (uint32_t)bytes[4 * t] << 24 | (uint32_t)bytes[4 * t + 1] << 16 | (uint32_t)bytes[4 * t + 2] << 8 |
               (uint32_t)bytes[4 * t + 3];
      } else {
        const uint32_t x = words[(t - 15) & 15], y = words[(t - 2) & 15];
        const uint32_t small0 = rotated(x, 7) ^ rotated(x, 18) ^ x >> 3;
        const uint32_t small1 = rotated(y, 17) ^ rotated(y, 19) ^ y >> 10;
        word = small1 + words[(t - 7) & 15] + small0 + words[t & 15];
      }
      words[t & 15] = word;
      const uint32_t sum1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      const uint32_t first = h + sum1 + (g ^ (e & (f ^ g))) + K[t] + word;
      const uint32_t sum0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
      const uint32_t second = sum0 + ((a & b) | (c & (a | b)));
      h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}

#if defined(__x86_64__)
#include <immintrin.h>

// Four rounds per step: sha256rnds2 computes two, sha256msg1 and sha256msg2 the message schedule. `m` has the last 16 words, 4 per vector.
__attribute__((target("sha,sse4.1,ssse3"))) static void compress_shani(uint32_t state[8], const uint8_t *bytes, size_t blocks) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  // The instructions expect the state as (a, b, e, f) and (c, d, g, h), highest lane first.
  const __m128i dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  const __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i abef = _mm_alignr_epi8(dcba, hgfe, 8);
  __m128i cdgh = _mm_blend_epi16(hgfe, dcba, 0xf0);
  for (; blocks > 0; blocks--, bytes += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i m[4];
#pragma clang loop unroll(full)
    for (int step = 0; step < 16; step++) {
      __m128i words;
      if (step < 4) {
        words = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(bytes + 16 * step)), swap);
      } else {
        const __m128i m0 = m[step & 3], m1 = m[(step + 1) & 3], m2 = m[(step + 2) & 3], m3 = m[(step + 3) & 3];
        words = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), _mm_alignr_epi8(m3, m2, 4)), m3);
      }
      m[step & 3] = words;
      const __m128i sum = _mm_add_epi32(words, _mm_loadu_si128((const __m128i *)(K + 4 * step)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#include <cpuid.h>

// By cpuid: __builtin_cpu_supports("sha") is not known to every compiler.
static int has_shani(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}
#endif

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__ARM_BIG_ENDIAN)
#include <arm_neon.h>

#if defined(__ARM_FEATURE_SHA2)
#define WITH_SHA2
#else
#define WITH_SHA2 __attribute__((target("sha2")))
#endif

WITH_SHA2 static void compress_armv8(uint32_t state[8], const uint8_t *bytes, size_t blocks) {
  uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
  for (; blocks > 0; blocks--, bytes += 64) {
    const uint32x4_t abcd_before = abcd, efgh_before = efgh;
    uint32x4_t m[4];
#pragma clang loop unroll(full)
    for (int step = 0; step < 16; step++) {
      uint32x4_t words;
      if (step < 4) words = vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes + 16 * step)));
      else words = vsha256su1q_u32(vsha256su0q_u32(m[step & 3], m[(step + 1) & 3]), m[(step + 2) & 3], m[(step + 3) & 3]);
      m[step & 3] = words;
      const uint32x4_t sum = vaddq_u32(words, vld1q_u32(K + 4 * step)), abcd_now = abcd;
      abcd = vsha256hq_u32(abcd, efgh, sum);
      efgh = vsha256h2q_u32(efgh, abcd_now, sum);
    }
    abcd = vaddq_u32(abcd, abcd_before);
    efgh = vaddq_u32(efgh, efgh_before);
  }
  vst1q_u32(state, abcd);
  vst1q_u32(state + 4, efgh);
}

#if defined(__ARM_FEATURE_SHA2)
static int has_armv8(void) { return 1; }
#elif defined(__linux__)
#include <sys/auxv.h>
static int has_armv8(void) { return (getauxval(AT_HWCAP) & 1ul << 6) != 0; } // HWCAP_SHA2
#else
static int has_armv8(void) { return 0; }
#endif
#define HAS_ARMV8
#endif

size_t cfileio_sha256_available(cfileio_sha256_path *paths, size_t capacity) {
  cfileio_sha256_path all[2];
  size_t count = 0;
#if defined(__x86_64__)
  if (has_shani()) all[count++] = (cfileio_sha256_path){"SHA-NI", compress_shani};
#elif defined(HAS_ARMV8)
  if (has_armv8()) all[count++] = (cfileio_sha256_path){"ARMv8", compress_armv8};
#endif
  all[count++] = (cfileio_sha256_path){"portable", compress_portable};
  for (size_t i = 0; i < count && i < capacity; i++) paths[i] = all[i];
  return count;
}
