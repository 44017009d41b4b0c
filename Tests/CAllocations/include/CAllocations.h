#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H
#include <stddef.h>

// Whether allocations are counted here: with glibc, and not under a sanitizer, which has an allocator of its own.
int allocations_are_counted(void);

// Blocks that this thread has asked the allocator for since it began.
size_t allocations_of_this_thread(void);

#endif
