/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes on beside the gets of the row "get under trouble": a thread on a core of its own that
 * fills a cache whose budget is used up, so that each insert evicts and demotes to pmem, and five
 * times a second takes nearly all of the host budget, so that the pool degrades, serves from its
 * fallback and comes back, all within the run.
 *
 * For a malloc the thread does as much of the same as a malloc has: blocks of those sizes got,
 * filled, kept, copied and released, and the large ones taken and given back.
 */
#ifndef DP_BENCH_POOL_TROUBLE_H
#define DP_BENCH_POOL_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include <danpool/pool.h>

typedef struct trouble trouble;

/* What there was of it, so that a row can say that it was no idle run; 0 for a malloc. */
typedef struct trouble_report {
    uint64_t demotions; /* or, without a pmem tier, drops */
    uint64_t degrades;
    uint64_t fallback_gets;
} trouble_report;

/* Makes the pool (or none) and starts the thread; NULL when that fails. */
trouble *trouble_start(bool with_pool);
/* The pool that is in trouble, NULL for a malloc. */
dp_pool *trouble_pool(const trouble *t);
/* Ends the thread and fills the report; the pool is still there. */
void trouble_stop(trouble *t, trouble_report *out);
/* Every buffer must have been put. */
void trouble_destroy(trouble *t);

#endif
