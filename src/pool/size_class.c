/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back from a class to its size, and the table of the way there.  The way back is computed,
 * not tabulated: it is off the fast path (a descriptor knows its capacity), and a formula cannot
 * disagree with its inverse in the header by a typing error; the test walks both over every
 * boundary.
 */
#include "pool/size_class.h"

#define FAMILY_TINY_BYTES_BELOW 128u
#define FAMILY_MEDIUM_BYTES_MAX 2048u

/* Written out, since a table that is computed at the start would have to be waited for. */
const uint8_t size_class_table[SIZE_CLASS_TABLE_BYTES / SIZE_CLASS_STEP_BYTES] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19,
    20, 20, 21, 21, 22, 22, 23, 23, 24, 24, 24, 24, 25, 25, 25, 25, 26, 26, 26, 26, 27, 27, 27, 27,
    28, 28, 28, 28, 29, 29, 29, 29, 30, 30, 30, 30, 31, 31, 31, 31, 32, 32, 32, 32, 32, 32, 32, 32,
    33, 33, 33, 33, 33, 33, 33, 33, 34, 34, 34, 34, 34, 34, 34, 34, 35, 35, 35, 35, 35, 35, 35, 35,
    36, 36, 36, 36, 36, 36, 36, 36, 37, 37, 37, 37, 37, 37, 37, 37, 38, 38, 38, 38, 38, 38, 38, 38,
    39, 39, 39, 39, 39, 39, 39, 39, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40,
    41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 41, 42, 42, 42, 42, 42, 42, 42, 42,
    42, 42, 42, 42, 42, 42, 42, 42, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43, 43,
    44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 44, 45, 45, 45, 45, 45, 45, 45, 45,
    45, 45, 45, 45, 45, 45, 45, 45, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46, 46,
    47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47, 47,
};

size_t size_class_bytes(unsigned size_class)
{
    DP_ASSERT(size_class < SIZE_CLASS_COUNT);
    if (size_class < SIZE_CLASS_LINEAR)
        return (size_t)(size_class + 1) * SIZE_CLASS_STEP_BYTES;
    unsigned above = size_class - SIZE_CLASS_LINEAR;
    unsigned log2 = SIZE_CLASS_LINEAR_LOG2 + above / 8u;
    return (size_t)(8u + above % 8u + 1u) << (log2 - 3);
}

dp_family size_class_family(unsigned size_class)
{
    size_t bytes = size_class_bytes(size_class);
    if (bytes < FAMILY_TINY_BYTES_BELOW)
        return DP_FAMILY_TINY;
    return bytes <= FAMILY_MEDIUM_BYTES_MAX ? DP_FAMILY_MEDIUM : DP_FAMILY_LARGE;
}
