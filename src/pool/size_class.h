/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 2: the block sizes that requests are rounded up to.
 *
 * Steps of 16 bytes up to 128, from there eight steps a doubling up to 2 GiB:
 *
 *     class   0   1   2 ..   7     8    9 ..  15    16   17 ..  199
 *     bytes  16  32  48 .. 128   144  160 .. 256   288  320 ..  2^31
 *
 * The bound, exactly: a block is at most 15 bytes larger than asked for up to 128 bytes, and at
 * most 1/8 larger than asked for above (the worst is 2^n + 1, which gets 2^n * 9/8).  A tier whose
 * alignment is larger than 16 rounds the request up to it first, which costs alignment - 1 at most.
 * Pure functions, thread safe.
 */
#ifndef DP_POOL_SIZE_CLASS_H
#define DP_POOL_SIZE_CLASS_H

#include <danpool/stats.h>

#include "pool/os.h"

#define SIZE_CLASS_STEP_BYTES  16u
#define SIZE_CLASS_LINEAR      8u /* classes of the 16-byte steps: 16 .. 128 */
#define SIZE_CLASS_LINEAR_LOG2 7u /* log2 of the last of them */
#define SIZE_CLASS_COUNT       (SIZE_CLASS_LINEAR + 8u * (31u - SIZE_CLASS_LINEAR_LOG2))

/*
 * The classes of all sizes up to 4 KiB, by (size - 1) / 16: one load, where finding the highest bit
 * takes some processors eight operations.
 */
#define SIZE_CLASS_TABLE_BYTES ((size_t)4096)
extern const uint8_t size_class_table[SIZE_CLASS_TABLE_BYTES / SIZE_CLASS_STEP_BYTES];

/* The smallest class that holds size_bytes, for sizes above 128. */
static inline unsigned size_class_computed(uint32_t last)
{
    unsigned log2 = 31u ^ (unsigned)__builtin_clz(last);
    unsigned step = (last >> (log2 - 3)) & 7u;
    return SIZE_CLASS_LINEAR + (log2 - SIZE_CLASS_LINEAR_LOG2) * 8u + step;
}

/* The smallest class that holds size_bytes, which is 1 .. 2^31.  A handful of instructions. */
static inline unsigned size_class_of(size_t size_bytes)
{
    uint32_t last = (uint32_t)size_bytes - 1; /* 2^n itself belongs to the doubling below it */
    if (DP_LIKELY(last < SIZE_CLASS_TABLE_BYTES))
        return size_class_table[last / SIZE_CLASS_STEP_BYTES];
    return size_class_computed(last);
}

/* Bytes of a block of that class. */
size_t size_class_bytes(unsigned size_class);

/* The family that counts a block of that class: by the block's size, not by the request's. */
dp_family size_class_family(unsigned size_class);

#endif
