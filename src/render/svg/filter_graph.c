/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From parts to passes; see filter_graph.h.  A graph in the making lives on the stack of
 * filter_graph_make(); the last use of every part is found from the last part backwards, then parts
 * are written in order and take the lowest slot that is free.
 */
#include "render/svg/filter_graph.h"

#include <math.h>
#include <string.h>

#include "kernels/blend_math.h"
#include "kernels/composite_math.h"
#include "pool/os.h"

_Static_assert((int)BLEND_MODE_COUNT == (int)SCENE_BLEND_COUNT &&
                   (int)BLEND_SOFT_LIGHT == (int)SCENE_BLEND_SOFT_LIGHT &&
                   (int)BLEND_EXCLUSION == (int)SCENE_BLEND_EXCLUSION,
               "kernels and scenes number the blend modes alike");

#define PIXEL_MAX  536870912.0 /* 2^29 */
#define ALPHA_MASK UINT32_C(0xff000000)
#define NEVER      (-1)
#define FOR_EVER   INT32_MAX

/* A multiple of a pixel that floats may be off by before it counts. */
#define CLOSE (1.0 / 1024.0)

typedef struct graph {
    const scene_filter_part *parts;
    const scene_matrix *to_device;
    const filter_rect *at;
    filter_pass *passes;
    uint32_t pass_count;
    uint32_t slot_count, plane_count;
    int32_t source_last;                 /* the last part that reads the source */
    int32_t last[FILTER_PARTS_MAX];      /* that reads this part; NEVER: it is left out */
    uint32_t slots[FILTER_PARTS_MAX];    /* where a part's result is */
    uint8_t taken[FILTER_PARTS_MAX + 1]; /* by slot; slot 0 is the source's at first */
} graph;

/* ---- numbers --------------------------------------------------------------------------------- */

static double held(double value, double low, double high)
{
    /* Not a number becomes the lower bound. */
    return value > low ? (value < high ? value : high) : low;
}

filter_rect filter_pixels_of(const scene_box *box, const scene_matrix *m)
{
    const filter_rect empty = {0, 0, 0, 0};
    double low[2], high[2];

    if (!(box->x1 > box->x0) || !(box->y1 > box->y0)) {
        return empty;
    }
    for (int corner = 0; corner < 4; corner++) {
        const double x = (corner & 1) != 0 ? box->x1 : box->x0;
        const double y = (corner & 2) != 0 ? box->y1 : box->y0;
        const double to[2] = {m->a * x + m->c * y + m->e, m->b * x + m->d * y + m->f};
        for (int i = 0; i < 2; i++) {
            low[i] = corner == 0 ? to[i] : fmin(low[i], to[i]);
            high[i] = corner == 0 ? to[i] : fmax(high[i], to[i]);
        }
    }
    int32_t first[2], end[2];
    for (int i = 0; i < 2; i++) {
        const double begin = floor(held(low[i] + CLOSE, -PIXEL_MAX, PIXEL_MAX));
        const double side = ceil(held(high[i] - low[i] - CLOSE, 1, 2 * PIXEL_MAX));
        first[i] = (int32_t)begin;
        end[i] = (int32_t)fmin(begin + side, PIXEL_MAX);
    }
    return (filter_rect){first[0], first[1], end[0], end[1]};
}

/* Deviations along the device's axes of a Gaussian that the matrix has turned. */
static void deviations_of(const scene_filter_part *part, const scene_matrix *m, double out[2])
{
    const double x = held(part->values[0], 0, SCENE_COORDINATE_MAX);
    const double y = held(part->values[1], 0, SCENE_COORDINATE_MAX);
    out[0] = held(hypot(m->a * x, m->c * y), 0, FILTER_DEVIATION_MAX);
    out[1] = held(hypot(m->b * x, m->d * y), 0, FILTER_DEVIATION_MAX);
}

static void offset_of(const scene_filter_part *part, const scene_matrix *m, double out[2])
{
    const double x = part->values[0], y = part->values[1];
    const double turned[2] = {m->a * x + m->c * y, m->b * x + m->d * y};
    for (int i = 0; i < 2; i++) {
        out[i] = trunc(held(turned[i] + copysign(CLOSE, turned[i]), -PIXEL_MAX, PIXEL_MAX));
    }
}

static void box_make(double deviation, filter_line *out)
{
    const double variance = deviation * deviation / FILTER_BOXES;
    const double r = floor((sqrt(1 + 12 * variance) - 1) / 2);
    const double end =
        (2 * r + 1) * (variance - r * (r + 1) / 3) / (2 * ((r + 1) * (r + 1) - variance));
    const double whole = 4294967296.0;

    out->radius = (uint32_t)r;
    out->inner = (uint32_t)(whole / (2 * r + 1 + 2 * end));
    /* What is left of 1, so that flat areas stay what they are. */
    out->edge = (uint32_t)((whole - (2 * r + 1) * out->inner) / 2);
}

/* exp(-t) times the modified Bessel function of order n at t, for t of a few. */
static double discrete_gaussian(uint32_t n, double t)
{
    double term = exp(-t), sum;
    for (uint32_t i = 1; i <= n; i++) {
        term *= t / 2 / i;
    }
    sum = term;
    for (uint32_t k = 1; k < 40; k++) {
        term *= t * t / 4 / (k * (double)(k + n));
        sum += term;
    }
    return sum;
}

static void kernel_make(double deviation, filter_line *out)
{
    const double variance = deviation * deviation;
    uint32_t left = 65536;

    out->taps = FILTER_TAPS;
    for (uint32_t i = 1; i < FILTER_TAPS; i++) {
        out->weights[i] = (uint32_t)(discrete_gaussian(i, variance) * 65536 + 0.5);
        left -= 2 * out->weights[i];
    }
    out->weights[0] = left;
    while (out->weights[out->taps - 1] == 0) {
        out->taps--;
    }
}

void filter_line_make(double deviation, filter_line *out)
{
    memset(out, 0, sizeof *out);
    if (deviation >= FILTER_BOX_DEVIATION) {
        box_make(deviation, out);
    } else {
        kernel_make(deviation, out);
    }
}

/* How far a blur carries a pixel. */
static double line_reach(double deviation)
{
    filter_line line;
    if (deviation < FILTER_DEVIATION_MIN) {
        return 0;
    }
    filter_line_make(deviation, &line);
    return line.taps == 0 ? FILTER_BOXES * (line.radius + 1.0) : line.taps;
}

double filter_graph_reach(const scene *s, const scene_filter *filter, const scene_matrix *to_device)
{
    double reach = 0;
    for (uint32_t i = 0; i < filter->part_count; i++) {
        const scene_filter_part *part = &s->parts[filter->first_part + i];
        double by[2] = {0, 0};
        if (part->op == SCENE_FE_BLUR) {
            deviations_of(part, to_device, by);
            by[0] = line_reach(by[0]);
            by[1] = line_reach(by[1]);
        } else if (part->op == SCENE_FE_OFFSET) {
            offset_of(part, to_device, by);
        }
        reach += fmax(fabs(by[0]), fabs(by[1]));
    }
    return fmin(reach, PIXEL_MAX);
}

/* ---- slots ----------------------------------------------------------------------------------- */

static void note_reader(graph *g, uint32_t input, int32_t reader)
{
    if (input == SCENE_IN_GRAPHIC || input == SCENE_IN_ALPHA) {
        g->source_last = g->source_last > reader ? g->source_last : reader;
    } else if (input != SCENE_NONE) {
        DP_ASSERT(input < (uint32_t)reader);
        g->last[input] = g->last[input] > reader ? g->last[input] : reader;
    }
}

static void find_readers(graph *g, uint32_t count)
{
    g->source_last = NEVER;
    for (uint32_t i = 0; i < count; i++) {
        g->last[i] = NEVER;
    }
    g->last[count - 1] = FOR_EVER;
    for (uint32_t i = count; i-- > 0;) {
        if (g->last[i] != NEVER) {
            note_reader(g, g->parts[i].input, (int32_t)i);
            note_reader(g, g->parts[i].other, (int32_t)i);
        }
    }
}

static uint32_t slot_of_input(const graph *g, uint32_t input)
{
    return input >= SCENE_IN_ALPHA ? 0 : g->slots[input];
}

static uint32_t mask_of_input(uint32_t input)
{
    return input == SCENE_IN_ALPHA ? ALPHA_MASK : UINT32_MAX;
}

/* Frees what part `at` was the last to read. */
static void release_inputs(graph *g, uint32_t at)
{
    const uint32_t inputs[2] = {g->parts[at].input, g->parts[at].other};
    for (int i = 0; i < 2; i++) {
        if (inputs[i] < SCENE_IN_ALPHA && g->last[inputs[i]] == (int32_t)at) {
            g->taken[g->slots[inputs[i]]] = 0;
        }
    }
    if (g->source_last == (int32_t)at) {
        g->taken[0] = 0;
    }
}

static uint32_t take_slot(graph *g)
{
    uint32_t slot = 0;
    while (g->taken[slot] != 0) {
        slot++;
    }
    g->taken[slot] = 1;
    g->slot_count = g->slot_count > slot + 1 ? g->slot_count : slot + 1;
    return slot;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static filter_pass *new_pass(graph *g, uint32_t op)
{
    filter_pass *pass = &g->passes[g->pass_count++];
    memset(pass, 0, sizeof *pass);
    pass->op = op;
    pass->input_mask = UINT32_MAX;
    pass->other_mask = UINT32_MAX;
    pass->box[2] = g->at->x1 - g->at->x0;
    pass->box[3] = g->at->y1 - g->at->y0;
    return pass;
}

/* A part's region within the surface. */
static void cut_to_region(const graph *g, const scene_filter_part *part, filter_pass *pass)
{
    const filter_rect r = filter_pixels_of(&part->region, g->to_device);
    const int32_t x0 = r.x0 > g->at->x0 ? r.x0 : g->at->x0;
    const int32_t y0 = r.y0 > g->at->y0 ? r.y0 : g->at->y0;
    const int32_t x1 = r.x1 < g->at->x1 ? r.x1 : g->at->x1;
    const int32_t y1 = r.y1 < g->at->y1 ? r.y1 : g->at->y1;

    memset(pass->box, 0, sizeof pass->box);
    if (x1 > x0 && y1 > y0) {
        pass->box[0] = x0 - g->at->x0;
        pass->box[1] = y0 - g->at->y0;
        pass->box[2] = x1 - g->at->x0;
        pass->box[3] = y1 - g->at->y0;
    }
}

/* What of a result lies outside of the part's region is cut away by `pass`, the part's last. */
static void finish(graph *g, const scene_filter_part *part, filter_pass *pass, uint32_t slot)
{
    pass->linear = part->linear;
    pass->output = slot;
    cut_to_region(g, part, pass);
}

static void write_lines(graph *g, uint32_t op, double deviation, uint32_t *plane)
{
    filter_line line;
    if (deviation < FILTER_DEVIATION_MIN) {
        return;
    }
    filter_line_make(deviation, &line);
    for (int i = 0; i < (line.taps == 0 ? FILTER_BOXES : 1); i++) {
        filter_pass *pass = new_pass(g, op);
        pass->line = line;
        pass->input = *plane;
        pass->output = *plane = *plane ^ 1u;
    }
}

static void write_blur(graph *g, const scene_filter_part *part, uint32_t slot)
{
    const uint32_t input = slot_of_input(g, part->input), mask = mask_of_input(part->input);
    double deviations[2];
    uint32_t plane = 0;
    filter_pass *pass;

    deviations_of(part, g->to_device, deviations);
    if (deviations[0] < FILTER_DEVIATION_MIN && deviations[1] < FILTER_DEVIATION_MIN) {
        pass = new_pass(g, FILTER_COPY);
        pass->input = input;
        pass->input_mask = mask;
        finish(g, part, pass, slot);
        return;
    }
    g->plane_count = 2;
    pass = new_pass(g, FILTER_SPREAD);
    pass->linear = part->linear;
    pass->input = input;
    pass->input_mask = mask;
    write_lines(g, FILTER_ROWS, deviations[0], &plane);
    write_lines(g, FILTER_COLUMNS, deviations[1], &plane);
    pass = new_pass(g, FILTER_GATHER);
    pass->input = plane;
    finish(g, part, pass, slot);
}

static uint32_t premultiplied(scene_rgba colour)
{
    const uint32_t alpha = colour >> 24;
    uint32_t out = alpha << 24;
    for (int i = 0; i < 24; i += 8) {
        out |= composite_premultiply((colour >> i) & 255u, alpha) << i;
    }
    return out;
}

static void coefs_of(const scene_filter_part *part, int count, int32_t *out)
{
    for (int i = 0; i < count; i++) {
        const double coef = part->values[i] * (1 << FILTER_COEF_BITS);
        out[i] = (int32_t)held(rint(coef), -2147483000.0, 2147483000.0);
    }
}

static uint32_t composite_op(uint32_t mode)
{
    static const uint8_t ops[SCENE_COMPOSITE_COUNT] = {
        [SCENE_COMPOSITE_OVER] = FILTER_OVER, [SCENE_COMPOSITE_IN] = FILTER_IN,
        [SCENE_COMPOSITE_OUT] = FILTER_OUT,   [SCENE_COMPOSITE_ATOP] = FILTER_ATOP,
        [SCENE_COMPOSITE_XOR] = FILTER_XOR,   [SCENE_COMPOSITE_ARITHMETIC] = FILTER_ARITHMETIC,
    };
    DP_ASSERT(mode < SCENE_COMPOSITE_COUNT);
    return ops[mode];
}

/* The parts that are one pass. */
static void write_point(graph *g, const scene_filter_part *part, uint32_t slot)
{
    filter_pass *pass = new_pass(g, FILTER_COPY);
    /* A merge's upper picture is its `other`. */
    const int merge = part->op == SCENE_FE_MERGE;
    const uint32_t upper = merge ? part->other : part->input;
    const uint32_t lower = merge ? part->input : part->other;
    double offset[2];

    if (upper != SCENE_NONE) {
        pass->input = slot_of_input(g, upper);
        pass->input_mask = mask_of_input(upper);
    }
    if (lower != SCENE_NONE) {
        pass->other = slot_of_input(g, lower);
        pass->other_mask = mask_of_input(lower);
    }
    switch (part->op) {
    case SCENE_FE_FLOOD:
        pass->op = FILTER_FLOOD;
        pass->colour = premultiplied(part->colour);
        break;
    case SCENE_FE_COLOR_MATRIX:
        pass->op = FILTER_MATRIX;
        coefs_of(part, 20, pass->coefs);
        break;
    case SCENE_FE_OFFSET:
        pass->op = FILTER_OFFSET;
        offset_of(part, g->to_device, offset);
        pass->shift_x = (int32_t)offset[0];
        pass->shift_y = (int32_t)offset[1];
        break;
    case SCENE_FE_COMPOSITE:
        pass->op = composite_op(part->mode);
        coefs_of(part, 4, pass->coefs);
        break;
    case SCENE_FE_BLEND:
        pass->op = FILTER_BLEND;
        pass->mode = part->mode;
        break;
    default:
        DP_ASSERT(merge);
        pass->op = FILTER_OVER;
        break;
    }
    finish(g, part, pass, slot);
}

static void write_part(graph *g, uint32_t at)
{
    const scene_filter_part *part = &g->parts[at];
    /* All but an offset may write where they read. */
    const int in_place = part->op != SCENE_FE_OFFSET;
    uint32_t slot;

    if (!in_place) {
        slot = take_slot(g);
    } else {
        release_inputs(g, at);
        slot = take_slot(g);
    }
    if (part->op == SCENE_FE_BLUR) {
        write_blur(g, part, slot);
    } else {
        write_point(g, part, slot);
    }
    g->slots[at] = slot;
    if (!in_place) {
        release_inputs(g, at);
    }
}

dp_status filter_graph_make(const scene *s, const scene_filter *filter,
                            const scene_matrix *to_device, const filter_rect *at,
                            filter_pass *passes, filter_program *out)
{
    const uint64_t width = (uint64_t)((int64_t)at->x1 - at->x0);
    const uint64_t height = (uint64_t)((int64_t)at->y1 - at->y0);
    graph g = {.parts = s->parts + filter->first_part,
               .to_device = to_device,
               .at = at,
               .passes = passes,
               .slot_count = 1};

    DP_ASSERT(at->x1 > at->x0 && at->y1 > at->y0);
    if (filter->part_count > FILTER_PARTS_MAX || width * height > FILTER_PIXELS_MAX) {
        return DP_ERR_TOO_LARGE;
    }
    if (filter->part_count > 0) {
        find_readers(&g, filter->part_count);
        g.taken[0] = g.source_last != NEVER;
    }
    for (uint32_t i = 0; i < filter->part_count; i++) {
        if (g.last[i] != NEVER) {
            write_part(&g, i);
        }
    }
    if (filter->part_count == 0) {
        /* Nothing comes out of a filter without parts. */
        new_pass(&g, FILTER_FLOOD);
    } else if (g.slots[filter->part_count - 1] != 0) {
        new_pass(&g, FILTER_COPY)->input = g.slots[filter->part_count - 1];
    }
    const filter_program program = {.width = (uint32_t)width,
                                    .height = (uint32_t)height,
                                    .pass_count = g.pass_count,
                                    .slot_count = g.slot_count,
                                    .plane_count = g.plane_count,
                                    .passes = passes};
    if (filter_scratch_bytes(&program) > FILTER_SCRATCH_BYTES_MAX) {
        return DP_ERR_TOO_LARGE;
    }
    *out = program;
    return DP_OK;
}
