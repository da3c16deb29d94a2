/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that bench_pool gives to an allocator: the same loops for the pool and for any malloc.
 *
 * One operation is a get (dp_get + dp_buf_data, or malloc), a write of 8 bytes into the block, and
 * a put (dp_put, or free): a block that nobody can write to has not been allocated.  Every piece of
 * work runs in fresh pinned threads of a process that is already multi-threaded, as in a server;
 * each thread warms up before the clock starts.  The peers run these loops in processes of their
 * own (pool_peer.h).
 */
#ifndef DP_BENCH_POOL_WORK_H
#define DP_BENCH_POOL_WORK_H

#include <stdbool.h>
#include <stddef.h>

#include <danpool/pool.h>

#include "harness.h"

typedef enum work_kind {
    WORK_PAIR,   /* get and put at once, on one or two threads */
    WORK_TENANT, /* the same, charged to a tenant */
    WORK_CROSS,  /* one thread gets, another puts, a ring of 1,024 pointers between them */
    WORK_RAW,    /* the same ring and the same 8 bytes, no allocator */
    WORK_MIXED,  /* 1,024 blocks of mixed size stay live, a random one is replaced */
    WORK_PACED,  /* as mixed, 100,000 replacements a second, each get timed */
    WORK_TROUBLE /* as paced, in a pool of its own beside what pool_trouble.h makes */
} work_kind;

typedef struct work {
    const char *row;
    work_kind kind;
    size_t size_bytes;
    int threads;
    bench_goal goal;
    const char *note;
} work;

extern const work work_list[];
extern const size_t work_count;

typedef struct work_result {
    bool ok;      /* false: an allocation failed or a thread could not be started */
    double value; /* ns an operation; for paced ones the median */
    double p50;   /* paced ones only, else 0 */
    double p99;
    double p999;
    double p9999;       /* WORK_TROUBLE only, as the rest */
    double worst;       /* of the gets during which the thread had its core */
    double descheduled; /* how many gets that leaves out */
    double demotions;
    double degrades;
    double fallback_gets;
    double waited; /* percent of the time that a thread had no core: other programs' load */
} work_result;

/* Each get is timed, and the row is followed by rows of its tail. */
bool work_is_paced(const work *w);

/* Runs one repeat; `pool` NULL means malloc and free.  Blocks until it is done. */
void work_run(const work *w, dp_pool *pool, bool quick, work_result *out);

/* The row's name of the 99.9 % figure that WORK_PACED also gives. */
#define WORK_P999_SUFFIX " p99.9"

#endif
