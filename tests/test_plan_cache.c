/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kept plans: found by scene and size, bounded in bytes, the least recently used goes first.
 */
#include <pthread.h>

#include "pool/os.h"
#include "render/plan_cache.h"
#include "render_rig.h"

#define PLAN_BYTES 1000u

static dp_cache_key key_of(unsigned number)
{
    dp_cache_key key = {.bytes = {0}};
    memcpy(key.bytes + 8, &number, sizeof number); /* all in one bucket */
    return key;
}

/* The cache looks at a plan's bytes alone. */
static drawing_plan *plan_of(render_rig *rig)
{
    const dp_request request = {.size_bytes = PLAN_BYTES, .need = DP_NEED_HOST};
    drawing_plan *plan = os_calloc(1, sizeof *plan);
    assert_non_null(plan);
    assert_int_equal(dp_get(rig->pool, &request, &plan->pack), DP_OK);
    atomic_init(&plan->refs, 1);
    return plan;
}

static bool has(plan_cache *cache, unsigned number, uint32_t side)
{
    const dp_cache_key key = key_of(number);
    drawing_plan *plan = plan_cache_find(cache, &key, (const uint32_t[2]){side, side});
    drawing_plan_put(plan);
    return plan != NULL;
}

static void keep(render_rig *rig, plan_cache *cache, unsigned number, uint32_t side)
{
    const dp_cache_key key = key_of(number);
    drawing_plan *plan = plan_of(rig);
    plan_cache_keep(cache, &key, (const uint32_t[2]){side, side}, plan);
    drawing_plan_put(plan);
}

static void a_plan_is_found_by_its_scene_and_size_and_counts_its_uses(void **state)
{
    render_rig *rig = *state;
    const uint32_t size[2] = {30, 40}, turned[2] = {40, 30};
    const dp_cache_key key = key_of(1), other = key_of(2);
    plan_cache *cache;
    assert_int_equal(plan_cache_create(10 * PLAN_BYTES, &cache), DP_OK);
    drawing_plan *plan = plan_of(rig);
    plan_cache_keep(cache, &key, size, plan);
    assert_int_equal(atomic_load(&plan->uses), 0);
    assert_ptr_equal(plan_cache_find(cache, &key, size), plan);
    assert_int_equal(atomic_load(&plan->uses), 1);
    assert_null(plan_cache_find(cache, &key, turned));
    assert_null(plan_cache_find(cache, &other, size));
    drawing_plan_put(plan);
    plan_cache_destroy(cache);
    assert_int_equal(atomic_load(&plan->refs), 1);
    drawing_plan_put(plan);
}

static void the_least_recently_used_one_goes_first(void **state)
{
    render_rig *rig = *state;
    plan_cache *cache;
    assert_int_equal(plan_cache_create(3 * PLAN_BYTES, &cache), DP_OK);
    for (unsigned i = 0; i < 3; i++) {
        keep(rig, cache, i, 9);
    }
    assert_true(has(cache, 0, 9));
    keep(rig, cache, 3, 9);
    assert_false(has(cache, 1, 9));
    assert_true(has(cache, 0, 9) && has(cache, 2, 9) && has(cache, 3, 9));
    assert_int_equal(rig_used_bytes(rig) >= 3 * PLAN_BYTES, 1);
    for (unsigned i = 0; i < 100; i++) {
        keep(rig, cache, i % 7, 9 + i % 5);
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < 7; i++) {
        for (uint32_t side = 9; side < 14; side++) {
            kept += has(cache, i, side);
        }
    }
    assert_int_equal(kept, 3);
    plan_cache_destroy(cache);
}

static void what_does_not_fit_or_is_there_is_left_alone(void **state)
{
    render_rig *rig = *state;
    const uint32_t size[2] = {9, 9};
    const dp_cache_key key = key_of(1);
    plan_cache *cache;
    assert_int_equal(plan_cache_create(PLAN_BYTES - 1, &cache), DP_OK);
    keep(rig, cache, 1, 9);
    assert_false(has(cache, 1, 9));
    plan_cache_destroy(cache);

    assert_int_equal(plan_cache_create(2 * PLAN_BYTES, &cache), DP_OK);
    drawing_plan *first = plan_of(rig);
    plan_cache_keep(cache, &key, size, first);
    keep(rig, cache, 1, 9);
    drawing_plan *found = plan_cache_find(cache, &key, size);
    assert_ptr_equal(found, first);
    drawing_plan_put(found);
    drawing_plan_put(first);
    /* Without memory for its place it is not kept either. */
    drawing_plan *plan = plan_of(rig);
    const dp_cache_key other = key_of(2);
    os_malloc_fail_nth(1);
    plan_cache_keep(cache, &other, size, plan);
    assert_int_equal(os_malloc_fail_nth(0), 0);
    drawing_plan_put(plan);
    assert_false(has(cache, 2, 9));
    plan_cache_destroy(cache);
    os_malloc_fail_nth(1);
    assert_int_equal(plan_cache_create(PLAN_BYTES, &cache), DP_ERR_NOMEM);
    os_malloc_fail_nth(0);
}

typedef struct user {
    render_rig *rig;
    plan_cache *cache;
    unsigned first;
} user;

static void *use(void *arg)
{
    const user *u = arg;
    for (unsigned i = 0; i < 2000; i++) {
        const unsigned number = (u->first + i * 7) % 12;
        if (!has(u->cache, number, 9)) {
            keep(u->rig, u->cache, number, 9);
        }
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    pthread_t threads[3];
    user users[3];
    plan_cache *cache;
    assert_int_equal(plan_cache_create(5 * PLAN_BYTES, &cache), DP_OK);
    for (unsigned i = 0; i < 3; i++) {
        users[i] = (user){.rig = *state, .cache = cache, .first = i};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    plan_cache_destroy(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_plan_is_found_by_its_scene_and_size_and_counts_its_uses),
        RIG_TEST(the_least_recently_used_one_goes_first),
        RIG_TEST(what_does_not_fit_or_is_there_is_left_alone),
        RIG_TEST(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
