#define _GNU_SOURCE // sync_file_range, fallocate
#include "CFileIO.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void cfileio_start_writeback(int descriptor, int64_t offset, int64_t count) {
#if defined(SYNC_FILE_RANGE_WRITE)
  (void)sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
#else
  (void)descriptor, (void)offset, (void)count;
#endif
}

int cfileio_next_stored(int descriptor, int64_t offset, int64_t size, int64_t *start, int64_t *end) {
  *start = offset;
  *end = size;
#if defined(SEEK_DATA) && defined(SEEK_HOLE)
  off_t data = lseek(descriptor, offset, SEEK_DATA);
  if (data < 0 && errno == ENXIO) return 0;
  if (data < 0) return 1;
  off_t hole = lseek(descriptor, data, SEEK_HOLE);
  *start = data;
  if (hole > data) *end = hole;
#endif
  return 1;
}

void cfileio_reserve(int descriptor, int64_t count) {
#if defined(__linux__)
  // Not posix_fallocate, which writes to every block if the file system cannot allocate.
  (void)fallocate(descriptor, 0, 0, count);
#else
  (void)descriptor, (void)count;
#endif
}
