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
 * nothing.  What is needed is bounded by the limits, whatever the scene says.
 */
#ifndef DP_RENDER_SVG_DRAW_H
#define DP_RENDER_SVG_DRAW_H

#include "kernels/filter.h"
#include "kernels/raster.h"
#include "render/svg/scene.h"

typedef struct draw_context draw_context;

typedef struct draw_limits {
    uint32_t lines_max;     /* of one plan, after curves are cut */
    size_t plan_bytes_max;  /* lists of tiles and what they point to */
    size_t layer_bytes_max; /* surfaces of groups with filters */
    uint64_t deadline_ns;   /* on os_clock_ns(); 0: none */
} draw_limits;

#define DRAW_LIMITS_DEFAULT                                                                        \
    {                                                                                              \
        .lines_max = 1u << 20, .plan_bytes_max = (size_t)256 << 20,                                \
        .layer_bytes_max = (size_t)256 << 20                                                       \
    }

/* With DRAW_LIMITS_DEFAULT.  DP_ERR_NOMEM.  One thread at a time may use a context. */
dp_status draw_context_create(draw_context **out);
void draw_context_destroy(draw_context *context); /* NULL is fine */
void draw_context_limits(draw_context *context, const draw_limits *limits);
/* Gives the memory back, but for a few kilobytes; for threads that go idle. */
void draw_context_trim(draw_context *context);

/*
 * Draws the scene stretched to width x height (1 .. RASTER_SIDE_MAX) onto transparent black; every
 * pixel is written.  `rgba` is premultiplied.  DP_ERR_INVALID (sizes), DP_ERR_TOO_LARGE (a limit),
 * DP_ERR_NOMEM, DP_ERR_TIMEOUT; the pixels are then undefined.
 */
dp_status draw_scene(draw_context *context, const scene *s, uint32_t width, uint32_t height,
                     uint8_t *rgba, size_t stride_bytes);

/*
 * The first half alone: the plan that draw_scene() would run.  It and what it points to stay until
 * the context's next call.  For the GPU's driver, and for threads that share the rows of one large
 * picture: raster_cpu() only reads the plan.
 */
dp_status draw_plan(draw_context *context, const scene *s, uint32_t width, uint32_t height,
                    raster_plan *out);

/*
 * One of the pictures that make up a drawing: a group with a filter, or the drawing itself, which
 * comes last.  What it points to stays until the callback returns.
 */
typedef struct draw_stage {
    const raster_plan *tiles;      /* its layers' pixels are addresses that surfaces() gave */
    const filter_program *program; /* to be run over the pixels afterwards; NULL: none */
    uint64_t pixels;               /* where they go, as surfaces() gave it; 0: the drawing itself */
    uint32_t level;                /* needs stages of lower levels alone */
} draw_stage;

typedef struct draw_job {
    uint32_t width, height;
    /* An address of memory for all surfaces of groups, aligned to 64; 0: there is none. */
    uint64_t (*surfaces)(void *own, size_t size_bytes);
    /* What it returns other than DP_OK ends the job. */
    dp_status (*stage)(void *own, const draw_stage *stage);
    void *own;
} draw_job;

/*
 * Gives the plans and filters of a drawing to somebody else, who has memory of another kind: draws
 * nothing itself.  Fails as draw_scene() does, with DP_ERR_BUSY without surfaces, and as stage().
 */
dp_status draw_stages(draw_context *context, const scene *s, const draw_job *job);

#endif
