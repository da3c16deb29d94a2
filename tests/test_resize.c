/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resize kernel on the CPU against a naive reference in double precision, written from the
 * definition: linear light, premultiplied, Lanczos-3, windows cut and normalised at the edges.
 *
 * Stated tolerance: 1 code for opaque pictures (fixed-point weights and one rounding between the
 * passes); with transparency, 1 code of the premultiplied colour.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/resize.h"
#include "kernels/resize_math.h"

#define TOLERANCE 1.0

static uint32_t seed = 20240607;

static uint32_t random_number(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

static double linear_of(double code)
{
    const double c = code / 255;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double code_of(double linear)
{
    const double v = linear < 0 ? 0 : (linear > 1 ? 1 : linear);
    return 255 * (v <= 0.0031308 ? v * 12.92 : 1.055 * pow(v, 1 / 2.4) - 0.055);
}

static double kernel(double x)
{
    const double angle = 3.14159265358979323846 * x;
    if (fabs(x) < 1e-9) {
        return 1;
    }
    return fabs(x) >= 3 ? 0 : 3 * sin(angle) * sin(angle / 3) / (angle * angle);
}

/* One output value along one line of `length` inputs, `step` apart. */
static double filter(const double *line, size_t step, const uint32_t sizes[2], uint32_t at)
{
    const double stretch = sizes[0] > sizes[1] ? (double)sizes[0] / sizes[1] : 1;
    const double centre = (at + 0.5) * sizes[0] / sizes[1];
    double sum = 0, weights = 0;
    for (uint32_t i = 0; i < sizes[0]; i++) {
        const double w = kernel((i + 0.5 - centre) / stretch);
        sum += w * line[i * step];
        weights += w;
    }
    return sum / weights;
}

/* Premultiplied linear RGBA of the whole target, by definition. */
static double *reference(const uint8_t *source, const uint32_t from[2], const uint32_t to[2])
{
    double *light = malloc(sizeof *light * 4 * from[0] * from[1]);
    double *between = malloc(sizeof *between * 4 * to[0] * from[1]);
    double *out = malloc(sizeof *out * 4 * to[0] * to[1]);
    const uint32_t wide[2] = {from[0], to[0]}, high[2] = {from[1], to[1]};

    assert_true(light != NULL && between != NULL && out != NULL);
    for (size_t i = 0; i < (size_t)from[0] * from[1]; i++) {
        const double alpha = source[4 * i + 3] / 255.0;
        for (size_t c = 0; c < 3; c++) {
            light[4 * i + c] = linear_of(source[4 * i + c]) * alpha;
        }
        light[4 * i + 3] = alpha;
    }
    for (size_t i = 0; i < (size_t)4 * to[0] * from[1]; i++) {
        const size_t y = i / 4 / to[0];
        between[i] = filter(light + y * from[0] * 4 + i % 4, 4, wide, (uint32_t)(i / 4 % to[0]));
    }
    for (size_t i = 0; i < (size_t)4 * to[0] * to[1]; i++) {
        const size_t x = i / 4 % to[0];
        out[i] =
            filter(between + 4 * x + i % 4, (size_t)4 * to[0], high, (uint32_t)(i / 4 / to[0]));
    }
    free(light);
    free(between);
    return out;
}

static uint8_t *run(const uint8_t *source, const uint32_t from[2], const uint32_t to[2])
{
    resize_axis x, y;
    void *x_memory = malloc(resize_axis_bytes(from[0], to[0]));
    void *y_memory = malloc(resize_axis_bytes(from[1], to[1]));
    uint8_t *out = malloc((size_t)to[0] * to[1] * 4);

    assert_true(x_memory != NULL && y_memory != NULL && out != NULL);
    resize_axis_init(&x, from[0], to[0], x_memory);
    resize_axis_init(&y, from[1], to[1], y_memory);
    void *scratch = malloc(resize_cpu_scratch_bytes(&x, &y));
    assert_non_null(scratch);
    const resize_args args = {.x = &x,
                              .y = &y,
                              .source = {.pixels = source, .stride_bytes = (size_t)from[0] * 4},
                              .target = out,
                              .target_stride_bytes = (size_t)to[0] * 4};
    resize_cpu(&args, scratch);
    free(scratch);
    free(x_memory);
    free(y_memory);
    return out;
}

static uint8_t *random_picture(const uint32_t size[2], int opaque)
{
    const size_t values = (size_t)size[0] * size[1] * 4;
    uint8_t *out = malloc(values);
    assert_non_null(out);
    for (size_t i = 0; i < values; i++) {
        out[i] = i % 4 == 3 && opaque ? 255 : (uint8_t)random_number();
    }
    return out;
}

/* The largest difference, in codes; colours count as much as they are seen (times alpha). */
static double worst_of(const uint8_t *got, const double *want, size_t pixels)
{
    double worst = 0;
    for (size_t i = 0; i < pixels; i++) {
        const double alpha = fmin(fmax(want[4 * i + 3], 0), 1);
        worst = fmax(worst, fabs(got[4 * i + 3] - 255 * alpha));
        for (size_t c = 0; c < 3 && got[4 * i + 3] > 0 && alpha > 0; c++) {
            const double value = fmin(fmax(want[4 * i + c], 0), alpha);
            const double difference = fabs(got[4 * i + c] - code_of(value / alpha));
            worst = fmax(worst, difference * alpha);
        }
    }
    return worst;
}

static void compare(uint32_t from_width, uint32_t from_height, uint32_t to_width,
                    uint32_t to_height)
{
    const uint32_t from[2] = {from_width, from_height}, to[2] = {to_width, to_height};
    for (int opaque = 0; opaque < 2; opaque++) {
        uint8_t *source = random_picture(from, opaque);
        uint8_t *got = run(source, from, to);
        double *want = reference(source, from, to);
        const double worst = worst_of(got, want, (size_t)to_width * to_height);
        print_message("%ux%u -> %ux%u %s: off by %.2f codes at most\n", from_width, from_height,
                      to_width, to_height, opaque ? "opaque" : "with alpha", worst);
        assert_true(worst <= TOLERANCE);
        free(source);
        free(got);
        free(want);
    }
}

static void shrinking_agrees_with_the_definition(void **state)
{
    (void)state;
    compare(64, 48, 17, 13);
    compare(97, 61, 96, 60);
    compare(200, 3, 50, 1);
    compare(1, 90, 1, 7);
}

static void enlarging_agrees_with_the_definition(void **state)
{
    (void)state;
    compare(9, 7, 40, 31);
    compare(1, 1, 5, 5);
}

static void strong_reduction_agrees_with_the_definition(void **state)
{
    (void)state;
    compare(3000, 4, 2, 2);
}

static void same_size_gives_the_same_bytes(void **state)
{
    const uint32_t size[2] = {31, 23};
    uint8_t *source = random_picture(size, 1);
    uint8_t *got = run(source, size, size);
    (void)state;
    assert_memory_equal(source, got, (size_t)size[0] * size[1] * 4);
    free(source);
    free(got);
}

static void a_flat_picture_stays_flat_for_every_code(void **state)
{
    const uint32_t from[2] = {37, 29}, to[2] = {8, 5};
    uint8_t source[37 * 29 * 4];
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        for (size_t i = 0; i < sizeof source; i++) {
            source[i] = i % 4 == 3 ? 255 : (uint8_t)code;
        }
        uint8_t *got = run(source, from, to);
        for (size_t i = 0; i < (size_t)4 * to[0] * to[1]; i++) {
            assert_int_equal(got[i], i % 4 == 3 ? 255 : code);
        }
        free(got);
    }
}

/* A white and a black column average to half the light, code 188, not to half the code. */
static void light_is_averaged_not_codes(void **state)
{
    const uint32_t from[2] = {512, 8}, to[2] = {64, 1};
    uint8_t source[512 * 8 * 4];
    (void)state;
    for (size_t i = 0; i < sizeof source; i++) {
        source[i] = i % 4 == 3 || i / 4 % 2 == 0 ? 255 : 0;
    }
    uint8_t *got = run(source, from, to);
    for (size_t x = 8; x < 56; x++) {
        assert_in_range(got[4 * x], 187, 189);
    }
    free(got);
}

/* Red under alpha 0 must not bleed into its neighbours. */
static void colour_that_is_not_seen_does_not_bleed(void **state)
{
    const uint32_t from[2] = {64, 64}, to[2] = {9, 9};
    uint8_t source[64 * 64 * 4];
    (void)state;
    for (size_t i = 0; i < 64 * 64; i++) {
        const int seen = i % 64 < 32;
        memcpy(source + 4 * i, seen ? "\x00\x80\x00\xff" : "\xff\x00\x00\x00", 4);
    }
    uint8_t *got = run(source, from, to);
    for (size_t i = 0; i < 81; i++) {
        assert_int_equal(got[4 * i], 0);
    }
    free(got);
}

static void weights_sum_to_exactly_one(void **state)
{
    static const uint32_t sizes[][2] = {{1920, 480}, {65535, 1}, {65535, 7},  {1, 4096},
                                        {100, 99},   {3, 4096},  {40000, 320}};
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        resize_axis axis;
        void *memory = malloc(resize_axis_bytes(sizes[s][0], sizes[s][1]));
        assert_non_null(memory);
        resize_axis_init(&axis, sizes[s][0], sizes[s][1], memory);
        for (uint32_t i = 0; i < axis.target; i++) {
            int32_t sum = 0;
            for (uint32_t t = 0; t < axis.taps; t++) {
                sum += axis.weights[(size_t)i * axis.taps + t];
            }
            assert_int_equal(sum, 1 << RESIZE_WEIGHT_BITS);
            assert_true(axis.firsts[i] >= 0 && axis.counts[i] > 0);
            assert_true((uint32_t)(axis.firsts[i] + axis.counts[i]) <= axis.source);
            assert_true(i == 0 || axis.firsts[i] >= axis.firsts[i - 1]);
        }
        free(memory);
    }
}

static void the_tables_are_what_srgb_says(void **state)
{
    (void)state;
    for (int code = 0; code < 256; code++) {
        const int32_t linear = resize_linear_of_code[code];
        assert_int_equal(linear, (int32_t)lround(linear_of(code) * RESIZE_ONE));
        assert_int_equal(resize_code_of_linear(linear), code);
    }
    for (int32_t linear = 0; linear <= RESIZE_ONE; linear++) {
        const double exact = code_of((double)linear / RESIZE_ONE);
        assert_true(fabs(resize_code_of_linear(linear) - exact) <= 0.51);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrinking_agrees_with_the_definition),
        cmocka_unit_test(enlarging_agrees_with_the_definition),
        cmocka_unit_test(strong_reduction_agrees_with_the_definition),
        cmocka_unit_test(same_size_gives_the_same_bytes),
        cmocka_unit_test(a_flat_picture_stays_flat_for_every_code),
        cmocka_unit_test(light_is_averaged_not_codes),
        cmocka_unit_test(colour_that_is_not_seen_does_not_bleed),
        cmocka_unit_test(weights_sum_to_exactly_one),
        cmocka_unit_test(the_tables_are_what_srgb_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
