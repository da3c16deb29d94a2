/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of eviction: class before age, use makes young, the judge has the last word, and a
 * search is bounded.
 */
#include "cm.h"

#include <stdbool.h>
#include <stdlib.h>

#include "pool/evict.h"

typedef struct item {
    evict_node node;
    bool held;
    bool passed;
    unsigned judged;
} item;

static evict_verdict judge(void *user, evict_node *node)
{
    item *at = LIST_OF(node, item, node);
    (*(unsigned *)user)++;
    at->judged++;
    if (at->passed) {
        return EVICT_PASS;
    }
    return at->held ? EVICT_USED : EVICT_TAKE;
}

static item *victim(evict *order, dp_priority priority_max)
{
    unsigned judged = 0;
    evict_node *node = evict_victim(order, priority_max, judge, &judged);
    return node == NULL ? NULL : LIST_OF(node, item, node);
}

static void the_lowest_class_goes_first_and_its_oldest_before_the_rest(void **state)
{
    (void)state;
    evict order;
    item items[6] = {0};
    static const dp_priority priorities[6] = {DP_PRIORITY_HIGH, DP_PRIORITY_NORMAL,
                                              DP_PRIORITY_LOW,  DP_PRIORITY_LOW,
                                              DP_PRIORITY_HIGH, DP_PRIORITY_NORMAL};
    static const int expected[6] = {2, 3, 1, 5, 0, 4};
    evict_init(&order);
    for (size_t i = 0; i < 6; i++) {
        evict_add(&order, &items[i].node, priorities[i], 100 + i);
    }
    assert_int_equal(order.bytes, 615);
    for (size_t i = 0; i < 6; i++) {
        item *next = victim(&order, DP_PRIORITY_HIGH);
        assert_ptr_equal(next, &items[expected[i]]);
        evict_remove(&order, &next->node);
    }
    assert_int_equal(order.bytes, 0);
    assert_int_equal(order.count, 0);
    assert_null(victim(&order, DP_PRIORITY_HIGH));
}

static void use_makes_young(void **state)
{
    (void)state;
    evict order;
    item items[3] = {0};
    evict_init(&order);
    for (size_t i = 0; i < 3; i++) {
        evict_add(&order, &items[i].node, DP_PRIORITY_NORMAL, 1);
    }
    evict_touch(&order, &items[0].node);
    assert_ptr_equal(victim(&order, DP_PRIORITY_HIGH), &items[1]);
    assert_int_equal(order.count, 3);
}

static void higher_classes_are_out_of_reach(void **state)
{
    (void)state;
    evict order;
    item items[2] = {0};
    evict_init(&order);
    evict_add(&order, &items[0].node, DP_PRIORITY_HIGH, 1);
    evict_add(&order, &items[1].node, DP_PRIORITY_NORMAL, 1);
    assert_null(victim(&order, DP_PRIORITY_LOW));
    assert_ptr_equal(victim(&order, DP_PRIORITY_NORMAL), &items[1]);
    items[1].held = true;
    assert_null(victim(&order, DP_PRIORITY_NORMAL));
    assert_ptr_equal(victim(&order, DP_PRIORITY_HIGH), &items[0]);
}

static void a_held_member_is_never_taken_and_goes_to_the_young_end(void **state)
{
    (void)state;
    evict order;
    item items[4] = {0};
    evict_init(&order);
    for (size_t i = 0; i < 4; i++) {
        evict_add(&order, &items[i].node, DP_PRIORITY_LOW, 1);
    }
    items[0].held = true;
    items[1].passed = true;
    assert_ptr_equal(victim(&order, DP_PRIORITY_HIGH), &items[2]);
    evict_remove(&order, &items[2].node);
    items[0].held = false;
    items[1].passed = false;
    /* Passed kept its place, held went behind everybody. */
    assert_ptr_equal(victim(&order, DP_PRIORITY_HIGH), &items[1]);
    evict_remove(&order, &items[1].node);
    assert_ptr_equal(victim(&order, DP_PRIORITY_HIGH), &items[3]);
}

static void a_search_is_bounded_and_the_next_one_goes_on_behind_it(void **state)
{
    (void)state;
    enum { COUNT = 3 * EVICT_STEPS_MAX };
    evict order;
    item *items = calloc(COUNT, sizeof *items);
    assert_non_null(items);
    evict_init(&order);
    for (size_t i = 0; i < COUNT; i++) {
        evict_add(&order, &items[i].node, DP_PRIORITY_LOW, 1);
        items[i].held = i + 1 < COUNT;
    }
    unsigned judged = 0;
    assert_null(evict_victim(&order, DP_PRIORITY_HIGH, judge, &judged));
    assert_int_equal(judged, EVICT_STEPS_MAX);
    assert_null(evict_victim(&order, DP_PRIORITY_HIGH, judge, &judged));
    assert_ptr_equal(evict_victim(&order, DP_PRIORITY_HIGH, judge, &judged),
                     &items[COUNT - 1].node);
    assert_int_equal(judged, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(items[i].judged, 1);
    }
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_class_goes_first_and_its_oldest_before_the_rest),
        cmocka_unit_test(use_makes_young),
        cmocka_unit_test(higher_classes_are_out_of_reach),
        cmocka_unit_test(a_held_member_is_never_taken_and_goes_to_the_young_end),
        cmocka_unit_test(a_search_is_bounded_and_the_next_one_goes_on_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
