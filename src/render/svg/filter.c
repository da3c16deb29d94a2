/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a scene's filter on the CPU: bounds, memory, deadline.  The passes are kernels/filter.h's,
 * what they are filter_graph.h's.
 */
#include "render/svg/filter.h"

#include "pool/os.h"
#include "render/svg/filter_graph.h"

void filter_scratch_drop(filter_scratch *scratch)
{
    os_free(scratch->memory);
    scratch->memory = NULL;
    scratch->size_bytes = 0;
}

/* Memory of at least `size_bytes`, its content lost. */
static dp_status grow(filter_scratch *scratch, size_t size_bytes)
{
    if (scratch->size_bytes >= size_bytes) {
        return DP_OK;
    }
    void *memory = os_aligned(64, size_bytes);
    if (memory == NULL) {
        return DP_ERR_NOMEM;
    }
    os_free(scratch->memory);
    scratch->memory = memory;
    scratch->size_bytes = size_bytes;
    return DP_OK;
}

static int32_t grown(int32_t value, double by)
{
    const double sum = value + by;
    return sum < -1073741824.0 ? -1073741824 : (sum > 1073741824.0 ? 1073741824 : (int32_t)sum);
}

filter_rect filter_bounds(const scene *s, const scene_filter *filter, const scene_matrix *to_device,
                          filter_rect canvas)
{
    const filter_rect empty = {0, 0, 0, 0};
    const double reach = filter_graph_reach(s, filter, to_device);
    filter_rect out = filter_pixels_of(&filter->region, to_device);
    const filter_rect seen = {grown(canvas.x0, -reach), grown(canvas.y0, -reach),
                              grown(canvas.x1, reach), grown(canvas.y1, reach)};

    out.x0 = out.x0 > seen.x0 ? out.x0 : seen.x0;
    out.y0 = out.y0 > seen.y0 ? out.y0 : seen.y0;
    out.x1 = out.x1 < seen.x1 ? out.x1 : seen.x1;
    out.y1 = out.y1 < seen.y1 ? out.y1 : seen.y1;
    return out.x1 > out.x0 && out.y1 > out.y0 ? out : empty;
}

static dp_status run_passes(const filter_scratch *scratch, const filter_program *program,
                            uint8_t *pixels, void *memory)
{
    for (uint32_t i = 0; i < program->pass_count; i++) {
        if (scratch->deadline_ns != 0 && os_clock_ns() > scratch->deadline_ns) {
            return DP_ERR_TIMEOUT;
        }
        filter_pass_cpu(program, i, pixels, memory);
    }
    return DP_OK;
}

/* The passes come first in the scratch, then what they work on. */
static size_t passes_bytes(const scene_filter *filter)
{
    return os_align_up(FILTER_PASSES_OF(filter->part_count) * sizeof(filter_pass), 64);
}

dp_status filter_prepare(filter_scratch *scratch, const scene *s, const scene_filter *filter,
                         const scene_matrix *to_device, const filter_rect *at, filter_program *out)
{
    if (filter->part_count > FILTER_PARTS_MAX) {
        return DP_ERR_TOO_LARGE;
    }
    const dp_status status = grow(scratch, passes_bytes(filter));
    return status == DP_OK ? filter_graph_make(s, filter, to_device, at, scratch->memory, out)
                           : status;
}

dp_status filter_run(filter_scratch *scratch, const scene *s, const scene_filter *filter,
                     const scene_matrix *to_device, filter_surface *surface)
{
    const size_t first_bytes = passes_bytes(filter);
    filter_program program;

    dp_status status = filter_prepare(scratch, s, filter, to_device, &surface->at, &program);
    if (status != DP_OK) {
        return status;
    }
    const size_t needed = first_bytes + filter_scratch_bytes(&program);
    if (needed > scratch->size_bytes) {
        status = grow(scratch, needed);
        if (status == DP_OK) {
            /* The passes went with the old memory. */
            status = filter_prepare(scratch, s, filter, to_device, &surface->at, &program);
        }
    }
    if (status != DP_OK) {
        return status;
    }
    return run_passes(scratch, &program, surface->pixels, (uint8_t *)scratch->memory + first_bytes);
}
