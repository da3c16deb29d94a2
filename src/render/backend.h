/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends behind one table: who does the arithmetic on pixels.
 *
 * A backend is a struct whose first member points to a static const table, as tiers are.  It is
 * shared by all workers: its calls are thread safe.  Both backends give the same bytes (kernels/),
 * so a job may go on with the other one when a device fails in the middle; the result then says so.
 */
#ifndef DP_RENDER_BACKEND_H
#define DP_RENDER_BACKEND_H

#include "kernels/resize.h"
#include "render/surface.h"

#define BACKEND_DETAIL_BYTES 96

typedef struct backend backend;

typedef struct backend_ops {
    const char *name;
    /*
     * Scales `source` into `target`, whose memory is taken; *tier gets where the pixels were worked
     * on. DP_ERR_DEVICE, the pool's errors.
     */
    dp_status (*resize)(backend *b, render_task *task, const surface *source, const surface *target,
                        dp_tier_id *tier);
    void (*close)(backend *b);
} backend_ops;

struct backend {
    const backend_ops *ops;
};

/* On failure `detail` says why in words for people. */
typedef dp_status backend_opener(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out);

backend_opener backend_cpu_open;
/* DP_ERR_UNSUPPORTED: not built in, no driver, no device, or no hbm tier in this pool. */
backend_opener backend_cuda_open;

/* The two axes of one resize, in one pooled block that the CPU can see. */
typedef struct backend_axes {
    dp_buf *memory;
    size_t y_offset_bytes;
    resize_axis x, y;
} backend_axes;

dp_status backend_axes_make(render_task *task, const surface *source, const surface *target,
                            backend_axes *out);
void backend_axes_drop(backend_axes *axes);

#endif
