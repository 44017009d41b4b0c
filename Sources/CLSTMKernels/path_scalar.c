// The reference twin of every kernel: one obvious loop each, libm's functions in double, no blocking. Tests hold the
// fast paths against it.
#include "paths.h"

#include <math.h>
#include <string.h>

static size_t packed_count(size_t k, size_t n) { return k * n; }

static void pack(size_t k_total, size_t first_k, size_t k, size_t first_n, size_t n, const float *b, size_t row_stride,
                 size_t column_stride, float *packed) {
  for (size_t row = 0; row < k; row++)
    for (size_t j = 0; j < n; j++)
      packed[(first_n + j) * k_total + first_k + row] = b[row * row_stride + j * column_stride];
}

static void multiply(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *packed,
                     float *c, size_t c_row, const float *start) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      float sum = start == c ? c[i * c_row + j] : start ? start[j] : 0.0f;
      for (size_t step = 0; step < k; step++) sum += a[i * a_row + step * a_column] * packed[j * k + step];
      c[i * c_row + j] = sum;
    }
}

static void pack_gate_strips(size_t hidden, size_t first_unit, size_t units, size_t k_total, size_t first_k, size_t k,
                             const float *gates, size_t gates_stride, float *strips) {
  for (size_t row = 0; row < k; row++)
    for (size_t unit = first_unit; unit < first_unit + units; unit++)
      for (size_t gate = 0; gate < 4; gate++)
        strips[(gate * hidden + unit) * k_total + first_k + row] = gates[row * gates_stride + 4 * unit + gate];
}

static void multiply_strips(size_t m, size_t n, size_t k, const float *strips, const float *packed, float *c,
                            size_t c_row) {
  multiply(m, n, k, strips, k, 1, packed, c, c_row, c);
}

static void add_strip_sums(size_t m, size_t k, const float *strips, float *sums) {
  for (size_t row = 0; row < m; row++)
    for (size_t step = 0; step < k; step++) sums[row] += strips[row * k + step];
}

static float sigmoid(float x) { return (float)(1.0 / (1.0 + exp(-(double)x))); }
static float tangent(float x) { return (float)tanh((double)x); }

static float clip01(float x) { return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x; }

static float gate_value(int gate, float x) {
  if (gate == LSTMK_GATE_HARD_SIGMOID) return clip01(0.2f * x + 0.5f);
  if (gate == LSTMK_GATE_HARD_SIGMOID_6) return clip01(x / 6.0f + 0.5f);
  return sigmoid(x);
}

static float gate_slope(int gate, float s) {
  if (gate == LSTMK_GATE_SIGMOID) return s * (1.0f - s);
  if (s <= 0.0f || s >= 1.0f) return 0.0f;
  return gate == LSTMK_GATE_HARD_SIGMOID ? 0.2f : 1.0f / 6.0f;
}

static void cell_forward(const lstmk_cell *cell) {
  const size_t h = cell->hidden;
  const float *peephole = cell->peephole;
  for (size_t row = 0; row < cell->rows; row++)
    for (size_t unit = cell->first_unit; unit < cell->first_unit + cell->units; unit++) {
      float *g = cell->gates + row * cell->gates_stride + 4 * unit;
      float previous = cell->cell_previous[row * h + unit];
      float i = gate_value(cell->gate, g[0] + (peephole ? peephole[unit] * previous : 0.0f));
      float f = gate_value(cell->gate, g[1] + (peephole ? peephole[h + unit] * previous : 0.0f));
      float candidate = tangent(g[2]);
      float c = f * previous + i * candidate;
      float o = gate_value(cell->gate, g[3] + (peephole ? peephole[2 * h + unit] * c : 0.0f));
      g[0] = i, g[1] = f, g[2] = candidate, g[3] = o;
      cell->cell[row * h + unit] = c;
      cell->output[row * cell->output_stride + unit] = o * tangent(c);
    }
}

static void cell_backward(const lstmk_cell *cell) {
  const size_t h = cell->hidden;
  const float *peephole = cell->peephole;
  for (size_t row = 0; row < cell->rows; row++)
    for (size_t unit = cell->first_unit; unit < cell->first_unit + cell->units; unit++) {
      float *g = cell->gates + row * cell->gates_stride + 4 * unit;
      float i = g[0], f = g[1], candidate = g[2], o = g[3];
      float previous = cell->cell_previous[row * h + unit];
      float tanh_c = tangent(cell->cell[row * h + unit]);
      float dh = cell->d_output[row * cell->d_output_stride + unit];
      if (cell->d_state) dh += cell->d_state[row * h + unit];
      float dc = cell->d_cell[row * h + unit];
      float d_o = dh * tanh_c * gate_slope(cell->gate, o);
      dc += dh * o * (1.0f - tanh_c * tanh_c);
      if (peephole) dc += d_o * peephole[2 * h + unit];
      float d_i = dc * candidate * gate_slope(cell->gate, i);
      float d_f = dc * previous * gate_slope(cell->gate, f);
      g[0] = d_i, g[1] = d_f;
      g[2] = dc * i * (1.0f - candidate * candidate);
      g[3] = d_o;
      float d_previous = dc * f;
      if (peephole) d_previous += d_i * peephole[unit] + d_f * peephole[h + unit];
      cell->d_cell[row * h + unit] = d_previous;
    }
}

static void apply(int function, size_t n, const float *x, float *y) {
  for (size_t i = 0; i < n; i++) {
    switch (function) {
    case LSTMK_SIGMOID: y[i] = sigmoid(x[i]); break;
    case LSTMK_TANH: y[i] = tangent(x[i]); break;
    case LSTMK_EXP: y[i] = expf(x[i]); break;
    default: y[i] = x[i] < 0.0f ? 0.0f : x[i]; break;
    }
  }
}

static void add_column_sums(size_t rows, size_t columns, const float *x, size_t row_stride, float *sums) {
  for (size_t row = 0; row < rows; row++)
    for (size_t j = 0; j < columns; j++) sums[j] += x[row * row_stride + j];
}

static double sum_of_squares(size_t n, const float *x) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

static void scale(size_t n, float factor, float *x) {
  for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static double peak(size_t rounds) {
  volatile float sum = 0;
  for (size_t round = 0; round < rounds; round++) sum = sum * 0.999999f + 1e-7f;
  return 2.0 * (double)rounds;
}

// The update rules of torch.optim.

static void adam(const lstmk_adam *rule, size_t n, const float *gradient, float *first, float *second, float *largest,
                 float *weights) {
  const float toward = (float)(1.0 - rule->beta1), fresh = (float)(1.0 - rule->beta2);
  const float beta2 = (float)rule->beta2, epsilon = (float)rule->epsilon;
  const float step = (float)(rule->learning_rate / rule->bias_correction1);
  const float root = (float)sqrt(rule->bias_correction2);
  const float shrink = rule->decoupled ? (float)(1.0 - rule->learning_rate * rule->weight_decay) : 1.0f;
  const float decay = rule->decoupled ? 0.0f : (float)rule->weight_decay;
  for (size_t i = 0; i < n; i++) {
    float w = weights[i] * shrink;
    float g = gradient[i] + decay * weights[i];
    first[i] = first[i] + toward * (g - first[i]);
    second[i] = beta2 * second[i] + fresh * (g * g);
    float bound = second[i];
    if (largest) {
      largest[i] = largest[i] > bound ? largest[i] : bound;
      bound = largest[i];
    }
    weights[i] = w - step * first[i] / (sqrtf(bound) / root + epsilon);
  }
}

static void sgd(const lstmk_sgd *rule, size_t n, const float *gradient, float *momentum, float *weights) {
  const float rate = (float)rule->learning_rate, mu = (float)rule->momentum, decay = (float)rule->weight_decay;
  const float keep = rule->first_step ? 1.0f : (float)(1.0 - rule->dampening);
  const float carry = rule->first_step ? 0.0f : mu;
  if (mu == 0.0f) {
    for (size_t i = 0; i < n; i++) weights[i] -= rate * (gradient[i] + decay * weights[i]);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    float g = gradient[i] + decay * weights[i];
    momentum[i] = carry * momentum[i] + keep * g;
    weights[i] -= rate * (rule->nesterov ? g + mu * momentum[i] : momentum[i]);
  }
}

const lstmk_table lstmk_scalar = {
    .name = "scalar",
    .vector_width = 1,
    .panel_width = 1,
    .strip_width = 1,
    .packed_count = packed_count,
    .pack = pack,
    .multiply = multiply,
    .pack_gate_strips = pack_gate_strips,
    .multiply_strips = multiply_strips,
    .add_strip_sums = add_strip_sums,
    .cell_forward = cell_forward,
    .cell_backward = cell_backward,
    .apply = apply,
    .add_column_sums = add_column_sums,
    .sum_of_squares = sum_of_squares,
    .scale = scale,
    .adam = adam,
    .sgd = sgd,
    .peak = peak,
};
