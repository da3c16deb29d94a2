/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharded counters: a thread owns a shard for as long as it lives, so an add is a load and a store
 * of a line that nobody else writes.  More threads than shards share the last one by atomic adds.
 */
#include "server/ops/metrics.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/wire/protocol.h"

#define SHARD_COUNT  64u
#define BUCKET_COUNT 13u

static const double bucket_bounds_s[BUCKET_COUNT] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05,
                                                     0.1,    0.25,  0.5,    1.0,   2.5,  5.0};

typedef struct histogram_shard {
    _Atomic uint64_t buckets[BUCKET_COUNT + 1];
    _Atomic uint64_t sum_ns;
} histogram_shard;

typedef struct metrics_shard {
    _Alignas(64) _Atomic int64_t counters[METRIC_COUNT];
    _Atomic uint64_t rejected[PROTOCOL_ERROR_COUNT];
    histogram_shard histograms[HISTOGRAM_COUNT];
} metrics_shard;

static metrics_shard shards[SHARD_COUNT];
static _Atomic unsigned shards_taken;
static _Thread_local metrics_shard *shard_mine;

static metrics_shard *shard_get(void)
{
    if (shard_mine == NULL) {
        unsigned index = atomic_fetch_add_explicit(&shards_taken, 1, memory_order_relaxed);
        shard_mine = &shards[index < SHARD_COUNT ? index : SHARD_COUNT - 1];
    }
    return shard_mine;
}

void metrics_add(metric id, int64_t step)
{
    atomic_fetch_add_explicit(&shard_get()->counters[id], step, memory_order_relaxed);
}

void metrics_reject(unsigned error)
{
    atomic_fetch_add_explicit(&shard_get()->rejected[error], 1, memory_order_relaxed);
}

void metrics_observe(metric_histogram id, uint64_t duration_ns, uint64_t count)
{
    histogram_shard *histogram = &shard_get()->histograms[id];
    double seconds = (double)duration_ns * 1e-9;
    unsigned bucket = 0;
    while (bucket < BUCKET_COUNT && seconds > bucket_bounds_s[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&histogram->buckets[bucket], count, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, duration_ns * count, memory_order_relaxed);
}

int64_t metrics_read(metric id)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < SHARD_COUNT; i++) {
        sum += atomic_load_explicit(&shards[i].counters[id], memory_order_relaxed);
    }
    return sum;
}

void metrics_printf(metrics_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t space = text->capacity_bytes - text->size_bytes;
    int needed = vsnprintf(text->to + text->size_bytes, space, format, arguments);
    va_end(arguments);
    if (needed < 0 || (size_t)needed >= space) {
        text->overflow = 1;
        return;
    }
    text->size_bytes += (size_t)needed;
}

void metrics_family(metrics_text *text, const char *family, const char *type, const char *help)
{
    metrics_printf(text, "# HELP danpool_%s %s\n# TYPE danpool_%s %s\n", family, help, family,
                   type);
}

static void write_counters(metrics_text *text)
{
    static const struct {
        const char *family, *labels, *type, *help;
    } rows[METRIC_COUNT] = {
#define METRICS_ROW(id, family, labels, type, help) {family, labels, type, help},
        METRICS_LIST(METRICS_ROW)
#undef METRICS_ROW
    };
    const char *family = "";
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        if (strcmp(family, rows[i].family) != 0) {
            family = rows[i].family;
            metrics_family(text, family, rows[i].type, rows[i].help);
        }
        bool labelled = rows[i].labels[0] != '\0';
        metrics_printf(text, "danpool_%s%s%s%s %lld\n", family, labelled ? "{" : "", rows[i].labels,
                       labelled ? "}" : "", (long long)metrics_read((metric)i));
    }
}

static void write_rejected(metrics_text *text)
{
    metrics_family(text, "messages_rejected_total", "counter", "Messages refused, by error code");
    for (unsigned error = PROTOCOL_OK + 1; error < PROTOCOL_ERROR_COUNT; error++) {
        uint64_t sum = 0;
        for (unsigned i = 0; i < SHARD_COUNT; i++) {
            sum += atomic_load_explicit(&shards[i].rejected[error], memory_order_relaxed);
        }
        metrics_printf(text, "danpool_messages_rejected_total{reason=\"%s\"} %llu\n",
                       protocol_error_code((protocol_error)error), (unsigned long long)sum);
    }
}

static void write_histogram(metrics_text *text, metric_histogram id, const char *family)
{
    uint64_t cumulative = 0;
    uint64_t sum_ns = 0;
    for (unsigned bucket = 0; bucket <= BUCKET_COUNT; bucket++) {
        for (unsigned i = 0; i < SHARD_COUNT; i++) {
            cumulative += atomic_load_explicit(&shards[i].histograms[id].buckets[bucket],
                                               memory_order_relaxed);
        }
        if (bucket < BUCKET_COUNT) {
            metrics_printf(text, "danpool_%s_bucket{le=\"%g\"} %llu\n", family,
                           bucket_bounds_s[bucket], (unsigned long long)cumulative);
        } else {
            metrics_printf(text, "danpool_%s_bucket{le=\"+Inf\"} %llu\n", family,
                           (unsigned long long)cumulative);
        }
    }
    for (unsigned i = 0; i < SHARD_COUNT; i++) {
        sum_ns += atomic_load_explicit(&shards[i].histograms[id].sum_ns, memory_order_relaxed);
    }
    metrics_printf(text, "danpool_%s_sum %.9g\ndanpool_%s_count %llu\n", family,
                   (double)sum_ns * 1e-9, family, (unsigned long long)cumulative);
}

void metrics_write(metrics_text *text)
{
    write_counters(text);
    write_rejected(text);
#define METRICS_HISTOGRAM(id, family, help)                                                        \
    metrics_family(text, family, "histogram", help);                                               \
    write_histogram(text, id, family);
    METRICS_HISTOGRAM_LIST(METRICS_HISTOGRAM)
#undef METRICS_HISTOGRAM
}
