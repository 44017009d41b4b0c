// The narrow interface between the Swift layers and their hot loops.
//
// Legend: M, N, K  sizes of a matrix product C (M, N) += A (M, K) * B (K, N)
//         rows     sequences that are active at one time step
//         H        hidden size; a row of gates is 4H wide
//         VL       floats in a vector
//
// A row of gates is stored in blocks of VL units: the block's i, then its f, g and o, so that a block's four gates
// lie side by side and any run of blocks is a run of columns. The last block is as narrow as the units left:
// gate q of unit u is at column 4 VL (u / VL) + q width + u % VL. Parameters keep the order i, f, g, o over all H.
//
// The callers check shapes; kernels take pointers and rely on them. Every kernel has a plain scalar twin (the table named "scalar"), with
// which tests and benchmarks compare it.
#ifndef CLSTMKERNELS_H
#define CLSTMKERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Activation of the gates i, f and o.
enum {
  LSTMK_GATE_SIGMOID = 0,
  LSTMK_GATE_HARD_SIGMOID = 1,   // clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, ONNX
  LSTMK_GATE_HARD_SIGMOID_6 = 2, // clip(x / 6 + 0.5, 0, 1): Keras 3
};

// Element-wise functions of `apply`.
enum {
  LSTMK_SIGMOID = 0,
  LSTMK_TANH = 1,
  LSTMK_EXP = 2,
  LSTMK_RELU = 3,
};

typedef struct lstmk_cell {
  size_t rows, hidden;
  size_t first_unit, units; // the units to compute; first_unit is a multiple of VL, the end too unless it is H
  int gate; // LSTMK_GATE_*
  // Peephole weights (3H: i, f, o) or NULL. i and f look at the previous cell, o at the new one.
  const float *peephole;
  // (rows, 4H), row stride gates_stride. Forward: pre-activations in, activations out.
  // Backward: activations in, gradients of the pre-activations out.
  float *gates;
  size_t gates_stride;
  const float *cell_previous; // (rows, H)
  float *cell;                // (rows, H): written by forward, read by backward
  float *output;              // forward: h = o * tanh(c), row stride output_stride
  size_t output_stride;
  // backward: dL/dh is the sum of d_output from the layer above, row stride d_output_stride, and of d_state from the next
  // step, (rows, H) or NULL
  const float *d_output;
  size_t d_output_stride;
  const float *d_state;
  float *d_cell; // backward: dL/dc on entry, dL/dc_previous on return, (rows, H)
} lstmk_cell;

// Hyperparameters are doubles: 1 - beta2 in float32 would be wrong in the fifth digit.
typedef struct lstmk_adam {
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  double bias_correction1, bias_correction2; // 1 - beta^t
  int decoupled;                             // 1: AdamW
} lstmk_adam;

typedef struct lstmk_sgd {
  double learning_rate, momentum, dampening, weight_decay;
  int nesterov, first_step; // first_step: the momentum buffer starts as the gradient
} lstmk_sgd;

typedef struct lstmk_table {
  const char *name;
  size_t vector_width; // floats
  size_t panel_width;  // adjacent columns of a packed matrix
  size_t strip_width;  // adjacent rows of a transposed left matrix

  // The size of the packed form of a (K, N) matrix, in floats.
  size_t (*packed_count)(size_t k, size_t n);
  // Packs the part of B that starts at (first_k, first_n) and has the size (k, n), into the packed form of a matrix with
  // k_total rows. The part's element (k, n) is b[k * row_stride + n * column_stride].
  void (*pack)(size_t k_total, size_t first_k, size_t k, size_t first_n, size_t n, const float *b, size_t row_stride,
               size_t column_stride, float *packed);
  // C = start + A B. A's element (m, k) is a[m * a_row + k * a_column]. The start is zero if `start` is NULL, the previous C
  // if it is C, and otherwise the same row (N) for all rows. Every element of C is summed in ascending k, for any M and N.
  void (*multiply)(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *packed,
                   float *c, size_t c_row, const float *start);

  // Transposes rows of gates (k, 4H) to strips: strip s has gates s * strip_width and following, in the order of the
  // parameters, as (k_total, strip_width). Writes rows from first_k, of the units from first_unit.
  void (*pack_gate_strips)(size_t hidden, size_t first_unit, size_t units, size_t k_total, size_t first_k, size_t k,
                           const float *gates, size_t gates_stride, float *strips);
  // C (M, N) += A^T B, with A (k, M) in strips and B packed, each with k rows; summed in ascending k.
  void (*multiply_strips)(size_t m, size_t n, size_t k, const float *strips, const float *packed, float *c, size_t c_row);
  // sums[i] += sum over the k rows of strips
  void (*add_strip_sums)(size_t m, size_t k, const float *strips, float *sums);

  void (*cell_forward)(const lstmk_cell *cell);
  void (*cell_backward)(const lstmk_cell *cell);

  void (*apply)(int function, size_t n, const float *x, float *y); // x and y may be the same
  // sums[j] += sum over rows of x[row, j]
  void (*add_column_sums)(size_t rows, size_t columns, const float *x, size_t row_stride, float *sums);
  double (*sum_of_squares)(size_t n, const float *x);
  void (*scale)(size_t n, float factor, float *x);

  void (*adam)(const lstmk_adam *rule, size_t n, const float *gradient, float *first, float *second, float *largest,
               float *weights); // largest: AMSGrad's running maximum, or NULL
  void (*sgd)(const lstmk_sgd *rule, size_t n, const float *gradient, float *momentum, float *weights);

  // Runs `rounds` rounds of independent fused multiply-adds in registers and returns the number of floating-point
  // operations; divided by the time, this is the machine's peak.
  double (*peak)(size_t rounds);
} lstmk_table;

// The instruction sets that this machine can run, fastest first; the scalar twin is always last. Returns their number, and writes at most
// `capacity` of them.
size_t lstmk_available(const lstmk_table **tables, size_t capacity);

// The calling thread's floating-point control word; 0 on processors for which it is not known.
uint64_t lstmk_float_mode(void);
void lstmk_set_float_mode(uint64_t mode);
// Sets the mode that every kernel expects: round to nearest, no traps, denormal operands and results flushed to zero.
// Returns the previous mode, for lstmk_end_computing. Calls may be nested, at almost no cost.
uint64_t lstmk_begin_computing(void);
void lstmk_end_computing(uint64_t before);

// Runs task(context, thread, threads) for each thread from 0 to threads - 1 on a persistent pool, and returns when all have
// finished. The calls must not wait for each other. Each runs in the mode of lstmk_begin_computing.
typedef void (*lstmk_task)(void *context, size_t thread, size_t threads);
void lstmk_run(size_t threads, lstmk_task task, void *context);

#ifdef __cplusplus
}
#endif
#endif
