/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenants: what is charged, who is refused, when an id is free again, and all of it from several
 * threads at once.
 */
#include "cm.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <danpool/cache.h>
#include <danpool/tenant.h>

#include "health_rig.h"
#include "pool/size_class.h"

#define KIB ((size_t)1 << 10)

static dp_status get_for(health_rig *rig, uint16_t tenant, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes, .kind = DP_KIND_TEXT, .tenant = tenant};
    return dp_get(rig->pool, &request, out);
}

static dp_tenant_stats stats_for(health_rig *rig, uint16_t tenant)
{
    dp_tenant_stats stats;
    DP_ASSERT(dp_tenant_stats_read(rig->pool, tenant, &stats) == DP_OK);
    return stats;
}

static void rig_open_plain(health_rig *rig)
{
    health_rig_prepare(rig);
    health_rig_open(rig);
}

static uint16_t tenant_with(health_rig *rig, size_t pinned_bytes, size_t host_bytes)
{
    const size_t quotas[DP_TIER_COUNT] = {
        [DP_TIER_PINNED] = pinned_bytes, [DP_TIER_HOST] = host_bytes};
    uint16_t id = 0;
    assert_int_equal(dp_tenant_create(rig->pool, "room", quotas, &id), DP_OK);
    return id;
}

static void a_tenant_is_charged_blocks_until_their_last_put(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t id = tenant_with(&rig, 64 * KIB, 0);
    dp_buf *buf = NULL;
    assert_int_equal(get_for(&rig, id, 1000, &buf), DP_OK);
    size_t block_bytes = size_class_bytes(size_class_of(1000));
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], block_bytes);
    dp_put(dp_ref(buf));
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], block_bytes);
    dp_put(buf);
    dp_tenant_stats stats = stats_for(&rig, id);
    assert_int_equal(stats.used_bytes[DP_TIER_PINNED], 0);
    assert_int_equal(stats.quota_bytes_max[DP_TIER_PINNED], 64 * KIB);
    assert_int_equal(stats.quota_bytes_max[DP_TIER_HOST], 0);
    assert_string_equal(stats.name, "room");
    /* The same block, for nobody: it must not be given back twice. */
    buf = rig_text(&rig, 1000);
    dp_put(buf);
    health_rig_close(&rig);
}

static void the_one_that_exceeds_its_quota_is_refused_and_nobody_else(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t greedy = tenant_with(&rig, 8 * KIB, 4 * KIB);
    uint16_t other = tenant_with(&rig, 8 * KIB, 4 * KIB);
    dp_buf *held[4];
    /* Two in pinned, one in host, which is the rule's next tier; then it is over. */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(get_for(&rig, greedy, 4 * KIB, &held[i]), DP_OK);
        assert_int_equal(dp_buf_tier(held[i]), i < 2 ? DP_TIER_PINNED : DP_TIER_HOST);
    }
    dp_buf *untouched = NULL;
    assert_int_equal(get_for(&rig, greedy, 16, &untouched), DP_ERR_QUOTA);
    assert_null(untouched);
    assert_int_equal(stats_for(&rig, greedy).refused, 1);
    assert_int_equal(get_for(&rig, other, 4 * KIB, &held[3]), DP_OK);
    assert_int_equal(dp_buf_tier(held[3]), DP_TIER_PINNED);
    dp_buf *nobodys = rig_text(&rig, 4 * KIB);
    assert_non_null(nobodys);
    dp_put(nobodys);
    /* No tier failed, and none of it says anything about the tiers' health. */
    assert_int_equal(rig_stats(&rig).tiers[DP_TIER_PINNED].failed, 0);
    assert_int_equal(rig.event_count, 0);
    dp_put(held[0]);
    assert_int_equal(get_for(&rig, greedy, 4 * KIB, &held[0]), DP_OK);
    for (unsigned i = 0; i < 4; i++)
        dp_put(held[i]);
    health_rig_close(&rig);
}

static void a_tier_that_is_full_is_not_the_tenants_fault(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    const dp_route_rule pinned_only = {.kind = DP_KIND_COUNT,
                                       .tiers = {DP_TIER_PINNED, DP_TIER_NONE}};
    rig.config.rules = &pinned_only;
    rig.config.rule_count = 1;
    rig.config.health.fallback_bytes_max = 0;
    rig.config.budget_bytes_max[DP_TIER_PINNED] = 256 * KIB;
    health_rig_open(&rig);
    uint16_t id = tenant_with(&rig, 512 * KIB, 0);
    dp_buf *buf = NULL;
    assert_int_equal(get_for(&rig, id, 300 * KIB, &buf), DP_ERR_NOMEM); /* the tier's budget */
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    assert_int_equal(get_for(&rig, id, 4 * KIB, &buf), DP_ERR_NOMEM);
    dp_tenant_stats stats = stats_for(&rig, id);
    assert_int_equal(stats.refused, 0);
    assert_int_equal(stats.used_bytes[DP_TIER_PINNED], 0);
    health_rig_close(&rig);
}

static void a_tenant_that_is_not_there_gets_nothing(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    dp_buf *buf = NULL;
    dp_tenant_stats stats;
    assert_int_equal(get_for(&rig, 1, 100, &buf), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_tenant_destroy(rig.pool, 1), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_tenant_destroy(rig.pool, 0), DP_ERR_NOT_FOUND);
    assert_int_equal(dp_tenant_stats_read(rig.pool, 65535, &stats), DP_ERR_NOT_FOUND);
    uint16_t id = tenant_with(&rig, 0, 0);
    assert_int_equal(get_for(&rig, id, 100, &buf), DP_OK);
    assert_int_equal(dp_tenant_destroy(rig.pool, id), DP_OK);
    dp_buf *second = NULL;
    assert_int_equal(get_for(&rig, id, 100, &second), DP_ERR_NOT_FOUND);
    dp_put(buf); /* it may outlive its tenant */
    health_rig_close(&rig);
}

static void an_id_is_not_given_again_while_buffers_of_it_are_held(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t held_by = tenant_with(&rig, 0, 0);
    dp_buf *buf = NULL;
    assert_int_equal(get_for(&rig, held_by, 100, &buf), DP_OK);
    assert_int_equal(dp_tenant_destroy(rig.pool, held_by), DP_OK);
    uint16_t before = held_by;
    for (unsigned i = 0; i < 200; i++) {
        uint16_t id = tenant_with(&rig, 4 * KIB, 0);
        assert_int_not_equal(id, held_by);
        assert_true(id <= 3); /* those that are free are given again */
        before = id;
        assert_int_equal(dp_tenant_destroy(rig.pool, id), DP_OK);
    }
    dp_put(buf);
    bool seen = false;
    for (unsigned i = 0; i < 4; i++) {
        before = tenant_with(&rig, 0, 0);
        seen = seen || before == held_by;
    }
    assert_true(seen);
    health_rig_close(&rig);
}

static void all_ids_can_be_had_and_walked(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    for (unsigned i = 1; i <= DP_TENANTS_MAX; i++)
        assert_int_equal(tenant_with(&rig, 0, 0), i);
    uint16_t id = 0;
    assert_int_equal(dp_tenant_create(rig.pool, "one more", NULL, &id), DP_ERR_BUSY);
    assert_int_equal(dp_tenant_destroy(rig.pool, 40000), DP_OK);
    assert_int_equal(dp_tenant_next(rig.pool, 39999), 40001);
    assert_int_equal(dp_tenant_next(rig.pool, 65535), 0);
    assert_int_equal(tenant_with(&rig, 0, 0), 40000);
    assert_int_equal(dp_tenant_next(rig.pool, 0), 1);
    health_rig_close(&rig);
}

static void the_fallback_is_charged_to_the_quota_of_host(void **state)
{
    (void)state;
    health_rig rig;
    health_rig_prepare(&rig);
    const dp_route_rule pinned_only = {.kind = DP_KIND_COUNT,
                                       .tiers = {DP_TIER_PINNED, DP_TIER_NONE}};
    rig.config.rules = &pinned_only;
    rig.config.rule_count = 1;
    health_rig_open(&rig);
    atomic_store(&rig.faults.status, DP_ERR_NOMEM);
    uint16_t id = tenant_with(&rig, 64 * KIB, 4 * KIB);
    dp_buf *buf = NULL;
    dp_buf *second = NULL;
    assert_int_equal(get_for(&rig, id, 4 * KIB, &buf), DP_OK);
    assert_int_equal(dp_buf_tier(buf), DP_TIER_HOST);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_HOST], 4 * KIB);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 0);
    assert_int_equal(get_for(&rig, id, 16, &second), DP_ERR_QUOTA);
    assert_int_equal(rig_stats(&rig).fallback_gets, rig_stats(&rig).fallback_puts + 1);
    dp_put(buf);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_HOST], 0);
    health_rig_close(&rig);
}

static void what_a_cache_keeps_stays_charged(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t id = tenant_with(&rig, 64 * KIB, 0);
    const dp_cache_config config = {0};
    dp_cache *cache = NULL;
    assert_int_equal(dp_cache_create(rig.pool, &config, &cache), DP_OK);
    const dp_cache_key key = {.bytes = {1}};
    dp_cache_entry entry = {.priority = DP_PRIORITY_NORMAL};
    assert_int_equal(get_for(&rig, id, 4 * KIB, &entry.buf), DP_OK);
    assert_int_equal(dp_cache_insert(cache, &key, &entry, NULL), DP_OK);
    dp_put(entry.buf);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 4 * KIB);
    assert_int_equal(dp_cache_remove(cache, &key), DP_OK);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 0);
    dp_cache_destroy(cache);
    health_rig_close(&rig);
}

static void a_move_takes_the_charge_along(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t id = tenant_with(&rig, 64 * KIB, 6 * KIB);
    const dp_request request = {
        .size_bytes = 4 * KIB, .kind = DP_KIND_TEXT, .flags = DP_GET_MOVABLE, .tenant = id};
    dp_buf *bufs[2] = {NULL};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(dp_get(rig.pool, &request, &bufs[i]), DP_OK);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 8 * KIB);
    assert_int_equal(dp_buf_migrate(bufs[0], DP_TIER_HOST), DP_OK);
    assert_int_equal(dp_buf_migrate(bufs[1], DP_TIER_HOST), DP_ERR_QUOTA);
    assert_int_equal(dp_buf_tier(bufs[1]), DP_TIER_PINNED);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 4 * KIB);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_HOST], 4 * KIB);
    dp_put(bufs[1]);
    assert_int_equal(stats_for(&rig, id).used_bytes[DP_TIER_PINNED], 0);
    assert_int_equal(dp_tenant_destroy(rig.pool, id), DP_OK);
    assert_int_equal(dp_buf_migrate(bufs[0], DP_TIER_PINNED), DP_OK); /* nobody's from here on */
    dp_put(bufs[0]);
    health_rig_close(&rig);
}

static void making_a_tenant_may_fail_for_want_of_memory(void **state)
{
    (void)state;
    health_rig rig;
    rig_open_plain(&rig);
    uint16_t id = 77;
    (void)os_malloc_fail_nth(1);
    assert_int_equal(dp_tenant_create(rig.pool, "room", NULL, &id), DP_ERR_NOMEM);
    assert_int_equal(os_malloc_fail_nth(0), 0);
    assert_int_equal(id, 77);
    assert_int_equal(dp_tenant_create(rig.pool, "room", NULL, &id), DP_OK);
    assert_int_equal(id, 1);
    health_rig_close(&rig);
}

/* ---- threads ---- */

#define WORKERS     4
#define WORK_STEPS  20000
#define WORK_HELD   8
#define QUOTA_BYTES (4 * KIB)

typedef struct crowd {
    health_rig rig;
    uint16_t id;
    _Atomic uint64_t held_bytes; /* counted by the workers themselves */
    _Atomic unsigned refused;
    _Atomic unsigned next_seed;
} crowd;

static void crowd_put(crowd *all, dp_buf *buf)
{
    /* First here, then there: what the pool has booked is never less than this. */
    atomic_fetch_sub(&all->held_bytes, dp_buf_capacity(buf));
    dp_put(buf);
}

static void *crowd_work(void *user)
{
    crowd *all = user;
    unsigned seed = atomic_fetch_add(&all->next_seed, 7919);
    dp_buf *held[WORK_HELD] = {NULL};
    for (unsigned step = 0; step < WORK_STEPS; step++) {
        seed = seed * 1664525u + 1013904223u;
        dp_buf **slot = &held[(seed >> 24) % WORK_HELD];
        if (*slot != NULL) {
            crowd_put(all, *slot);
            *slot = NULL;
            continue;
        }
        dp_status status = get_for(&all->rig, all->id, 1 + (seed >> 8) % 2000, slot);
        DP_ASSERT(status == DP_OK || status == DP_ERR_QUOTA);
        if (status == DP_OK)
            DP_ASSERT(atomic_fetch_add(&all->held_bytes, dp_buf_capacity(*slot)) +
                          dp_buf_capacity(*slot) <=
                      2 * QUOTA_BYTES);
        else
            atomic_fetch_add(&all->refused, 1);
    }
    for (unsigned i = 0; i < WORK_HELD; i++) {
        if (held[i] != NULL)
            crowd_put(all, held[i]);
    }
    return NULL;
}

static void a_quota_holds_against_many_threads(void **state)
{
    (void)state;
    static crowd all;
    rig_open_plain(&all.rig);
    all.id = tenant_with(&all.rig, QUOTA_BYTES, QUOTA_BYTES);
    atomic_store(&all.next_seed, 20261124u);
    pthread_t threads[WORKERS];
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_work, &all), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    dp_tenant_stats stats = stats_for(&all.rig, all.id);
    assert_int_equal(stats.used_bytes[DP_TIER_PINNED], 0);
    assert_int_equal(stats.used_bytes[DP_TIER_HOST], 0);
    assert_int_equal(stats.refused, atomic_load(&all.refused));
    assert_true(stats.refused > 0);
    health_rig_close(&all.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tenant_is_charged_blocks_until_their_last_put),
        cmocka_unit_test(the_one_that_exceeds_its_quota_is_refused_and_nobody_else),
        cmocka_unit_test(a_tier_that_is_full_is_not_the_tenants_fault),
        cmocka_unit_test(a_tenant_that_is_not_there_gets_nothing),
        cmocka_unit_test(an_id_is_not_given_again_while_buffers_of_it_are_held),
        cmocka_unit_test(all_ids_can_be_had_and_walked),
        cmocka_unit_test(the_fallback_is_charged_to_the_quota_of_host),
        cmocka_unit_test(what_a_cache_keeps_stays_charged),
        cmocka_unit_test(a_move_takes_the_charge_along),
        cmocka_unit_test(making_a_tenant_may_fail_for_want_of_memory),
        cmocka_unit_test(a_quota_holds_against_many_threads),
    };
    return cmocka_run_group_tests_name("tenant", tests, NULL, NULL);
}
