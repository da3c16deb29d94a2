/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's loop around resize_math.h, laid out so that a compiler vectorises it.
 *
 * One source row at a time is turned into four planes of light and filtered along the row; the
 * short results go to a ring of as many rows as a column window has.  A target row is a weighted
 * sum of ring rows, 64 values at a time in registers.  So the picture is read once and the working
 * set (one row, one ring) stays in the second-level cache.
 *
 *     scratch:  [4 planes of one source row][ring of window_max rows][one finished row][codes]
 *
 * `codes` is resize_code_of_linear() as a table, filled for each picture: 16 KiB, a microsecond.
 * Planes have `taps` zeros behind their end, because windows are rounded up to whole vectors.
 */
#include "kernels/resize.h"

#include <string.h>

#include "kernels/resize_math.h"

_Static_assert((-3 >> 1) == -2, "resize_narrow() needs an arithmetic shift");

#define TILE 64u

/* Ring rows summed in one pass: a tile's 32-bit sums then go through memory a quarter as often. */
#define ROWS_AT_ONCE 4

typedef struct resize_rows {
    const resize_args *args;
    int16_t *planes;      /* 4 x plane_values */
    size_t plane_values;  /* source width + taps */
    int16_t *ring;        /* ring_rows x row_values, planar */
    size_t row_values;    /* 4 x the padded target width */
    size_t column_values; /* the padded target width */
    int16_t *finished;    /* row_values */
    uint8_t *codes;       /* RESIZE_ONE + 1 */
    uint32_t ring_rows;
    uint32_t done; /* source rows filtered so far; row r is in ring slot r % ring_rows */
} resize_rows;

static size_t padded_columns(const resize_axis *x)
{
    return ((size_t)x->target + TILE - 1) / TILE * TILE;
}

size_t resize_cpu_scratch_bytes(const resize_axis *x, const resize_axis *y)
{
    const size_t planes = 4 * ((size_t)x->source + x->taps);
    const size_t rows = 4 * padded_columns(x) * ((size_t)y->window_max + 1);
    return (planes + rows) * sizeof(int16_t) + RESIZE_ONE + 1;
}

/* Fills the planes from one row of planes: the colours are made on the way, and are opaque. */
static void load_planes(const resize_rows *rows, uint32_t y)
{
    const resize_source *source = &rows->args->source;
    const uint32_t width = rows->args->x->source;
    const size_t chroma_row = (y >> source->chroma_shift_y) * source->chroma_stride_bytes;
    const uint8_t *DP_RESTRICT luma = source->pixels + y * source->stride_bytes;
    const uint8_t *DP_RESTRICT cb = source->chroma[0] + chroma_row;
    const uint8_t *DP_RESTRICT cr = source->chroma[1] + chroma_row;
    int16_t *DP_RESTRICT red = rows->planes;
    int16_t *DP_RESTRICT green = red + rows->plane_values;
    int16_t *DP_RESTRICT blue = green + rows->plane_values;

    for (size_t i = 0; i < width; i++) {
        const size_t x = source->left + i, c = x >> source->chroma_shift_x;
        red[i] = resize_linear_of_code[resize_red_of(luma[x], cr[c])];
        green[i] = resize_linear_of_code[resize_green_of(luma[x], cb[c], cr[c])];
        blue[i] = resize_linear_of_code[resize_blue_of(luma[x], cb[c])];
    }
}

/* Fills the planes from one row of bytes; true when the row has no transparency. */
static int load_rgba(const resize_rows *rows, const uint8_t *DP_RESTRICT source)
{
    const uint32_t width = rows->args->x->source;
    int16_t *DP_RESTRICT red = rows->planes;
    int16_t *DP_RESTRICT green = red + rows->plane_values;
    int16_t *DP_RESTRICT blue = green + rows->plane_values;
    int16_t *DP_RESTRICT alpha = blue + rows->plane_values;
    uint32_t all = 255;

    for (size_t x = 0; x < width; x++) {
        red[x] = resize_linear_of_code[source[4 * x]];
        green[x] = resize_linear_of_code[source[4 * x + 1]];
        blue[x] = resize_linear_of_code[source[4 * x + 2]];
        all &= source[4 * x + 3];
    }
    if (all == 255) {
        return 1;
    }
    for (size_t x = 0; x < width; x++) {
        const uint32_t a = source[4 * x + 3];
        red[x] = (int16_t)resize_premultiply(red[x], a);
        green[x] = (int16_t)resize_premultiply(green[x], a);
        blue[x] = (int16_t)resize_premultiply(blue[x], a);
        alpha[x] = (int16_t)resize_alpha_of_byte(a);
    }
    return 0;
}

static int load_row(const resize_rows *rows)
{
    const resize_source *source = &rows->args->source;
    const uint32_t y = source->top + rows->done;
    if (source->chroma[0] != NULL) {
        load_planes(rows, y);
        return 1;
    }
    return load_rgba(rows, source->pixels + y * source->stride_bytes + 4 * (size_t)source->left);
}

static void filter_plane(const resize_axis *axis, const int16_t *DP_RESTRICT plane,
                         int16_t *DP_RESTRICT out)
{
    const uint32_t taps = axis->taps & ~7u; /* says "multiple of 8" where the compiler sees it */

    for (uint32_t i = 0; i < axis->target; i++) {
        const int16_t *DP_RESTRICT input = plane + axis->firsts[i];
        const int16_t *DP_RESTRICT weights = axis->weights + (size_t)i * taps;
        int32_t sum = 0;
        for (uint32_t t = 0; t < taps; t++) {
            sum += (int32_t)input[t] * weights[t];
        }
        out[i] = (int16_t)resize_narrow(sum);
    }
}

static void filter_next_row(resize_rows *rows)
{
    const resize_args *args = rows->args;
    int16_t *out = rows->ring + rows->done % rows->ring_rows * rows->row_values;
    const int opaque = load_row(rows);
    const uint32_t filtered = opaque ? 3 : 4;

    for (uint32_t p = 0; p < filtered; p++) {
        filter_plane(args->x, rows->planes + p * rows->plane_values, out + p * rows->column_values);
    }
    if (opaque) {
        /* The weights sum to exactly 1, so this is what filtering a plane of ones would give. */
        for (uint32_t x = 0; x < args->x->target; x++) {
            out[3 * rows->column_values + x] = RESIZE_ONE;
        }
    }
    rows->done++;
}

/* The next ROWS_AT_ONCE ring rows; beyond the window any row does, its weight is zero. */
static void next_rows(const resize_rows *rows, size_t at, uint32_t *slot,
                      const int16_t *out[ROWS_AT_ONCE])
{
    for (uint32_t i = 0; i < ROWS_AT_ONCE; i++) {
        out[i] = rows->ring + *slot * rows->row_values + at;
        *slot = *slot + 1 == rows->ring_rows ? 0 : *slot + 1;
    }
}

/* Apart from its caller so that `restrict` tells the compiler that sums and rows never meet. */
static void add_rows(int32_t *DP_RESTRICT sums, const int16_t *const rows[ROWS_AT_ONCE],
                     const int16_t *weights)
{
    const int16_t *DP_RESTRICT a = rows[0];
    const int16_t *DP_RESTRICT b = rows[1];
    const int16_t *DP_RESTRICT c = rows[2];
    const int16_t *DP_RESTRICT d = rows[3];
    const int16_t wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];

    for (uint32_t i = 0; i < TILE; i++) {
        sums[i] +=
            ((int32_t)a[i] * wa + (int32_t)b[i] * wb) + ((int32_t)c[i] * wc + (int32_t)d[i] * wd);
    }
}

/* Sums the ring rows in the window of target row `row` into one tile of the finished row. */
static void sum_tile(const resize_rows *rows, size_t at, uint32_t row)
{
    const resize_axis *y = rows->args->y;
    const int16_t *weights = y->weights + (size_t)row * y->taps;
    uint32_t slot = (uint32_t)y->firsts[row] % rows->ring_rows;
    int16_t *out = rows->finished + at;
    int32_t sums[TILE] = {0};

    for (int32_t t = 0; t < y->counts[row]; t += ROWS_AT_ONCE) {
        const int16_t *input[ROWS_AT_ONCE];
        next_rows(rows, at, &slot, input);
        add_rows(sums, input, weights + t);
    }
    for (uint32_t i = 0; i < TILE; i++) {
        out[i] = (int16_t)resize_narrow(sums[i]);
    }
}

static void store_row(const resize_rows *rows, uint8_t *DP_RESTRICT out)
{
    const int16_t *red = rows->finished;
    const int16_t *green = red + rows->column_values;
    const int16_t *blue = green + rows->column_values;
    const int16_t *alpha = blue + rows->column_values;

    for (size_t x = 0; x < rows->args->x->target; x++) {
        const int32_t light[4] = {red[x], green[x], blue[x], alpha[x]};
        int32_t straight[4];
        resize_finish(light, straight);
        for (size_t c = 0; c < 3; c++) {
            out[4 * x + c] = rows->codes[straight[c]];
        }
        out[4 * x + 3] = (uint8_t)straight[3];
    }
}

static void fill_codes(uint8_t *codes)
{
    size_t from = 0;
    for (int code = 0; code < 256; code++) {
        const size_t end = code == 255 ? (size_t)RESIZE_ONE + 1 : (size_t)resize_code_ends[code];
        memset(codes + from, code, end - from);
        from = end;
    }
}

void resize_cpu(const resize_args *args, void *scratch)
{
    resize_rows rows = {.args = args,
                        .planes = scratch,
                        .plane_values = (size_t)args->x->source + args->x->taps,
                        .row_values = 4 * padded_columns(args->x),
                        .column_values = padded_columns(args->x),
                        .ring_rows = args->y->window_max};

    rows.ring = rows.planes + 4 * rows.plane_values;
    rows.finished = rows.ring + rows.ring_rows * rows.row_values;
    rows.codes = (uint8_t *)(rows.finished + rows.row_values);
    /* Zeroes what is padding and never written: it is multiplied by zero, but must be a number. */
    memset(scratch, 0, resize_cpu_scratch_bytes(args->x, args->y));
    fill_codes(rows.codes);
    for (uint32_t row = 0; row < args->y->target; row++) {
        const uint32_t end = (uint32_t)(args->y->firsts[row] + args->y->counts[row]);
        while (rows.done < end) {
            filter_next_row(&rows);
        }
        for (size_t at = 0; at < rows.row_values; at += TILE) {
            sum_tile(&rows, at, row);
        }
        store_row(&rows, args->target + (size_t)row * args->target_stride_bytes);
    }
}
