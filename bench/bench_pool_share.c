/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool-share: how long until another process has the bytes, 1 MiB and 128 MiB of them.
 *
 * Peers are what one would do without a share: copy through the socket, or write a new memfd and
 * send its descriptor.  The repeats of all kinds and sizes take turns.  What waking costs is in
 * every figure; "message alone" says how much that is, and the rows whose receiver polls leave it
 * out.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "handover.h"
#include "harness.h"

#define SMALL_BYTES ((size_t)1 << 20)
#define LARGE_BYTES ((size_t)128 << 20)
#define GOAL_US     20.0
#define GOAL_RATIO  1.2

#define SIZES 2u
static const struct size_row {
    const char *name;
    size_t bytes;
} sizes[SIZES] = {{"1 MiB", SMALL_BYTES}, {"128 MiB", LARGE_BYTES}};

static const char *const kind_names[HANDOVER_COUNT] = {
    "message alone", "share", "socket copy", "new memfd, written", "new memfd, written before",
};

/* Hand-overs a repeat: those that move all bytes are slow enough to need few. */
static unsigned count_of(handover_kind kind, size_t bytes, bool quick)
{
    bool moves = kind != HANDOVER_SHARE && kind != HANDOVER_RAW;
    if (moves && bytes == LARGE_BYTES) {
        return quick ? 1 : 2;
    }
    if (moves) {
        return quick ? 3 : 20;
    }
    return quick ? 10 : 200;
}

static bool measure(bench *b, handover *h, handover_kind kind, size_t bytes, bench_hist *into)
{
    for (unsigned i = 0; i < count_of(kind, bytes, bench_is_quick(b)); i++) {
        uint64_t ns = 0;
        if (!handover_run(h, kind, bytes, &ns)) {
            bench_fail(b, "%s, %zu bytes: not handed over", kind_names[kind], bytes);
            return false;
        }
        bench_hist_add(into, ns, 1);
    }
    return true;
}

static bench_hist hists[HANDOVER_COUNT][SIZES];

static bool measure_all(bench *b, handover *h)
{
    memset(hists, 0, sizeof hists);
    /* One round warms up: pages, caches, the clock of the cores. */
    for (int repeat = -1; repeat < bench_repeats(b); repeat++) {
        for (unsigned kind = 0; kind < HANDOVER_COUNT; kind++) {
            /* A message without bytes has one size. */
            for (unsigned size = 0; size < (kind == HANDOVER_RAW ? 1 : SIZES); size++) {
                if (!measure(b, h, (handover_kind)kind, sizes[size].bytes, &hists[kind][size])) {
                    return false;
                }
            }
        }
        if (repeat < 0) {
            memset(hists, 0, sizeof hists);
        }
    }
    return true;
}

static double us_of(const bench_hist *h, double q)
{
    return (double)bench_hist_quantile(h, q) / 1e3;
}

static bench_row row_of(const char *name, const bench_hist *h)
{
    return (bench_row){.name = name,
                       .unit = "us",
                       .value = us_of(h, 0.5),
                       .min = us_of(h, 0.0),
                       .p50 = us_of(h, 0.5),
                       .p99 = us_of(h, 0.99)};
}

/* `waited` is the share of the time in which the sender was ready and had no core. */
static void size_rows(bench *b, const char *suffix, double waited)
{
    char note[160];
    (void)snprintf(note, sizeof note,
                   "the message alone takes %.1f us of it; other programs held the sender's core "
                   "%.0f %% of the time",
                   us_of(&hists[HANDOVER_RAW][0], 0.5), waited * 100.0);
    for (unsigned size = 0; size < SIZES; size++) {
        char name[80];
        (void)snprintf(name, sizeof name, "hand over %s%s", sizes[size].name, suffix);
        bench_row row = row_of(name, &hists[HANDOVER_SHARE][size]);
        row.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, GOAL_US, false};
        row.note = note;
        for (unsigned kind = HANDOVER_COPY; kind < HANDOVER_COUNT; kind++) {
            const bench_hist *peer = &hists[kind][size];
            row.peers[row.peer_count++] =
                (bench_peer){kind_names[kind], us_of(peer, 0.5), us_of(peer, 0.99)};
        }
        if (bench_wants(b, name)) {
            bench_emit(b, &row);
        }
    }
}

static void ratio_row(bench *b, const char *suffix)
{
    char name[80];
    (void)snprintf(name, sizeof name, "128 MiB as against 1 MiB%s", suffix);
    bench_row row = {.name = name,
                     .unit = "x",
                     .value = us_of(&hists[HANDOVER_SHARE][1], 0.5) /
                              us_of(&hists[HANDOVER_SHARE][0], 0.5),
                     .min = NAN,
                     .p50 = NAN,
                     .p99 = NAN,
                     .goal = {BENCH_GOAL_VALUE_MAX, GOAL_RATIO, false}};
    if (bench_wants(b, name)) {
        bench_emit(b, &row);
    }
}

static void message_row(bench *b, const char *suffix)
{
    char name[80];
    (void)snprintf(name, sizeof name, "message alone%s", suffix);
    bench_row row = row_of(name, &hists[HANDOVER_RAW][0]);
    row.note = "64 bytes over the same socket: what waiting and waking cost without any sharing";
    if (bench_wants(b, name)) {
        bench_emit(b, &row);
    }
}

static void calls_row(bench *b, handover *h)
{
    const char *name = "export, acquire, release: the calls";
    static bench_samples samples;
    if (!bench_wants(b, name)) {
        return;
    }
    for (int i = 0; i < bench_repeats(b); i++) {
        bench_samples_add(&samples, handover_calls_ns(h, bench_is_quick(b) ? 1000 : 100000));
    }
    bench_row row = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&samples, 0.5),
                     .min = bench_samples_min(&samples),
                     .p50 = bench_samples_quantile(&samples, 0.5),
                     .p99 = bench_samples_quantile(&samples, 0.99),
                     .note = "owner and peer on one thread, no message"};
    bench_emit(b, &row);
}

/* The rows of one way of waiting. */
static void run(bench *b, bool polls)
{
    const char *suffix = polls ? ", receiver polls" : "";
    char error[160];
    if (polls && bench_cores() < 2) {
        bench_skip(b, "receiver polls", "needs a core for each process");
        return;
    }
    handover *h = handover_open(LARGE_BYTES, polls, error);
    if (h == NULL) {
        bench_fail(b, "%s", error);
        return;
    }
    uint64_t start_ns = bench_now_ns();
    uint64_t wait_ns = bench_thread_wait_ns();
    if (measure_all(b, h)) {
        double took_ns = (double)(bench_now_ns() - start_ns);
        size_rows(b, suffix, (double)(bench_thread_wait_ns() - wait_ns) / took_ns);
        ratio_row(b, suffix);
        message_row(b, suffix);
    }
    if (!polls) {
        calls_row(b, h);
    }
    handover_close(h);
}

int main(int argc, char **argv)
{
    static const bench_config config = {
        .name = "pool-share",
        .summary = "bytes to another process: a share, a copy, a new memfd",
        .repeats_default = 11,
        .repeats_quick = 2,
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    if (b == NULL) {
        return status;
    }
    run(b, false);
    run(b, true);
    return bench_close(b);
}
