/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A filter over a surface of SIDE x SIDE at the origin, its region far larger, for the
 * tests of filters.  Included by one file of a test.
 */
#ifndef DP_TESTS_FILTER_RIG_H
#define DP_TESTS_FILTER_RIG_H

#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "render/svg/filter.h"
#include "render/svg/filter_graph.h"

#define SIDE   48
#define PIXELS (SIDE * SIDE)
#define PARTS  8

static uint32_t seed = 20250111;

static inline uint32_t random_number(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

typedef struct rig {
    scene_filter_part parts[PARTS + FILTER_PARTS_MAX];
    scene_filter filter;
    scene s;
    scene_matrix matrix;
    filter_surface surface;
    uint8_t before[PIXELS * 4], pixels[PIXELS * 4];
} rig;

static const scene_box everywhere = {-1000, -1000, 1000, 1000};

/* Colours of every alpha, many of them clear or opaque. */
static inline void random_pixels(uint8_t *pixels)
{
    for (size_t i = 0; i < PIXELS; i++) {
        const uint32_t kind = random_number() % 4;
        const uint32_t alpha = kind == 0 ? 0 : (kind == 1 ? 255 : random_number() % 256);
        for (size_t c = 0; c < 3; c++) {
            pixels[4 * i + c] = (uint8_t)(random_number() % (alpha + 1));
        }
        pixels[4 * i + 3] = (uint8_t)alpha;
    }
}

static inline rig *make_rig(void)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->s.parts = r->parts;
    r->s.filters = &r->filter;
    r->filter.region = everywhere;
    r->matrix = (scene_matrix){1, 0, 0, 1, 0, 0};
    r->surface = (filter_surface){{0, 0, SIDE, SIDE}, r->pixels};
    random_pixels(r->before);
    return r;
}

static inline scene_filter_part *add_part(rig *r, uint32_t op, uint32_t input, uint32_t other)
{
    scene_filter_part *part = &r->parts[r->filter.part_count++];
    *part = (scene_filter_part){.op = op, .input = input, .other = other, .region = everywhere};
    return part;
}

static inline dp_status run(rig *r)
{
    filter_scratch scratch = {0};
    memcpy(r->pixels, r->before, sizeof r->pixels);
    const dp_status status = filter_run(&scratch, &r->s, &r->filter, &r->matrix, &r->surface);
    filter_scratch_drop(&scratch);
    return status;
}

#endif
