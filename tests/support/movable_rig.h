/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of movable buffers share: the rig's tiers, and contents that are made from a seed.
 */
#ifndef DP_TESTS_MOVABLE_RIG_H
#define DP_TESTS_MOVABLE_RIG_H

#include <stdlib.h>

#include "pool/movable.h"
#include "pool_rig.h"

static const dp_tier_id tiers_all[] = {DP_TIER_HOST, DP_TIER_PINNED, DP_TIER_HBM};
#define TIERS_ALL (sizeof tiers_all / sizeof tiers_all[0])

static inline dp_buf *movable_get(dp_pool *pool, size_t size_bytes)
{
    dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_OTHER, .flags = DP_GET_MOVABLE};
    dp_buf *buf = NULL;
    return dp_get(pool, &request, &buf) == DP_OK ? buf : NULL;
}

static inline void fill(dp_buf *buf, size_t size_bytes, unsigned seed)
{
    unsigned char *bytes = malloc(size_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8) + seed);
    assert_int_equal(dp_buf_write(buf, 0, bytes, size_bytes), DP_OK);
    free(bytes);
}

/* Without cmocka, for threads. */
static inline bool is_filled(const unsigned char *bytes, size_t size_bytes, unsigned seed)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (bytes[i] != (unsigned char)(i * 31 + (i >> 8) + seed))
            return false;
    }
    return true;
}

static inline void check_filled(dp_buf *buf, size_t size_bytes, unsigned seed)
{
    unsigned char *bytes = malloc(size_bytes);
    assert_non_null(bytes);
    assert_int_equal(dp_buf_read(buf, 0, bytes, size_bytes), DP_OK);
    assert_true(is_filled(bytes, size_bytes, seed));
    free(bytes);
}

#endif
