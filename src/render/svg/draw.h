/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Draw: a scene to pixels at any size, on the CPU.
 *
 *     scene --outline, plan--> raster_plan --raster_cpu--> premultiplied RGBA8
 *
 * Groups with a filter come first, innermost first: their content is drawn by a plan of its own
 * onto a surface of its own, filtered (filter.h), and becomes a layer of the plan around it.
 *
 * A context is the memory of one thread and is kept from drawing to drawing: a warm one allocates
 * nothing.  What is needed is bounded by the limits, whatever the scene says: tall pictures are
 * drawn in bands.
 */
#ifndef DP_RENDER_SVG_DRAW_H
#define DP_RENDER_SVG_DRAW_H

#include "render/svg/scene.h"

typedef struct svg_context svg_context;

typedef struct svg_limits {
    uint32_t lines_max;     /* of one band, after curves are cut */
    uint32_t commands_max;  /* of all tiles of one band */
    size_t layer_bytes_max; /* surfaces of filters alive at once */
    uint64_t deadline_ns;   /* on os_clock_ns(); 0: none */
} svg_limits;

#define SVG_LIMITS_DEFAULT                                                                         \
    {                                                                                              \
        .lines_max = 1u << 20, .commands_max = 1u << 22, .layer_bytes_max = (size_t)256 << 20      \
    }

/* DP_ERR_NOMEM.  One thread at a time may use a context. */
dp_status svg_context_create(svg_context **out);
void svg_context_destroy(svg_context *context);
void svg_context_limits(svg_context *context, const svg_limits *limits);
/* Gives memory beyond `keep_bytes` back; for threads that go idle. */
void svg_context_trim(svg_context *context, size_t keep_bytes);

/*
 * Draws the scene stretched to width x height (1 .. RASTER_SIDE_MAX) onto transparent black; every
 * pixel is written.  `rgba` is premultiplied.  DP_ERR_INVALID (sizes), DP_ERR_TOO_LARGE (a limit),
 * DP_ERR_NOMEM, DP_ERR_TIMEOUT; the pixels are then undefined.
 */
dp_status svg_draw(svg_context *context, const scene *s, uint32_t width, uint32_t height,
                   uint8_t *rgba, size_t stride_bytes);

#endif
