/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: what a buffer's holder can tell a GPU's driver about it (danpool/device.h).
 *
 * Only hints pass through here, straight to the tier; no state and no lock.
 */
#include <danpool/device.h>

#include "pool/pool_state.h"

dp_status dp_buf_advise(dp_buf *buf, dp_advice advice)
{
    DP_ASSERT(buf != NULL);
    if ((unsigned)advice >= DP_ADVICE_COUNT)
        return DP_ERR_INVALID;
    if (buf->device == 0) /* a movable one that nobody has mapped, too */
        return DP_ERR_UNSUPPORTED;
    return tier_advise(buf_pool(buf)->tiers[buf->tier], buf->device, buf->capacity_bytes, advice);
}

dp_status dp_buf_prefetch(dp_buf *buf, dp_place where, uint64_t stream)
{
    DP_ASSERT(buf != NULL);
    if ((unsigned)where >= DP_PLACE_COUNT)
        return DP_ERR_INVALID;
    if (buf->device == 0)
        return DP_ERR_UNSUPPORTED;
    return tier_prefetch(buf_pool(buf)->tiers[buf->tier], buf->device, buf->size_bytes, where,
                         stream);
}
