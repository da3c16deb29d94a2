/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool-replay: a recorded program's gets and puts, done again by the pool and by glibc,
 * jemalloc, mimalloc and tcmalloc, in one run.
 *
 * The plan is in replay_plan.c, the lanes in replay_run.c, the peers' processes in pool_peer.c.
 * Without --trace a chat room is recorded first (replay_record.c).  Repeats of all subjects take
 * turns, so that a neighbour on the machine disturbs all of them alike.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <danpool/pool.h>
#include <danpool/stats.h>

#include "harness.h"
#include "pool_peer.h"
#include "replay_record.h"
#include "replay_run.h"

#define SUBJECTS       (PEER_COUNT + 1u) /* the pool, then the peers */
#define MESSAGES       20000u
#define MESSAGES_QUICK 1000u

static const char *const row_names[REPLAY_ROW_COUNT] = {
    [REPLAY_THROUGHPUT] = "replay get+put",
    [REPLAY_LATENCY] = "replay get latency",
};

static replay_plan plan;

/* Reads the file and makes the plan; says what is wrong with it. */
static bool plan_load(const char *path, char words[160])
{
    trace_file file;
    unsigned lanes = (unsigned)bench_cores();
    dp_status status = trace_file_load(path, &file);
    if (status != DP_OK) {
        (void)snprintf(words, 160, "%s", dp_status_message(status));
        return false;
    }
    status = replay_plan_make(&file, lanes < REPLAY_LANES_MAX ? lanes : REPLAY_LANES_MAX, &plan);
    trace_file_clear(&file);
    if (status != DP_OK) {
        (void)snprintf(words, 160, "%s",
                       status == DP_ERR_INVALID ? "there is no get in it"
                                                : dp_status_message(status));
    }
    return status == DP_OK;
}

/* In a peer's process. */
static void run_in_peer(size_t index, bool quick, work_result *out)
{
    if (index < REPLAY_ROW_COUNT) {
        replay_run(&plan, (replay_row)index, NULL, quick, out);
    }
}

static int peer_main(const char *path)
{
    char words[160];
    bench_setup();
    return plan_load(path, words) ? peer_process(run_in_peer) : 1;
}

/* ---- rows ---- */

typedef struct columns {
    bench_samples value[SUBJECTS];
    bench_samples p99[SUBJECTS];
    bench_samples p999[SUBJECTS];
    bench_samples waited;
} columns;

static void column_add(columns *c, size_t subject, const work_result *result)
{
    bench_samples_add(&c->value[subject], result->value);
    bench_samples_add(&c->p99[subject], result->p99);
    bench_samples_add(&c->p999[subject], result->p999);
    bench_samples_add(&c->waited, result->waited);
}

static bool repeat_all(bench *b, dp_pool *pool, peer peers[PEER_COUNT], replay_row row, columns *c)
{
    work_result result;
    replay_run(&plan, row, pool, bench_is_quick(b), &result);
    if (!result.ok) {
        return false;
    }
    column_add(c, 0, &result);
    for (size_t i = 0; i < PEER_COUNT; i++) {
        if (peers[i].pid == 0) {
            continue;
        }
        peer_run(&peers[i], row, bench_is_quick(b), &result);
        if (result.ok) {
            column_add(c, i + 1, &result);
        } else {
            bench_fail(b, "%s: %s failed", row_names[row], peers[i].name);
        }
    }
    return true;
}

static void emit(bench *b, const char *name, const peer peers[PEER_COUNT],
                 const bench_samples values[SUBJECTS], const bench_samples *p99, const char *note)
{
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&values[0], 0.5),
                     .min = bench_samples_min(&values[0]),
                     .p50 = bench_samples_quantile(&values[0], 0.5),
                     .p99 = p99 != NULL ? bench_samples_quantile(&p99[0], 0.5)
                                        : bench_samples_quantile(&values[0], 0.99),
                     .note = note};
    for (size_t i = 0; i < PEER_COUNT; i++) {
        if (values[i + 1].count > 0) {
            double tail = p99 != NULL ? bench_samples_quantile(&p99[i + 1], 0.5)
                                      : bench_samples_quantile(&values[i + 1], 0.99);
            row.peers[row.peer_count++] =
                (bench_peer){peers[i].name, bench_samples_quantile(&values[i + 1], 0.5), tail};
        }
    }
    bench_emit(b, &row);
}

static void run_row(bench *b, dp_pool *pool, peer peers[PEER_COUNT], replay_row row)
{
    static columns c;
    if (!bench_wants(b, row_names[row])) {
        return;
    }
    memset(&c, 0, sizeof c);
    bool ok = true;
    for (int i = 0; ok && i < bench_repeats(b); i++) {
        ok = repeat_all(b, pool, peers, row, &c);
    }
    if (!ok) {
        bench_fail(b, "%s: the pool could not serve a request", row_names[row]);
        return;
    }
    char note[200];
    (void)snprintf(note, sizeof note,
                   "%zu gets of %u threads on %u lanes, %zu never put; other programs held a core "
                   "%.0f %% of the time",
                   plan.gets, plan.thread_count, plan.lane_count, plan.gets - plan.puts,
                   bench_samples_quantile(&c.waited, 0.5));
    bool timed = row == REPLAY_LATENCY;
    emit(b, row_names[row], peers, c.value, timed ? c.p99 : NULL, note);
    if (timed) {
        char name[80];
        (void)snprintf(name, sizeof name, "%s%s", row_names[row], WORK_P999_SUFFIX);
        emit(b, name, peers, c.p999, NULL, NULL);
    }
}

static void reuse_row(bench *b, dp_pool *pool)
{
    dp_stats stats;
    dp_stats_read(pool, &stats);
    const dp_tier_stats *host = &stats.tiers[DP_TIER_HOST];
    bench_row row = {.name = "replay reuse rate",
                     .unit = "%",
                     .value = 100.0 * (double)host->reused / (double)(host->reused + host->fresh),
                     .min = NAN,
                     .p50 = NAN,
                     .p99 = NAN,
                     .more_is_better = true};
    if (host->reused + host->fresh > 0 && bench_wants(b, row.name)) {
        bench_emit(b, &row);
    }
}

static void run_rows(bench *b, const char *path)
{
    static peer peers[PEER_COUNT];
    static char why[PEER_COUNT][128];
    dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    config.tiers = DP_TIER_BIT(DP_TIER_HOST);
    dp_pool *pool = NULL;
    dp_status status = dp_pool_create(&config, &pool);
    if (status != DP_OK) {
        bench_fail(b, "no pool: %s", dp_status_message(status));
        return;
    }
    peers_start(peers, why, path);
    for (size_t i = 0; i < PEER_COUNT; i++) {
        if (peers[i].pid == 0) {
            char name[64];
            (void)snprintf(name, sizeof name, "peer %s", peers[i].name);
            bench_skip(b, name, why[i]);
        }
    }
    for (unsigned row = 0; row < REPLAY_ROW_COUNT; row++) {
        run_row(b, pool, peers, (replay_row)row);
    }
    reuse_row(b, pool);
    peers_stop(peers);
    dp_pool_destroy(pool);
}

/* Records the chat room into a new file; the caller removes it. */
static bool record(bench *b, char path[])
{
    int descriptor = mkstemp(path);
    FILE *to = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (to == NULL) {
        bench_fail(b, "%s cannot be written", path);
        return false;
    }
    dp_status status = replay_record(bench_is_quick(b) ? MESSAGES_QUICK : MESSAGES, to);
    if (fclose(to) != 0 || status != DP_OK) {
        bench_fail(b, "the recording failed: %s", dp_status_message(status));
        return false;
    }
    return true;
}

static int run(bench *b, const char *given)
{
    char recorded[] = "/tmp/danpool-replay-XXXXXX";
    char words[160];
    const char *path = given != NULL ? given : recorded;
    if (given != NULL || record(b, recorded)) {
        if (plan_load(path, words)) {
            run_rows(b, path);
            replay_plan_clear(&plan);
        } else {
            bench_fail(b, "%s: %s", path, words);
        }
    }
    if (given == NULL) {
        (void)unlink(recorded);
    }
    return bench_close(b);
}

int main(int argc, char **argv)
{
    static const char *given;
    static const bench_option options[] = {
        {"--trace", "FILE", "a recording of dp_trace_write(); else a chat room is recorded", NULL,
         0, 0, &given},
    };
    static const bench_config config = {
        .name = "pool-replay",
        .summary = "a recording replayed by the pool and by glibc, jemalloc, mimalloc, tcmalloc",
        .repeats_default = 11,
        .repeats_quick = 2,
        .options = options,
        .option_count = 1,
    };
    if (argc == 3 && strcmp(argv[1], PEER_FLAG) == 0) {
        return peer_main(argv[2]);
    }
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    return b == NULL ? status : run(b, given);
}
