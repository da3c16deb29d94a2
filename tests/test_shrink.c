/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shrinking by whole numbers: against means in double precision, at every edge.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/shrink.h"

static uint32_t seed = 11;

static uint8_t random_byte(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint8_t)(seed >> 24);
}

static void *get(size_t size_bytes)
{
    void *memory = malloc(size_bytes);
    assert_non_null(memory);
    return memory;
}

/* The mean of one block of `channels` bytes a pixel, out[3] its alpha. */
static void mean_of(const uint8_t *pixels, const uint32_t size[2], uint32_t channels,
                    const uint32_t block[4], double out[4])
{
    double sums[4] = {0}, count = 0;
    for (uint32_t y = block[1]; y < block[1] + block[3] && y < size[1]; y++) {
        for (uint32_t x = block[0]; x < block[0] + block[2] && x < size[0]; x++) {
            const uint8_t *p = pixels + channels * ((size_t)y * size[0] + x);
            const double alpha = channels == 4 ? p[3] : 255;
            for (int c = 0; c < 3; c++) {
                sums[c] += alpha * p[c] * p[c];
            }
            sums[3] += alpha;
            count++;
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = sums[3] > 0 ? sqrt(sums[c] / sums[3]) : 0;
    }
    out[3] = sums[3] / count;
}

static void compare(uint32_t width, uint32_t height, const uint32_t factor[2], uint32_t channels,
                    int extreme)
{
    const uint32_t size[2] = {width, height};
    const size_t values = (size_t)width * height * channels;
    const uint32_t to[2] = {shrink_side(width, factor[0]), shrink_side(height, factor[1])};
    uint8_t *pixels = get(values), *got = get((size_t)to[0] * to[1] * 4);
    uint32_t *sums = get(shrink_scratch_bytes(width));
    shrink s = {.width = width,
                .height = height,
                .factor_x = factor[0],
                .factor_y = factor[1],
                .target = got,
                .sums = sums};

    for (size_t i = 0; i < values; i++) {
        pixels[i] = extreme ? 255 : random_byte();
    }
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *row = pixels + (size_t)y * width * channels;
        if (channels == 3) {
            shrink_rgb(&s, row);
        } else {
            shrink_rgba(&s, row);
        }
    }
    for (uint32_t i = 0; i < to[0] * to[1]; i++) {
        const uint32_t block[4] = {i % to[0] * factor[0], i / to[0] * factor[1], factor[0],
                                   factor[1]};
        double want[4];
        mean_of(pixels, size, channels, block, want);
        for (size_t c = 0; c < 4; c++) {
            assert_true(fabs(got[4 * i + c] - want[c]) <= 0.51);
        }
    }
    free(pixels);
    free(got);
    free(sums);
}

static void blocks_are_means_of_squares(void **state)
{
    (void)state;
    for (uint32_t channels = 3; channels <= 4; channels++) {
        compare(64, 48, (const uint32_t[2]){4, 3}, channels, 0);
        compare(65, 49, (const uint32_t[2]){4, 3}, channels, 0);
        compare(3, 2, (const uint32_t[2]){1, 2}, channels, 0);
        compare(1, 1, (const uint32_t[2]){16, 16}, channels, 0);
        compare(200, 33, (const uint32_t[2]){16, 16}, channels, 0);
    }
}

static void the_largest_sums_do_not_overflow(void **state)
{
    (void)state;
    compare(160, 32, (const uint32_t[2]){SHRINK_FACTOR_MAX, SHRINK_FACTOR_MAX}, 4, 1);
}

static void compare_plane(uint32_t width, uint32_t height, uint32_t factor_x, uint32_t factor_y)
{
    const size_t stride = width + 3;
    const uint32_t to[2] = {shrink_side(width, factor_x), shrink_side(height, factor_y)};
    uint8_t *pixels = get(stride * height), *got = get((size_t)to[0] * to[1]);
    void *scratch = get(shrink_scratch_bytes(width));

    for (size_t i = 0; i < stride * height; i++) {
        pixels[i] = random_byte();
    }
    shrink_plane(&(shrink_plane_args){pixels, stride, width, height, factor_x, factor_y, got},
                 scratch);
    for (uint32_t i = 0; i < to[0] * to[1]; i++) {
        double sum = 0, count = 0;
        for (uint32_t y = i / to[0] * factor_y; y < (i / to[0] + 1) * factor_y && y < height; y++) {
            for (uint32_t x = i % to[0] * factor_x; x < (i % to[0] + 1) * factor_x && x < width;
                 x++) {
                sum += pixels[y * stride + x];
                count++;
            }
        }
        assert_true(fabs(got[i] - sum / count) <= 0.51);
    }
    free(pixels);
    free(got);
    free(scratch);
}

static void planes_are_plain_means(void **state)
{
    (void)state;
    compare_plane(64, 48, 4, 6);
    compare_plane(61, 47, 16, 16);
    compare_plane(5, 3, 1, 2);
    compare_plane(1, 1, 16, 16);
}

static void factors_leave_twice_what_is_wanted(void **state)
{
    (void)state;
    assert_int_equal(shrink_factor(1920, 160), 6);
    assert_int_equal(shrink_factor(1919, 160), 5);
    assert_int_equal(shrink_factor(320, 160), 1);
    assert_int_equal(shrink_factor(100, 160), 1);
    assert_int_equal(shrink_factor(65535, 1), SHRINK_FACTOR_MAX);
    assert_int_equal(shrink_factor(1, 4294967295u), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_means_of_squares),
        cmocka_unit_test(the_largest_sums_do_not_overflow),
        cmocka_unit_test(planes_are_plain_means),
        cmocka_unit_test(factors_leave_twice_what_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
