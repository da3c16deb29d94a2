/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the sandbox: for sandbox.c, sandbox_keeper.c and tests, which play tricks on workers.
 */
#ifndef DP_RENDER_SANDBOX_INTERNAL_H
#define DP_RENDER_SANDBOX_INTERNAL_H

#include <pthread.h>

#include "render/sandbox.h"
#include "render/sandbox_block.h"
#include "render/sandbox_region.h"

/*
 * ABSENT -> STARTING -> IDLE <-> BUSY -> ABSENT, and IDLE -> WORN -> ABSENT for one that has done
 * its share of jobs.  The keeper owns STARTING and WORN, a job BUSY.
 */
typedef enum worker_state {
    WORKER_ABSENT,
    WORKER_STARTING,
    WORKER_IDLE,
    WORKER_BUSY,
    WORKER_WORN
} worker_state;

typedef struct sandbox_worker {
    worker_state state;
    sandbox_process process; /* its owner's; IDLE: nobody's */
    unsigned jobs;
    sandbox_region *regions[WIRE_SLOTS]; /* NULL: no such */
} sandbox_worker;

struct sandbox {
    dp_pool *pool;
    sandbox_config config; /* program points to `program`, defaults filled in */
    char program[PROCESS_PATH_BYTES];
    size_t region_bytes;

    pthread_mutex_t lock;
    pthread_cond_t ready;  /* a worker or a region came free */
    pthread_cond_t wanted; /* the keeper has something to do */
    pthread_t keeper;
    bool closing;
    uint64_t job_number;
    unsigned regions_out;
    sandbox_stats count;
    block_table blocked;
    sandbox_worker workers[SANDBOX_WORKERS_MAX];
};

/* ---- sandbox_keeper.c: workers come and go ---- */

/* Starts the first worker; then the thread.  `detail` as sandbox_create() says. */
dp_status keeper_start(sandbox *box, char detail[SANDBOX_DETAIL_BYTES]);

/* Ends the thread and every worker, and frees their regions. */
void keeper_stop(sandbox *box);

/* Takes an idle worker, waiting for one until deadline_ns.  NULL: none came. */
sandbox_worker *worker_take(sandbox *box, uint64_t deadline_ns);

/* Gives back one that is well. */
void worker_give(sandbox *box, sandbox_worker *worker);

/* Buries one that is not; process_bury() says what `failure` is. */
sandbox_cause worker_fail(sandbox *box, sandbox_worker *worker, dp_status failure);

/* ---- sandbox.c ---- */

/*
 * Asks the job's worker about a region of its and checks the answer.  DP_OK: `reply` can be
 * believed, whatever status it bears.  Else the worker is buried, the source noted, and the task
 * has words.
 */
dp_status sandbox_ask(sandbox_job *job, sandbox_region *region, wire_request *request,
                      const wire_expected *expected, wire_reply *reply);

/* Takes a worker and a region and copies the source: all of sandbox_open() but asking. */
dp_status sandbox_begin(sandbox *box, render_task *task, media_bytes source, sandbox_job *out);

#endif
