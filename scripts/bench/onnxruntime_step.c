// Single LSTM steps through ONNX Runtime's C API, without Python in the loop: every buffer is made once, each call of Run
// reads one set of states and writes the other. Compiled and called by rival_onnxruntime_c.py; by hand it is
//
//     cc -O2 -shared -fPIC onnxruntime_step.c -o onnxruntime_step.so -ldl
//
// The Python package ships the library without its header, so what is used of OrtApi is called by its place in that
// struct, which only ever grows at its end; version 1 of the interface has all of it.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct {
  const void *const *(*get_api)(uint32_t version);
  const char *(*version)(void);
} api_base;

// Places in OrtApi.
enum {
  GET_ERROR_MESSAGE = 2,
  CREATE_ENV = 3,
  CREATE_SESSION = 7,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_GRAPH_OPTIMIZATION_LEVEL = 23,
  SET_INTRA_OP_THREADS = 24,
  SET_INTER_OP_THREADS = 25,
  CREATE_TENSOR_WITH_DATA = 49,
  CREATE_CPU_MEMORY_INFO = 69,
};

enum { MAX_STATES = 32, FLOAT = 1, WARNING = 2, ENABLE_ALL = 99 };

typedef void *(*create_env_t)(int level, const char *name, void **env);
typedef void *(*create_session_t)(void *env, const char *path, void *options, void **session);
typedef void *(*create_options_t)(void **options);
typedef void *(*set_int_t)(void *options, int value);
typedef void *(*memory_info_t)(int allocator, int memory, void **info);
typedef void *(*create_tensor_t)(void *info, void *data, size_t bytes, const int64_t *shape, size_t rank, int type,
                                 void **value);
typedef void *(*run_t)(void *session, void *options, const char *const *input_names, void *const *inputs,
                       size_t input_count, const char *const *output_names, size_t output_count, void **outputs);

static const void *const *api;
static void *session;
static run_t run;
static size_t states; // h and c of each layer
static float *x, *y;
static size_t x_size, y_size;
static char names[2][MAX_STATES + 1][16];
static const char *input_names[MAX_STATES + 1], *output_names[MAX_STATES + 1];
static void *inputs[2][MAX_STATES + 1], *outputs[2][MAX_STATES + 1];
static size_t turn;

static int failed(void *status) {
  if (!status) return 0;
  fprintf(stderr, "onnxruntime: %s\n", ((const char *(*)(void *))api[GET_ERROR_MESSAGE])(status));
  return 1;
}

// A tensor (1, 1, size) over the caller's memory.
static void *tensor(void *info, float *data, size_t size) {
  void *value = NULL;
  int64_t shape[3] = {1, 1, (int64_t)size};
  if (failed(((create_tensor_t)api[CREATE_TENSOR_WITH_DATA])(info, data, 4 * size, shape, 3, FLOAT, &value)))
    return NULL;
  return value;
}

// Opens a model of x, h0, c0, h1, ... -> y, h0_next, c0_next, ... `state_data` has two blocks for each state: state_data
// [2 * k + set]. Returns 0 when all went well.
int steps_open(const char *library, const char *model, int threads, size_t layer_count, const size_t *hidden,
               float *x_data, size_t x_count, float *y_data, size_t y_count, float *const *state_data) {
  void *handle = dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  if (!handle) return fprintf(stderr, "%s\n", dlerror()), 1;
  const api_base *(*get_base)(void) = (const api_base *(*)(void))dlsym(handle, "OrtGetApiBase");
  if (!get_base || !(api = get_base()->get_api(1)) || 2 * layer_count > MAX_STATES) return 1;
  void *env = NULL, *options = NULL, *info = NULL;
  if (failed(((create_env_t)api[CREATE_ENV])(WARNING, "bench", &env)) ||
      failed(((create_options_t)api[CREATE_SESSION_OPTIONS])(&options)) ||
      failed(((set_int_t)api[SET_GRAPH_OPTIMIZATION_LEVEL])(options, ENABLE_ALL)) ||
      failed(((set_int_t)api[SET_INTRA_OP_THREADS])(options, threads)) ||
      failed(((set_int_t)api[SET_INTER_OP_THREADS])(options, 1)) ||
      failed(((create_session_t)api[CREATE_SESSION])(env, model, options, &session)) ||
      failed(((memory_info_t)api[CREATE_CPU_MEMORY_INFO])(1, 0, &info)))
    return 1;
  run = (run_t)api[RUN];
  x = x_data, x_size = x_count, y = y_data, y_size = y_count, states = 2 * layer_count, turn = 0;
  strcpy(names[0][0], "x"), strcpy(names[1][0], "y");
  for (size_t set = 0; set < 2; set++) {
    if (!(inputs[set][0] = tensor(info, x, x_size)) || !(outputs[set][0] = tensor(info, y, y_size))) return 1;
    for (size_t k = 0; k < states; k++) {
      float *from = state_data[2 * k + set], *to = state_data[2 * k + 1 - set];
      snprintf(names[0][k + 1], 16, "%c%zu", k % 2 ? 'c' : 'h', k / 2);
      snprintf(names[1][k + 1], 16, "%c%zu_next", k % 2 ? 'c' : 'h', k / 2);
      inputs[set][k + 1] = tensor(info, from, hidden[k / 2]);
      outputs[set][k + 1] = tensor(info, to, hidden[k / 2]);
    }
  }
  for (size_t k = 0; k <= states; k++) input_names[k] = names[0][k], output_names[k] = names[1][k];
  return 0;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Does `count` steps over the rows of `rows` (row_count, I), again and again; the time of each goes to `seconds`, the
// output of each, where wanted, to `y_rows` (count, O).
int steps_run(size_t count, const float *rows, size_t row_count, double *seconds, float *y_rows) {
  for (size_t k = 0; k < count; k++) {
    double began = now();
    memcpy(x, rows + turn % row_count * x_size, 4 * x_size);
    size_t set = turn++ % 2;
    if (failed(run(session, NULL, input_names, inputs[set], states + 1, output_names, states + 1, outputs[set])))
      return 1;
    seconds[k] = now() - began;
    if (y_rows) memcpy(y_rows + k * y_size, y, 4 * y_size);
  }
  return 0;
}
