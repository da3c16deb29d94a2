/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The router: the shipped rules, exact bounds, and the answers against a plain reading of
 * random rules that is written here a second time.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/router.h"

#define HOST   DP_TIER_BIT(DP_TIER_HOST)
#define PINNED DP_TIER_BIT(DP_TIER_PINNED)
#define HBM    DP_TIER_BIT(DP_TIER_HBM)

static const router_facts gpu_machine = {
    .usable = HOST | PINNED | HBM, .host_visible = HOST | PINNED, .device_visible = PINNED | HBM};
static const router_facts plain_machine = {.usable = HOST, .host_visible = HOST};

/* "pinned host" and so on. */
static const char *tiers_of(const router_facts *facts, const dp_request *request)
{
    static char text[64];
    size_t count = 0;
    const dp_route_rule *rules = dp_route_rules_default(&count);
    router router_made;
    assert_int_equal(router_init(rules, count, facts, &router_made), DP_OK);
    router_route route = router_find(&router_made, request);
    text[0] = '\0';
    for (unsigned i = 0; i < route.count; i++) {
        strcat(text, i > 0 ? " " : "");
        strcat(text, dp_tier_name((dp_tier_id)route.tiers[i]));
    }
    return text;
}

#define REQUEST(...) (&(dp_request){.size_bytes = 100, __VA_ARGS__})

static void shipped_rules_send_each_kind_where_it_belongs(void **state)
{
    (void)state;
    const router_facts *gpu = &gpu_machine;
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_TEXT)), "pinned host");
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_ENCODED)), "pinned host");
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_OTHER)), "host");
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_SURFACE, .batch_size = 8)),
                        "hbm pinned host");
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_SURFACE, .batch_size = 7)),
                        "pinned host");
    assert_string_equal(tiers_of(gpu, REQUEST(.kind = DP_KIND_SURFACE)), "pinned host");
}

static void a_machine_without_a_gpu_serves_everything_from_host(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < DP_KIND_COUNT; kind++) {
        dp_request request = {.size_bytes = 1, .kind = (uint8_t)kind, .batch_size = 64};
        assert_string_equal(tiers_of(&plain_machine, &request), "host");
    }
}

static void need_passes_over_tiers_that_lack_it(void **state)
{
    (void)state;
    const router_facts *gpu = &gpu_machine;
    dp_request request = {.size_bytes = 1, .kind = DP_KIND_SURFACE, .batch_size = 8};
    request.need = DP_NEED_HOST;
    assert_string_equal(tiers_of(gpu, &request), "pinned host");
    request.need = DP_NEED_DEVICE;
    assert_string_equal(tiers_of(gpu, &request), "hbm pinned");
    request.need = DP_NEED_HOST | DP_NEED_DEVICE;
    assert_string_equal(tiers_of(gpu, &request), "pinned");
    request.need = DP_NEED_DEVICE;
    assert_string_equal(tiers_of(&plain_machine, &request), "");
}

static unsigned rule_for(const router *table, size_t size_bytes, uint16_t batch_size)
{
    return router_find(table, &(dp_request){.size_bytes = size_bytes, .batch_size = batch_size})
        .rule;
}

static void bounds_are_inclusive_to_the_byte(void **state)
{
    (void)state;
    const dp_route_rule rules[] = {
        {.kind = DP_KIND_COUNT, .size_bytes_min = 100, .size_bytes_max = 200},
        {.kind = DP_KIND_COUNT, .batch_size_min = 5},
        {.kind = DP_KIND_COUNT, .size_bytes_max = 1000},
    };
    router table;
    assert_int_equal(router_init(rules, 3, &plain_machine, &table), DP_OK);
    assert_int_equal(rule_for(&table, 99, 0), 2);
    assert_int_equal(rule_for(&table, 100, 0), 0);
    assert_int_equal(rule_for(&table, 200, 9), 0);
    assert_int_equal(rule_for(&table, 201, 4), 2);
    assert_int_equal(rule_for(&table, 201, 5), 1);
    assert_int_equal(rule_for(&table, 1000, 0), 2);
    assert_int_equal(rule_for(&table, 1001, 0), 3); /* none */
}

static void a_tier_named_twice_is_tried_once(void **state)
{
    (void)state;
    /* An initialiser without DP_TIER_NONE is filled up with zeros, which is host. */
    const dp_route_rule rule = {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_PINNED}};
    router table;
    assert_int_equal(router_init(&rule, 1, &gpu_machine, &table), DP_OK);
    router_route route = router_find(&table, REQUEST(.kind = DP_KIND_TEXT));
    assert_int_equal(route.count, 2);
    assert_int_equal(route.tiers[0], DP_TIER_PINNED);
    assert_int_equal(route.tiers[1], DP_TIER_HOST);
}

static void rules_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    const dp_route_rule wrong[] = {
        {.kind = (dp_kind)(DP_KIND_COUNT + 1)},
        {.kind = DP_KIND_TEXT, .size_bytes_min = 10, .size_bytes_max = 9},
        {.kind = DP_KIND_TEXT, .tiers = {DP_TIER_NONE}},
        {.kind = DP_KIND_TEXT, .priority_min = DP_PRIORITY_COUNT},
        {.kind = DP_KIND_TEXT, .tiers = {(dp_tier_id)(DP_TIER_COUNT + 3)}},
    };
    router table;
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(router_init(&wrong[i], 1, &gpu_machine, &table), DP_ERR_INVALID);
    static const dp_route_rule many[ROUTER_RULES_MAX + 1];
    assert_int_equal(router_init(many, ROUTER_RULES_MAX + 1, &gpu_machine, &table), DP_ERR_INVALID);
    assert_int_equal(router_init(many, 0, &gpu_machine, &table), DP_ERR_INVALID);
    assert_int_equal(router_init(many, ROUTER_RULES_MAX, &gpu_machine, &table), DP_OK);
}

static void a_rule_may_be_for_a_priority_and_a_tenant(void **state)
{
    (void)state;
    const dp_route_rule rules[] = {
        {.kind = DP_KIND_COUNT, .tenant = 7, .tiers = {DP_TIER_HBM, DP_TIER_NONE}},
        {.kind = DP_KIND_COUNT, .priority_min = DP_PRIORITY_HIGH, .tiers = {DP_TIER_PINNED}},
        {.kind = DP_KIND_COUNT, .tiers = {DP_TIER_HOST, DP_TIER_NONE}},
    };
    router table;
    assert_int_equal(router_init(rules, 3, &gpu_machine, &table), DP_OK);
    assert_int_equal(router_find(&table, REQUEST(.tenant = 7)).rule, 0);
    assert_int_equal(router_find(&table, REQUEST(.tenant = 6)).rule, 2);
    assert_int_equal(router_find(&table, REQUEST(.priority = DP_PRIORITY_NORMAL)).rule, 2);
    assert_int_equal(router_find(&table, REQUEST(.priority = DP_PRIORITY_HIGH)).rule, 1);
}

static void sizes_between_which_a_rule_begins_or_ends_are_not_flat(void **state)
{
    (void)state;
    const dp_route_rule rules[] = {
        {.kind = DP_KIND_COUNT, .size_bytes_min = 100, .size_bytes_max = 200},
        {.kind = DP_KIND_COUNT},
    };
    router table;
    assert_int_equal(router_init(rules, 2, &gpu_machine, &table), DP_OK);
    assert_true(router_is_flat(&table, 1, 99));
    assert_false(router_is_flat(&table, 99, 100));
    assert_true(router_is_flat(&table, 100, 200));
    assert_false(router_is_flat(&table, 150, 201));
    assert_true(router_is_flat(&table, 201, 5000));
    assert_false(router_is_flat(&table, 1, 5000));
}

/* ---- against a plain reading ---- */

static size_t plain_rule(const dp_route_rule *rules, size_t count, const dp_request *request)
{
    for (size_t i = 0; i < count; i++) {
        bool kind = rules[i].kind == DP_KIND_COUNT || rules[i].kind == (dp_kind)request->kind;
        bool small = request->size_bytes < rules[i].size_bytes_min;
        bool large = rules[i].size_bytes_max != 0 && request->size_bytes > rules[i].size_bytes_max;
        if (kind && !small && !large && request->batch_size >= rules[i].batch_size_min)
            return i;
    }
    return count;
}

static unsigned upto(unsigned limit)
{
    return (unsigned)rand() % limit;
}

static void the_answers_agree_with_a_plain_reading_of_random_rules(void **state)
{
    (void)state;
    unsigned seed = 77;
    printf("seed %u\n", seed);
    srand(seed);
    for (unsigned round = 0; round < 200; round++) {
        dp_route_rule rules[8];
        size_t count = 1 + upto(8);
        for (size_t i = 0; i < count; i++) {
            rules[i] = (dp_route_rule){.kind = (dp_kind)upto(DP_KIND_COUNT + 1),
                                       .size_bytes_min = upto(40),
                                       .batch_size_min = upto(6)};
            rules[i].size_bytes_max = upto(2) == 0 ? 0 : rules[i].size_bytes_min + 1 + upto(20);
        }
        router table;
        assert_int_equal(router_init(rules, count, &gpu_machine, &table), DP_OK);
        for (unsigned i = 0; i < 500; i++) {
            dp_request request = {.kind = (uint8_t)upto(DP_KIND_COUNT),
                                  .size_bytes = 1 + upto(70),
                                  .batch_size = (uint16_t)upto(8),
                                  .need = (uint8_t)upto(4)};
            assert_int_equal(router_find(&table, &request).rule,
                             plain_rule(rules, count, &request));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_rules_send_each_kind_where_it_belongs),
        cmocka_unit_test(a_machine_without_a_gpu_serves_everything_from_host),
        cmocka_unit_test(need_passes_over_tiers_that_lack_it),
        cmocka_unit_test(bounds_are_inclusive_to_the_byte),
        cmocka_unit_test(a_tier_named_twice_is_tried_once),
        cmocka_unit_test(rules_that_make_no_sense_are_refused),
        cmocka_unit_test(a_rule_may_be_for_a_priority_and_a_tenant),
        cmocka_unit_test(sizes_between_which_a_rule_begins_or_ends_are_not_flat),
        cmocka_unit_test(the_answers_agree_with_a_plain_reading_of_random_rules),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
