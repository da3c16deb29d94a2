/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's loops over a tile's pixels.
 *
 * 16-bit intermediate values are written out where the compiler has to see that they suffice: it
 * then works on twice as many pixels at once.  The functions of raster_math.h give the same values;
 * tests/test_raster.c compares them.
 */
#include "kernels/raster_math.h"
#include "kernels/raster_tile.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* composite_div255() in 16 bits: value <= 65280. */
static inline uint16_t div255(uint16_t value)
{
    const uint16_t t = (uint16_t)(value + 128u);

    return (uint16_t)((uint16_t)(t + (t >> 8)) >> 8);
}

RASTER_VECTOR
void raster_multiply(uint8_t *DP_RESTRICT a, const uint8_t *DP_RESTRICT b, raster_span rows)
{
    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        a[i] = (uint8_t)div255((uint16_t)(a[i] * b[i]));
    }
}

RASTER_VECTOR
void raster_scale(uint8_t *a, uint32_t k, raster_span rows)
{
    const uint16_t factor = (uint16_t)k;

    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        a[i] = (uint8_t)div255((uint16_t)(a[i] * factor));
    }
}

RASTER_VECTOR
void raster_unite(uint8_t *DP_RESTRICT a, const uint8_t *DP_RESTRICT b, raster_span rows)
{
    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        a[i] = (uint8_t)(a[i] + div255((uint16_t)(b[i] * (255 - a[i]))));
    }
}

/* One loop over all pixels, and not one for each row: rows of 16 would be unrolled to pieces. */
RASTER_VECTOR
static void paint_covered(raster_pixels *pixels, uint32_t colour,
                          const uint8_t *DP_RESTRICT coverage, raster_span rows)
{
    const uint16_t source[4] = {(uint16_t)(colour & 255u), (uint16_t)((colour >> 8) & 255u),
                                (uint16_t)((colour >> 16) & 255u), (uint16_t)(colour >> 24)};
    uint8_t *DP_RESTRICT r = pixels->channels[0];
    uint8_t *DP_RESTRICT g = pixels->channels[1];
    uint8_t *DP_RESTRICT b = pixels->channels[2];
    uint8_t *DP_RESTRICT a = pixels->channels[3];

    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        const uint16_t cover = coverage[i];
        const uint16_t rest = (uint16_t)(255 - div255((uint16_t)(source[3] * cover)));
        r[i] = (uint8_t)div255((uint16_t)(source[0] * cover + r[i] * rest));
        g[i] = (uint8_t)div255((uint16_t)(source[1] * cover + g[i] * rest));
        b[i] = (uint8_t)div255((uint16_t)(source[2] * cover + b[i] * rest));
        a[i] = (uint8_t)div255((uint16_t)(source[3] * cover + a[i] * rest));
    }
}

/* The same for an alpha of 255: div255() of 255 times a byte is the byte. */
RASTER_VECTOR
static void paint_opaque(raster_pixels *pixels, uint32_t colour,
                         const uint8_t *DP_RESTRICT coverage, raster_span rows)
{
    const uint16_t source[3] = {(uint16_t)(colour & 255u), (uint16_t)((colour >> 8) & 255u),
                                (uint16_t)((colour >> 16) & 255u)};
    uint8_t *DP_RESTRICT r = pixels->channels[0];
    uint8_t *DP_RESTRICT g = pixels->channels[1];
    uint8_t *DP_RESTRICT b = pixels->channels[2];
    uint8_t *DP_RESTRICT a = pixels->channels[3];

    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        const uint16_t cover = coverage[i];
        const uint16_t rest = (uint16_t)(255 - cover);
        r[i] = (uint8_t)div255((uint16_t)(source[0] * cover + r[i] * rest));
        g[i] = (uint8_t)div255((uint16_t)(source[1] * cover + g[i] * rest));
        b[i] = (uint8_t)div255((uint16_t)(source[2] * cover + b[i] * rest));
        a[i] = (uint8_t)(cover + div255((uint16_t)(a[i] * rest)));
    }
}

RASTER_VECTOR
static void paint_whole(uint8_t *channel, uint16_t source, uint16_t rest)
{
    for (uint32_t i = 0; i < RASTER_TILE_PIXELS; i++) {
        channel[i] = (uint8_t)div255((uint16_t)(source * 255u + channel[i] * rest));
    }
}

void raster_paint(raster_pixels *pixels, uint32_t colour, const uint8_t *coverage, raster_span rows)
{
    const uint32_t alpha = colour >> 24;

    if (coverage != NULL && alpha == 255) {
        paint_opaque(pixels, colour, coverage, rows);
        return;
    }
    if (coverage != NULL) {
        paint_covered(pixels, colour, coverage, rows);
        return;
    }
    for (uint32_t c = 0; c < 4; c++) {
        const uint32_t source = (colour >> (8 * c)) & 255u;
        if (alpha == 255) {
            memset(pixels->channels[c], (int)source, RASTER_TILE_PIXELS);
        } else {
            paint_whole(pixels->channels[c], (uint16_t)source, (uint16_t)(255 - alpha));
        }
    }
}

RASTER_VECTOR
static void paint_from_covered(raster_pixels *DP_RESTRICT pixels,
                               const raster_pixels *DP_RESTRICT source,
                               const uint8_t *DP_RESTRICT coverage, raster_span rows)
{
    uint8_t *DP_RESTRICT r = pixels->channels[0];
    uint8_t *DP_RESTRICT g = pixels->channels[1];
    uint8_t *DP_RESTRICT b = pixels->channels[2];
    uint8_t *DP_RESTRICT a = pixels->channels[3];

    for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
        const uint16_t cover = coverage[i];
        const uint16_t alpha = source->channels[3][i];
        const uint16_t rest = (uint16_t)(255 - div255((uint16_t)(alpha * cover)));
        r[i] = (uint8_t)div255((uint16_t)(source->channels[0][i] * cover + r[i] * rest));
        g[i] = (uint8_t)div255((uint16_t)(source->channels[1][i] * cover + g[i] * rest));
        b[i] = (uint8_t)div255((uint16_t)(source->channels[2][i] * cover + b[i] * rest));
        a[i] = (uint8_t)div255((uint16_t)(alpha * cover + a[i] * rest));
    }
}

RASTER_VECTOR
static void paint_from_whole(raster_pixels *DP_RESTRICT pixels,
                             const raster_pixels *DP_RESTRICT source)
{
    const uint8_t *alphas = source->channels[3];

    for (uint32_t c = 0; c < 4; c++) {
        uint8_t *channel = pixels->channels[c];
        const uint8_t *from = source->channels[c];
        for (uint32_t i = 0; i < RASTER_TILE_PIXELS; i++) {
            channel[i] =
                (uint8_t)div255((uint16_t)(from[i] * 255 + channel[i] * (255 - alphas[i])));
        }
    }
}

void raster_paint_from(raster_pixels *pixels, const raster_pixels *source, const uint8_t *coverage,
                       raster_span rows)
{
    if (coverage != NULL) {
        paint_from_covered(pixels, source, coverage, rows);
    } else {
        paint_from_whole(pixels, source);
    }
}

void raster_blend_from(raster_pixels *pixels, const raster_pixels *source, const uint8_t *coverage,
                       uint32_t mode)
{
    for (uint32_t i = 0; i < RASTER_TILE_PIXELS; i++) {
        const uint32_t cover = coverage != NULL ? coverage[i] : 255u;
        const uint32_t alpha = composite_div255(source->channels[3][i] * cover);
        const uint32_t below = pixels->channels[3][i];
        for (uint32_t c = 0; c < 3; c++) {
            const uint32_t s = composite_div255(source->channels[c][i] * cover);
            pixels->channels[c][i] =
                (uint8_t)blend_channel(mode, s, alpha, pixels->channels[c][i], below);
        }
        pixels->channels[3][i] = (uint8_t)blend_alpha((int32_t)alpha, (int32_t)below, 255);
    }
}

/* A row's indices.  Kind and spread are constants at each call: the loop would not be one of
 * vectors with branches in it. */
RASTER_INLINE void shade_loop(int32_t *DP_RESTRICT indices, raster_gradient g,
                              const raster_gradient_kind kind, const raster_spread spread,
                              const int32_t at[2])
{
    const int32_t x = at[0];
    const int32_t y = at[1];

    g.kind = kind;
    g.spread = spread;
    for (int32_t i = 0; i < RASTER_TILE; i++) {
        indices[i] = raster_gradient_index(&g, x + i, y);
    }
}

RASTER_INLINE void shade_spread(int32_t *indices, const raster_gradient *g,
                                const raster_gradient_kind kind, const int32_t at[2])
{
    if (g->spread == RASTER_PAD) {
        shade_loop(indices, *g, kind, RASTER_PAD, at);
    } else if (g->spread == RASTER_REFLECT) {
        shade_loop(indices, *g, kind, RASTER_REFLECT, at);
    } else {
        shade_loop(indices, *g, kind, RASTER_REPEAT, at);
    }
}

RASTER_VECTOR
static void shade_row(int32_t *indices, const raster_gradient *g, int32_t x, int32_t y)
{
    const int32_t at[2] = {x, y};

    if (g->kind == RASTER_LINEAR) {
        shade_spread(indices, g, RASTER_LINEAR, at);
    } else if (g->kind == RASTER_RADIAL) {
        shade_spread(indices, g, RASTER_RADIAL, at);
    } else if (g->kind == RASTER_FOCAL) {
        shade_spread(indices, g, RASTER_FOCAL, at);
    } else {
        shade_spread(indices, g, RASTER_CONE, at);
    }
}

/* Pixels to channels. */
RASTER_VECTOR
static void split(raster_pixels *DP_RESTRICT out, const uint32_t *DP_RESTRICT packed,
                  raster_span rows)
{
    for (uint32_t c = 0; c < 4; c++) {
        uint8_t *DP_RESTRICT channel = out->channels[c];
        for (uint32_t i = rows.begin * RASTER_TILE; i < rows.end * RASTER_TILE; i++) {
            channel[i] = (uint8_t)(packed[i] >> (8 * c));
        }
    }
}

void raster_shade(raster_pixels *out, const raster_plan *plan, const raster_gradient *gradient,
                  const int32_t at[2], raster_span rows)
{
    const uint32_t *ramp = plan->ramps + gradient->ramp;
    uint32_t packed[RASTER_TILE_PIXELS];

    for (uint32_t row = rows.begin; row < rows.end; row++) {
        int32_t indices[RASTER_TILE];
        shade_row(indices, gradient, at[0], at[1] + (int32_t)row);
        for (uint32_t i = 0; i < RASTER_TILE; i++) {
            packed[row * RASTER_TILE + i] = ramp[indices[i]];
        }
    }
    split(out, packed, rows);
}

RASTER_VECTOR
void raster_mask(uint8_t *coverage, const raster_pixels *picture, uint32_t by_alpha)
{
    if (by_alpha != 0) {
        memcpy(coverage, picture->channels[3], RASTER_TILE_PIXELS);
        return;
    }
    for (uint32_t i = 0; i < RASTER_TILE_PIXELS; i++) {
        coverage[i] = (uint8_t)raster_luminance(picture->channels[0][i], picture->channels[1][i],
                                                picture->channels[2][i]);
    }
}

void raster_fetch(raster_pixels *out, const raster_layer *layer, int32_t x, int32_t y)
{
    memset(out, 0, sizeof(*out));
    for (int32_t row = 0; row < RASTER_TILE; row++) {
        const int32_t from_y = y + row - layer->y;
        if (from_y < 0 || from_y >= (int32_t)layer->height) {
            continue;
        }
        const uint8_t *line = layer->pixels + (size_t)from_y * layer->width * 4;
        for (int32_t column = 0; column < RASTER_TILE; column++) {
            const int32_t from_x = x + column - layer->x;
            if (from_x < 0 || from_x >= (int32_t)layer->width) {
                continue;
            }
            for (uint32_t c = 0; c < 4; c++) {
                out->channels[c][row * RASTER_TILE + column] = line[4 * from_x + (int32_t)c];
            }
        }
    }
}

/* One row of a tile, r, g, b, a byte by byte. */
static inline void store_row(const raster_pixels *pixels, uint32_t row, uint8_t *to)
{
#if defined(__SSE2__)
    __m128i channels[4];

    for (uint32_t c = 0; c < 4; c++) {
        channels[c] = _mm_loadu_si128(
            (const __m128i *)(const void *)(pixels->channels[c] + row * RASTER_TILE));
    }
    const __m128i rg[2] = {_mm_unpacklo_epi8(channels[0], channels[1]),
                           _mm_unpackhi_epi8(channels[0], channels[1])};
    const __m128i ba[2] = {_mm_unpacklo_epi8(channels[2], channels[3]),
                           _mm_unpackhi_epi8(channels[2], channels[3])};
    for (uint32_t half = 0; half < 2; half++) {
        __m128i *at = (__m128i *)(void *)(to + half * (2 * RASTER_TILE));
        _mm_storeu_si128(at, _mm_unpacklo_epi16(rg[half], ba[half]));
        _mm_storeu_si128(at + 1, _mm_unpackhi_epi16(rg[half], ba[half]));
    }
#else
    for (uint32_t i = 0; i < RASTER_TILE; i++) {
        for (uint32_t c = 0; c < 4; c++) {
            to[4 * i + c] = pixels->channels[c][row * RASTER_TILE + i];
        }
    }
#endif
}

void raster_store(const raster_pixels *pixels, uint8_t *rgba, size_t stride_bytes,
                  const uint32_t size[2])
{
    for (uint32_t row = 0; row < size[1]; row++) {
        uint8_t *to = rgba + row * stride_bytes;
        if (size[0] == RASTER_TILE) {
            store_row(pixels, row, to);
        } else {
            uint8_t whole[4 * RASTER_TILE];
            store_row(pixels, row, whole);
            memcpy(to, whole, 4 * (size_t)size[0]);
        }
    }
}
