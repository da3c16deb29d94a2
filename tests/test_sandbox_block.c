/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembering killers: time is moved by hand.
 */
#include "cm.h"
#include "render/sandbox_block.h"

#define START_NS (UINT64_C(1) << 50)

static block_table table;

static int setup(void **state)
{
    (void)state;
    block_init(&table);
    return 0;
}

#define BLOCK_TEST(f) cmocka_unit_test_setup(f, setup)

/* The reference key and messages of the SipHash paper's appendix A and its test vectors. */
static void the_hash_is_siphash(void **state)
{
    (void)state;
    uint8_t bytes[16];
    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)i;
    }
    table.key[0] = UINT64_C(0x0706050403020100);
    table.key[1] = UINT64_C(0x0f0e0d0c0b0a0908);
    assert_true(block_hash(&table, bytes, 15) == UINT64_C(0xa129ca6149be45e5));
    assert_true(block_hash(&table, bytes, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(block_hash(&table, bytes, 8) == UINT64_C(0x93f5f5799a932462));
}

static void two_tables_hash_unlike(void **state)
{
    (void)state;
    static block_table other;
    block_init(&other);
    assert_true(block_hash(&table, "abc", 3) != block_hash(&other, "abc", 3));
}

static void a_source_is_blocked_at_its_second_death_and_for_a_while(void **state)
{
    (void)state;
    uint64_t now = START_NS;
    block_note(&table, 5, 100, 0, now);
    assert_true(block_knows_size(&table, 100));
    assert_false(block_knows_size(&table, 101));
    assert_false(block_has_source(&table, 5, 100, now));
    now += BLOCK_SOURCE_NS / 2;
    block_note(&table, 5, 100, 0, now);
    assert_true(block_has_source(&table, 5, 100, now));
    assert_false(block_has_source(&table, 6, 100, now));
    assert_false(block_has_source(&table, 5, 101, now));
    assert_int_equal(block_sources_now(&table, now), 1);
    now += BLOCK_SOURCE_NS - 1;
    assert_true(block_has_source(&table, 5, 100, now));
    assert_false(block_has_source(&table, 5, 100, now + 1));
    /* And its old deaths are forgotten. */
    block_note(&table, 5, 100, 0, now + 1);
    assert_false(block_has_source(&table, 5, 100, now + 1));
}

static void deaths_far_apart_do_not_add_up(void **state)
{
    (void)state;
    block_note(&table, 5, 100, 0, START_NS);
    block_note(&table, 5, 100, 0, START_NS + BLOCK_SOURCE_NS);
    assert_false(block_has_source(&table, 5, 100, START_NS + BLOCK_SOURCE_NS));
}

static void a_full_table_forgets_the_oldest(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < BLOCK_SOURCES + 1; i++) {
        block_note(&table, i, 100, 0, START_NS + 2 * i);
        block_note(&table, i, 100, 0, START_NS + 2 * i + 1);
    }
    const uint64_t now = START_NS + 2 * BLOCK_SOURCES + 2;
    assert_false(block_has_source(&table, 0, 100, now));
    for (uint64_t i = 1; i < BLOCK_SOURCES + 1; i++) {
        assert_true(block_has_source(&table, i, 100, now));
    }
    assert_int_equal(block_sources_now(&table, now), BLOCK_SOURCES);
}

static void a_tenant_is_blocked_by_many_deaths_in_its_window(void **state)
{
    (void)state;
    uint64_t now = START_NS;
    for (uint64_t i = 0; i < BLOCK_TENANT_DEATHS; i++) {
        assert_false(block_has_tenant(&table, 9, now));
        block_note(&table, i, 50 + i, 9, now);
        now += BLOCK_TENANT_WINDOW_NS / 2 / BLOCK_TENANT_DEATHS;
    }
    assert_true(block_has_tenant(&table, 9, now));
    assert_false(block_has_tenant(&table, 8, now));
    assert_false(block_has_tenant(&table, 9, now + BLOCK_TENANT_NS));
    /* Back again, it starts from nothing. */
    now += BLOCK_TENANT_NS;
    block_note(&table, 99, 99, 9, now);
    assert_false(block_has_tenant(&table, 9, now));
}

static void few_deaths_over_a_long_time_block_no_tenant(void **state)
{
    (void)state;
    uint64_t now = START_NS;
    for (uint64_t i = 0; i < 10 * BLOCK_TENANT_DEATHS; i++) {
        block_note(&table, i, 50, 9, now);
        now += BLOCK_TENANT_WINDOW_NS / (BLOCK_TENANT_DEATHS - 1) + 1;
        assert_false(block_has_tenant(&table, 9, now));
    }
}

static void nobody_in_particular_is_never_blocked(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2 * BLOCK_TENANT_DEATHS; i++) {
        block_note(&table, i, 50, 0, START_NS);
    }
    assert_false(block_has_tenant(&table, 0, START_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TEST(the_hash_is_siphash),
        BLOCK_TEST(two_tables_hash_unlike),
        BLOCK_TEST(a_source_is_blocked_at_its_second_death_and_for_a_while),
        BLOCK_TEST(deaths_far_apart_do_not_add_up),
        BLOCK_TEST(a_full_table_forgets_the_oldest),
        BLOCK_TEST(a_tenant_is_blocked_by_many_deaths_in_its_window),
        BLOCK_TEST(few_deaths_over_a_long_time_block_no_tenant),
        BLOCK_TEST(nobody_in_particular_is_never_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
