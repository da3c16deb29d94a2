/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pen's memory, and the look at a path's box that spares most paths the clipping.
 *
 * The box is transformed by the same operations in the same order as the points.  Rounded addition
 * and multiplication are monotone, so the box's corners bound the points exactly, without a margin.
 */
#include "render/svg/outline_pen.h"

#include <string.h>

#include "pool/os.h"

#define LINES_FIRST 1024u

void outline_drop(outline *o)
{
    os_free(o->lines);
    o->lines = NULL;
    o->count = o->capacity = 0;
}

bool pen_grow(pen *p, uint32_t lines)
{
    if (p->status != DP_OK) {
        return false;
    }
    outline *o = p->o;
    uint32_t count = o->lines != NULL ? (uint32_t)(p->next - o->lines) : 0;
    /* Room is asked for before level lines fall away: only lines that are there are counted. */
    if (count > o->lines_max || lines > UINT32_MAX / 4 || count > UINT32_MAX / 4) {
        p->status = DP_ERR_TOO_LARGE;
        return false;
    }
    uint32_t capacity = o->capacity < LINES_FIRST ? LINES_FIRST : o->capacity * 2;
    if (capacity < count + lines) {
        capacity = count + lines;
    }
    raster_line *bigger = os_aligned(64, (size_t)capacity * sizeof(*bigger));
    if (bigger == NULL) {
        p->status = DP_ERR_NOMEM;
        return false;
    }
    if (count > 0) {
        memcpy(bigger, o->lines, count * sizeof(*bigger));
    }
    os_free(o->lines);
    o->lines = bigger;
    o->capacity = capacity;
    p->next = bigger + count;
    p->end = bigger + capacity;
    return true;
}

/* The transformed box's lowest and highest coordinate, of corners chosen by the factors' signs. */
static void extent(float factor_x, float factor_y, float offset, const scene_box *b, float out[2])
{
    float x_low = factor_x < 0.0f ? b->x1 : b->x0, x_high = factor_x < 0.0f ? b->x0 : b->x1;
    float y_low = factor_y < 0.0f ? b->y1 : b->y0, y_high = factor_y < 0.0f ? b->y0 : b->y1;
    out[0] = factor_x * x_low + factor_y * y_low + offset;
    out[1] = factor_x * x_high + factor_y * y_high + offset;
}

pen_place pen_begin(pen *p, outline *o, const scene_matrix *to_device, const scene_box *bounds)
{
    DP_ASSERT(o->width <= RASTER_SIDE_MAX && o->height <= RASTER_SIDE_MAX);
    *p = (pen){
        .o = o,
        .first = o->count,
        .m = {to_device->a * PEN_UNIT, to_device->b * PEN_UNIT, to_device->c * PEN_UNIT,
              to_device->d * PEN_UNIT, to_device->e * PEN_UNIT + PEN_HALF,
              to_device->f * PEN_UNIT + PEN_HALF},
        .right = (float)o->width * PEN_UNIT + PEN_HALF,
        .bottom = (float)o->height * PEN_UNIT + PEN_HALF,
    };
    if (o->lines != NULL) {
        p->next = o->lines + o->count;
        p->end = o->lines + o->capacity;
    }
    float x[2], y[2];
    extent(p->m.a, p->m.c, p->m.e, bounds, x);
    extent(p->m.b, p->m.d, p->m.f, bounds, y);
    if (x[1] <= 0.0f || x[0] >= p->right || y[1] <= 0.0f || y[0] >= p->bottom) {
        return PEN_OUTSIDE;
    }
    p->inside = x[0] >= 0.0f && x[1] <= p->right && y[0] >= 0.0f && y[1] <= p->bottom;
    return p->inside ? PEN_INSIDE : PEN_ACROSS;
}

dp_status pen_end(pen *p)
{
    outline *o = p->o;
    if (p->status == DP_OK && o->lines != NULL) {
        size_t count = (size_t)(p->next - o->lines);
        if (count > o->lines_max) {
            p->status = DP_ERR_TOO_LARGE;
        } else {
            o->count = (uint32_t)count;
        }
    }
    return p->status;
}
