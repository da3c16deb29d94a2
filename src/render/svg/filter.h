/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters: the chain of parts that an element's content goes through before it is blended.
 *
 * The executor (draw.c) draws the content of a group with a filter onto a surface of its own, asks
 * filter_run() to replace it by the filter's result, and blends that as one layer.
 *
 * All surfaces are premultiplied sRGB RGBA8.  Device space is that of the canvas the group belongs
 * to; a surface covers the device pixels [x, x + width) x [y, y + height).
 */
#ifndef DP_RENDER_SVG_FILTER_H
#define DP_RENDER_SVG_FILTER_H

#include "kernels/filter.h"
#include "render/svg/scene.h"

/* Half open: empty when x1 <= x0 or y1 <= y0. */
typedef struct filter_rect {
    int32_t x0, y0, x1, y1;
} filter_rect;

typedef struct filter_surface {
    filter_rect at;  /* not empty */
    uint8_t *pixels; /* rows without gaps */
} filter_surface;

/* Memory that one thread keeps from call to call; zeros are fine at first. */
typedef struct filter_scratch {
    void *memory;
    size_t size_bytes;
    uint64_t deadline_ns; /* on os_clock_ns(); 0: none */
} filter_scratch;

void filter_scratch_drop(filter_scratch *scratch);

/*
 * The device pixels that content is needed on, so that the result is right on `canvas`: the
 * filter's region, cut to the canvas grown by how far blurs and offsets reach.  Empty: nothing of
 * it can be seen.
 */
filter_rect filter_bounds(const scene *s, const scene_filter *filter, const scene_matrix *to_device,
                          filter_rect canvas);

/*
 * Replaces the content of `surface`, which covers filter_bounds(), by the filter's result.
 * `to_device` leads from the filtered element's local space to device pixels.  DP_ERR_NOMEM,
 * DP_ERR_TOO_LARGE, DP_ERR_TIMEOUT: what the surface holds is undefined.
 */
dp_status filter_run(filter_scratch *scratch, const scene *s, const scene_filter *filter,
                     const scene_matrix *to_device, filter_surface *surface);

/*
 * The first half alone: the passes that filter_run() would run on a surface that covers `at`; they
 * lie in the scratch and stay until its next use.
 */
dp_status filter_prepare(filter_scratch *scratch, const scene *s, const scene_filter *filter,
                         const scene_matrix *to_device, const filter_rect *at, filter_program *out);

#endif
