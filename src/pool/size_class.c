/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back from a class to its size.  Computed, not tabulated: it is off the fast path (a
 * descriptor knows its capacity), and a formula cannot disagree with its inverse in the header by a
 * typing error; the test walks both over every boundary.
 */
#include "pool/size_class.h"

#define FAMILY_TINY_BYTES_BELOW 128u
#define FAMILY_MEDIUM_BYTES_MAX 2048u

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
