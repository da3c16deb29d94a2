/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded priority queue between submitters and workers.
 *
 * One list a priority, first in first out; the highest priority that has a job is served first. All
 * nodes are made with the queue, so a push takes no memory and never waits but for the lock, which
 * is held for a few instructions.  Thread safe.
 */
#ifndef DP_RENDER_QUEUE_H
#define DP_RENDER_QUEUE_H

#include "render/render.h"

typedef struct render_queue render_queue;

typedef struct queue_job {
    dp_render_job job; /* holds its own reference to job.source */
    uint64_t submitted_ns;
} queue_job;

dp_status render_queue_create(unsigned jobs_max, render_queue **out);

/* The queue must be empty.  NULL is fine. */
void render_queue_destroy(render_queue *queue);

/* DP_ERR_BUSY: full.  DP_ERR_CLOSED. */
dp_status render_queue_push(render_queue *queue, const queue_job *job);

/* Waits for a job; false once the queue is closed, whatever still waits in it. */
bool render_queue_pop(render_queue *queue, queue_job *out);

/* No push succeeds and no pop waits from here on. */
void render_queue_close(render_queue *queue);

/* Takes what was left in a closed queue, in the order it would have been served; false when empty.
 */
bool render_queue_drain(render_queue *queue, queue_job *out);

unsigned render_queue_length(render_queue *queue);

#endif
