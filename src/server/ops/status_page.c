/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators read: /metrics over every part of the daemon, and the words of the health checks.
 */
#include "server/ops/status_decoders.h"
#include "server/server.h"

#include <danpool/stats.h>
#include <danpool/tenant.h>
#include <dp_features.h>

#include "pool/os.h"
#include "server/ops/metrics.h"

#define METRICS_BYTES_MAX (64u << 10)
#define BEAT_NS_MAX       5000000000u

typedef struct tier_row {
    const char *family, *type, *help;
    uint64_t values[DP_TIER_COUNT];
} tier_row;

static void write_tier_row(metrics_text *text, const tier_row *row)
{
    metrics_family(text, row->family, row->type, row->help);
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        metrics_printf(text, "danpool_%s{tier=\"%s\"} %llu\n", row->family,
                       dp_tier_name((dp_tier_id)id), (unsigned long long)row->values[id]);
    }
}

static void write_value(metrics_text *text, const char *family, const char *type, const char *help,
                        uint64_t value)
{
    metrics_family(text, family, type, help);
    metrics_printf(text, "danpool_%s %llu\n", family, (unsigned long long)value);
}

static void write_pool(metrics_text *text, dp_server *server)
{
    dp_stats stats;
    dp_stats_read(server->pool, &stats);
    tier_row up = {"pool_tier_up", "gauge", "1 where this machine has the tier", {0}};
    tier_row capacity = {"pool_capacity_bytes", "gauge", "Bytes taken from the tier", {0}};
    tier_row used = {"pool_used_bytes", "gauge", "Bytes in buffers that are held", {0}};
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier_info info;
        up.values[id] =
            dp_pool_tier_info(server->pool, (dp_tier_id)id, &info) == DP_OK && info.state == DP_OK;
        capacity.values[id] = stats.tiers[id].capacity_bytes;
        used.values[id] = stats.tiers[id].used_bytes;
    }
    write_tier_row(text, &up);
    write_tier_row(text, &capacity);
    write_tier_row(text, &used);
    metrics_family(text, "pool_allocations_total", "counter", "Buffers asked for, by outcome");
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        const dp_tier_stats *tier = &stats.tiers[id];
        const char *name = dp_tier_name((dp_tier_id)id);
        metrics_printf(text,
                       "danpool_pool_allocations_total{tier=\"%s\",result=\"reuse\"} %llu\n"
                       "danpool_pool_allocations_total{tier=\"%s\",result=\"fresh\"} %llu\n"
                       "danpool_pool_allocations_total{tier=\"%s\",result=\"fail\"} %llu\n",
                       name, (unsigned long long)tier->reused, name,
                       (unsigned long long)tier->fresh, name, (unsigned long long)tier->failed);
    }
    write_value(text, "pool_fallbacks_total", "counter",
                "Buffers served by another tier than the first of the rule", stats.fallbacks);
    write_value(text, "pool_copied_bytes_total", "counter", "Bytes copied between pooled buffers",
                stats.bytes_copied);
    write_value(text, "pool_delivered_bytes_total", "counter",
                "Bytes of pooled buffers written to sockets", stats.bytes_delivered);
    write_value(text, "pool_fallback_gets_total", "counter",
                "Buffers served by the fallback beside the tiers", stats.fallback_gets);
    write_value(text, "pool_fallback_used_bytes", "gauge", "Bytes of it in buffers that are held",
                stats.fallback_used_bytes);
}

static const char *family_label(unsigned family)
{
    return family == DP_FAMILY_COUNT ? "breaker" : dp_family_name((dp_family)family);
}

static uint64_t info_state(const dp_health_info *info)
{
    return (uint64_t)(info->state >= DP_BREAKER_CLOSED ? info->state - DP_BREAKER_CLOSED
                                                       : info->state);
}

static uint64_t info_transitions(const dp_health_info *info)
{
    return info->transitions;
}

static uint64_t info_held_back(const dp_health_info *info)
{
    return info->held_back;
}

/* One line for each tier that is there, family and breaker. */
static void write_health_rows(metrics_text *text, dp_server *server, const char *name,
                              uint64_t (*value)(const dp_health_info *info))
{
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        for (unsigned family = 0; family <= DP_FAMILY_COUNT; family++) {
            dp_health_info info;
            if (dp_health_read(server->pool, (dp_tier_id)id, (dp_family)family, &info) == DP_OK) {
                metrics_printf(text, "danpool_%s{tier=\"%s\",family=\"%s\"} %llu\n", name,
                               dp_tier_name((dp_tier_id)id), family_label(family),
                               (unsigned long long)value(&info));
            }
        }
    }
}

static void write_health(metrics_text *text, dp_server *server)
{
    metrics_family(text, "health_state", "gauge",
                   "0 ok, 1 warned, 2 degraded, 3 half; breaker: 0 closed, 1 open, 2 half open");
    write_health_rows(text, server, "health_state", info_state);
    metrics_family(text, "health_transitions_total", "counter", "Changes of that state");
    write_health_rows(text, server, "health_transitions_total", info_transitions);
    metrics_family(text, "health_held_back_total", "counter",
                   "Buffers that were not asked of a tier for its state");
    write_health_rows(text, server, "health_held_back_total", info_held_back);
}

/* All rooms together: a label for each would be a page for each. */
static void write_tenants(metrics_text *text, dp_server *server)
{
    tier_row used = {"tenant_used_bytes", "gauge", "Bytes charged to rooms", {0}};
    uint64_t count = 0;
    uint64_t refused = 0;
    uint16_t id = dp_tenant_next(server->pool, 0);
    for (; id != 0; id = dp_tenant_next(server->pool, id)) {
        dp_tenant_stats stats;
        if (dp_tenant_stats_read(server->pool, id, &stats) == DP_OK) {
            for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
                used.values[tier] += stats.used_bytes[tier];
            }
            refused += stats.refused;
            count++;
        }
    }
    write_value(text, "tenants", "gauge", "Rooms with a quota", count);
    write_value(text, "tenant_refused", "gauge", "Refusals for a quota of the rooms that are there",
                refused);
    write_tier_row(text, &used);
}

/* Of every tier that has been used: quantiles since the start, the largest one as quantile 1. */
static void write_latency(metrics_text *text, dp_server *server)
{
    static const char *const calls[DP_LATENCY_COUNT] = {
        [DP_LATENCY_GET] = "slow_get", [DP_LATENCY_TIER_CALL] = "tier_call"};
    metrics_family(text, "pool_latency_seconds", "summary",
                   "How long gets that no magazine could serve and calls into a tier took");
    for (unsigned i = 0; i < DP_LATENCY_COUNT * DP_TIER_COUNT; i++) {
        dp_tier_id tier = (dp_tier_id)(i % DP_TIER_COUNT);
        const char *call = calls[i / DP_TIER_COUNT];
        dp_latency latency;
        if (dp_latency_read(server->pool, (dp_latency_kind)(i / DP_TIER_COUNT), tier, &latency) !=
                DP_OK ||
            latency.count == 0) {
            continue;
        }
        const struct {
            const char *quantile;
            uint64_t ns;
        } rows[] = {{"0.5", latency.p50_ns},
                    {"0.99", latency.p99_ns},
                    {"0.999", latency.p999_ns},
                    {"1", latency.max_ns}};
        for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
            metrics_printf(
                text,
                "danpool_pool_latency_seconds{call=\"%s\",tier=\"%s\",quantile=\"%s\"} %.9f\n",
                call, dp_tier_name(tier), rows[row].quantile, (double)rows[row].ns * 1e-9);
        }
        metrics_printf(text,
                       "danpool_pool_latency_seconds_sum{call=\"%s\",tier=\"%s\"} %.9f\n"
                       "danpool_pool_latency_seconds_count{call=\"%s\",tier=\"%s\"} %llu\n",
                       call, dp_tier_name(tier), (double)latency.sum_ns * 1e-9, call,
                       dp_tier_name(tier), (unsigned long long)latency.count);
    }
}

static void write_cache(metrics_text *text, dp_server *server)
{
    dp_cache_stats stats;
    dp_cache_stats_read(server->cache, &stats);
    tier_row hits = {"cache_hits_total", "counter", "Pictures found, by tier", {0}};
    tier_row entries = {"cache_entries", "gauge", "Pictures kept", {0}};
    tier_row bytes = {"cache_bytes", "gauge", "Bytes of pictures kept", {0}};
    for (unsigned id = 0; id < DP_TIER_COUNT; id++) {
        hits.values[id] = stats.hits[id];
        entries.values[id] = stats.entries[id];
        bytes.values[id] = stats.bytes[id];
    }
    write_tier_row(text, &hits);
    write_value(text, "cache_misses_total", "counter", "Pictures looked for in vain", stats.misses);
    metrics_family(text, "cache_moves_total", "counter", "Pictures moved between tiers");
    metrics_printf(text,
                   "danpool_cache_moves_total{move=\"demoted\"} %llu\n"
                   "danpool_cache_moves_total{move=\"promoted\"} %llu\n"
                   "danpool_cache_moves_total{move=\"dropped\"} %llu\n",
                   (unsigned long long)stats.demoted, (unsigned long long)stats.promoted,
                   (unsigned long long)stats.dropped);
    write_tier_row(text, &entries);
    write_tier_row(text, &bytes);
}

static void write_seconds(metrics_text *text, const char *family, const char *type,
                          const char *help, uint64_t ns)
{
    metrics_family(text, family, type, help);
    metrics_printf(text, "danpool_%s %.9f\n", family, (double)ns * 1e-9);
}

static void write_render_queue(metrics_text *text, const dp_render_stats *stats)
{
    write_value(text, "render_queue_length", "gauge", "Render jobs that wait", stats->queue_length);
    write_seconds(text, "render_queue_age_seconds", "gauge", "How long the oldest of them waits",
                  stats->queue_age_ns);
    write_value(text, "render_queue_rooms", "gauge", "Rooms that they are for", stats->tenants);
    metrics_family(text, "render_rejected_total", "counter", "Jobs refused at the queue");
    metrics_printf(text,
                   "danpool_render_rejected_total{reason=\"queue\"} %llu\n"
                   "danpool_render_rejected_total{reason=\"room\"} %llu\n",
                   (unsigned long long)stats->rejected_busy,
                   (unsigned long long)stats->rejected_share);
}

static void write_render_stages(metrics_text *text, const dp_render_stats *stats)
{
    metrics_family(text, "render_stage_jobs", "gauge", "Render jobs in each stage");
    for (unsigned i = 0; i < DP_RENDER_STAGE_COUNT; i++) {
        metrics_printf(text, "danpool_render_stage_jobs{stage=\"%s\"} %llu\n",
                       dp_render_stage_name((dp_render_stage)i),
                       (unsigned long long)stats->stage_jobs[i]);
    }
    metrics_family(text, "render_stage_seconds_total", "counter", "Time that jobs spent in each");
    for (unsigned i = 0; i < DP_RENDER_STAGE_COUNT; i++) {
        metrics_printf(text, "danpool_render_stage_seconds_total{stage=\"%s\"} %.9f\n",
                       dp_render_stage_name((dp_render_stage)i), (double)stats->stage_ns[i] * 1e-9);
    }
}

static void write_render(metrics_text *text, dp_server *server)
{
    dp_render_stats stats;
    dp_render_stats_read(server->render, &stats);
    write_render_queue(text, &stats);
    write_render_stages(text, &stats);
    metrics_family(text, "render_jobs_total", "counter", "Render jobs that ended");
    metrics_printf(text,
                   "danpool_render_jobs_total{result=\"ok\"} %llu\n"
                   "danpool_render_jobs_total{result=\"late\"} %llu\n"
                   "danpool_render_jobs_total{result=\"failed\"} %llu\n",
                   (unsigned long long)stats.done_ok, (unsigned long long)stats.late,
                   (unsigned long long)(stats.done_failed - stats.late));
    write_value(text, "render_pictures_total", "counter", "Pictures made", stats.pictures);
    write_seconds(text, "render_busy_seconds_total", "counter", "Time that render threads worked",
                  stats.busy_ns);
    metrics_family(text, "render_batches_total", "counter", "Batches that a device was given");
    metrics_printf(text,
                   "danpool_render_batches_total{result=\"ok\"} %llu\n"
                   "danpool_render_batches_total{result=\"failed\"} %llu\n",
                   (unsigned long long)stats.batches, (unsigned long long)stats.batches_failed);
    write_value(text, "render_batch_items_total", "counter",
                "Pictures that a device scaled or drew", stats.batch_items);
    write_value(text, "render_spare_items_total", "counter",
                "Pictures that the CPU made in a device's place", stats.spare_items);
    write_value(text, "render_device_state", "gauge", "0 none, 1 ok, 2 failed, 3 tried again",
                (uint64_t)stats.device);
}

dp_status status_metrics(dp_server *server, dp_buf **out)
{
    dp_request request = {
        .size_bytes = METRICS_BYTES_MAX, .kind = DP_KIND_OTHER, .need = DP_NEED_HOST};
    dp_buf *page;
    dp_status status = dp_get(server->pool, &request, &page);
    if (status != DP_OK) {
        return status;
    }
    metrics_text text = {.to = dp_buf_data(page), .capacity_bytes = METRICS_BYTES_MAX};
    metrics_family(&text, "build_info", "gauge", "What this build is");
    metrics_printf(&text, "danpool_build_info{version=\"%s\",backend=\"%s\"} 1\n",
                   DP_VERSION_STRING, dp_render_backend_name(server->render));
    metrics_write(&text);
    write_value(&text, "config_generation", "gauge", "1 at the start, and one more each reload",
                atomic_load_explicit(&server->config_generation, memory_order_relaxed));
    write_value(&text, "rooms", "gauge", "Rooms that exist", room_table_count(server->rooms));
    write_value(&text, "room_bytes", "gauge", "Messages and batches that rooms hold",
                room_table_bytes(server->rooms));
    write_render(&text, server);
    status_write_decoders(&text, server->render);
    write_pool(&text, server);
    write_health(&text, server);
    write_tenants(&text, server);
    write_latency(&text, server);
    write_cache(&text, server);
    DP_ASSERT(!text.overflow);
    dp_buf_set_size(page, text.size_bytes);
    *out = page;
    return DP_OK;
}

bool status_ready(const dp_server *server, const char **words)
{
    if (atomic_load_explicit(&server->draining, memory_order_relaxed)) {
        *words = "draining\n";
        return false;
    }
    *words = "ready\n";
    return true;
}

bool status_alive(const dp_server *server)
{
    uint64_t now_ns = os_clock_ns();
    for (unsigned i = 0; i < server->loop_count; i++) {
        uint64_t beat_ns = atomic_load_explicit(&server->loops[i].beat_ns, memory_order_relaxed);
        if (now_ns > beat_ns && now_ns - beat_ns > BEAT_NS_MAX) {
            return false;
        }
    }
    return true;
}
