/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See shrink.h.  Columns are summed first, because that loop runs along both rows and is
 * vectorised; each block's columns are added up when its last row has come.
 */
#include "kernels/shrink.h"

#include <math.h>
#include <string.h>

#include "kernels/dp_kernel.h"

uint32_t shrink_factor(uint32_t source, uint32_t wanted)
{
    const uint64_t factor = source / (2 * (uint64_t)wanted);
    if (factor < 1) {
        return 1;
    }
    return factor < SHRINK_FACTOR_MAX ? (uint32_t)factor : SHRINK_FACTOR_MAX;
}

size_t shrink_scratch_bytes(uint32_t width)
{
    return (size_t)width * 4 * sizeof(uint32_t);
}

static uint8_t root_of(float mean_square)
{
    return (uint8_t)(sqrtf(mean_square) + 0.5f);
}

/* The block of `count` columns of three sums each, over `rows` rows. */
static void finish_rgb(const uint32_t *sums, uint32_t count, uint32_t rows, uint8_t out[4])
{
    uint32_t total[3] = {0, 0, 0};
    for (uint32_t x = 0; x < count; x++) {
        for (int c = 0; c < 3; c++) {
            total[c] += sums[3 * x + (uint32_t)c];
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = root_of((float)total[c] / (float)(count * rows));
    }
    out[3] = 255;
}

static void finish_rgba(const uint32_t *sums, uint32_t count, uint32_t rows, uint8_t out[4])
{
    uint32_t total[4] = {0, 0, 0, 0};
    for (uint32_t x = 0; x < count; x++) {
        for (int c = 0; c < 4; c++) {
            total[c] += sums[4 * x + (uint32_t)c];
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = total[3] == 0 ? 0 : root_of((float)total[c] / (float)total[3]);
    }
    out[3] = (uint8_t)((float)total[3] / (float)(count * rows) + 0.5f);
}

/* After a row was added: writes a row of the target when its blocks are complete. */
static void row_was_added(shrink *s, uint32_t channels)
{
    s->rows_done++;
    const uint32_t rows =
        s->rows_done % s->factor_y == 0 ? s->factor_y : s->rows_done % s->factor_y;
    if (rows < s->factor_y && s->rows_done < s->height) {
        return;
    }
    const uint32_t width = shrink_side(s->width, s->factor_x);
    uint8_t *out = s->target + (size_t)((s->rows_done - 1) / s->factor_y) * width * 4;
    for (uint32_t x = 0; x < width; x++) {
        const uint32_t first = x * s->factor_x;
        const uint32_t left = s->width - first;
        const uint32_t count = left < s->factor_x ? left : s->factor_x;
        if (channels == 3) {
            finish_rgb(s->sums + (size_t)3 * first, count, rows, out + 4 * (size_t)x);
        } else {
            finish_rgba(s->sums + (size_t)4 * first, count, rows, out + 4 * (size_t)x);
        }
    }
}

static void begin_row(shrink *s)
{
    if (s->rows_done % s->factor_y == 0) {
        memset(s->sums, 0, shrink_scratch_bytes(s->width));
    }
}

static void add_squares(uint32_t *DP_RESTRICT sums, const uint8_t *DP_RESTRICT row, size_t values)
{
    for (size_t i = 0; i < values; i++) {
        const uint16_t value = row[i];
        sums[i] += (uint16_t)(value * value);
    }
}

static void add_covered(uint32_t *DP_RESTRICT sums, const uint8_t *DP_RESTRICT row, size_t pixels)
{
    for (size_t x = 0; x < pixels; x++) {
        const uint32_t red = row[4 * x], green = row[4 * x + 1], blue = row[4 * x + 2];
        const uint32_t alpha = row[4 * x + 3];
        sums[4 * x] += red * red * alpha;
        sums[4 * x + 1] += green * green * alpha;
        sums[4 * x + 2] += blue * blue * alpha;
        sums[4 * x + 3] += alpha;
    }
}

void shrink_rgb(shrink *s, const uint8_t *row)
{
    begin_row(s);
    add_squares(s->sums, row, (size_t)s->width * 3);
    row_was_added(s, 3);
}

void shrink_rgba(shrink *s, const uint8_t *row)
{
    begin_row(s);
    add_covered(s->sums, row, s->width);
    row_was_added(s, 4);
}

static void add_row(uint16_t *DP_RESTRICT sums, const uint8_t *DP_RESTRICT row, size_t values)
{
    for (size_t i = 0; i < values; i++) {
        sums[i] = (uint16_t)(sums[i] + row[i]);
    }
}

/* SHRINK_FACTOR_MAX rows of 255 fit 16 bits. */
void shrink_plane(const shrink_plane_args *args, void *scratch)
{
    const uint32_t width = shrink_side(args->width, args->factor_x);
    uint16_t *sums = scratch;
    uint8_t *out = args->target;

    for (uint32_t top = 0; top < args->height; top += args->factor_y, out += width) {
        const uint32_t below = args->height - top;
        const uint32_t rows = below < args->factor_y ? below : args->factor_y;
        memset(sums, 0, args->width * sizeof *sums);
        for (uint32_t y = top; y < top + rows; y++) {
            add_row(sums, args->source + y * args->stride_bytes, args->width);
        }
        for (uint32_t x = 0; x < width; x++) {
            const uint32_t first = x * args->factor_x, left = args->width - first;
            const uint32_t count = left < args->factor_x ? left : args->factor_x;
            uint32_t total = 0;
            for (uint32_t i = 0; i < count; i++) {
                total += sums[first + i];
            }
            out[x] = (uint8_t)((total + count * rows / 2) / (count * rows));
        }
    }
}
