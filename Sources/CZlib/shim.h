#ifndef LSTM_FT_CZLIB_SHIM_H
#define LSTM_FT_CZLIB_SHIM_H

#include <zlib.h>

// inflateInit2 is a macro over inflateInit2_ that passes the header's version and the size of the
// struct; Swift imports no function-like macros.
static inline int czlib_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

#endif
