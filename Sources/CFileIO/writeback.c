#define _GNU_SOURCE // sync_file_range, fallocate
#include "CFileIO.h"

#include <fcntl.h>

void cfileio_start_writeback(int descriptor, int64_t offset, int64_t count) {
#if defined(SYNC_FILE_RANGE_WRITE)
  (void)sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
#else
  (void)descriptor, (void)offset, (void)count;
#endif
}

void cfileio_reserve(int descriptor, int64_t count) {
#if defined(__linux__)
  // Not posix_fallocate, which writes to every block if the file system cannot allocate.
  (void)fallocate(descriptor, 0, 0, count);
#else
  (void)descriptor, (void)count;
#endif
}
