/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink: an encoder's output, growing in pooled memory of kind DP_KIND_ENCODED.
 *
 * Encoders that can write where they are told (libjpeg) write into sink_room(); the rest hand bytes
 * over, which is a copy and counted as one.  Growing and the final fit are copies too.  One owner,
 * one thread; ended by sink_finish() or sink_drop().
 */
#ifndef DP_RENDER_SINK_H
#define DP_RENDER_SINK_H

#include <danpool/buf.h>

#include "render/task.h"

typedef struct sink {
    render_task *task;
    dp_buf *buf; /* NULL until the first byte */
    size_t size_bytes;
} sink;

static inline void sink_init(sink *s, render_task *task)
{
    *s = (sink){.task = task};
}

/* Makes room for at least `bytes` more; the pool's errors, with words. */
dp_status sink_reserve(sink *s, size_t bytes);

/* The free bytes behind what is written, never fewer than the last reserve asked for. */
uint8_t *sink_room(const sink *s, size_t *bytes);

dp_status sink_append(sink *s, const void *bytes, size_t size_bytes);

/*
 * Hands the bytes over in a buffer that fits them (an encoded picture is kept for long, so a loose
 * block would be memory lost for long).  DP_ERR_FORMAT when nothing was written.
 */
dp_status sink_finish(sink *s, dp_buf **out);

/* Gives everything back; fine after sink_finish(). */
void sink_drop(sink *s);

#endif
