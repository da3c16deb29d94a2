/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording (dp_trace_write) as work that can be done again: which lane gets and puts what.
 *
 * Every recorded get has a slot of its own, which its put empties.  A lane does the operations of
 * one or more recorded threads in the order of time.  A put whose get another lane does waits until
 * that has happened; gets wait for nobody, and the order of time has every get before its put, so
 * the lanes cannot wait for each other for ever.
 *
 * Left out are puts without a get (it was overwritten, or came before the recording); a get without
 * a put is put when the pass is over.
 */
#ifndef DP_BENCH_REPLAY_PLAN_H
#define DP_BENCH_REPLAY_PLAN_H

#include "pool/trace_file.h"

#define REPLAY_LANES_MAX 8u

typedef struct replay_op {
    uint32_t slot;
    uint32_t size_bytes;
    uint8_t kind; /* dp_kind, of a get */
    bool is_put;
} replay_op;

typedef struct replay_lane {
    replay_op *ops;
    size_t count;
} replay_lane;

typedef struct replay_plan {
    replay_lane lanes[REPLAY_LANES_MAX];
    unsigned lane_count;
    unsigned thread_count; /* that the recording had */
    size_t gets;           /* and slots */
    size_t puts;
    size_t left_out; /* puts without a get */
} replay_plan;

/* For at most `lanes_max` lanes (1 .. REPLAY_LANES_MAX).  DP_ERR_NOMEM; DP_ERR_INVALID: there is no
 * get in it. */
dp_status replay_plan_make(const trace_file *file, unsigned lanes_max, replay_plan *out);
void replay_plan_clear(replay_plan *plan);

#endif
