// The narrow interface between the Swift layers and their hot loops.
//
// Legend: M, N, K  sizes of a matrix product C (M, N) += A (M, K) * B (K, N)
//         rows     sequences that are active at one time step
//         H        hidden size; a row of gates is 4H wide
//         VL       floats in a vector
//
// A row of gates is stored in blocks of VL units: the block's i, then its f, g and o, so that a block's four gates
// lie side by side and any run of blocks is a run of columns. The last block is as narrow as the units left:
// gate q of unit u is at column 4 VL (u / VL) + q width + u % VL. Parameters keep the order i, f, g, o over all H. So do the
// three gates r, z, n of a GRU, whose rows are 3H wide, and the one of a plain cell.
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

// Element-wise functions, of `apply` and of the cells.
enum {
  LSTMK_SIGMOID = 0,
  LSTMK_TANH = 1,
  LSTMK_EXP = 2,
  LSTMK_RELU = 3,
  LSTMK_LINEAR = 4,
  LSTMK_HARD_SIGMOID = 5,   // clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, ONNX
  LSTMK_HARD_SIGMOID_6 = 6, // clip(x / 6 + 0.5, 0, 1): Keras 3, PyTorch
  LSTMK_HARD_TANH = 7,      // clip(x, -1, 1)
  LSTMK_LEAKY_RELU = 8,     // x > 0 ? x : alpha x; alpha is 0.01 in cells
  LSTMK_ELU = 9,            // x > 0 ? x : alpha (exp(x) - 1); alpha is 1 in cells
  LSTMK_SELU = 10,
  LSTMK_GELU = 11,
  LSTMK_GELU_TANH = 12, // its approximation with tanh
  LSTMK_SOFTPLUS = 13,
  LSTMK_SOFTSIGN = 14,
  LSTMK_SWISH = 15,
  LSTMK_MISH = 16,
  LSTMK_RELU6 = 17,
  LSTMK_HARD_SWISH = 18,
};

// Which step of a GRU: all of one that resets the recurrent product, or one half of one that resets the state.
enum {
  LSTMK_GRU_WHOLE = 0,
  LSTMK_GRU_FIRST = 1,
  LSTMK_GRU_SECOND = 2,
};

// What a cell's kernel reads and writes. G is 4 for an LSTM, 3 for a GRU and 1 for a plain cell.
//
// The plain LSTM cell has tanh and no clips; `gate` is a sigmoid, smooth or hard. A GRU and a plain cell are general when
// `is_general` says so. What is general takes any functions and input_clip, keeps the pre-activations in `gates`, not the
// activations, and computes these again in backward.
typedef struct lstmk_cell {
  size_t rows, hidden;
  size_t first_unit, units; // the units to compute; first_unit is a multiple of VL, the end too unless it is H
  int gate; // LSTMK_*
  // Peephole weights (3H: i, f, o) or NULL. i and f look at the previous cell, o at the new one.
  const float *peephole;
  // (rows, GH), row stride gates_stride. Forward: pre-activations in, activations out.
  // Backward: activations in, gradients of the pre-activations out.
  float *gates;
  size_t gates_stride;
  const float *cell_previous; // (rows, H)
  // (rows, H): written by forward, read by backward. Of a GRU what the reset gate multiplies, with the product of the new
  // state (WHOLE, where NULL does not keep it), or r * h (FIRST).
  float *cell;
  float *output;              // forward: h = o * tanh(c), row stride output_stride
  size_t output_stride;
  // backward: dL/dh is the sum of d_output from the layer above, row stride d_output_stride, and of d_state from the next
  // step, (rows, H) or NULL
  const float *d_output;
  size_t d_output_stride;
  const float *d_state;
  float *d_cell; // backward: dL/dc on entry, dL/dc_previous on return, (rows, H)

  int is_general;
  int candidate; // LSTMK_*, of g, n or the plain cell
  int out;       // LSTMK_*, of c on its way out
  float input_clip; // pre-activations are clipped to -input_clip ... input_clip; INFINITY for none
  float cell_clip;  // and c

  // A GRU's.
  int part;              // LSTMK_GRU_*
  const float *previous; // h of the previous step, row stride previous_stride
  size_t previous_stride;
  // Forward: the recurrent products, WHOLE (rows, 3H) with their bias, FIRST (rows, 2H) of r and z, SECOND (rows, H) of n.
  // Backward, SECOND: dL/d(r * h), (rows, H).
  const float *recurrent;
  // Backward: the gradients of those, WHOLE (rows, 3H), FIRST (rows, H) of n, SECOND (rows, 2H) of r and z.
  float *d_recurrent;
  float *d_previous; // backward: dL/dh_previous but for the products, (rows, H); may be d_state
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

  // Transposes rows of gates (k, gate_count H) to strips: strip s has gates s * strip_width and following, in the order of
  // the parameters, as (k_total, strip_width). Writes rows from first_k, of the units from first_unit. The strips are those
  // of the gates from first_gate: all of them, or a GRU's last alone.
  void (*pack_gate_strips)(size_t gate_count, size_t first_gate, size_t hidden, size_t first_unit, size_t units,
                           size_t k_total, size_t first_k, size_t k, const float *gates, size_t gates_stride,
                           float *strips);
  // C (M, N) += A^T B, with A (k, M) in strips and B packed, each with k rows; summed in ascending k.
  void (*multiply_strips)(size_t m, size_t n, size_t k, const float *strips, const float *packed, float *c, size_t c_row);
  // sums[i] += sum over the k rows of strips
  void (*add_strip_sums)(size_t m, size_t k, const float *strips, float *sums);

  // The plain LSTM cell, the one with any functions and clips, a GRU's and the plain recurrent layer's.
  void (*cell_forward)(const lstmk_cell *cell);
  void (*cell_backward)(const lstmk_cell *cell);
  void (*general_forward)(const lstmk_cell *cell);
  void (*general_backward)(const lstmk_cell *cell);
  void (*gru_forward)(const lstmk_cell *cell);
  void (*gru_backward)(const lstmk_cell *cell);
  void (*rnn_forward)(const lstmk_cell *cell);
  void (*rnn_backward)(const lstmk_cell *cell);

  // y = function(x); x and y may be the same. alpha is that of leaky_relu and elu.
  void (*apply)(int function, float alpha, size_t n, const float *x, float *y);
  // d = d * the function's slope at x, whose value is y. x may be y for a sigmoid, tanh, exp and what clips or bounds x:
  // the hard ones, relu, relu6 and softsign.
  void (*apply_slope)(int function, float alpha, size_t n, const float *x, const float *y, float *d);
  // sums[j] += sum over rows of x[row, j]
  void (*add_column_sums)(size_t rows, size_t columns, const float *x, size_t row_stride, float *sums);
  double (*sum_of_squares)(size_t n, const float *x);
  void (*scale)(size_t n, float factor, float *x);

  // Rows (rows, size), one after the other.
  //
  // e = exp(x - largest), where x and e may be the same. Returns the sum of e, NaN if a value is; `largest` is that of the values
  // other than NaN.
  float (*exponentials)(size_t n, const float *x, float *e, float *largest);
  void (*softmax)(size_t rows, size_t size, float *x); // in place
  // d = y (d - sum of y d)
  void (*softmax_backward)(size_t rows, size_t size, const float *y, float *d);
  // y = z weight + bias with z = (x - mean) inverse and inverse = 1 / sqrt(variance + epsilon) of each row. weight and bias are NULL
  // for none, z and inverses to keep neither. y may be x.
  void (*normalize_rows)(size_t rows, size_t size, double epsilon, const float *x, const float *weight, const float *bias,
                         float *z, float *inverses, float *y);
  void (*normalize_rows_backward)(size_t rows, size_t size, const float *weight, const float *z, const float *inverses,
                                  float *d);
  // y = x / norm with the L2 norm of each row, at least 1e-12. y may be x.
  void (*unit_rows)(size_t rows, size_t size, const float *x, float *norms, float *y);
  // d = (d - y sum of y d) / norm
  void (*unit_rows_backward)(size_t rows, size_t size, const float *y, const float *norms, float *d);

  // Sums over rows, in their order: of x y, of x or, with a center, of (x - center)^2, and of d and d (x - mean) inverse.
  void (*add_column_products)(size_t rows, size_t columns, const float *x, const float *y, size_t row_stride, float *sums);
  void (*add_moments)(size_t rows, size_t columns, const float *x, size_t row_stride, const double *center, double *sums);
  void (*add_gradient_moments)(size_t rows, size_t columns, const float *d, const float *x, size_t row_stride,
                               const float *mean, const float *inverse, double *sums, double *products);
  // y = (x - center) factor + offset of each row (columns); center and offset are NULL for none. y may be x.
  void (*scale_columns)(size_t rows, size_t columns, const float *x, const float *center, const float *factor,
                        const float *offset, float *y);
  // d = factor (d - first - z second) with z = (x - mean) inverse
  void (*normalize_columns_backward)(size_t rows, size_t columns, const float *x, const float *mean, const float *inverse,
                                     const float *factor, const float *first, const float *second, float *d);

  // Of n windows whose next values lie `stride` apart in x: where a value is larger than y or NaN, y becomes the value and
  // places[i] becomes place + offsets[i]; places is NULL where nobody asks.
  void (*take_largest)(size_t n, size_t stride, const float *x, int32_t place, const int32_t *offsets, float *y,
                       int32_t *places);
  // The same of whole windows, each of `taps` values of all `rows`: y[i] is the largest x[row][i * stride + tap], the first of
  // equal ones, and places[i] is its firsts[row] + tap + offsets[i].
  void (*pool_largest)(size_t n, size_t stride, size_t taps, size_t rows, const float *const *x, const int32_t *firsts,
                       const int32_t *offsets, float *y, int32_t *places);
  // Its gradient, of windows side by side: d[i] where the window's largest value was, zero in its other places, written to or
  // added to the rows `to`.
  void (*spread_largest)(size_t n, size_t stride, size_t rows, const int32_t *firsts, const int32_t *offsets,
                         const int32_t *places, const float *d, int accumulates, float *const *to);
  // y += x, whose values lie `stride` apart
  void (*add_apart)(size_t n, size_t stride, const float *x, float *y);
  // Copies windows that begin `step` apart: of each the spans at `offsets`, of `span` values, side by side.
  void (*copy_windows)(size_t count, size_t step, const float *x, size_t spans, const size_t *offsets, size_t span,
                       float *to);
  // Copies `count` values of each row of (rows, size) from the place `first`, which may lie outside: zeros are around a row.
  // Then the same from each of the other taps, `step` places apart: (taps, rows, row_stride).
  void (*copy_shifted)(size_t taps, size_t step, size_t rows, size_t size, ptrdiff_t first, const float *from, size_t count,
                       size_t row_stride, float *to);
  void (*transpose)(size_t rows, size_t columns, const float *from, float *to); // (rows, columns) -> (columns, rows)

  // In double precision: to = log(e^a + e^b + e^(c + offset)), -infinity where all are; and to = e^(x + y - shift), for exponents
  // up to 709. `to` may be none of the others of log_sums.
  void (*log_sums)(size_t n, const double *a, const double *b, const double *c, const double *offsets, double *to);
  void (*wide_exponentials)(size_t n, const double *x, const double *y, double shift, double *to);
  // The logarithm of the sum of e^x, NaN if an x is; and d = (e^(x - total) - shares) factor.
  double (*log_sum)(size_t n, const float *x);
  void (*log_sum_slopes)(size_t n, const float *x, double total, const double *shares, double factor, float *d);

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
