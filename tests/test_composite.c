/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compositing on the CPU, every pair of bytes against the exact quotient.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cm.h"
#include "kernels/composite.h"
#include "kernels/composite_math.h"

static void division_by_255_rounds_to_nearest_everywhere(void **state)
{
    (void)state;
    for (uint32_t v = 0; v <= 255 * 255; v++) {
        assert_int_equal(composite_div255(v), (uint32_t)lround(v / 255.0));
    }
}

static void over_is_exact_for_all_bytes(void **state)
{
    (void)state;
    for (uint32_t alpha = 0; alpha < 256; alpha++) {
        for (uint32_t backdrop = 0; backdrop < 256; backdrop++) {
            const uint32_t colour = (backdrop * 7) % (alpha + 1);
            const double exact = colour + backdrop * (255 - alpha) / 255.0;
            const uint8_t source[4] = {(uint8_t)colour, 0, 0, (uint8_t)alpha};
            uint8_t pixel[4] = {(uint8_t)backdrop, 0, 0, 255};
            composite_over_cpu(pixel, source, 1);
            assert_int_equal(pixel[0], (int)fmin(255, floor(exact + 0.5)));
            assert_int_equal(pixel[3], 255);
        }
    }
}

static void over_nothing_is_the_source_and_under_nothing_the_backdrop(void **state)
{
    const uint8_t source[8] = {10, 20, 30, 40, 0, 0, 0, 0};
    uint8_t backdrop[8] = {0, 0, 0, 0, 9, 8, 7, 6};
    (void)state;
    composite_over_cpu(backdrop, source, 2);
    assert_memory_equal(backdrop, "\x0a\x14\x1e\x28\x09\x08\x07\x06", 8);
}

static void straight_colours_survive_the_way_there_and_back(void **state)
{
    (void)state;
    for (unsigned alpha = 0; alpha < 256; alpha++) {
        for (unsigned colour = 0; colour < 256; colour++) {
            uint8_t pixel[4] = {(uint8_t)colour, 0, 255, (uint8_t)alpha};
            composite_premultiply_cpu(pixel, 1);
            const int held = pixel[0];
            composite_unpremultiply_cpu(pixel, 1);
            /* The premultiplied byte has `alpha` steps: half of one is lost, no more. */
            const double step = alpha == 0 ? 255 : 255.0 / alpha;
            assert_true(fabs((double)pixel[0] - (alpha == 0 ? 0 : colour)) <= step / 2 + 0.5);
            assert_int_equal(pixel[2], alpha == 0 ? 0 : 255);
            composite_premultiply_cpu(pixel, 1);
            assert_int_equal(pixel[0], held);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(division_by_255_rounds_to_nearest_everywhere),
        cmocka_unit_test(over_is_exact_for_all_bytes),
        cmocka_unit_test(over_nothing_is_the_source_and_under_nothing_the_backdrop),
        cmocka_unit_test(straight_colours_survive_the_way_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
