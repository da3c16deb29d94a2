/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 5: opens the tiers, puts slabs, magazines and router over them, and takes it all down in
 * reverse.  The only file that knows every part.
 *
 * A pool owns its tiers and everything above them.  After creation nothing here changes, so every
 * question is answered without a lock; destroying is for one thread when no other is in a call.
 */
#include <stdio.h>
#include <string.h>

#include "pool/pool_state.h"

/* ---- tiers ---- */

static void info_absent(dp_pool *pool, dp_tier_id id, dp_status state, const char *detail)
{
    dp_tier_info *info = &pool->infos[id];
    *info = (dp_tier_info){.id = id, .name = dp_tier_name(id), .state = state};
    snprintf(info->detail, sizeof info->detail, "%s", detail);
}

/*
 * Absence is a normal state, but for two: without the host's bookkeeping memory nothing works, and
 * a pmem file that was asked for and cannot be opened must not be passed over in silence.
 */
static bool absence_is_fatal(const dp_pool_config *config, dp_tier_id id, dp_status status)
{
    if (id == DP_TIER_PMEM)
        return config->pmem_path != NULL && status != DP_ERR_UNSUPPORTED;
    return id == DP_TIER_HOST;
}

static void tiers_close(dp_tier *tiers[DP_TIER_COUNT])
{
    for (unsigned id = DP_TIER_COUNT; id-- > 0;) {
        tier_close(tiers[id]);
        tiers[id] = NULL;
    }
}

static dp_status tiers_open(const dp_pool_config *config, dp_pool *pool)
{
    const tier_open_args args = {
        .pmem_path = config->pmem_path,
        .pmem_size_bytes = config->pmem_size_bytes,
    };
    for (unsigned i = 0; i < DP_TIER_COUNT; i++) {
        dp_tier_id id = (dp_tier_id)i;
        char detail[96] = "";
        if ((config->tiers & DP_TIER_BIT(id)) == 0) {
            info_absent(pool, id, DP_ERR_UNSUPPORTED, "not asked for in the configuration");
            continue;
        }
        dp_status status = tier_open(id, &args, detail, &pool->tiers[i]);
        if (status == DP_OK)
            continue;
        if (absence_is_fatal(config, id, status))
            return status;
        info_absent(pool, id, status, detail);
    }
    return DP_OK;
}

/* Puts the budget round each tier; the wrapper owns the tier, also when it fails. */
static dp_status tiers_limit(const dp_pool_config *config, dp_pool *pool)
{
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier *inner = pool->tiers[id];
        if (inner == NULL)
            continue;
        size_t budget = config->budget_bytes_max[id];
        if (budget == 0)
            budget = inner->budget_bytes_default;
        if (budget == 0)
            continue;
        pool->tiers[id] = NULL;
        dp_status status = tier_limit_wrap(inner, budget, &pool->tiers[id]);
        if (status != DP_OK)
            return status;
    }
    return DP_OK;
}

/* The outermost wrapper tells the pool's observer what each call did. */
static dp_status tiers_trace(dp_pool *pool)
{
    const tier_trace_sink sink = observer_sink(&pool->observer);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier *inner = pool->tiers[id];
        if (inner == NULL)
            continue;
        pool->tiers[id] = NULL;
        dp_status status = tier_trace_wrap(inner, &sink, &pool->tiers[id]);
        if (status != DP_OK)
            return status;
    }
    return DP_OK;
}

/* ---- making ---- */

static router_facts facts_collect(dp_pool *pool)
{
    router_facts facts = {0};
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        const dp_tier *tier = pool->tiers[id];
        if (tier == NULL)
            continue;
        pool->infos[id] = tier->info;
        facts.usable |= tier_has_regions(tier) ? DP_TIER_BIT(id) : 0;
        facts.host_visible |= tier->info.host_visible ? DP_TIER_BIT(id) : 0;
        facts.device_visible |= tier->info.device_visible ? DP_TIER_BIT(id) : 0;
    }
    return facts;
}

static void slabs_destroy(dp_pool *pool)
{
    for (unsigned id = 0; id < DP_TIER_COUNT; id++)
        slab_destroy(pool->slabs[id]);
}

static dp_status slabs_create(dp_pool *pool, uint32_t usable)
{
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        if ((usable & DP_TIER_BIT(id)) == 0)
            continue;
        dp_status status = slab_create(pool->tiers[id], pool, &pool->slabs[id]);
        if (status != DP_OK)
            return status;
        pool->alignment_bytes[id] = slab_alignment_bytes(pool->slabs[id]);
    }
    return DP_OK;
}

/*
 * The short way's entry for a row and class: the first tier's magazine, where the answer is the
 * same for every size of the class and threads keep such blocks.  All sizes of a class are rounded
 * up to one class of the tier as well, since classes and alignments are steps of powers of two.
 */
static uint32_t fast_entry(const dp_pool *pool, unsigned row, unsigned size_class)
{
    size_t size_bytes_max = size_class_bytes(size_class);
    size_t size_bytes_min = size_class == 0 ? 1 : size_class_bytes(size_class - 1) + 1;
    dp_request request = {
        .size_bytes = size_bytes_max,
        .kind = (uint8_t)router_row_kind(row),
        .priority = (uint8_t)router_row_priority(row),
        .need = (uint8_t)router_row_need(row),
    };
    if (buf_request_check(&request) != DP_OK ||
        !router_is_flat(&pool->router, size_bytes_min, size_bytes_max))
        return 0;
    router_route route = router_find(&pool->router, &request);
    if (route.count == 0)
        return 0;
    unsigned tier = route.tiers[0];
    size_t index = pool->magazines.first[tier] + pool_class_of(pool, tier, size_bytes_max);
    DP_ASSERT(pool_class_of(pool, tier, size_bytes_min) ==
              pool_class_of(pool, tier, size_bytes_max));
    uint32_t entry = (uint32_t)(index * sizeof(magazine));
    return tier == route.first ? entry : entry + POOL_FAST_FALLBACK;
}

static void fast_fill(dp_pool *pool)
{
    for (unsigned row = 0; row < ROUTER_ROWS; row++) {
        for (unsigned i = 0; i < POOL_FAST_CLASSES; i++)
            pool->fast_home[row][i] = fast_entry(pool, row, i);
    }
    pool_fast_follow(pool);
}

static void fast_changed(void *pool, dp_tier_id tier)
{
    pool_fast_apply(pool, tier);
}

static void health_start(dp_pool *pool, const dp_pool_config *config)
{
    const health_links links = {
        .layer = &pool->magazines, .tiers = pool->tiers, .changed = fast_changed, .user = pool};
    health_init(&pool->health, &config->health, &links);
    fallback_init(&pool->fallback, config->health.enabled ? config->health.fallback_bytes_max : 0);
    tenants_init(&pool->tenants);
}

/* Everything above the tiers, which pool->tiers holds already. */
static dp_status pool_build(dp_pool *pool, const dp_pool_config *config)
{
    size_t rule_count = config->rule_count;
    const dp_route_rule *rules = config->rules;
    if (rules == NULL)
        rules = dp_route_rules_default(&rule_count);
    router_facts facts = facts_collect(pool);
    if (facts.usable == 0)
        return DP_ERR_UNSUPPORTED;
    dp_status status = router_init(rules, rule_count, &facts, &pool->router);
    if (status == DP_OK)
        status = health_config_check(&config->health);
    if (status != DP_OK)
        return status;
    status = slabs_create(pool, facts.usable);
    if (status == DP_OK)
        status = magazine_layer_create(pool->slabs, &pool->magazines);
    pool->magazines.observer = &pool->observer;
    if (status != DP_OK) {
        slabs_destroy(pool);
        return status;
    }
    movable_layer_init(&pool->movables);
    health_start(pool, config);
    fast_fill(pool);
    stream_release_open(&pool->streams, facts.device_visible != 0);
    return DP_OK;
}

static dp_status pool_finish(dp_pool *pool, const dp_pool_config *config, dp_pool **out)
{
    life_init(&pool->life);
    dp_status status = tiers_limit(config, pool);
    if (status == DP_OK)
        status = observer_init(&pool->observer);
    if (status == DP_OK)
        status = tiers_trace(pool);
    if (status == DP_OK)
        status = pool_build(pool, config);
    if (status != DP_OK) {
        tiers_close(pool->tiers);
        observer_destroy(&pool->observer);
        life_destroy(&pool->life);
        os_free(pool);
        return status;
    }
    *out = pool;
    return DP_OK;
}

dp_status dp_pool_create(const dp_pool_config *config, dp_pool **out)
{
    DP_ASSERT(config != NULL && out != NULL);
    if ((config->tiers & DP_TIER_BITS_ALL) == 0 || (config->tiers & ~DP_TIER_BITS_ALL) != 0)
        return DP_ERR_INVALID;
    dp_pool *pool = os_calloc(1, sizeof *pool);
    if (pool == NULL)
        return DP_ERR_NOMEM;
    dp_status status = tiers_open(config, pool);
    if (status != DP_OK) {
        tiers_close(pool->tiers);
        os_free(pool);
        return status;
    }
    return pool_finish(pool, config, out);
}

dp_status pool_create_over(const dp_pool_config *config, dp_tier *tiers[DP_TIER_COUNT],
                           dp_pool **out)
{
    DP_ASSERT(config != NULL && out != NULL);
    dp_pool *pool = os_calloc(1, sizeof *pool);
    if (pool == NULL) {
        tiers_close(tiers);
        return DP_ERR_NOMEM;
    }
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        DP_ASSERT(tiers[id] == NULL || tiers[id]->info.id == (dp_tier_id)id);
        pool->tiers[id] = tiers[id];
        tiers[id] = NULL;
        if (pool->tiers[id] == NULL)
            info_absent(pool, (dp_tier_id)id, DP_ERR_UNSUPPORTED, "not given to this pool");
    }
    return pool_finish(pool, config, out);
}

void dp_pool_destroy(dp_pool *pool)
{
    if (pool == NULL)
        return;
    stream_release_close(&pool->streams); /* puts what still waits for a stream */
    /* A cache that is still there shows as wrapped or held buffers as well. */
    DP_ASSERT(atomic_load_explicit(&pool->wrapped_live, memory_order_acquire) == 0);
    movable_layer_destroy(&pool->movables);
    tenants_destroy(&pool->tenants);
    fallback_destroy(&pool->fallback);
    health_destroy(&pool->health);
    magazine_layer_destroy(&pool->magazines);
    slabs_destroy(pool); /* asserts that every block came back */
    tiers_close(pool->tiers);
    observer_destroy(&pool->observer);
    life_destroy(&pool->life);
    os_free(pool);
}

/* ---- asking ---- */

dp_tier *pool_tier(dp_pool *pool, dp_tier_id id)
{
    DP_ASSERT((unsigned)id < DP_TIER_COUNT);
    return pool->tiers[id];
}

dp_status dp_pool_tier_info(const dp_pool *pool, dp_tier_id id, dp_tier_info *out)
{
    if ((unsigned)id >= DP_TIER_COUNT)
        return DP_ERR_INVALID;
    *out = pool->infos[id];
    return DP_OK;
}

dp_status dp_route_rules_match(const dp_route_rule *rules, size_t count, const dp_request *request,
                               size_t *index)
{
    dp_status status = buf_request_check(request);
    if (status != DP_OK)
        return status;
    size_t found = router_match(rules, count, request);
    if (found == count)
        return DP_ERR_NOT_FOUND;
    *index = found;
    return DP_OK;
}

dp_status dp_pool_route(const dp_pool *pool, const dp_request *request,
                        dp_tier_id tiers[DP_TIER_COUNT], size_t *rule_index)
{
    dp_status status = buf_request_check(request);
    if (status != DP_OK)
        return status;
    router_route route = router_find(&pool->router, request);
    if (route.count == 0)
        return DP_ERR_UNSUPPORTED;
    for (unsigned i = 0; i < DP_TIER_COUNT; i++)
        tiers[i] = i < route.count ? (dp_tier_id)route.tiers[i] : DP_TIER_NONE;
    *rule_index = route.rule;
    return DP_OK;
}

void dp_pool_thread_flush(dp_pool *pool)
{
    magazine_flush(&pool->magazines);
}

void dp_stats_read(dp_pool *pool, dp_stats *out)
{
    stats_collect(&pool->magazines, out);
    fallback_stats fallback_now;
    fallback_stats_read(&pool->fallback, &fallback_now);
    out->fallback_gets = fallback_now.gets;
    out->fallback_puts = fallback_now.puts;
    out->fallback_used_bytes = fallback_now.held_bytes;
}

void dp_stats_copied(dp_pool *pool, size_t bytes)
{
    magazine_count(&pool->magazines, MAGAZINE_BYTES_COPIED, bytes);
}

void dp_stats_delivered(const dp_buf *buf, size_t bytes)
{
    magazine_count(&buf_pool(buf)->magazines, MAGAZINE_BYTES_DELIVERED, bytes);
}

void pool_check(dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    fallback_check(&pool->fallback);
    health_check(&pool->health);
    movable_check(&pool->movables);
    stream_release_check(&pool->streams);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        if (pool->slabs[id] == NULL)
            continue;
        slab_check(pool->slabs[id]);
        uint64_t resting = magazine_check(&pool->magazines, (dp_tier_id)id);
        uint64_t held = 0;
        for (unsigned family = 0; family < DP_FAMILY_COUNT; family++)
            held += stats.tiers[id].gets[family] - stats.tiers[id].puts[family];
        slab_stats slab_now;
        slab_stats_read(pool->slabs[id], &slab_now);
        DP_ASSERT(slab_now.live_blocks == held + resting);
    }
}
