/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters against a plain reference in double precision, written from the specifications' formulas
 * ("Filter Effects Module Level 1", "Compositing and Blending Level 1").  (The graph of parts is
 * test_filter_graph.c's.)
 *
 * Stated tolerances, in codes of the premultiplied result: 1 for what stays in sRGB (one rounding),
 * 2 for linear light and the colour matrix, and for a blur 4 (6 in linear light) against the
 * Gaussian that boxes stand for and the diffusion that the small kernels are.
 */
#include <math.h>

#include "filter_rig.h"

/* ---- the reference --------------------------------------------------------------------------- */

typedef struct colour {
    double c[4]; /* 0 .. 1; straight or premultiplied as the function says */
} colour;

static double limited(double v)
{
    return v < 0 ? 0 : (v > 1 ? 1 : v);
}

static double linear_of(double c)
{
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double srgb_of(double v)
{
    return v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055;
}

/* `coded`: a straight colour has been a code of 8 bits on its way. */
static colour straight_of(const uint8_t *pixel, int linear, int coded)
{
    colour out = {{0, 0, 0, pixel[3] / 255.0}};
    for (int i = 0; i < 3 && pixel[3] != 0; i++) {
        double c = limited((double)pixel[i] / pixel[3]);
        c = coded ? floor(c * 255 + 0.5) / 255 : c;
        out.c[i] = linear ? linear_of(c) : c;
    }
    return out;
}

static colour times_alpha(colour in)
{
    for (int i = 0; i < 3; i++) {
        in.c[i] *= in.c[3];
    }
    return in;
}

/* From premultiplied colours of a space to premultiplied sRGB. */
static colour stored(colour in, int linear)
{
    for (int i = 0; i < 3; i++) {
        const double c = in.c[3] > 0 ? limited(in.c[i] / in.c[3]) : 0;
        in.c[i] = (linear ? srgb_of(c) : c) * in.c[3];
    }
    return in;
}

static void assert_close(const uint8_t *got, colour want, double tolerance)
{
    for (int i = 0; i < 4; i++) {
        if (fabs(got[i] - want.c[i] * 255) > tolerance + 1e-6) {
            fail_msg("channel %d: %u instead of %.3f", i, got[i], want.c[i] * 255);
        }
    }
}

static double soft_light(double b, double s)
{
    const double d = b <= 0.25 ? ((16 * b - 12) * b + 4) * b : sqrt(b);
    return s <= 0.5 ? b - (1 - 2 * s) * b * (1 - b) : b + (2 * s - 1) * (d - b);
}

static double hard_light(double b, double s)
{
    return s <= 0.5 ? 2 * s * b : 1 - 2 * (1 - s) * (1 - b);
}

static double blended(uint32_t mode, double b, double s)
{
    switch (mode) {
    case SCENE_BLEND_MULTIPLY:
        return b * s;
    case SCENE_BLEND_SCREEN:
        return b + s - b * s;
    case SCENE_BLEND_DARKEN:
        return fmin(b, s);
    case SCENE_BLEND_LIGHTEN:
        return fmax(b, s);
    case SCENE_BLEND_OVERLAY:
        return hard_light(s, b);
    case SCENE_BLEND_COLOR_DODGE:
        return b <= 0 ? 0 : (s >= 1 ? 1 : fmin(1, b / (1 - s)));
    case SCENE_BLEND_COLOR_BURN:
        return b >= 1 ? 1 : (s <= 0 ? 0 : 1 - fmin(1, (1 - b) / s));
    case SCENE_BLEND_HARD_LIGHT:
        return hard_light(b, s);
    case SCENE_BLEND_SOFT_LIGHT:
        return soft_light(b, s);
    case SCENE_BLEND_DIFFERENCE:
        return fabs(b - s);
    case SCENE_BLEND_EXCLUSION:
        return b + s - 2 * b * s;
    default:
        return s;
    }
}

static colour reference_blend(uint32_t mode, colour s, colour b)
{
    colour out;
    for (int i = 0; i < 3; i++) {
        out.c[i] = (1 - b.c[3]) * s.c[3] * s.c[i] + (1 - s.c[3]) * b.c[3] * b.c[i] +
                   s.c[3] * b.c[3] * blended(mode, b.c[i], s.c[i]);
    }
    out.c[3] = s.c[3] + b.c[3] - s.c[3] * b.c[3];
    return out;
}

static colour reference_composite(const scene_filter_part *part, colour s, colour b)
{
    const double sa = s.c[3], ba = b.c[3];
    const double of_s[] = {1, ba, 1 - ba, ba, 1 - ba}, of_b[] = {1 - sa, 0, 0, 1 - sa, 1 - sa};
    const float *k = part->values;
    colour out;

    s = times_alpha(s);
    b = times_alpha(b);
    for (int i = 3; i >= 0; i--) {
        if (part->mode == SCENE_COMPOSITE_ARITHMETIC) {
            out.c[i] = limited(k[0] * s.c[i] * b.c[i] + k[1] * s.c[i] + k[2] * b.c[i] + k[3]);
            out.c[i] = fmin(out.c[i], out.c[3]);
        } else {
            out.c[i] = s.c[i] * of_s[part->mode] + b.c[i] * of_b[part->mode];
        }
    }
    return out;
}

/* ---- points ---------------------------------------------------------------------------------- */

/* The second picture that ops with two inputs get: the first one, moved by whole pixels. */
enum { MOVED_X = 5, MOVED_Y = -3 };

static const uint8_t *moved(const rig *r, int x, int y)
{
    static const uint8_t clear[4] = {0};
    const int from_x = x - MOVED_X, from_y = y - MOVED_Y;
    if (from_x < 0 || from_x >= SIDE || from_y < 0 || from_y >= SIDE) {
        return clear;
    }
    return r->before + 4 * (from_y * SIDE + from_x);
}

static void add_moved(rig *r)
{
    scene_filter_part *part = add_part(r, SCENE_FE_OFFSET, SCENE_IN_GRAPHIC, SCENE_NONE);
    part->values[0] = MOVED_X;
    part->values[1] = MOVED_Y;
}

static void an_offset_moves_whole_pixels_and_lets_nothing_in(void **state)
{
    rig *r = make_rig();
    (void)state;
    add_moved(r);
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        assert_memory_equal(r->pixels + 4 * i, moved(r, i % SIDE, i / SIDE), 4);
    }
    free(r);
}

static void check_blend(uint32_t mode, int linear)
{
    rig *r = make_rig();
    add_moved(r);
    scene_filter_part *part = add_part(r, SCENE_FE_BLEND, SCENE_IN_GRAPHIC, 0);
    part->mode = mode;
    part->linear = (uint32_t)linear;
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        const colour s = straight_of(r->before + 4 * i, linear, linear);
        const colour b = straight_of(moved(r, i % SIDE, i / SIDE), linear, linear);
        assert_close(r->pixels + 4 * i, stored(reference_blend(mode, s, b), linear),
                     linear ? 2 : 1);
    }
    free(r);
}

static void blend_follows_the_formulas_in_every_mode(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode < SCENE_BLEND_COUNT; mode++) {
        check_blend(mode, 0);
        check_blend(mode, 1);
    }
}

static void check_composite(uint32_t mode, int linear, const float k[4])
{
    rig *r = make_rig();
    add_moved(r);
    scene_filter_part *part = add_part(r, SCENE_FE_COMPOSITE, SCENE_IN_GRAPHIC, 0);
    part->mode = mode;
    part->linear = (uint32_t)linear;
    memcpy(part->values, k, 4 * sizeof *k);
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        const colour s = straight_of(r->before + 4 * i, linear, linear);
        const colour b = straight_of(moved(r, i % SIDE, i / SIDE), linear, linear);
        assert_close(r->pixels + 4 * i, stored(reference_composite(part, s, b), linear),
                     linear ? 2 : 1);
    }
    free(r);
}

static void composite_follows_porter_and_duff_and_the_arithmetic(void **state)
{
    static const float ks[][4] = {
        {0, -1, 1, 0}, {0.5f, 0.25f, 0.75f, 0}, {1, 1, 1, -0.25f}, {0, 0, 0, 0.5f}};
    (void)state;
    for (int linear = 0; linear < 2; linear++) {
        for (uint32_t mode = 0; mode < SCENE_COMPOSITE_ARITHMETIC; mode++) {
            check_composite(mode, linear, ks[0]);
        }
        for (size_t i = 0; i < sizeof ks / sizeof ks[0]; i++) {
            check_composite(SCENE_COMPOSITE_ARITHMETIC, linear, ks[i]);
        }
    }
}

static void a_merge_lays_the_later_over_the_earlier(void **state)
{
    rig *r = make_rig();
    (void)state;
    add_moved(r);
    add_part(r, SCENE_FE_MERGE, SCENE_IN_GRAPHIC, 0);
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        const colour s = straight_of(moved(r, i % SIDE, i / SIDE), 0, 0);
        const colour b = straight_of(r->before + 4 * i, 0, 0);
        assert_close(r->pixels + 4 * i, reference_blend(SCENE_BLEND_NORMAL, s, b), 1);
    }
    free(r);
}

static void check_matrix(const float values[20], int linear)
{
    rig *r = make_rig();
    scene_filter_part *part = add_part(r, SCENE_FE_COLOR_MATRIX, SCENE_IN_GRAPHIC, SCENE_NONE);
    memcpy(part->values, values, sizeof part->values);
    part->linear = (uint32_t)linear;
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        const colour in = straight_of(r->before + 4 * i, linear, 1);
        colour out;
        for (int row = 0; row < 4; row++) {
            double sum = values[5 * row + 4];
            for (int c = 0; c < 4; c++) {
                sum += values[5 * row + c] * in.c[c];
            }
            out.c[row] = limited(sum);
        }
        assert_close(r->pixels + 4 * i, stored(times_alpha(out), linear), 2);
    }
    free(r);
}

static void a_colour_matrix_works_on_straight_colours(void **state)
{
    static const float matrices[][20] = {
        {0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5f, 0, 0, 0, 0, 0, 0, 0, 0, 0.25f, 0},
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0},
        {0.3f, 0.6f, 0.1f, 0, 0, 0.3f, 0.6f, 0.1f, 0, 0, 0.3f, 0.6f, 0.1f, 0, 0, 0, 0, 0, 1, 0},
        {1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0},
        {-1, 0, 0, 0, 1, 0, -1, 0, 0, 1, 0, 0, -1, 0, 1, 0.2f, 0.7f, 0.1f, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof matrices / sizeof matrices[0]; i++) {
        check_matrix(matrices[i], 0);
        check_matrix(matrices[i], 1);
    }
}

static void a_coefficient_that_no_int_holds_is_cut(void **state)
{
    static const float huge[20] = {[0] = 1e9f, [6] = -1e9f, [12] = 1e6f, [18] = 1};
    (void)state;
    check_matrix(huge, 0);
}

static void a_flood_fills_its_region_and_nothing_else(void **state)
{
    rig *r = make_rig();
    (void)state;
    scene_filter_part *part = add_part(r, SCENE_FE_FLOOD, SCENE_NONE, SCENE_NONE);
    part->colour = UINT32_C(0x80402010);
    /* [10, 30) x [5, 8) of the device: fractions round down at the left, sides up. */
    part->region = (scene_box){5.25f, 2.5f, 15, 4};
    r->matrix = (scene_matrix){2, 0, 0, 2, 0, 0};
    assert_int_equal(run(r), DP_OK);
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            const int inside = x >= 10 && x < 30 && y >= 5 && y < 8;
            const uint8_t want[4] = {inside ? 8 : 0, inside ? 16 : 0, inside ? 32 : 0,
                                     inside ? 128 : 0};
            assert_memory_equal(r->pixels + 4 * (y * SIDE + x), want, 4);
        }
    }
    free(r);
}

static void source_alpha_is_black(void **state)
{
    rig *r = make_rig();
    (void)state;
    add_part(r, SCENE_FE_OFFSET, SCENE_IN_ALPHA, SCENE_NONE);
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS; i++) {
        const uint8_t want[4] = {0, 0, 0, r->before[4 * i + 3]};
        assert_memory_equal(r->pixels + 4 * i, want, 4);
    }
    free(r);
}

/* ---- blurs ----------------------------------------------------------------------------------- */

/* Weights at distances -SIDE .. SIDE: below 2 pixels by letting one pixel's light diffuse. */
static void reference_weights(double deviation, double weights[2 * SIDE + 1])
{
    double next[2 * SIDE + 1], sum = 0;

    for (int t = -SIDE; t <= SIDE; t++) {
        weights[t + SIDE] = deviation < 2 ? t == 0 : exp(-t * t / (2 * deviation * deviation));
        sum += weights[t + SIDE];
    }
    for (int t = 0; t <= 2 * SIDE; t++) {
        weights[t] /= sum;
    }
    const double steps = 2000, rate = deviation * deviation / steps / 2;
    for (int step = 0; step < steps && deviation < 2; step++) {
        memcpy(next, weights, sizeof next);
        for (int t = 1; t < 2 * SIDE; t++) {
            next[t] += rate * (weights[t - 1] - 2 * weights[t] + weights[t + 1]);
        }
        memcpy(weights, next, sizeof next);
    }
}

/* Premultiplied light of the whole surface, blurred by the definition; outside is transparent. */
static void reference_blur(const rig *r, const double deviations[2], int linear, colour *out)
{
    colour *between = calloc(PIXELS, sizeof *between);
    double weights[2 * SIDE + 1];
    assert_non_null(between);
    for (int i = 0; i < PIXELS; i++) {
        out[i] = times_alpha(straight_of(r->before + 4 * i, linear, linear));
    }
    for (int axis = 0; axis < 2; axis++) {
        reference_weights(deviations[axis], weights);
        memcpy(between, out, PIXELS * sizeof *out);
        for (int i = 0; i < PIXELS; i++) {
            const int at = axis == 0 ? i % SIDE : i / SIDE;
            memset(&out[i], 0, sizeof out[i]);
            for (int t = -at; t < SIDE - at; t++) {
                for (int c = 0; c < 4; c++) {
                    out[i].c[c] += weights[t + SIDE] * between[i + t * (axis == 0 ? 1 : SIDE)].c[c];
                }
            }
        }
    }
    free(between);
}

static void check_blur(const double deviations[2], int linear)
{
    rig *r = make_rig();
    colour *want = calloc(PIXELS, sizeof *want);
    scene_filter_part *part = add_part(r, SCENE_FE_BLUR, SCENE_IN_GRAPHIC, SCENE_NONE);

    assert_non_null(want);
    /* Shapes, not noise, are what is blurred: a square and a dot. */
    memset(r->before, 0, sizeof r->before);
    for (int i = 0; i < PIXELS; i++) {
        const int x = i % SIDE, y = i / SIDE;
        if ((x >= 18 && x < 28 && y >= 18 && y < 31) || (x == 31 && y == 24)) {
            memcpy(r->before + 4 * i, (const uint8_t[4]){200, 100, 20, 220}, 4);
        }
    }
    part->values[0] = (float)deviations[0];
    part->values[1] = (float)deviations[1];
    part->linear = (uint32_t)linear;
    assert_int_equal(run(r), DP_OK);
    reference_blur(r, deviations, linear, want);
    for (int i = 0; i < PIXELS; i++) {
        assert_close(r->pixels + 4 * i, stored(want[i], linear), linear ? 6 : 4);
    }
    free(want);
    free(r);
}

static void a_blur_is_close_to_the_gaussian(void **state)
{
    static const double deviations[][2] = {{0.3, 0.3}, {0.7, 1.1}, {1.9, 1.9}, {2, 2},
                                           {3.7, 1},   {5, 0},     {0, 2.5},   {4, 5}};
    (void)state;
    for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
        check_blur(deviations[i], 0);
        check_blur(deviations[i], 1);
    }
}

static void a_deviation_of_nothing_or_less_changes_nothing(void **state)
{
    static const float none[][2] = {{0, 0}, {-3, -1}, {0.01f, 0}, {NAN, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        rig *r = make_rig();
        scene_filter_part *part = add_part(r, SCENE_FE_BLUR, SCENE_IN_GRAPHIC, SCENE_NONE);
        part->values[0] = none[i][0];
        part->values[1] = none[i][1];
        assert_int_equal(run(r), DP_OK);
        assert_memory_equal(r->pixels, r->before, sizeof r->before);
        free(r);
    }
}

static void a_huge_deviation_is_cut_and_spreads_to_nothing(void **state)
{
    rig *r = make_rig();
    (void)state;
    scene_filter_part *part = add_part(r, SCENE_FE_BLUR, SCENE_IN_GRAPHIC, SCENE_NONE);
    part->values[0] = part->values[1] = 1e6f;
    assert_int_equal(run(r), DP_OK);
    for (int i = 0; i < PIXELS * 4; i++) {
        assert_in_range(r->pixels[i], 0, 1);
    }
    free(r);
}

/* Weights sum to one, and their variance is the Gaussian's. */
static void lines_have_the_deviation_that_was_asked_for(void **state)
{
    (void)state;
    for (double d = FILTER_DEVIATION_MIN; d <= FILTER_DEVIATION_MAX; d *= 1.13) {
        filter_line line;
        filter_line_make(d, &line);
        if (line.taps == 0) {
            const double r = line.radius, whole = 4294967296.0;
            const double sum = ((2 * r + 1) * line.inner + 2.0 * line.edge) / whole;
            const double variance =
                (r * (r + 1) * (2 * r + 1) / 3 * line.inner + 2 * (r + 1) * (r + 1) * line.edge) /
                whole;
            assert_true(fabs(sum - 1) < 1e-9);
            assert_true(line.edge <= line.inner);
            assert_true(fabs(FILTER_BOXES * variance / (d * d) - 1) < 1e-3);
        } else {
            uint32_t sum = line.weights[0];
            double variance = 0;
            for (uint32_t i = 1; i < line.taps; i++) {
                sum += 2 * line.weights[i];
                variance += 2.0 * i * i * line.weights[i] / 65536;
            }
            assert_int_equal(sum, 65536);
            assert_true(fabs(variance - d * d) < 0.02 * d * d + 1e-4);
        }
    }
}

static void a_turned_blur_blurs_along_the_turned_axis(void **state)
{
    rig *r = make_rig(), *straight = make_rig();
    (void)state;
    scene_filter_part *part = add_part(r, SCENE_FE_BLUR, SCENE_IN_GRAPHIC, SCENE_NONE);
    part->values[0] = 4;
    r->matrix = (scene_matrix){0, 1, -1, 0, 0, 0};
    memcpy(straight->before, r->before, sizeof r->before);
    part = add_part(straight, SCENE_FE_BLUR, SCENE_IN_GRAPHIC, SCENE_NONE);
    part->values[1] = 4;
    assert_int_equal(run(r), DP_OK);
    assert_int_equal(run(straight), DP_OK);
    assert_memory_equal(r->pixels, straight->pixels, sizeof r->pixels);
    free(r);
    free(straight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offset_moves_whole_pixels_and_lets_nothing_in),
        cmocka_unit_test(blend_follows_the_formulas_in_every_mode),
        cmocka_unit_test(composite_follows_porter_and_duff_and_the_arithmetic),
        cmocka_unit_test(a_merge_lays_the_later_over_the_earlier),
        cmocka_unit_test(a_colour_matrix_works_on_straight_colours),
        cmocka_unit_test(a_coefficient_that_no_int_holds_is_cut),
        cmocka_unit_test(a_flood_fills_its_region_and_nothing_else),
        cmocka_unit_test(source_alpha_is_black),
        cmocka_unit_test(a_blur_is_close_to_the_gaussian),
        cmocka_unit_test(a_deviation_of_nothing_or_less_changes_nothing),
        cmocka_unit_test(a_huge_deviation_is_cut_and_spreads_to_nothing),
        cmocka_unit_test(lines_have_the_deviation_that_was_asked_for),
        cmocka_unit_test(a_turned_blur_blurs_along_the_turned_axis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
