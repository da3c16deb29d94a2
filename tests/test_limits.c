/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets, counted connections and the tarpit, on a clock that the test moves. */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pool/os.h"
#include "server/gate/limits.h"

#define MS     1000000ull
#define SECOND 1000000000ull

static const limits_config usual = {
    .rates = {[LIMITS_USER] = {5, 10}, [LIMITS_ROOM] = {100, 100}, [LIMITS_CONNECT] = {10, 20}},
    .tarpit_ms_max = 3000,
    .address_connections_max = 3,
    .buckets_max = 1000,
    .connections_max = 100};

static limits_table *made(const limits_config *config)
{
    limits_table *all;
    assert_int_equal(limits_create(config, &all), DP_OK);
    return all;
}

static identity_address address(unsigned last)
{
    identity_address at = {
        .bytes = {[10] = 0xFF, [11] = 0xFF, [14] = (uint8_t)(last >> 8), [15] = (uint8_t)last}};
    return at;
}

static void a_bucket_gives_its_burst_and_then_its_rate(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    uint64_t now = 7 * SECOND;
    uint32_t retry_ms = 0;
    for (int i = 0; i < 10; i++) {
        assert_true(limits_take(all, LIMITS_USER, 42, 0, now, &retry_ms));
    }
    assert_false(limits_take(all, LIMITS_USER, 42, 0, now, &retry_ms));
    assert_int_equal(retry_ms, 200);
    assert_false(limits_take(all, LIMITS_USER, 42, 0, now + 199 * MS, &retry_ms));
    assert_int_equal(retry_ms, 1);
    assert_true(limits_take(all, LIMITS_USER, 42, 0, now + 200 * MS, &retry_ms));
    assert_false(limits_take(all, LIMITS_USER, 42, 0, now + 399 * MS, &retry_ms));
    /* Over ten seconds, as the rate says, however often it is tried. */
    unsigned taken = 0;
    for (uint64_t at = now + 400 * MS; at < now + 10400 * MS; at += MS) {
        taken += limits_take(all, LIMITS_USER, 42, 0, at, &retry_ms);
    }
    assert_int_equal(taken, 50);
    limits_destroy(all);
}

static void buckets_of_others_are_others(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    uint32_t retry_ms = 0;
    for (int i = 0; i < 10; i++) {
        assert_true(limits_take(all, LIMITS_USER, 1, 0, SECOND, &retry_ms));
    }
    assert_false(limits_take(all, LIMITS_USER, 1, 0, SECOND, &retry_ms));
    assert_true(limits_take(all, LIMITS_USER, 2, 0, SECOND, &retry_ms));
    assert_true(limits_take(all, LIMITS_ROOM, 1, 0, SECOND, &retry_ms));
    for (int i = 0; i < 1000; i++) {
        assert_true(limits_take(all, LIMITS_ADDRESS, 1, 0, SECOND, &retry_ms)); /* no limit */
    }
    limits_destroy(all);
}

static void a_token_may_bring_a_rate_of_its_own(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    uint32_t retry_ms = 0;
    assert_true(limits_take(all, LIMITS_USER, 1, 1, SECOND, &retry_ms));
    assert_true(limits_take(all, LIMITS_USER, 1, 1, SECOND, &retry_ms));
    assert_false(limits_take(all, LIMITS_USER, 1, 1, SECOND, &retry_ms));
    assert_int_equal(retry_ms, 1000);
    limits_destroy(all);
}

/* More keys than places: those with something to say stay, as long as full ones can go. */
static void a_flood_of_keys_evicts_full_buckets_first(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    uint32_t retry_ms = 0;
    uint64_t now = SECOND;
    for (int i = 0; i < 10; i++) {
        assert_true(limits_take(all, LIMITS_USER, identity_hash("x", 1), 0, now, &retry_ms));
    }
    /* Each takes one, and is full again before the next hundred come. */
    for (uint32_t i = 0; i < 100000; i++) {
        uint64_t key = identity_hash(&i, sizeof i);
        now += MS / 200;
        assert_true(limits_take(all, LIMITS_USER, key, 1000000, now, &retry_ms));
    }
    assert_false(limits_take(all, LIMITS_USER, identity_hash("x", 1), 0, SECOND, &retry_ms));
    limits_destroy(all);
}

static void new_rates_hold_from_the_next_message_on(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    limits_config other = usual;
    uint32_t retry_ms = 0;
    other.rates[LIMITS_USER] = (limits_rate){0, 0};
    limits_configure(all, &other);
    for (int i = 0; i < 100; i++) {
        assert_true(limits_take(all, LIMITS_USER, 1, 0, SECOND, &retry_ms));
    }
    other.rates[LIMITS_USER] = (limits_rate){1, 0};
    limits_configure(all, &other);
    assert_true(limits_take(all, LIMITS_USER, 1, 0, SECOND, &retry_ms));
    assert_false(limits_take(all, LIMITS_USER, 1, 0, SECOND, &retry_ms));
    limits_destroy(all);
}

static void a_storm_of_one_address_is_spread_over_its_rate(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    identity_address from = address(1);
    identity_address other = address(2);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(limits_tarpit_ms(all, &from, SECOND), 0);
    }
    for (uint32_t i = 1; i <= 30; i++) {
        assert_int_equal(limits_tarpit_ms(all, &from, SECOND), 100 * i);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(limits_tarpit_ms(all, &from, SECOND), 3000);
    }
    assert_int_equal(limits_tarpit_ms(all, &other, SECOND), 0);
    /* The debt is paid back in the longest delay, the burst after that. */
    assert_int_equal(limits_tarpit_ms(all, &from, 4 * SECOND), 100);
    assert_int_equal(limits_tarpit_ms(all, &from, 10 * SECOND), 0);
    limits_destroy(all);
}

static void connections_of_an_address_are_counted_exactly(void **state)
{
    (void)state;
    limits_table *all = made(&usual);
    for (unsigned i = 0; i < 64; i++) {
        identity_address from = address(i);
        assert_true(limits_connect(all, &from));
        assert_true(limits_connect(all, &from));
        assert_true(limits_connect(all, &from));
        assert_false(limits_connect(all, &from));
    }
    /* Come and go in an order that moves entries about. */
    for (unsigned i = 0; i < 64; i += 2) {
        identity_address from = address(i);
        for (int k = 0; k < 3; k++) {
            limits_disconnect(all, &from);
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        identity_address from = address(i);
        assert_int_equal(limits_connect(all, &from), i % 2 == 0);
    }
    limits_destroy(all);
}

typedef struct takers {
    limits_table *all;
    _Atomic unsigned taken;
} takers;

static void *take_many(void *user)
{
    takers *run = user;
    uint32_t retry_ms;
    for (int i = 0; i < 5000; i++) {
        identity_address from = address((unsigned)i % 8);
        atomic_fetch_add(&run->taken, limits_take(run->all, LIMITS_ROOM, 5, 0, SECOND, &retry_ms));
        if (limits_connect(run->all, &from)) {
            limits_disconnect(run->all, &from);
        }
    }
    return NULL;
}

static void threads_never_take_more_than_there_is(void **state)
{
    (void)state;
    takers run = {.all = made(&usual)};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &run), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(run.taken, 100);
    limits_destroy(run.all);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    limits_table *all = NULL;
    os_malloc_fail_nth(1);
    assert_int_equal(limits_create(&usual, &all), DP_ERR_NOMEM);
    assert_int_equal(os_malloc_fail_nth(0), 0);
    assert_null(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_gives_its_burst_and_then_its_rate),
        cmocka_unit_test(buckets_of_others_are_others),
        cmocka_unit_test(a_token_may_bring_a_rate_of_its_own),
        cmocka_unit_test(a_flood_of_keys_evicts_full_buckets_first),
        cmocka_unit_test(new_rates_hold_from_the_next_message_on),
        cmocka_unit_test(a_storm_of_one_address_is_spread_over_its_rate),
        cmocka_unit_test(connections_of_an_address_are_counted_exactly),
        cmocka_unit_test(threads_never_take_more_than_there_is),
        cmocka_unit_test(no_memory_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
