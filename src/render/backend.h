/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends behind one table: who makes pixels.
 *
 * A backend is a struct whose first member points to a static const table, as tiers are.  It runs
 * items: each is one picture to be made, independent of the others, with all the memory it needs
 * for its result.  An item's answer stands in the item; what is returned by run() is about the
 * whole batch.  All backends give the same bytes (kernels/), so an item that one of them failed at
 * can be given to another; the result then says so.
 *
 *     cpu    at once, on the calling thread, item by item; any number of threads
 *     cuda   wants many items of many jobs (batcher.h); one thread at a time
 */
#ifndef DP_RENDER_BACKEND_H
#define DP_RENDER_BACKEND_H

#include "kernels/resize.h"
#include "render/drawing.h"
#include "render/picture.h"
#include "render/svg/scene.h"

#define BACKEND_DETAIL_BYTES 96

typedef struct backend backend;

typedef enum backend_item_kind {
    BACKEND_RESAMPLE, /* a cut of a decoded picture, scaled: every frame of `target` */
    BACKEND_RASTER    /* a scene, drawn over the whole of `target` */
} backend_item_kind;

/* What is cut out of every frame of a decoded picture, pixels. */
typedef struct backend_cut {
    uint32_t x, y, width, height;
} backend_cut;

typedef struct backend_item {
    backend_item_kind kind;
    render_task *task;     /* whose memory, deadline and words */
    const picture *source; /* RESAMPLE: at least as many frames as the target */
    backend_cut cut;       /* RESAMPLE */
    const scene *scene;    /* RASTER */
    drawing_plan *plan;    /* RASTER by a device: the scene for the target's size; else NULL */
    const picture *target; /* RGBA; memory that the CPU can see; its pixels are written */
    dp_status status;      /* out */
    dp_tier_id tier;       /* out: where the pixels were worked on */
} backend_item;

typedef struct backend_ops {
    const char *name;
    bool rasters; /* takes RASTER items too, a device only with their plans */
    /*
     * Runs all items and sets the status of each.  An error is one of the whole batch:
     * DP_ERR_DEVICE says that the device is not to be trusted any more, and `detail` why in words
     * for people; whatever an item's status says then, its pixels are undefined.
     */
    dp_status (*run)(backend *b, backend_item *const items[], size_t count,
                     char detail[BACKEND_DETAIL_BYTES]);
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

/* Errors of a device or of its memory: the CPU can still do the same item. */
static inline bool backend_spare_can_help(dp_status status)
{
    return status == DP_ERR_DEVICE || status == DP_ERR_NOMEM || status == DP_ERR_UNSUPPORTED ||
           status == DP_ERR_QUOTA;
}

/* The two axes of one item, in one pooled block that the CPU can see. */
typedef struct backend_axes {
    dp_buf *memory;
    size_t y_offset_bytes;
    resize_axis x, y;
} backend_axes;

dp_status backend_axes_make(const backend_item *item, backend_axes *out);
void backend_axes_drop(backend_axes *axes);

/* One frame of a picture as the kernels read it, by host addresses. */
resize_source backend_source(const picture *p, uint32_t frame, const backend_cut *cut);

#endif
