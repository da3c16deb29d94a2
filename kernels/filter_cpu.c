/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU's loops around filter_math.h.
 *
 * Loops of points are made once for each op and colour space, so that the compiler folds both away.
 * Blurs along rows keep a running sum of four channels; blurs along columns keep running sums of a
 * stripe of STRIPE values side by side, which vectorises.  Nothing is shared between calls.
 */
#include "kernels/filter.h"

#include <string.h>

#include "kernels/filter_math.h"

/* Values of a plane (four to a pixel) whose columns are summed at once. */
#define STRIPE 64u

#define ALWAYS_INLINE __attribute__((always_inline)) inline

_Static_assert((-1 >> 1) == -1, "filter_math.h shifts negative numbers");

/* Where one pass of one run reads and writes. */
typedef struct filter_view {
    uint32_t width, height;
    const uint32_t *input, *other;
    uint32_t *output;
    const uint16_t *input_plane;
    uint16_t *output_plane;
} filter_view;

static const uint16_t zeros[STRIPE];

size_t filter_scratch_bytes(const filter_program *program)
{
    return filter_plane_offset(program->plane_count, program->slot_count,
                               (size_t)program->width * program->height);
}

static void *slot_of(const filter_program *program, uint32_t slot, void *pixels, void *scratch)
{
    const size_t count = (size_t)program->width * program->height;
    return slot == 0 ? pixels : (uint8_t *)scratch + filter_slot_offset(slot, count);
}

static void *plane_of(const filter_program *program, uint32_t plane, void *scratch)
{
    const size_t count = (size_t)program->width * program->height;
    return (uint8_t *)scratch + filter_plane_offset(plane, program->slot_count, count);
}

/* ---- points ---------------------------------------------------------------------------------- */

/* One pixel of a pass over surfaces; `op` and `linear` are the pass's, as constants. */
static ALWAYS_INLINE uint32_t point(const filter_pass *pass, const filter_view *view, size_t at,
                                    const uint32_t constants[2])
{
    const uint32_t op = constants[0], linear = constants[1];
    if (op == FILTER_FLOOD) {
        return pass->colour;
    }
    const uint32_t input = view->input[at] & pass->input_mask;
    if (op == FILTER_COPY) {
        return input;
    }
    if (op == FILTER_MATRIX) {
        return filter_matrix(pass->coefs, input, linear);
    }
    return filter_mix(pass, op, linear, input, view->other[at] & pass->other_mask);
}

static ALWAYS_INLINE void points(const filter_pass *pass, const filter_view *view, uint32_t op,
                                 uint32_t linear)
{
    const uint32_t constants[2] = {op, linear};
    for (int32_t y = pass->box[1]; y < pass->box[3]; y++) {
        const size_t row = (size_t)y * view->width;
        for (int32_t x = pass->box[0]; x < pass->box[2]; x++) {
            view->output[row + (size_t)x] = point(pass, view, row + (size_t)x, constants);
        }
    }
}

/* What lies outside of a pass's box is transparent. */
static void clear_outside(const filter_pass *pass, const filter_view *view)
{
    const int32_t *box = pass->box;
    for (uint32_t y = 0; y < view->height; y++) {
        uint32_t *row = view->output + (size_t)y * view->width;
        if ((int32_t)y < box[1] || (int32_t)y >= box[3] || box[2] <= box[0]) {
            memset(row, 0, (size_t)view->width * 4);
        } else {
            memset(row, 0, (size_t)box[0] * 4);
            memset(row + box[2], 0, (view->width - (size_t)box[2]) * 4);
        }
    }
}

static void offset(const filter_pass *pass, const filter_view *view)
{
    for (int32_t y = pass->box[1]; y < pass->box[3]; y++) {
        const int64_t from_y = (int64_t)y - pass->shift_y;
        for (int32_t x = pass->box[0]; x < pass->box[2]; x++) {
            const int64_t from_x = (int64_t)x - pass->shift_x;
            const int inside =
                from_x >= 0 && from_x < view->width && from_y >= 0 && from_y < view->height;
            view->output[(size_t)y * view->width + (size_t)x] =
                inside
                    ? view->input[(size_t)from_y * view->width + (size_t)from_x] & pass->input_mask
                    : 0u;
        }
    }
}

static ALWAYS_INLINE void points_of(const filter_pass *pass, const filter_view *view,
                                    uint32_t linear)
{
    switch (pass->op) {
    case FILTER_COPY:
        points(pass, view, FILTER_COPY, linear);
        break;
    case FILTER_FLOOD:
        points(pass, view, FILTER_FLOOD, linear);
        break;
    case FILTER_MATRIX:
        points(pass, view, FILTER_MATRIX, linear);
        break;
    case FILTER_OVER:
        points(pass, view, FILTER_OVER, linear);
        break;
    case FILTER_IN:
        points(pass, view, FILTER_IN, linear);
        break;
    case FILTER_OUT:
        points(pass, view, FILTER_OUT, linear);
        break;
    case FILTER_ATOP:
        points(pass, view, FILTER_ATOP, linear);
        break;
    case FILTER_XOR:
        points(pass, view, FILTER_XOR, linear);
        break;
    case FILTER_ARITHMETIC:
        points(pass, view, FILTER_ARITHMETIC, linear);
        break;
    default:
        points(pass, view, FILTER_BLEND, linear);
        break;
    }
}

static void points_in(const filter_pass *pass, const filter_view *view, uint32_t linear)
{
    if (linear != 0) {
        points_of(pass, view, 1);
    } else {
        points_of(pass, view, 0);
    }
}

/* ---- blurs ----------------------------------------------------------------------------------- */

static void spread(const filter_pass *pass, const filter_view *view)
{
    const size_t count = (size_t)view->width * view->height;
    for (size_t i = 0; i < count; i++) {
        const filter_colour light = filter_spread(view->input[i] & pass->input_mask, pass->linear);
        for (size_t c = 0; c < 4; c++) {
            view->output_plane[4 * i + c] = (uint16_t)light.c[c];
        }
    }
}

static void gather(const filter_pass *pass, const filter_view *view)
{
    for (int32_t y = pass->box[1]; y < pass->box[3]; y++) {
        for (int32_t x = pass->box[0]; x < pass->box[2]; x++) {
            const size_t at = (size_t)y * view->width + (size_t)x;
            const uint16_t *light = view->input_plane + 4 * at;
            const filter_colour colour = {{light[0], light[1], light[2], light[3]}};
            view->output[at] = filter_gather(colour, pass->linear);
        }
    }
}

/* The four values of a row at x, which may lie outside of it. */
static const uint16_t *row_at(const uint16_t *row, int64_t x, uint32_t width)
{
    return x >= 0 && x < width ? row + 4 * x : zeros;
}

static void box_row(const filter_line *line, const uint16_t *DP_RESTRICT from,
                    uint16_t *DP_RESTRICT to, uint32_t width)
{
    const int64_t radius = line->radius;
    uint32_t sums[4] = {0};

    for (int64_t x = 0; x <= radius && x < width; x++) {
        for (size_t c = 0; c < 4; c++) {
            sums[c] += from[4 * x + (int64_t)c];
        }
    }
    for (int64_t x = 0; x < width; x++) {
        const uint16_t *before = row_at(from, x - radius - 1, width);
        const uint16_t *after = row_at(from, x + radius + 1, width);
        const uint16_t *leaves = row_at(from, x - radius, width);
        for (size_t c = 0; c < 4; c++) {
            const uint32_t edges = (uint32_t)before[c] + after[c];
            to[4 * x + (int64_t)c] =
                (uint16_t)filter_box_mean(sums[c], edges, line->inner, line->edge);
            sums[c] += (uint32_t)after[c] - leaves[c];
        }
    }
}

static void kernel_row(const filter_line *line, const uint16_t *DP_RESTRICT from,
                       uint16_t *DP_RESTRICT to, uint32_t width)
{
    for (int64_t x = 0; x < width; x++) {
        uint32_t sums[4];
        for (size_t c = 0; c < 4; c++) {
            sums[c] = from[4 * x + (int64_t)c] * line->weights[0];
        }
        for (int64_t i = 1; i < line->taps; i++) {
            const uint16_t *before = row_at(from, x - i, width);
            const uint16_t *after = row_at(from, x + i, width);
            for (size_t c = 0; c < 4; c++) {
                sums[c] += ((uint32_t)before[c] + after[c]) * line->weights[i];
            }
        }
        for (size_t c = 0; c < 4; c++) {
            to[4 * x + (int64_t)c] = (uint16_t)filter_kernel_mean(sums[c]);
        }
    }
}

static void rows(const filter_pass *pass, const filter_view *view)
{
    for (size_t y = 0; y < view->height; y++) {
        const size_t at = y * view->width * 4;
        if (pass->line.taps == 0) {
            box_row(&pass->line, view->input_plane + at, view->output_plane + at, view->width);
        } else {
            kernel_row(&pass->line, view->input_plane + at, view->output_plane + at, view->width);
        }
    }
}

/* A stripe of `count` <= STRIPE values of a row, which may lie above or below the plane. */
static const uint16_t *stripe_at(const filter_view *view, size_t first, int64_t y)
{
    return y >= 0 && y < view->height ? view->input_plane + (size_t)y * view->width * 4 + first
                                      : zeros;
}

static void box_values(const filter_line *line, const uint16_t *const rows_at[3],
                       uint32_t *DP_RESTRICT sums, uint16_t *DP_RESTRICT to, size_t count)
{
    const uint16_t *DP_RESTRICT before = rows_at[0];
    const uint16_t *DP_RESTRICT leaves = rows_at[1];
    const uint16_t *DP_RESTRICT after = rows_at[2];
    const uint32_t inner = line->inner, edge = line->edge;

    for (size_t i = 0; i < count; i++) {
        const uint32_t edges = (uint32_t)before[i] + after[i];
        to[i] = (uint16_t)filter_box_mean(sums[i], edges, inner, edge);
        sums[i] += (uint32_t)after[i] - leaves[i];
    }
}

static void box_stripe(const filter_line *line, const filter_view *view, size_t first, size_t count)
{
    const int64_t radius = line->radius;
    uint32_t sums[STRIPE] = {0};

    for (int64_t y = 0; y <= radius && y < view->height; y++) {
        const uint16_t *from = stripe_at(view, first, y);
        for (size_t i = 0; i < count; i++) {
            sums[i] += from[i];
        }
    }
    for (int64_t y = 0; y < view->height; y++) {
        const uint16_t *const rows_at[3] = {stripe_at(view, first, y - radius - 1),
                                            stripe_at(view, first, y - radius),
                                            stripe_at(view, first, y + radius + 1)};
        box_values(line, rows_at, sums, view->output_plane + (size_t)y * view->width * 4 + first,
                   count);
    }
}

static void kernel_stripe(const filter_line *line, const filter_view *view, size_t first,
                          size_t count)
{
    for (int64_t y = 0; y < view->height; y++) {
        uint16_t *to = view->output_plane + (size_t)y * view->width * 4 + first;
        const uint16_t *middle = stripe_at(view, first, y);
        uint32_t sums[STRIPE];
        for (size_t i = 0; i < count; i++) {
            sums[i] = middle[i] * line->weights[0];
        }
        for (int64_t t = 1; t < line->taps; t++) {
            const uint16_t *before = stripe_at(view, first, y - t);
            const uint16_t *after = stripe_at(view, first, y + t);
            const uint32_t weight = line->weights[t];
            for (size_t i = 0; i < count; i++) {
                sums[i] += ((uint32_t)before[i] + after[i]) * weight;
            }
        }
        for (size_t i = 0; i < count; i++) {
            to[i] = (uint16_t)filter_kernel_mean(sums[i]);
        }
    }
}

static void columns(const filter_pass *pass, const filter_view *view)
{
    const size_t values = (size_t)view->width * 4;
    for (size_t first = 0; first < values; first += STRIPE) {
        const size_t count = values - first < STRIPE ? values - first : STRIPE;
        if (pass->line.taps == 0) {
            box_stripe(&pass->line, view, first, count);
        } else {
            kernel_stripe(&pass->line, view, first, count);
        }
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

static void view_of(const filter_program *program, const filter_pass *pass, void *pixels,
                    void *scratch, filter_view *out)
{
    const int from_plane = pass->op >= FILTER_ROWS;
    const int to_plane = pass->op >= FILTER_SPREAD && pass->op <= FILTER_COLUMNS;

    memset(out, 0, sizeof *out);
    out->width = program->width;
    out->height = program->height;
    if (from_plane) {
        out->input_plane = plane_of(program, pass->input, scratch);
    } else {
        out->input = slot_of(program, pass->input, pixels, scratch);
    }
    if (to_plane) {
        out->output_plane = plane_of(program, pass->output, scratch);
    } else {
        out->output = slot_of(program, pass->output, pixels, scratch);
    }
    if (filter_op_mixes(pass->op)) {
        out->other = slot_of(program, pass->other, pixels, scratch);
    }
}

void filter_pass_cpu(const filter_program *program, uint32_t index, uint8_t *pixels, void *scratch)
{
    const filter_pass *pass = &program->passes[index];
    filter_view view;

    view_of(program, pass, pixels, scratch, &view);
    switch (pass->op) {
    case FILTER_SPREAD:
        spread(pass, &view);
        return;
    case FILTER_ROWS:
        rows(pass, &view);
        return;
    case FILTER_COLUMNS:
        columns(pass, &view);
        return;
    case FILTER_GATHER:
        gather(pass, &view);
        break;
    case FILTER_OFFSET:
        offset(pass, &view);
        break;
    default:
        points_in(pass, &view, pass->linear);
        break;
    }
    clear_outside(pass, &view);
}
