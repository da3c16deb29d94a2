/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: a part of a buffer that shares its reference, so that a part can be handed on without a
 * copy.
 *
 * A slice is a value of three words.  It holds one reference to its buffer: whoever has a slice has
 * the bytes, whatever became of other references, and gives it back by exactly one dp_slice_put().
 * Copying the struct copies no reference; dp_slice_ref() makes another slice of the same part.
 * Since the buffer has more than one holder then, its bytes are immutable (see buf.h, sentence 4).
 *
 * Every function is thread safe; each costs at most one atomic add.
 */
#ifndef DANPOOL_SLICE_H
#define DANPOOL_SLICE_H

#include <danpool/buf.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Read the fields; let the functions below make them.  All zero is a slice of nothing. */
typedef struct dp_slice {
    dp_buf *buf;
    size_t offset_bytes;
    size_t size_bytes;
} dp_slice;

/*
 * The part of a buffer's bytes in use; adds a reference.  A part of no bytes is a slice, too.
 * DP_ERR_INVALID: not inside dp_buf_size().
 */
DP_API dp_status dp_slice_make(dp_buf *buf, size_t offset_bytes, size_t size_bytes, dp_slice *out);

/* A part of a part, counted from its start; adds a reference.  DP_ERR_INVALID: not inside it. */
DP_API dp_status dp_slice_sub(const dp_slice *of, size_t offset_bytes, size_t size_bytes,
                              dp_slice *out);

/* The same part once more, with a reference of its own. */
DP_API dp_slice dp_slice_ref(const dp_slice *slice);

/* Gives the reference back and makes *slice the slice of nothing, for which it does nothing. */
DP_API void dp_slice_put(dp_slice *slice);

/*
 * Where the bytes are; NULL where the CPU cannot see them.  Holds as dp_buf_data() does: for a
 * movable buffer, while the caller has slice->buf mapped.
 */
DP_API const void *dp_slice_data(const dp_slice *slice);

/* Copies some of the bytes out, whatever their tier; counted, and refused, as by dp_buf_read(). */
DP_API dp_status dp_slice_read(const dp_slice *slice, size_t offset_bytes, void *to,
                               size_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
