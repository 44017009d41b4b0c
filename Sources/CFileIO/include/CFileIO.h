// What makes file input and output fast and Swift cannot name: the processors' instructions for checksums, and two calls of Linux alone.
#ifndef CFILEIO_H
#define CFILEIO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// The compression function of SHA-256 (FIPS 180-4, 6.2.2): takes `blocks` blocks of 64 bytes, at any address, into `state`.
// Padding and pieces are the caller's business.
typedef void (*cfileio_sha256_compress)(uint32_t state[8], const uint8_t *bytes, size_t blocks);

typedef struct cfileio_sha256_path {
  const char *name;
  cfileio_sha256_compress compress;
} cfileio_sha256_path;

// The paths that this processor can run, fastest first; the last is plain C. At most `capacity` are written to `paths`.
size_t cfileio_sha256_available(cfileio_sha256_path *paths, size_t capacity);

// Carry-less multiplication makes of many bytes sixteen: with `crc` the CRC-32 (ZIP's) of what came before, the CRC-32 of everything is
// that of the residue, going on from 0xffffffff. `count` is a multiple of 16, at least 64. Returns 0, having done nothing, where the
// processor cannot.
int cfileio_crc32_fold(uint32_t crc, const uint8_t *bytes, size_t count, uint8_t residue[16]);

// Has the system begin to write a part of a file to the device, without waiting (sync_file_range). Does nothing elsewhere: it is only
// ahead of an fsync.
void cfileio_start_writeback(int descriptor, int64_t offset, int64_t count);

// Has the file system set space aside for the first `count` bytes of a file, whose content stays as it is (fallocate). Only a hint: where
// it fails, the writes will say why.
void cfileio_reserve(int descriptor, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
