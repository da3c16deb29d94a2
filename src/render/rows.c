/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See rows.h.  Where nothing is made smaller, rows are written where they stay, and no memory is
 * taken; else there is one row to decode into and one row of sums behind it.
 */
#include "render/rows.h"

#include <string.h>

#include "pool/os.h"

#define SUMS_ALIGNMENT 16u

rows_plan rows_plan_make(const media_info *info, const decode_hints *hints)
{
    rows_plan plan = {.source = {info->width, info->height},
                      .factors = {shrink_factor(info->width, hints->width),
                                  shrink_factor(info->height, hints->height)}};
    for (int i = 0; i < 2; i++) {
        plan.sides[i] = shrink_side(plan.source[i], plan.factors[i]);
    }
    return plan;
}

static size_t row_bytes(const rows *r)
{
    return os_align_up((size_t)r->plan.source[0] * 4, SUMS_ALIGNMENT);
}

dp_status rows_open(rows *r, render_task *task, const rows_plan *plan)
{
    *r = (rows){.plan = *plan};
    if (!rows_plan_shrinks(plan)) {
        return DP_OK;
    }
    const dp_request request = {.size_bytes = row_bytes(r) + shrink_scratch_bytes(plan->source[0]),
                                .need = DP_NEED_HOST};
    const dp_status status = task_get(task, &request, &r->memory);
    return status == DP_OK ? DP_OK
                           : task_fail(task, status, "no memory to read the picture's rows");
}

void rows_begin(rows *r, const surface *frame)
{
    DP_ASSERT(frame->width == r->plan.sides[0] && frame->height == r->plan.sides[1]);
    r->frame = *frame;
    r->done = 0;
    if (r->memory != NULL) {
        uint8_t *memory = dp_buf_data(r->memory);
        r->shrink = (shrink){.width = r->plan.source[0],
                             .height = r->plan.source[1],
                             .factor_x = r->plan.factors[0],
                             .factor_y = r->plan.factors[1],
                             .target = frame->pixels,
                             .sums = (uint32_t *)(void *)(memory + row_bytes(r))};
    }
}

uint8_t *rows_room(const rows *r)
{
    return r->memory == NULL ? surface_row(&r->frame, r->done) : dp_buf_data(r->memory);
}

void rows_put(rows *r)
{
    DP_ASSERT(r->done < r->plan.source[1]);
    if (r->memory != NULL) {
        shrink_rgba(&r->shrink, dp_buf_data(r->memory));
    }
    r->done++;
}

void rows_put_rgb(rows *r, const uint8_t *rgb)
{
    DP_ASSERT(r->done < r->plan.source[1]);
    if (r->memory != NULL) {
        shrink_rgb(&r->shrink, rgb);
    } else {
        uint8_t *out = surface_row(&r->frame, r->done);
        for (size_t x = 0; x < r->frame.width; x++) {
            out[4 * x] = rgb[3 * x];
            out[4 * x + 1] = rgb[3 * x + 1];
            out[4 * x + 2] = rgb[3 * x + 2];
            out[4 * x + 3] = 255;
        }
    }
    r->done++;
}

void rows_put_frame(rows *r, const surface *whole)
{
    DP_ASSERT(whole->width == r->plan.source[0] && whole->height == r->plan.source[1]);
    if (r->memory == NULL) {
        memcpy(r->frame.pixels, whole->pixels, surface_bytes(whole));
        r->done = whole->height;
        return;
    }
    for (uint32_t y = 0; y < whole->height; y++) {
        shrink_rgba(&r->shrink, surface_row(whole, y));
    }
    r->done = whole->height;
}

void rows_close(rows *r)
{
    dp_put(r->memory);
    r->memory = NULL;
}
