/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit tests of the harness: a wrong ruler would make every figure wrong.
 */
#include "cm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void assert_json(const char *text, const char *expected)
{
    char out[128];
    size_t needed = bench_json_string(out, sizeof out, text);
    assert_string_equal(out, expected);
    assert_int_equal(needed, strlen(expected));
}

static void json_strings_are_escaped_and_always_valid_utf8(void **state)
{
    (void)state;
    assert_json("plain", "\"plain\"");
    assert_json("a\"b\\c\n\t\x01\x7f", "\"a\\\"b\\\\c\\n\\t\\u0001\\u007f\"");
    assert_json("弹幕 \xF0\x9F\x98\x80", "\"弹幕 \xF0\x9F\x98\x80\"");
    assert_json("\xC0\xAF", "\"\\ufffd\\ufffd\"");            /* overlong */
    assert_json("\xED\xA0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* surrogate */
    assert_json("\xE5\xBC", "\"\\ufffd\\ufffd\"");            /* cut short */
    assert_json("\xF5\x80\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void json_strings_are_cut_between_characters(void **state)
{
    (void)state;
    char out[6];
    size_t needed = bench_json_string(out, sizeof out, "ab\ncd");
    assert_string_equal(out, "\"ab\"");
    assert_int_equal(needed, strlen("\"ab\\ncd\""));
    (void)bench_json_string(out, sizeof out, "a弹");
    assert_string_equal(out, "\"a\"");
    char tiny[2] = {'x', 'x'};
    (void)bench_json_string(tiny, sizeof tiny, "abc");
    assert_string_equal(tiny, "");
}

static void quantiles_of_samples_are_nearest_rank(void **state)
{
    (void)state;
    static bench_samples s;
    s.count = 0;
    assert_true(isnan(bench_samples_quantile(&s, 0.5)));
    for (int i = 100; i >= 1; i--) {
        bench_samples_add(&s, (double)i);
    }
    assert_true(bench_samples_min(&s) == 1.0);
    assert_true(bench_samples_max(&s) == 100.0);
    assert_true(bench_samples_quantile(&s, 0.5) == 50.5);
    assert_true(bench_samples_quantile(&s, 0.99) == 99.0);
    s.count = 3;
    assert_true(bench_samples_quantile(&s, 0.5) == 99.0);
}

/* Compares with a sort of the same values, which is what the histogram stands for. */
static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void histogram_quantiles_are_within_two_percent_of_a_sort(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    static bench_hist h;
    bench_hist_reset(&h);
    uint64_t seed = 42;
    for (size_t i = 0; i < COUNT; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        values[i] = (seed >> 33) >> (i % 30);
        bench_hist_add(&h, values[i], 1);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    static const double quantiles[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        double exact = (double)values[(size_t)ceil(quantiles[i] * COUNT) - 1];
        double got = (double)bench_hist_quantile(&h, quantiles[i]);
        assert_true(fabs(got - exact) <= exact * 0.02 + 0.5);
    }
    assert_int_equal(h.total, COUNT);
}

static void histogram_takes_the_largest_value_and_merges(void **state)
{
    (void)state;
    static bench_hist a;
    static bench_hist b;
    bench_hist_reset(&a);
    bench_hist_reset(&b);
    assert_int_equal(bench_hist_quantile(&a, 0.5), 0);
    bench_hist_add(&a, 0, 3);
    bench_hist_add(&b, UINT64_MAX, 1);
    bench_hist_merge(&a, &b);
    assert_int_equal(a.total, 4);
    assert_int_equal(bench_hist_quantile(&a, 0.75), 0);
    assert_true(bench_hist_quantile(&a, 1.0) > UINT64_MAX / 64 * 62);
    assert_true(a.max == UINT64_MAX);
}

static void goals_are_judged_against_the_best_peer(void **state)
{
    (void)state;
    bench_row row = {.name = "r",
                     .unit = "ns",
                     .value = 10.0,
                     .peers = {{"slow", 40.0, NAN}, {"gone", NAN, NAN}, {"fast", 20.0, NAN}},
                     .peer_count = 3};
    assert_int_equal(bench_row_met(&row), -1);
    assert_string_equal(bench_row_best_peer(&row)->name, "fast");
    row.goal = (bench_goal){BENCH_GOAL_RATIO_MAX, 0.5, false};
    assert_int_equal(bench_row_met(&row), 1);
    row.value = 10.1;
    assert_int_equal(bench_row_met(&row), 0);
    row.more_is_better = true;
    assert_string_equal(bench_row_best_peer(&row)->name, "slow");
    row.peer_count = 0;
    assert_int_equal(bench_row_met(&row), -1);
    row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, 0.0, true};
    assert_int_equal(bench_row_met(&row), 0);
    row.value = 0.0;
    assert_int_equal(bench_row_met(&row), 1);
    row.value = NAN;
    assert_int_equal(bench_row_met(&row), -1);
}

static void ticks_measure_time(void **state)
{
    (void)state;
    bench_setup();
    uint64_t ns_start = bench_now_ns();
    uint64_t ticks_start = bench_ticks();
    while (bench_now_ns() - ns_start < 5000000u) {
    }
    uint64_t ticks = bench_ticks() - ticks_start;
    uint64_t ns = bench_now_ns() - ns_start;
    /* The thread may lose its core between the two reads; then the gap is the longer one's. */
    assert_in_range(bench_ticks_ns(ticks), 4900000u, ns + ns / 20u);
    assert_int_equal(bench_ticks_ns(0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_strings_are_escaped_and_always_valid_utf8),
        cmocka_unit_test(json_strings_are_cut_between_characters),
        cmocka_unit_test(quantiles_of_samples_are_nearest_rank),
        cmocka_unit_test(histogram_quantiles_are_within_two_percent_of_a_sort),
        cmocka_unit_test(histogram_takes_the_largest_value_and_merges),
        cmocka_unit_test(goals_are_judged_against_the_best_peer),
        cmocka_unit_test(ticks_measure_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
