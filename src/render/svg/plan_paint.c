/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paints of a plan: colours premultiplied, gradients with a matrix from pixels and a ramp.
 *
 * Degenerate gradients are what SVG 2 says: without a length or a radius, the last stop's colour; a
 * start circle that is not within the end circle makes a cone, outside of which nothing is painted;
 * a matrix without an inverse paints nothing.  Where the two circles touch, the quadratic would be
 * none: the focal point moves a thousandth away.
 */
#include "render/svg/plan.h"

#include <math.h>
#include <string.h>

#include "kernels/composite_math.h"
#include "pool/os.h"

/* How near the edge of the end circle a focal point may come, in radii: from within, and from
 * outside; and where outside begins, rounding allowed for. */
#define FOCAL_MAX  0.999
#define CONE_MIN   1.001
#define CONE_BEGIN 0.9999

typedef struct matrix {
    double a, b, c, d, e, f;
} matrix;

scene_matrix plan_matrix_multiply(const scene_matrix *outer, const scene_matrix *inner)
{
    return (scene_matrix){
        .a = outer->a * inner->a + outer->c * inner->b,
        .b = outer->b * inner->a + outer->d * inner->b,
        .c = outer->a * inner->c + outer->c * inner->d,
        .d = outer->b * inner->c + outer->d * inner->d,
        .e = outer->a * inner->e + outer->c * inner->f + outer->e,
        .f = outer->b * inner->e + outer->d * inner->f + outer->f,
    };
}

/* The inverse of outer x inner, in double; false where there is none. */
static bool invert(const scene_matrix *outer, const scene_matrix *inner, matrix *out)
{
    const matrix m = {
        .a = (double)outer->a * inner->a + (double)outer->c * inner->b,
        .b = (double)outer->b * inner->a + (double)outer->d * inner->b,
        .c = (double)outer->a * inner->c + (double)outer->c * inner->d,
        .d = (double)outer->b * inner->c + (double)outer->d * inner->d,
        .e = (double)outer->a * inner->e + (double)outer->c * inner->f + outer->e,
        .f = (double)outer->b * inner->e + (double)outer->d * inner->f + outer->f,
    };
    const double determinant = m.a * m.d - m.b * m.c;

    /* Also false for what is no number. */
    if (!(fabs(determinant) > 1e-18) || !isfinite(determinant)) {
        return false;
    }
    *out = (matrix){
        .a = m.d / determinant,
        .b = -m.b / determinant,
        .c = -m.c / determinant,
        .d = m.a / determinant,
        .e = (m.c * m.f - m.d * m.e) / determinant,
        .f = (m.b * m.e - m.a * m.f) / determinant,
    };
    return true;
}

static uint32_t alpha_of(scene_rgba colour, float opacity)
{
    const float alpha = (float)(colour >> 24) * opacity + 0.5f;

    return alpha >= 255.0f ? 255u : (alpha > 0.0f ? (uint32_t)alpha : 0u);
}

static uint32_t premultiplied(uint32_t r, uint32_t g, uint32_t b, uint32_t alpha)
{
    return composite_premultiply(r, alpha) | composite_premultiply(g, alpha) << 8 |
           composite_premultiply(b, alpha) << 16 | alpha << 24;
}

static bool paint_colour(scene_rgba colour, float opacity, raster_command *out)
{
    const uint32_t alpha = alpha_of(colour, opacity);

    out->op = RASTER_COLOUR;
    out->opaque = alpha == 255;
    out->value = premultiplied(colour & 255u, (colour >> 8) & 255u, (colour >> 16) & 255u, alpha);
    return alpha != 0;
}

/* Entries [from, to) go from stop a's colour to stop b's; channels have 16 fraction bits. */
static void ramp_segment(uint32_t *ramp, uint32_t size, const scene_stop *a, const scene_stop *b,
                         const uint32_t range[2], float opacity)
{
    const float alphas[2] = {(float)(a->colour >> 24) * opacity,
                             (float)(b->colour >> 24) * opacity};
    const float width = b->offset - a->offset;
    const float per_entry = width > 0.0f ? 1.0f / ((float)(size - 1) * width) : 0.0f;
    const float start =
        width > 0.0f ? ((float)range[0] / (float)(size - 1) - a->offset) / width : 0.0f;
    int32_t value[4];
    int32_t step[4];

    for (uint32_t c = 0; c < 4; c++) {
        const float from = c < 3 ? (float)((a->colour >> (8 * c)) & 255u) : alphas[0];
        const float to = c < 3 ? (float)((b->colour >> (8 * c)) & 255u) : alphas[1];
        value[c] = (int32_t)((from + (to - from) * start) * 65536.0f) + 32768;
        step[c] = (int32_t)((to - from) * per_entry * 65536.0f);
    }
    for (uint32_t i = range[0]; i < range[1]; i++) {
        uint32_t channel[4];
        for (uint32_t c = 0; c < 4; c++) {
            const int32_t level = value[c] >> 16;
            channel[c] = (uint32_t)(level < 0 ? 0 : (level > 255 ? 255 : level));
            value[c] += step[c];
        }
        ramp[i] = premultiplied(channel[0], channel[1], channel[2], channel[3]);
    }
}

static void fill_ramp(uint32_t *ramp, uint32_t size, const scene_stop *stops, uint32_t count,
                      float opacity)
{
    uint32_t from = 0;

    /* Before the first stop, between two, after the last: `from` is the first entry not yet made.
     */
    for (uint32_t i = 0; i <= count && from < size; i++) {
        const scene_stop *a = &stops[i > 0 ? i - 1 : 0];
        const scene_stop *b = &stops[i < count ? i : count - 1];
        const float end = i < count ? ceilf(b->offset * (float)(size - 1)) : (float)size;
        const uint32_t to = end < (float)size ? (uint32_t)end : size;
        const uint32_t range[2] = {from, to};
        if (to > from) {
            ramp_segment(ramp, size, a, b, range, opacity);
            from = to;
        }
    }
}

/* The index of a ramp for these stops, shared where there is one already; RASTER_NONE: failed. */
static uint32_t ramp_of(plan *p, const scene *s, const scene_paint *paint, uint32_t size,
                        float opacity)
{
    const plan_ramp wanted = {.first_stop = paint->first_stop,
                              .stop_count = paint->stop_count,
                              .opacity = (uint32_t)(opacity * 65535.0f),
                              .size = size};

    for (uint32_t i = p->known_ramp_count; i-- > 0 && i + 16 >= p->known_ramp_count;) {
        const plan_ramp *known = &p->known_ramps[i];
        if (known->first_stop == wanted.first_stop && known->stop_count == wanted.stop_count &&
            known->opacity == wanted.opacity && known->size == wanted.size) {
            return known->ramp;
        }
    }
    if (!plan_grow(p, (void **)&p->known_ramps, &p->known_ramp_capacity,
                   (uint64_t)p->known_ramp_count + 1, sizeof(*p->known_ramps)) ||
        !plan_grow(p, (void **)&p->ramps, &p->ramp_capacity, (uint64_t)p->ramp_count + size + 1,
                   sizeof(*p->ramps))) {
        return RASTER_NONE;
    }
    const uint32_t ramp = p->ramp_count;
    fill_ramp(p->ramps + ramp, size, s->stops + paint->first_stop, paint->stop_count, opacity);
    p->ramps[ramp + size] = 0; /* of a cone */
    p->ramp_count += size + 1;
    p->known_ramps[p->known_ramp_count] = wanted;
    p->known_ramps[p->known_ramp_count++].ramp = ramp;
    return ramp;
}

/* Two entries to a pixel of the gradient's length, so that a hard stop is off by a quarter of one.
 */
static uint32_t ramp_size(const raster_gradient *g)
{
    const double u = (double)g->m[0] * g->m[0] + (double)g->m[2] * g->m[2];
    const double v = (double)g->m[1] * g->m[1] + (double)g->m[3] * g->m[3];
    const double least = g->kind != RASTER_LINEAR && v < u ? v : u;
    uint32_t size = 64;

    /* 1 / sqrt(least) pixels from t = 0 to 1. */
    while (size < RASTER_RAMP_MAX && (double)size * size * least < 4.0) {
        size *= 2;
    }
    return size;
}

static bool linear(raster_gradient *g, const matrix *inverse, const float geometry[6])
{
    const double dx = (double)geometry[2] - geometry[0];
    const double dy = (double)geometry[3] - geometry[1];
    const double length = dx * dx + dy * dy;

    if (!(length > 1e-12)) {
        return false;
    }
    const double ux = dx / length;
    const double uy = dy / length;
    g->kind = RASTER_LINEAR;
    g->m[0] = (float)(ux * inverse->a + uy * inverse->b);
    g->m[2] = (float)(ux * inverse->c + uy * inverse->d);
    g->m[4] = (float)(ux * (inverse->e - geometry[0]) + uy * (inverse->f - geometry[1]));
    return true;
}

static bool radial(raster_gradient *g, const matrix *inverse, const float geometry[6])
{
    const double r = geometry[2];
    const double start = r > 0.0 && geometry[5] > 0.0f ? geometry[5] / r : 0.0;

    if (!(r > 1e-6) || start >= FOCAL_MAX) {
        return false;
    }
    /* The focal point seen from the middle, in radii. */
    double fx = (geometry[3] - (double)geometry[0]) / r;
    double fy = (geometry[4] - (double)geometry[1]) / r;
    const double distance = sqrt(fx * fx + fy * fy);
    const double touching = 1.0 - start;
    const bool cone = distance >= CONE_BEGIN * touching;
    const double nearest = (cone ? CONE_MIN : FOCAL_MAX) * touching;
    if (cone ? distance < nearest : distance > nearest) {
        fx *= nearest / distance;
        fy *= nearest / distance;
    }
    const bool focal = distance > 1e-4 || start > 0.0;
    if (!focal) {
        fx = fy = 0.0;
    }
    const double x = geometry[0] + fx * r;
    const double y = geometry[1] + fy * r;
    const double delta = 1.0 - start;
    const double a = fx * fx + fy * fy - delta * delta;
    g->kind = cone ? RASTER_CONE : (focal ? RASTER_FOCAL : RASTER_RADIAL);
    g->m[0] = (float)(inverse->a / r);
    g->m[1] = (float)(inverse->b / r);
    g->m[2] = (float)(inverse->c / r);
    g->m[3] = (float)(inverse->d / r);
    g->m[4] = (float)((inverse->e - x) / r);
    g->m[5] = (float)((inverse->f - y) / r);
    g->focal[0] = (float)-fx;
    g->focal[1] = (float)-fy;
    g->focal[2] = (float)start;
    g->focal[3] = (float)delta;
    g->focal[4] = (float)(1.0 / a);
    g->focal[5] = (float)a;
    return true;
}

bool plan_paint(plan *p, const scene *s, const scene_paint *paint, const scene_matrix *to_device,
                float opacity, raster_command *out)
{
    raster_gradient g = {.spread = paint->spread};
    matrix inverse;

    out->edges = RASTER_NONE;
    if (paint->kind == SCENE_SOLID) {
        return paint_colour(paint->colour, opacity, out);
    }
    if (!invert(to_device, &paint->matrix, &inverse)) {
        return false;
    }
    if (!(paint->kind == SCENE_LINEAR ? linear(&g, &inverse, paint->geometry)
                                      : radial(&g, &inverse, paint->geometry))) {
        const scene_stop *last = &s->stops[paint->first_stop + paint->stop_count - 1];
        return paint_colour(last->colour, opacity, out);
    }
    g.ramp_size = ramp_size(&g);
    g.ramp = ramp_of(p, s, paint, g.ramp_size, opacity);
    if (!plan_grow(p, (void **)&p->gradients, &p->gradient_capacity,
                   (uint64_t)p->gradient_count + 1, sizeof(*p->gradients))) {
        return false;
    }
    uint32_t opaque = opacity >= 1.0f && g.kind != RASTER_CONE;
    for (uint32_t i = 0; i < paint->stop_count; i++) {
        opaque &= s->stops[paint->first_stop + i].colour >> 24 == 255;
    }
    out->op = RASTER_GRADIENT;
    out->opaque = (uint8_t)opaque;
    out->value = p->gradient_count;
    p->gradients[p->gradient_count++] = g;
    return true;
}
