/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What bench_thumb judges by: SSIM of known pairs, and a reference that agrees with the kernels.
 */
#include <math.h>
#include <stdlib.h>

#include "cm.h"
#include "kernels/resize.h"
#include "thumb_source.h"
#include "thumb_ssim.h"

#define WIDTH  32u
#define HEIGHT 24u

static void ssim_of_a_picture_with_itself_is_one(void **state)
{
    double a[WIDTH * HEIGHT], b[WIDTH * HEIGHT];
    (void)state;
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        a[i] = (i * 37u) % 256;
        b[i] = 255 - a[i];
    }
    assert_true(fabs(thumb_ssim(a, a, WIDTH, HEIGHT) - 1) < 1e-9);
    assert_true(thumb_ssim(a, b, WIDTH, HEIGHT) < 0);
}

/* Two flat pictures differ by luminance alone: (2ab + C1) / (a^2 + b^2 + C1). */
static void ssim_of_flat_pictures_is_the_formula(void **state)
{
    double a[WIDTH * HEIGHT], b[WIDTH * HEIGHT];
    const double c1 = (0.01 * 255) * (0.01 * 255);
    (void)state;
    for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
        a[i] = 100;
        b[i] = 140;
    }
    const double want = (2 * 100 * 140 + c1) / (100 * 100 + 140 * 140 + c1);
    assert_true(fabs(thumb_ssim(a, b, WIDTH, HEIGHT) - want) < 1e-9);
}

static void noise_lowers_ssim_the_more_the_stronger_it_is(void **state)
{
    double a[WIDTH * HEIGHT], b[WIDTH * HEIGHT], last = 1;
    (void)state;
    for (int strength = 4; strength <= 64; strength *= 2) {
        for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
            a[i] = 60 + 4.0 * (i % WIDTH);
            b[i] = a[i] + strength * ((i * 2654435761u >> 16) % 3 - 1.0);
        }
        const double now = thumb_ssim(a, b, WIDTH, HEIGHT);
        assert_true(now < last);
        last = now;
    }
}

static uint8_t *by_kernels(const uint8_t *rgba, const uint32_t from[2], const uint32_t to[2])
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
    resize_cpu(&(resize_args){.x = &x,
                              .y = &y,
                              .source = {.pixels = rgba, .stride_bytes = (size_t)from[0] * 4},
                              .target = out,
                              .target_stride_bytes = (size_t)to[0] * 4},
               scratch);
    free(scratch);
    free(x_memory);
    free(y_memory);
    return out;
}

static void the_reference_is_what_the_kernels_make(void **state)
{
    const uint32_t from[2] = {200, 150}, to[2] = {40, 30};
    uint8_t *rgb = thumb_source_pixels(from[0], from[1]);
    uint8_t *rgba = malloc((size_t)from[0] * from[1] * 4);
    (void)state;
    assert_true(rgb != NULL && rgba != NULL);
    for (size_t i = 0; i < (size_t)from[0] * from[1] * 4; i++) {
        rgba[i] = i % 4 == 3 ? 255 : rgb[i / 4 * 3 + i % 4];
    }
    uint8_t *small = by_kernels(rgba, from, to);
    double *want = thumb_reference(rgb, from, to, true);
    double *codes = thumb_reference(rgb, from, to, false);
    double *got = thumb_luma(small, to[0], to[1]);
    assert_true(want != NULL && codes != NULL && got != NULL);
    for (uint32_t i = 0; i < to[0] * to[1]; i++) {
        assert_true(fabs(got[i] - want[i]) <= 1);
    }
    assert_true(thumb_ssim(got, want, to[0], to[1]) > 0.999);
    assert_true(thumb_ssim(got, codes, to[0], to[1]) < thumb_ssim(got, want, to[0], to[1]));
    free(rgb);
    free(rgba);
    free(small);
    free(want);
    free(codes);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ssim_of_a_picture_with_itself_is_one),
        cmocka_unit_test(ssim_of_flat_pictures_is_the_formula),
        cmocka_unit_test(noise_lowers_ssim_the_more_the_stronger_it_is),
        cmocka_unit_test(the_reference_is_what_the_kernels_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
