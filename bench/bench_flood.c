/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench flood: 100,000 comments a second through the pool, for a minute, and through the peers for
 * a while: reuse, fragmentation, system calls for memory, CPU, and a flame graph of the pool's run.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flood_trace.h"
#include "harness.h"

#define MESSAGES_PER_S 100000u
#define MIB            1048576.0

enum { ROW_REUSE, ROW_FRAGMENTATION, ROW_RESIDENT, ROW_CALLS, ROW_CPU, ROW_FLAME, ROWS };

static const char *const row_names[ROWS] = {"reuse rate",
                                            "fragmentation",
                                            "resident for each byte held",
                                            "system calls for memory",
                                            "CPU per 1M messages",
                                            "flame graph"};

typedef struct run {
    flood_count pool;
    flood_count peers[PEER_COUNT];
    bool peer_ran[PEER_COUNT];
    char note[256];
} run;

static bench_row row_of(const run *r, const char *name, const char *unit, double value)
{
    return (bench_row){.name = name,
                       .unit = unit,
                       .value = value,
                       .min = NAN,
                       .p50 = NAN,
                       .p99 = NAN,
                       .note = r->note};
}

static void row_peer(bench_row *row, const run *r, size_t i, double value)
{
    if (r->peer_ran[i] && !isnan(value)) {
        row->peers[row->peer_count++] = (bench_peer){peer_kinds[i].name, value, NAN};
    }
}

/* The flood takes a minute: it is left out when --only looks for something else. */
static bool wants_any(const bench *b)
{
    bool any = false;
    for (size_t i = 0; i < ROWS; i++) {
        any = any || bench_wants(b, row_names[i]);
    }
    return any;
}

static void emit(bench *b, const bench_row *row)
{
    if (bench_wants(b, row->name)) {
        bench_emit(b, row);
    }
}

static double resident_share(const flood_count *count)
{
    return count->result.resident_bytes / (count->result.live_bytes + 1.0);
}

static void emit_memory(bench *b, const run *r)
{
    bench_row reuse = row_of(r, row_names[ROW_REUSE], "%", r->pool.result.reuse_percent);
    reuse.more_is_better = true;
    reuse.goal = (bench_goal){BENCH_GOAL_VALUE_MIN, 99.0, false};
    emit(b, &reuse);

    char note[256];
    (void)snprintf(
        note, sizeof note,
        "%.0f MiB asked for and held, in blocks of %.0f MiB; %.0f MiB taken from the tier",
        r->pool.result.live_bytes / MIB, r->pool.result.block_bytes / MIB,
        r->pool.result.taken_bytes / MIB);
    bench_row fragmentation =
        row_of(r, row_names[ROW_FRAGMENTATION], "%", r->pool.result.fragmentation);
    fragmentation.note = note;
    fragmentation.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, 12.0, false};
    emit(b, &fragmentation);

    bench_row resident = row_of(r, row_names[ROW_RESIDENT], "B", resident_share(&r->pool));
    resident.note = "growth of the process over what is asked for and held, bookkeeping included";
    for (size_t i = 0; i < PEER_COUNT; i++) {
        row_peer(&resident, r, i, resident_share(&r->peers[i]));
    }
    emit(b, &resident);
}

static void emit_calls(bench *b, const run *r)
{
    if (isnan(r->pool.calls_per_s)) {
        bench_skip(b, row_names[ROW_CALLS], "this machine does not let a process be traced");
        return;
    }
    bench_row calls = row_of(r, row_names[ROW_CALLS], "/s", r->pool.calls_per_s);
    calls.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, 100.0, false};
    for (size_t i = 0; i < PEER_COUNT; i++) {
        row_peer(&calls, r, i, r->peers[i].calls_per_s);
    }
    emit(b, &calls);
}

static double cpu_per_million(const flood_count *count)
{
    return count->result.cpu_seconds * 1e6 / ((double)count->result.messages + 1.0);
}

static void emit_cpu(bench *b, const run *r)
{
    bench_row cpu = row_of(r, row_names[ROW_CPU], "s", cpu_per_million(&r->pool));
    for (size_t i = 0; i < PEER_COUNT; i++) {
        row_peer(&cpu, r, i, cpu_per_million(&r->peers[i]));
    }
    emit(b, &cpu);
}

static void emit_flame(bench *b, const run *r, const char *path)
{
    if (!r->pool.flame_written) {
        bench_skip(b, row_names[ROW_FLAME], "perf is not installed or may not profile here");
        return;
    }
    char note[256];
    (void)snprintf(note, sizeof note, "written to %s", path);
    bench_row row = row_of(r, row_names[ROW_FLAME], "files", 1);
    row.note = note;
    emit(b, &row);
}

/* The loader passes over a preload that it cannot find, so the process's own word is asked for. */
static bool run_peer(const peer_kind *kind, flood_order *order, flood_count *out)
{
    char why[128];
    size_t tried = 0;
    do {
        order->preload = kind->candidates[tried++];
        if (flood_trace(order, out, why) && strstr(out->library, kind->mark) != NULL) {
            return true;
        }
    } while (order->preload != NULL && kind->candidates[tried] != NULL);
    return false;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], FLOOD_FLAG) == 0) {
        return flood_process(argc, argv);
    }
    static int64_t seconds = 60;
    static int64_t peer_seconds = 10;
    static const char *flame = "flood.svg";
    static const bench_option options[] = {
        {.name = "--seconds",
         .value_name = "N",
         .help = "how long the pool's flood lasts (60)",
         .number = &seconds,
         .min = 1,
         .max = 3600},
        {.name = "--peer-seconds",
         .value_name = "N",
         .help = "how long each peer's does (10)",
         .number = &peer_seconds,
         .min = 1,
         .max = 3600},
        {.name = "--flame",
         .value_name = "FILE",
         .help = "where the flame graph goes (flood.svg)",
         .text = &flame},
    };
    static const bench_config config = {
        .name = "flood",
        .summary = "100,000 comments a second: reuse, fragmentation, system calls, flame graph",
        .repeats_default = 1,
        .repeats_quick = 1,
        .options = options,
        .option_count = sizeof options / sizeof options[0],
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    if (b == NULL) {
        return status;
    }
    if (!wants_any(b)) {
        return bench_close(b);
    }
    static run r;
    char why[128];
    bool quick = bench_is_quick(b);
    flood_order order = {.with_pool = true,
                         .seconds = quick ? 1 : (unsigned)seconds,
                         .messages_per_s = MESSAGES_PER_S,
                         .flame_path = quick ? NULL : flame};
    if (!flood_trace(&order, &r.pool, why)) {
        bench_fail(b, "the pool's flood: %s", why);
        return bench_close(b);
    }
    for (size_t i = 0; i < PEER_COUNT && !bench_is_sanitized(); i++) {
        flood_order order_of_peer = {.seconds = quick ? 1 : (unsigned)peer_seconds,
                                     .messages_per_s = MESSAGES_PER_S};
        r.peer_ran[i] = run_peer(&peer_kinds[i], &order_of_peer, &r.peers[i]);
    }
    (void)snprintf(r.note, sizeof r.note,
                   "%.0f messages/s for %.0f s, %.0f batches/s, %.1f ms late at worst; other "
                   "programs held a core %.0f %% of the time",
                   (double)r.pool.result.messages / r.pool.result.seconds, r.pool.result.seconds,
                   (double)r.pool.result.batches / r.pool.result.seconds,
                   r.pool.result.late_ms_worst, r.pool.result.waited_percent);
    emit_memory(b, &r);
    emit_calls(b, &r);
    emit_cpu(b, &r);
    if (!quick) {
        emit_flame(b, &r, flame);
    }
    return bench_close(b);
}
