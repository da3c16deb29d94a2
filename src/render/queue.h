/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded priority queue between submitters and workers.
 *
 * The highest priority that has a job is served first.  Within one, tenants take turns by deficit
 * round robin (Shreedhar and Varghese, 1995): each turn is worth one unit of credit, a job costs 1
 * to QUEUE_COST_MAX of them by what it promises to be (queue_cost()), and a tenant's own jobs are
 * first come first served.  So a tenant with a thousand jobs delays another's first one by a turn.
 * A job whose deadline has passed is given out before all others, since it costs nothing to fail
 * it and its place is wanted.
 *
 * A worker that pops a job gets a slot with it, and gives the slot back when the job is over.  In
 * between it may leave the job to a device and pop another; the device's side resumes the slot, and
 * resumed slots are popped before new jobs.  There are slots_max, which bounds what is in the
 * workers' hands however many jobs a device has been given.
 *
 * All memory is taken with the queue: a push takes none, and waits for nothing but the lock, which
 * is held for a few instructions (a pop: amortised O(log jobs)).  Thread safe.
 */
#ifndef DP_RENDER_QUEUE_H
#define DP_RENDER_QUEUE_H

#include "render/render.h"

#define QUEUE_COST_MAX 8u

typedef struct render_queue render_queue;

typedef struct render_queue_config {
    unsigned jobs_max;        /* waiting */
    unsigned tenant_jobs_max; /* of them by one tenant */
    unsigned slots_max;       /* popped and not yet released */
} render_queue_config;

typedef struct queue_job {
    dp_render_job job; /* holds its own reference to job.source */
    uint64_t submitted_ns;
    uint64_t deadline_ns; /* 0 = none */
} queue_job;

typedef struct queue_work {
    unsigned slot;
    bool resumed;  /* the slot's old job goes on; else `job` is new */
    queue_job job; /* not resumed */
} queue_work;

typedef struct queue_stats {
    unsigned length, tenants;
    uint64_t oldest_ns; /* when the oldest one was submitted, 0 = none waits */
} queue_stats;

dp_status render_queue_create(const render_queue_config *config, render_queue **out);

/* The queue must be empty and all slots released.  NULL is fine. */
void render_queue_destroy(render_queue *queue);

/* What a job takes of its tenant's turns: 1 .. QUEUE_COST_MAX. */
unsigned queue_cost(const dp_render_job *job);

/* DP_ERR_BUSY: full.  DP_ERR_QUOTA: its tenant has enough jobs waiting.  DP_ERR_CLOSED. */
dp_status render_queue_push(render_queue *queue, const queue_job *job);

/*
 * Waits for a resumed slot, or for a job and a free slot.  False once the queue is closed and no
 * slot is out that could be resumed, whatever still waits in it.
 */
bool render_queue_pop(render_queue *queue, queue_work *out);

/* Hands a slot that is out to the next pop; once until it has been popped. */
void render_queue_resume(render_queue *queue, unsigned slot);

/* Ends a slot. */
void render_queue_release(render_queue *queue, unsigned slot);

/* No push succeeds and no pop gives a new job from here on. */
void render_queue_close(render_queue *queue);

/* Takes what was left in a closed queue, in the order it would have been served; false when empty.
 */
bool render_queue_drain(render_queue *queue, queue_job *out);

void render_queue_stats_read(render_queue *queue, queue_stats *out);

#endif
