// The reference twin of every kernel: simple loops, libm's functions in double, no blocking. Tests compare the fast instruction
// sets with it.
#include "paths.h"

#include <math.h>
#include <string.h>

#define TABLE lstmk_scalar
#define TABLE_NAME "scalar"
#define VL 1
#define NR 1
#define MR_STRIP 1

#include "products_scalar.inc"
#include "strips_scalar.inc"
#include "activations_scalar.inc"
#include "functions_scalar.inc"
#include "cell_scalar.inc"
#include "cell_general_scalar.inc"
#include "gru_scalar.inc"
#include "rnn_scalar.inc"
#include "rows_scalar.inc"
#include "norms_scalar.inc"
#include "windows_scalar.inc"
#include "wide_scalar.inc"
#include "optimizers_scalar.inc"
#include "table.inc"
