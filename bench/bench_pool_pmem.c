/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench pool-pmem: commits to a pool file on /dev/shm, and how soon a restarted process serves from
 * one of 1 GiB, beside libpmemobj by itself.
 *
 * Each commit row is measured both ways that libpmem can make bytes durable: by flushing cache
 * lines, as on persistent memory (PMEM_IS_PMEM_FORCE=1), and by msync(), as on an ordinary file.
 * /dev/shm is memory, so neither waits for a device: what is measured is our work and libpmemobj's.
 */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "harness.h"
#include "pmem_work.h"

#define DIRECTORY      "/dev/shm"
#define COMMITS        8192u
#define COMMITS_QUICK  512u
#define RESTART_BYTES  ((size_t)1 << 30)
#define RESTART_QUICK  ((size_t)8 << 20)
#define COMMIT_GOAL_NS 1000
#define FIRST_HIT_MS   50

static char pool_path[128];

/* Bytes free on /dev/shm, 0 when there is none. */
static uint64_t shm_free_bytes(void)
{
    struct statvfs facts;
    return statvfs(DIRECTORY, &facts) == 0 ? (uint64_t)facts.f_bavail * facts.f_frsize : 0;
}

/* --- commits --- */

typedef struct commit_row {
    const char *name;
    pmem_work_kind kind;
    size_t size_bytes;
    bool has_goal;
} commit_row;

static const commit_row commit_rows[] = {
    {"pmem put+commit batched, 256 B", PMEM_WORK_MANY, 256, true},
    {"pmem put+commit batched, 1 KiB", PMEM_WORK_MANY, 1024, true},
    {"pmem put+commit batched, 4 KiB", PMEM_WORK_MANY, 4096, false},
    {"pmem put+commit single, 256 B", PMEM_WORK_SINGLE, 256, false},
    {"pmem put+commit single, 4 KiB", PMEM_WORK_SINGLE, 4096, false},
    {"pmem commit batched, store alone, 256 B", PMEM_WORK_STORE, 256, false},
};

#define SUBJECTS 3u
static const pmem_work_kind peer_kinds[SUBJECTS] = {0, PMEM_WORK_ALLOC, PMEM_WORK_TX};
static const char *const peer_names[SUBJECTS] = {"", "pmemobj_alloc, constructor",
                                                 "pmemobj_tx_alloc, 32 a tx"};

static void commit_row_run(bench *b, const commit_row *row, bool flush_lines)
{
    static bench_samples values[SUBJECTS];
    static bench_samples cpu;
    char name[80];
    (void)snprintf(name, sizeof name, "%s, %s", row->name, flush_lines ? "/dev/shm" : "msync");
    if (!bench_wants(b, name)) {
        return;
    }
    memset(values, 0, sizeof values);
    cpu.count = 0;
    for (int i = 0; i < bench_repeats(b); i++) {
        for (size_t subject = 0; subject < SUBJECTS; subject++) {
            pmem_work work = {.kind = subject == 0 ? row->kind : peer_kinds[subject],
                              .size_bytes = row->size_bytes,
                              .count = bench_is_quick(b) ? COMMITS_QUICK : COMMITS,
                              .path = pool_path,
                              .flush_lines = flush_lines};
            pmem_work_result result;
            pmem_work_run(&work, &result);
            (void)unlink(pool_path);
            if (!result.ok) {
                bench_fail(b, "%s: %s failed", name, subject == 0 ? "a commit" : "a peer");
                return;
            }
            bench_samples_add(&values[subject], result.value);
            if (subject == 0) {
                bench_samples_add(&cpu, result.cpu);
            }
        }
    }
    char note[128];
    (void)snprintf(note, sizeof note, "%s; %.0f ns of CPU time",
                   flush_lines ? "an object; cache lines flushed (PMEM_IS_PMEM_FORCE=1)"
                               : "an object; msync(), as on an ordinary file",
                   bench_samples_quantile(&cpu, 0.5));
    bench_row out = {.name = name,
                     .unit = "ns",
                     .value = bench_samples_quantile(&values[0], 0.5),
                     .min = bench_samples_min(&values[0]),
                     .p50 = bench_samples_quantile(&values[0], 0.5),
                     .p99 = bench_samples_quantile(&values[0], 0.99),
                     .note = note};
    for (size_t subject = 1; subject < SUBJECTS; subject++) {
        out.peers[out.peer_count++] =
            (bench_peer){peer_names[subject], bench_samples_quantile(&values[subject], 0.5),
                         bench_samples_quantile(&values[subject], 0.99)};
    }
    if (row->has_goal) {
        out.goal = (bench_goal){BENCH_GOAL_VALUE_MAX, COMMIT_GOAL_NS, false};
    }
    bench_emit(b, &out);
}

/* --- restarts --- */

typedef struct restart_row {
    const char *name;
    size_t size_bytes;
} restart_row;

static const restart_row restart_rows[] = {
    {"restart 1 GiB of 4 KiB: first hit", 4096},
    {"restart 1 GiB of 32 KiB: first hit", 32768},
    {"restart 1 GiB of 1 MiB: first hit", (size_t)1 << 20},
};

/* Every opener dies by SIGKILL too, so that each repeat is a restart after a crash. */
typedef struct restart_samples {
    bench_samples hit;
    bench_samples opened;
    bench_samples cpu;
    bench_samples walk;
} restart_samples;

static bool restart_repeats(bench *b, pmem_work work, restart_samples *samples)
{
    bool ok = true;
    for (int i = 0; i < bench_repeats(b) && ok; i++) {
        pmem_work_result result;
        work.kind = PMEM_WORK_OPEN;
        pmem_work_run(&work, &result);
        bench_samples_add(&samples->hit, result.value);
        bench_samples_add(&samples->opened, result.part);
        bench_samples_add(&samples->cpu, result.cpu);
        ok = result.ok;
        work.kind = PMEM_WORK_WALK;
        pmem_work_run(&work, &result);
        bench_samples_add(&samples->walk, result.value);
        ok = ok && result.ok;
    }
    return ok;
}

static void restart_row_run(bench *b, const restart_row *row)
{
    static restart_samples samples;
    if (!bench_wants(b, row->name)) {
        return;
    }
    size_t bytes = bench_is_quick(b) ? RESTART_QUICK : RESTART_BYTES;
    if (shm_free_bytes() < bytes * 2) {
        bench_skip(b, row->name, "too little room on " DIRECTORY);
        return;
    }
    memset(&samples, 0, sizeof samples);
    pmem_work work = {.kind = PMEM_WORK_FILL,
                      .size_bytes = row->size_bytes,
                      .count = bytes / row->size_bytes,
                      .path = pool_path,
                      .flush_lines = true};
    pmem_work_result result;
    pmem_work_run(&work, &result);
    bool ok = result.ok && restart_repeats(b, work, &samples);
    (void)unlink(pool_path);
    if (!ok) {
        bench_fail(b, "%s: the file could not be filled, or not be opened again", row->name);
        return;
    }
    char note[128];
    (void)snprintf(note, sizeof note,
                   "%zu objects, after kill -9; %.1f ms in dp_pool_create(); %.1f ms of CPU time",
                   work.count, bench_samples_quantile(&samples.opened, 0.5),
                   bench_samples_quantile(&samples.cpu, 0.5));
    bench_row out = {
        .name = row->name,
        .unit = "ms",
        .value = bench_samples_quantile(&samples.hit, 0.5),
        .min = bench_samples_min(&samples.hit),
        .p50 = bench_samples_quantile(&samples.hit, 0.5),
        .p99 = bench_samples_quantile(&samples.hit, 0.99),
        .peers = {{"pmemobj_open, walk of the heap", bench_samples_quantile(&samples.walk, 0.5),
                   bench_samples_quantile(&samples.walk, 0.99)}},
        .peer_count = 1,
        .goal = {BENCH_GOAL_VALUE_MAX, FIRST_HIT_MS, false},
        .note = note};
    bench_emit(b, &out);
}

static int run(bench *b)
{
    (void)snprintf(pool_path, sizeof pool_path, DIRECTORY "/danpool-bench-%ld.pool",
                   (long)getpid());
    if (access(DIRECTORY, W_OK) != 0) {
        bench_skip(b, "pmem", "no " DIRECTORY " that can be written to");
        return bench_close(b);
    }
    for (size_t i = 0; i < sizeof commit_rows / sizeof commit_rows[0]; i++) {
        commit_row_run(b, &commit_rows[i], true);
        commit_row_run(b, &commit_rows[i], false);
    }
    for (size_t i = 0; i < sizeof restart_rows / sizeof restart_rows[0]; i++) {
        restart_row_run(b, &restart_rows[i]);
    }
    return bench_close(b);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], PMEM_WORK_FLAG) == 0) {
        return pmem_work_process(argc, argv);
    }
    static const bench_config config = {
        .name = "pool-pmem",
        .summary = "commits to a pmem file on /dev/shm, and restarts from one of 1 GiB",
        .repeats_default = 7,
        .repeats_quick = 1,
    };
    int status = 0;
    bench *b = bench_open(&config, argc, argv, &status);
    return b == NULL ? status : run(b);
}
