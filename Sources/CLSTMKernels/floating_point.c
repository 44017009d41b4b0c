// The calling thread's floating-point control word: MXCSR on x86-64, FPCR on AArch64, nothing on other processors. Swift cannot
// read or write it.
//
// An operation on a denormal (below 2^-126) takes about 150 cycles on many processors, and the gradients of a loss at the last of
// a few hundred steps are mostly denormal.
#include "CLSTMKernels.h"

#if defined(__x86_64__)

// The default (all exceptions masked, rounding to nearest), flushing results (FTZ) and operands (DAZ).
enum { COMPUTING = 0x1f80 | 0x8000 | 0x0040 };

uint64_t lstmk_float_mode(void) { return __builtin_ia32_stmxcsr(); }
void lstmk_set_float_mode(uint64_t mode) { __builtin_ia32_ldmxcsr((unsigned)mode); }

#elif defined(__aarch64__)

// The default, flushing operands and results (FZ).
#define COMPUTING ((uint64_t)1 << 24)

uint64_t lstmk_float_mode(void) {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}

void lstmk_set_float_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }

#else

enum { COMPUTING = 0 };

uint64_t lstmk_float_mode(void) { return 0; }
void lstmk_set_float_mode(uint64_t mode) { (void)mode; }

#endif

// The exception flags, which arithmetic sets, are not part of the mode.
static int is_computing(uint64_t mode) { return (mode & ~(uint64_t)0x3f) == COMPUTING; }

uint64_t lstmk_begin_computing(void) {
  const uint64_t before = lstmk_float_mode();
  if (!is_computing(before)) lstmk_set_float_mode(COMPUTING);
  return before;
}

void lstmk_end_computing(uint64_t before) {
  if (!is_computing(before)) lstmk_set_float_mode(before);
}
