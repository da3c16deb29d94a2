/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A step holds when every message reached every viewer that reads, none twice, in the time the rate
 * asks for, and late ones stay under the limit.
 */
#include "fanout_bounds.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fanout_bare.h"
#include "fanout_run.h"

#define SUSTAINED_MS_MAX  50.0
#define SUSTAINED_GOAL    4e6
#define INGEST_GOAL       200000.0
#define INGEST_ROOMS      100u
#define INGEST_VIEWERS    9u /* and the sender, who views too */
#define STALLED_SHARE     10u
#define STALLED_RATE      1000u
#define STALLED_RATIO_MAX 1.1
#define IDLE_BYTES_MAX    2048.0
#define SECONDS_OVER_MAX  1.15 /* a step that takes longer was not kept up with */

static run_result result; /* large; the bench has one thread */

static bool held(const run_plan *plan, const run_result *r)
{
    return r->load.lost + r->load.repeated + r->load.missed + r->load.closed + r->load.refused +
                   r->load.broken ==
               0 &&
           r->load.seconds <= plan->seconds * SECONDS_OVER_MAX + 0.2;
}

static double p99_ms(const run_result *r)
{
    return (double)bench_hist_quantile(&r->load.latency_ns, 0.99) / 1e6;
}

static bench_row row_of(const char *name, const char *unit)
{
    return (bench_row){
        .name = name, .unit = unit, .value = 0.0, .min = NAN, .p50 = NAN, .p99 = NAN};
}

/* What the last steps looked like, for the reader who asks whose bound it was. */
static void step_words(const run_plan *plan, const run_result *r, char out[256])
{
    (void)snprintf(out, 256,
                   "%u messages/s: p99 %.1f ms, %.2f s for %.2f, lost %" PRIu64 ", refused %" PRIu64
                   ", server %.0f %% and client %.0f %% of a core",
                   plan->rate, p99_ms(r), r->load.seconds, plan->seconds,
                   r->load.lost + r->load.missed, r->load.refused,
                   100.0 * r->cpu_s / r->load.seconds,
                   100.0 * r->load.client_cpu_s / r->load.seconds);
}

/*
 * Tries the rates in turn.  The row's value is what the last good one delivered a second (or
 * admitted, where `counts_sent`).
 */
static void search(bench *b, run_plan *plan, const unsigned *rates, double ms_max, bool counts_sent,
                   bench_row *row)
{
    char good[256] = "no step held";
    char bad[256] = "every step held";
    char note[600];
    for (size_t i = 0; rates[i] != 0; i++) {
        char error[160];
        plan->rate = rates[i];
        memset(&result, 0, sizeof result);
        if (!run_once(plan, &result, error)) {
            bench_fail(b, "%s: %s", row->name, error);
            return;
        }
        if (!held(plan, &result) || p99_ms(&result) > ms_max) {
            step_words(plan, &result, bad);
            break;
        }
        uint64_t count = counts_sent ? result.load.sent : result.load.delivered;
        row->value = (double)count / result.load.seconds;
        step_words(plan, &result, good);
    }
    (void)snprintf(note, sizeof note, "held at %s; then %s", good, bad);
    row->note = note;
    bench_emit(b, row);
}

/* One room, a sender, a short warm-up: what a bound changes of it is set after. */
static run_plan plan_run(const bounds_plan *plan)
{
    return (run_plan){.danpoold = plan->danpoold,
                      .settings = run_settings_usual,
                      .load = {.room = "bench",
                               .viewers = plan->viewers,
                               .senders = 1,
                               .text_bytes = plan->text_bytes},
                      .seconds = plan->seconds,
                      .warmup_s = plan->seconds / 4};
}

void bounds_sustained(bench *b, const bounds_plan *plan)
{
    static const unsigned full[] = {1000, 2000, 3000, 4000, 5000, 6000, 8000, 10000, 0};
    static const unsigned quick[] = {200, 0};
    bench_row row = row_of("most sustained, p99 <= 50 ms", "deliveries/s");
    if (!bench_wants(b, row.name)) {
        return;
    }
    run_plan run = plan_run(plan);
    run.load.senders = 4;
    row.goal = (bench_goal){BENCH_GOAL_VALUE_MIN, SUSTAINED_GOAL, false};
    search(b, &run, bench_is_quick(b) ? quick : full, SUSTAINED_MS_MAX, false, &row);
}

void bounds_ingest(bench *b, const bounds_plan *plan)
{
    static const unsigned full[] = {50000, 100000, 150000, 200000, 250000, 300000, 0};
    static const unsigned quick[] = {1000, 0};
    bench_row row = row_of("ingest, 100 rooms of 10: admitted", "messages/s");
    if (!bench_wants(b, row.name)) {
        return;
    }
    run_plan run = plan_run(plan);
    run.load.rooms = INGEST_ROOMS;
    run.load.viewers = INGEST_ROOMS * INGEST_VIEWERS;
    row.goal = (bench_goal){BENCH_GOAL_VALUE_MIN, INGEST_GOAL, false};
    search(b, &run, bench_is_quick(b) ? quick : full, INFINITY, true, &row);
}

void bounds_stalled(bench *b, const bounds_plan *plan)
{
    bench_row row = row_of("one in ten stalled: the others' p99", "ms");
    char note[256];
    char error[160];
    if (!bench_wants(b, row.name)) {
        return;
    }
    run_plan run = plan_run(plan);
    run.rate = bench_is_quick(b) ? 200 : STALLED_RATE;
    double p99[2];
    for (size_t i = 0; i < 2; i++) {
        run.load.stalled = i == 0 ? 0 : plan->viewers / STALLED_SHARE;
        memset(&result, 0, sizeof result);
        if (!run_once(&run, &result, error)) {
            bench_fail(b, "%s: %s", row.name, error);
            return;
        }
        p99[i] = p99_ms(&result);
        if (i == 1 && !held(&run, &result)) {
            bench_fail(b, "%s: %" PRIu64 " lost, %" PRIu64 " closed", row.name, result.load.lost,
                       result.load.closed);
        }
    }
    row.value = p99[1];
    row.p99 = p99[1];
    row.p50 = (double)bench_hist_quantile(&result.load.latency_ns, 0.5) / 1e6;
    row.goal = (bench_goal){BENCH_GOAL_RATIO_MAX, STALLED_RATIO_MAX, false};
    row.peers[row.peer_count++] = (bench_peer){"nobody stalled", p99[0], NAN};
    (void)snprintf(note, sizeof note, "%zu of %zu viewers stop reading; %u messages/s",
                   run.load.stalled, plan->viewers, run.rate);
    row.note = note;
    bench_emit(b, &row);
}

void bounds_idle(bench *b, const bounds_plan *plan)
{
    bench_row row = row_of("idle connection beyond libwebsockets' own", "bytes");
    char note[256];
    char error[160];
    double bare = 0.0;
    if (!bench_wants(b, row.name)) {
        return;
    }
    run_plan run = plan_run(plan);
    run.warmup_s = 0.0;
    memset(&result, 0, sizeof result);
    if (!run_once(&run, &result, error) || !bare_idle_bytes(plan->viewers + 1, &bare, error)) {
        bench_skip(b, row.name, error);
        return;
    }
    double ours = ((double)result.resident_idle_bytes - (double)result.resident_empty_bytes) /
                  (double)(plan->viewers + 1);
    row.value = ours - bare;
    row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, IDLE_BYTES_MAX, false};
    (void)snprintf(note, sizeof note,
                   "danpoold %.0f, bare libwebsockets %.0f bytes resident for each of %zu", ours,
                   bare, plan->viewers + 1);
    row.note = note;
    bench_emit(b, &row);
}
