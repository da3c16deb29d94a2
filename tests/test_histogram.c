/* SPDX-License-Identifier: Apache-2.0 */
/* The histogram: how far a bucket's middle may be off, quantiles, and adds from many threads. */
#include "cm.h"

#include <pthread.h>
#include <stdlib.h>

#include "pool/histogram.h"

static histogram *made(void)
{
    histogram *self = calloc(1, sizeof *self);
    assert_non_null(self);
    return self;
}

static histogram_sum sum_of(const histogram *self)
{
    histogram_sum sum = {.total = 0};
    histogram_merge(&sum, self);
    return sum;
}

static void buckets_follow_each_other_without_gap(void **state)
{
    (void)state;
    uint64_t before = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t middle = histogram_middle(i);
        assert_int_equal(histogram_bucket(middle), i);
        assert_true(i == 0 || middle > before);
        before = middle;
    }
    unsigned last = 0;
    for (uint64_t value = 0; value < 1 << 20; value++) {
        unsigned bucket = histogram_bucket(value);
        assert_true(bucket == last || bucket == last + 1);
        last = bucket;
    }
}

static void a_middle_is_at_most_1_6_percent_off(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < HISTOGRAM_MAX_BITS; bit++) {
        for (uint64_t part = 0; part < 1000; part++) {
            uint64_t value = ((uint64_t)1 << bit) + (((uint64_t)1 << bit) * part) / 1000;
            uint64_t middle = histogram_middle(histogram_bucket(value));
            uint64_t off = middle > value ? middle - value : value - middle;
            assert_true(off * 64 <= value);
        }
    }
}

static void quantiles_are_by_nearest_rank(void **state)
{
    (void)state;
    histogram *self = made();
    for (uint64_t value = 1; value <= 30; value++)
        histogram_add(self, value); /* small ones have a bucket each: exact */
    histogram_sum sum = sum_of(self);
    assert_int_equal(sum.total, 30);
    assert_int_equal(histogram_quantile(&sum, 0), 1);
    assert_int_equal(histogram_quantile(&sum, 0.5), 15);
    assert_int_equal(histogram_quantile(&sum, 0.51), 16);
    assert_int_equal(histogram_quantile(&sum, 0.9), 27);
    assert_int_equal(histogram_quantile(&sum, 1), 30);
    for (unsigned i = 0; i < 970; i++)
        histogram_add(self, 1000000);
    sum = sum_of(self);
    assert_int_equal(histogram_quantile(&sum, 0.03), 30);
    assert_in_range(histogram_quantile(&sum, 0.031), 984000, 1000000);
    assert_in_range(histogram_quantile(&sum, 0.999), 984000, 1000000);
    free(self);
}

static void what_is_too_large_shares_the_last_bucket_but_the_maximum_is_exact(void **state)
{
    (void)state;
    histogram *self = made();
    histogram_add(self, UINT64_MAX);
    histogram_add(self, (uint64_t)1 << HISTOGRAM_MAX_BITS);
    histogram_sum sum = sum_of(self);
    assert_int_equal(sum.counts[HISTOGRAM_BUCKETS - 1], 2);
    assert_true(sum.max == UINT64_MAX);
    free(self);
}

static void an_empty_one_says_0_and_a_quantile_never_exceeds_the_maximum(void **state)
{
    (void)state;
    histogram *self = made();
    histogram_sum sum = sum_of(self);
    assert_int_equal(histogram_quantile(&sum, 0.99), 0);
    histogram_add(self, 1025); /* the middle of its bucket is above it */
    assert_true(histogram_middle(histogram_bucket(1025)) > 1025);
    sum = sum_of(self);
    assert_int_equal(histogram_quantile(&sum, 0.99), 1025);
    free(self);
}

static void merging_adds_up(void **state)
{
    (void)state;
    histogram *first = made();
    histogram *second = made();
    for (uint64_t i = 0; i < 10; i++) {
        histogram_add(first, 5);
        histogram_add(second, 7000 + i);
    }
    histogram_sum sum = sum_of(first);
    histogram_merge(&sum, second);
    assert_int_equal(sum.total, 20);
    assert_int_equal(sum.sum, 50 + 70045);
    assert_int_equal(sum.max, 7009);
    assert_int_equal(histogram_quantile(&sum, 0.5), 5);
    assert_in_range(histogram_quantile(&sum, 0.6), 6900, 7009);
    free(first);
    free(second);
}

#define THREADS 4
#define ADDS    20000

static void *add_many(void *user)
{
    for (uint64_t i = 0; i < ADDS; i++)
        histogram_add(user, i);
    return NULL;
}

static void adds_of_many_threads_all_arrive(void **state)
{
    (void)state;
    histogram *self = made();
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, self), 0);
    for (unsigned i = 0; i < 20; i++) {
        histogram_sum running = sum_of(self);
        assert_true(running.total <= THREADS * ADDS && running.max < ADDS);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    histogram_sum sum = sum_of(self);
    assert_int_equal(sum.total, THREADS * ADDS);
    assert_int_equal(sum.sum, (uint64_t)THREADS * ADDS * (ADDS - 1) / 2);
    assert_int_equal(sum.max, ADDS - 1);
    assert_int_equal(sum.counts[3], THREADS);
    free(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other_without_gap),
        cmocka_unit_test(a_middle_is_at_most_1_6_percent_off),
        cmocka_unit_test(quantiles_are_by_nearest_rank),
        cmocka_unit_test(what_is_too_large_shares_the_last_bucket_but_the_maximum_is_exact),
        cmocka_unit_test(an_empty_one_says_0_and_a_quantile_never_exceeds_the_maximum),
        cmocka_unit_test(merging_adds_up),
        cmocka_unit_test(adds_of_many_threads_all_arrive),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
