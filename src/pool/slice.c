/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: slices.  Each is inside its buffer's bytes in use when it is made and stays so, since
 * setting the size is for a buffer's only holder.  No state.
 */
#include <danpool/slice.h>

#include "pool/os.h"

/* Written so that a huge offset cannot wrap round. */
static bool range_is_inside(size_t whole_bytes, size_t offset_bytes, size_t size_bytes)
{
    return offset_bytes <= whole_bytes && size_bytes <= whole_bytes - offset_bytes;
}

dp_status dp_slice_make(dp_buf *buf, size_t offset_bytes, size_t size_bytes, dp_slice *out)
{
    DP_ASSERT(buf != NULL);
    if (!range_is_inside(dp_buf_size(buf), offset_bytes, size_bytes))
        return DP_ERR_INVALID;
    *out = (dp_slice){.buf = dp_ref(buf), .offset_bytes = offset_bytes, .size_bytes = size_bytes};
    return DP_OK;
}

dp_status dp_slice_sub(const dp_slice *of, size_t offset_bytes, size_t size_bytes, dp_slice *out)
{
    DP_ASSERT(of->buf != NULL);
    if (!range_is_inside(of->size_bytes, offset_bytes, size_bytes))
        return DP_ERR_INVALID;
    *out = (dp_slice){.buf = dp_ref(of->buf),
                      .offset_bytes = of->offset_bytes + offset_bytes,
                      .size_bytes = size_bytes};
    return DP_OK;
}

dp_slice dp_slice_ref(const dp_slice *slice)
{
    DP_ASSERT(slice->buf != NULL);
    (void)dp_ref(slice->buf);
    return *slice;
}

void dp_slice_put(dp_slice *slice)
{
    dp_put(slice->buf);
    *slice = (dp_slice){.buf = NULL};
}

const void *dp_slice_data(const dp_slice *slice)
{
    const char *data = slice->buf == NULL ? NULL : dp_buf_data(slice->buf);
    return data == NULL ? NULL : data + slice->offset_bytes;
}

dp_status dp_slice_read(const dp_slice *slice, size_t offset_bytes, void *to, size_t size_bytes)
{
    DP_ASSERT(slice->buf != NULL);
    if (!range_is_inside(slice->size_bytes, offset_bytes, size_bytes))
        return DP_ERR_INVALID;
    return dp_buf_read(slice->buf, slice->offset_bytes + offset_bytes, to, size_bytes);
}
