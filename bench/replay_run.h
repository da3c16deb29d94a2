/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a plan against the pool or against malloc.  One operation is a get that writes the block's
 * first byte, or a put; lanes run on pinned threads and start each pass together.
 */
#ifndef DP_BENCH_REPLAY_RUN_H
#define DP_BENCH_REPLAY_RUN_H

#include "pool_work.h"
#include "replay_plan.h"

typedef enum replay_row {
    REPLAY_THROUGHPUT, /* value: wall time of a pass by its gets, in ns */
    REPLAY_LATENCY,    /* each get timed: p50, p99, p999 in ns, value the median */
    REPLAY_ROW_COUNT
} replay_row;

/*
 * One repeat: passes for 50 ms (quick: one) after one to warm up.  `pool` NULL means malloc and
 * free.  Blocks until it is done; out->ok is false when an allocation failed.
 */
void replay_run(const replay_plan *plan, replay_row row, dp_pool *pool, bool quick,
                work_result *out);

#endif
