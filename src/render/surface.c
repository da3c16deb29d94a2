/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking, dropping and turning surfaces; see surface.h.  Used by one thread at a time.
 */
#include "render/surface.h"

#include <string.h>

#include "pool/os.h"

dp_status surface_take(render_task *task, uint32_t width, uint32_t height, surface *out)
{
    DP_ASSERT(width > 0 && height > 0);
    DP_ASSERT(width <= RENDER_SOURCE_SIDE_MAX && height <= RENDER_SOURCE_SIDE_MAX);
    const dp_request request = {.size_bytes = (size_t)width * height * 4,
                                .kind = DP_KIND_SURFACE,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST};
    dp_buf *buf;
    const dp_status status = task_get(task, &request, &buf);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory for a surface of %u x %u pixels", width, height);
    }
    *out = (surface){.buf = buf, .pixels = dp_buf_data(buf), .width = width, .height = height};
    return DP_OK;
}

void surface_drop(surface *s)
{
    dp_put(s->buf);
    *s = (surface){0};
}

/*
 * EXIF numbers the eight ways a sensor can lie; bits of (orientation - 1) do not give them, so a
 * table. A result pixel (x, y) is the source pixel (x', y'): transposed first, then flipped.
 */
static const struct {
    bool flip_x, flip_y; /* of source coordinates */
} turns[9] = {
    [1] = {false, false}, [2] = {true, false}, [3] = {true, true}, [4] = {false, true},
    [5] = {false, false}, [6] = {false, true}, [7] = {true, true}, [8] = {true, false},
};

void surface_turn(const surface *from, const surface *to, unsigned orientation)
{
    const bool transpose = orientation_lies_on_side(orientation);
    DP_ASSERT(orientation >= 1 && orientation <= 8);
    DP_ASSERT(to->width == (transpose ? from->height : from->width));
    DP_ASSERT(to->height == (transpose ? from->width : from->height));

    for (uint32_t y = 0; y < to->height; y++) {
        uint8_t *out = surface_row(to, y);
        for (uint32_t x = 0; x < to->width; x++) {
            uint32_t from_x = transpose ? y : x;
            uint32_t from_y = transpose ? x : y;
            from_x = turns[orientation].flip_x ? from->width - 1 - from_x : from_x;
            from_y = turns[orientation].flip_y ? from->height - 1 - from_y : from_y;
            memcpy(out + 4 * (size_t)x, surface_row(from, from_y) + 4 * (size_t)from_x, 4);
        }
    }
}
