/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool: the pool beside glibc, jemalloc, mimalloc and tcmalloc, in one run.
 *
 * The work is in pool_work.c, the peers' processes in pool_peer.c, the tiers behind a driver in
 * pool_device.c.  Repeats of all subjects take turns, so that a neighbour on the machine disturbs
 * all of them alike.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <danpool/pool.h>
#include <danpool/stats.h>

#include "harness.h"
#include "pool_device.h"
#include "pool_peer.h"
#include "pool_work.h"

#define SUBJECTS (PEER_COUNT + 1u) /* the pool, then the peers */

/* What the repeats of one row gave, a column for each subject. */
typedef struct columns {
    bench_samples value[SUBJECTS];
    bench_samples p99[SUBJECTS];
    bench_samples p999[SUBJECTS];
    bench_samples p9999[SUBJECTS];
    bench_samples worst[SUBJECTS];
    bench_samples waited; /* of all subjects together */
    work_result ours;     /* the pool's last repeat */
} columns;

static void column_add(columns *c, size_t subject, const work_result *result)
{
    if (result->ok) {
        bench_samples_add(&c->value[subject], result->value);
        bench_samples_add(&c->p99[subject], result->p99);
        bench_samples_add(&c->p999[subject], result->p999);
        bench_samples_add(&c->p9999[subject], result->p9999);
        bench_samples_add(&c->worst[subject], result->worst);
        if (subject == 0) {
            c->ours = *result;
        }
        bench_samples_add(&c->waited, result->waited);
    }
}

/* One repeat of every subject; false when the pool itself failed. */
static bool repeat_all(bench *b, dp_pool *pool, peer peers[PEER_COUNT], size_t index, columns *c)
{
    bool quick = bench_is_quick(b);
    work_result result;
    work_run(&work_list[index], pool, quick, &result);
    bool ok = result.ok;
    if (c != NULL) {
        column_add(c, 0, &result);
    }
    for (size_t i = 0; work_list[index].kind != WORK_RAW && i < PEER_COUNT; i++) {
        if (peers[i].pid == 0) {
            continue;
        }
        peer_run(&peers[i], index, quick, &result);
        if (!result.ok) {
            bench_fail(b, "%s: %s failed", work_list[index].row, peers[i].name);
        } else if (c != NULL) {
            column_add(c, i + 1, &result);
        }
    }
    return ok;
}

static void add_peers(bench_row *row, const peer peers[PEER_COUNT],
                      const bench_samples values[SUBJECTS], const bench_samples *p99)
{
    for (size_t i = 0; i < PEER_COUNT; i++) {
        if (values[i + 1].count > 0) {
            const bench_samples *tail = p99 == NULL ? &values[i + 1] : &p99[i + 1];
            row->peers[row->peer_count++] =
                (bench_peer){peers[i].name, bench_samples_quantile(&values[i + 1], 0.5),
                             bench_samples_quantile(tail, p99 == NULL ? 0.99 : 0.5)};
        }
    }
}

/* A row for the tail of the gets of a row before. */
static void tail_row(bench *b, const work *w, const char *suffix, const peer peers[PEER_COUNT],
                     const bench_samples values[SUBJECTS], bench_goal goal, const char *note)
{
    char name[80];
    (void)snprintf(name, sizeof name, "%s%s", w->row, suffix);
    bench_row tail = {.name = name,
                      .unit = "ns",
                      .value = bench_samples_quantile(&values[0], 0.5),
                      .min = bench_samples_min(&values[0]),
                      .p50 = bench_samples_quantile(&values[0], 0.5),
                      .p99 = bench_samples_quantile(&values[0], 0.99),
                      .goal = goal,
                      .note = note};
    add_peers(&tail, peers, values, NULL);
    bench_emit(b, &tail);
}

static void trouble_rows(bench *b, const work *w, const peer peers[PEER_COUNT], columns *c)
{
    const bench_goal p999 = {BENCH_GOAL_VALUE_MAX, 1000.0, false};
    const bench_goal p9999 = {BENCH_GOAL_VALUE_MAX, 10000.0, false};
    const bench_goal worst = {BENCH_GOAL_VALUE_MAX, 200000.0, false};
    char note[160];
    (void)snprintf(note, sizeof note,
                   "the last run had %.0f demotions, %.0f degrades, %.0f gets from the fallback",
                   c->ours.demotions, c->ours.degrades, c->ours.fallback_gets);
    tail_row(b, w, WORK_P999_SUFFIX, peers, c->p999, p999, note);
    tail_row(b, w, " p99.99", peers, c->p9999, p9999, NULL);
    (void)snprintf(note, sizeof note,
                   "median of the runs' worst; %.0f gets of the last run lost their core",
                   c->ours.descheduled);
    tail_row(b, w, " worst", peers, c->worst, worst, note);
}

static void emit_row(bench *b, const work *w, const peer peers[PEER_COUNT], columns *c)
{
    bool paced = work_is_paced(w);
    char note[256];
    (void)snprintf(note, sizeof note, "%s%sother programs held a core %.0f %% of the time",
                   w->note == NULL ? "" : w->note, w->note == NULL ? "" : "; ",
                   bench_samples_quantile(&c->waited, 0.5));
    bench_row row = {.name = w->row,
                     .unit = "ns",
                     .value = bench_samples_quantile(&c->value[0], 0.5),
                     .min = bench_samples_min(&c->value[0]),
                     .p50 = bench_samples_quantile(&c->value[0], 0.5),
                     .p99 = paced ? bench_samples_quantile(&c->p99[0], 0.5)
                                  : bench_samples_quantile(&c->value[0], 0.99),
                     .goal = w->goal,
                     .note = note};
    add_peers(&row, peers, c->value, paced ? c->p99 : NULL);
    bench_emit(b, &row);
    if (w->kind == WORK_TROUBLE) {
        trouble_rows(b, w, peers, c);
    } else if (paced) {
        tail_row(b, w, WORK_P999_SUFFIX, peers, c->p999, (bench_goal){0}, NULL);
    }
}

static void run_row(bench *b, dp_pool *pool, peer peers[PEER_COUNT], size_t index)
{
    static columns c;
    const work *w = &work_list[index];
    if (!bench_wants(b, w->row)) {
        return;
    }
    if (w->threads > bench_cores()) {
        bench_skip(b, w->row, "needs a core for each thread");
        return;
    }
    memset(&c, 0, sizeof c);
    bool ok = bench_is_quick(b) || repeat_all(b, pool, peers, index, NULL); /* warm-up */
    for (int i = 0; ok && i < bench_repeats(b); i++) {
        ok = repeat_all(b, pool, peers, index, &c);
    }
    if (!ok) {
        bench_fail(b, "%s: the pool could not serve a request", w->row);
        return;
    }
    emit_row(b, w, peers, &c);
}

/* What the pool's own counters say about everything above. */
static void reuse_row(bench *b, dp_pool *pool)
{
    const char *name = "reuse rate over all rows";
    dp_stats stats;
    dp_stats_read(pool, &stats);
    const dp_tier_stats *host = &stats.tiers[DP_TIER_HOST];
    uint64_t gets = host->reused + host->fresh;
    if (gets == 0 || !bench_wants(b, name)) {
        return;
    }
    bench_row row = {.name = name,
                     .unit = "%",
                     .value = 100.0 * (double)host->reused / (double)gets,
                     .min = NAN,
                     .p50 = NAN,
                     .p99 = NAN,
                     .more_is_better = true};
    bench_emit(b, &row);
}

static int run(bench *b)
{
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_pool *pool = NULL;
    dp_status status = dp_pool_create(&config, &pool);
    if (status != DP_OK) {
        bench_fail(b, "no pool: %s", dp_status_message(status));
        return bench_close(b);
    }
    static peer peers[PEER_COUNT];
    static char why[PEER_COUNT][128];
    peers_start(peers, why, NULL);
    for (size_t i = 0; i < PEER_COUNT; i++) {
        if (peers[i].pid == 0) {
            char name[64];
            (void)snprintf(name, sizeof name, "peer %s", peers[i].name);
            bench_skip(b, name, why[i]);
        }
    }
    for (size_t i = 0; i < work_count; i++) {
        run_row(b, pool, peers, i);
    }
    reuse_row(b, pool);
    peers_stop(peers);
    dp_pool_destroy(pool);
    pool_device_rows(b);
    return bench_close(b);
}

/* In a peer's process. */
static void run_in_peer(size_t index, bool quick, work_result *out)
{
    if (index < work_count) {
        work_run(&work_list[index], NULL, quick, out);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], PEER_FLAG) == 0) {
        return peer_process(run_in_peer);
    }
    static const bench_config config = {
        .name = "pool",
        .summary = "get and put beside glibc, jemalloc, mimalloc and tcmalloc",
        .repeats_default = 11,
        .repeats_quick = 2,
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    return b == NULL ? status : run(b);
}
