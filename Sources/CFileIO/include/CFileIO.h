// Parts of file input and output that Swift cannot express: processor instructions for checksums, and a few system calls.
#ifndef CFILEIO_H
#define CFILEIO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The compression function of SHA-256 (FIPS 180-4, 6.2.2): processes `blocks` blocks of 64 bytes, at any address, into `state`.
// The caller does the padding.
typedef void (*cfileio_sha256_compress)(uint32_t state[8], const uint8_t *bytes, size_t blocks);

typedef struct cfileio_sha256_path {
  const char *name;
  cfileio_sha256_compress compress;
} cfileio_sha256_path;

// The implementations that this processor can run, fastest first; the last is portable C. Returns their number, and writes at most
// `capacity` of them to `paths`.
size_t cfileio_sha256_available(cfileio_sha256_path *paths, size_t capacity);

// Reduces many bytes to sixteen by carry-less multiplication: with `crc` the CRC-32 (ZIP's) of the bytes before them, the CRC-32 of all
// bytes is that of the residue, continued from 0xffffffff. `count` is a multiple of 16, at least 64. Returns 0, and does nothing, if the
// processor has no such instruction.
int cfileio_crc32_fold(uint32_t crc, const uint8_t *bytes, size_t count, uint8_t residue[16]);

// Inflates a whole deflate stream (RFC 1951) into exactly `out_count` bytes. Returns 1 and, in `used`, how many bytes of the input it has;
// 0 for anything else: a stream that is damaged, shorter or longer, and some forms that no program writes. The output may then hold
// anything.
int cfileio_inflate(const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count, size_t *used);

// The checksum of zlib's streams (RFC 1950).
uint32_t cfileio_adler32(const uint8_t *bytes, size_t count);

// Starts writing a part of a file to the device, without waiting (sync_file_range); an fsync follows later. Does nothing on other systems.
void cfileio_start_writeback(int descriptor, int64_t offset, int64_t count);

// Where the next bytes from `offset` on are that a file has stored, and where the next hole begins (lseek with SEEK_DATA and SEEK_HOLE): holes
// read as zeros and take no space. Returns 1; 0 when nothing is stored from there on. On file systems that do not know holes, all is stored.
int cfileio_next_stored(int descriptor, int64_t offset, int64_t size, int64_t *start, int64_t *end);

// Reserves space for the first `count` bytes of a file without changing its content (fallocate). Only a hint: if it fails, the writes
// report why.
void cfileio_reserve(int descriptor, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
