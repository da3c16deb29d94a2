/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The batcher between the workers and a device: it collects the items of many jobs into batches.
 *
 *     worker: submit(group) -> waiting groups -> the batcher's thread: a batch -> run() -> done()
 *
 * A batch is run when batch_max items wait, or the oldest has waited for delay_ns_max; while one
 * runs, the next collects, so a busy device is never made to wait for the delay.  A group (one
 * job's items) is never split.  What a device failed at is not run again here: the group is done
 * with the items' status set to an error that backend_spare_can_help() with, and its worker does
 * so, which spreads a failed batch over all workers.
 *
 * The breaker: a batch that fails with DP_ERR_DEVICE, or the third in a row that fails otherwise,
 * opens it; while it is open, groups are refused and the CPU does their work.  After retry_ns the
 * next group that comes is taken to try; a batch that succeeds closes the breaker again.
 *
 *     OK --failure--> FAILED --retry_ns passed, a group comes--> TRIED --success--> OK
 *                        ^------------------failure----------------'
 *
 * Thread safe.  The lock is not held while a batch runs or anybody is called.
 */
#ifndef DP_RENDER_BATCHER_H
#define DP_RENDER_BATCHER_H

#include "render/backend.h"
#include "render/render.h"

typedef struct render_batcher render_batcher;

typedef struct render_batcher_config {
    backend *device; /* borrowed; only the batcher's thread runs it */
    unsigned batch_max;
    uint64_t delay_ns_max;
    uint64_t retry_ns;
    dp_render_listener *listener; /* (optional) */
    void *listener_user;
} render_batcher_config;

/* The items of one job; lives in the job until done() is called. */
typedef struct batch_group {
    backend_item *items;
    unsigned item_count;                     /* 1 .. DP_RENDER_OUTPUTS_MAX */
    void (*done)(struct batch_group *group); /* on the batcher's thread; must be quick */
    void *user;
    uint64_t wait_ns;         /* out: submit to the batch's begin */
    uint64_t run_ns;          /* out: of the whole batch */
    struct batch_group *next; /* the batcher's own */
    uint64_t submitted_ns;
} batch_group;

typedef struct render_batcher_stats {
    uint64_t batches, items; /* that went well */
    uint64_t batches_failed;
    dp_render_device state;
} render_batcher_stats;

dp_status render_batcher_create(const render_batcher_config *config, render_batcher **out);

/* Whether a group would be taken just now: worth asking before work is done for it. */
bool render_batcher_takes(render_batcher *batcher);

/* Takes the group, or says that the device does not take any just now. */
bool render_batcher_submit(render_batcher *batcher, batch_group *group);

/* Runs what waits, joins, frees.  No submit may come during or after it.  NULL is fine. */
void render_batcher_destroy(render_batcher *batcher);

void render_batcher_stats_read(render_batcher *batcher, render_batcher_stats *out);

#endif
