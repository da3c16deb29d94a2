/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan's lines belong to an outline, whose memory comes from os.h: growing it here does the
 * same.
 */
#include "raster_rig.h"

#include <stdlib.h>
#include <string.h>

#include "pool/os.h"

void rig_line(plan *p, int32_t x0, int32_t y0, int32_t x1, int32_t y1)
{
    outline *o = &p->lines;

    if (y0 == y1) {
        return;
    }
    if (o->count == o->capacity) {
        const uint32_t capacity = o->capacity == 0 ? 256 : 2 * o->capacity;
        raster_line *lines = os_aligned(64, capacity * sizeof(*lines));
        DP_ASSERT(lines != NULL);
        if (o->count != 0) {
            memcpy(lines, o->lines, o->count * sizeof(*lines));
        }
        os_free(o->lines);
        o->lines = lines;
        o->capacity = capacity;
    }
    o->lines[o->count++] = (raster_line){x0, y0, x1, y1};
}

void rig_polygon(plan *p, const int32_t *xy, uint32_t points)
{
    for (uint32_t i = 0; i < points; i++) {
        const uint32_t next = i + 1 < points ? i + 1 : 0;
        rig_line(p, xy[2 * i], xy[2 * i + 1], xy[2 * next], xy[2 * next + 1]);
    }
}

void rig_rect(plan *p, int32_t x0, int32_t y0, int32_t x1, int32_t y1)
{
    rig_line(p, x0, y0, x0, y1);
    rig_line(p, x1, y1, x1, y0);
}

void rig_paint(plan *p, uint32_t first_line, uint32_t rule, uint32_t colour)
{
    const raster_command command = {.op = RASTER_COLOUR,
                                    .mode = (uint8_t)rule,
                                    .opaque = colour >> 24 == 255,
                                    .edges = RASTER_NONE,
                                    .value = colour};

    plan_shape(p, first_line, &command);
}

uint8_t *rig_draw(plan *p)
{
    raster_plan tiles;
    const dp_status status = plan_end(p, &tiles);
    DP_ASSERT(status == DP_OK);
    void *scratch = os_aligned(64, RASTER_SCRATCH_BYTES);
    uint8_t *rgba = malloc((size_t)tiles.width * tiles.height * 4);
    DP_ASSERT(scratch != NULL && rgba != NULL);
    memset(rgba, 0x5a, (size_t)tiles.width * tiles.height * 4);
    raster_cpu(&tiles, 0, tiles.rows, rgba, (size_t)tiles.width * 4, scratch);
    os_free(scratch);
    return rgba;
}

uint32_t rig_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}
