/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See queue.h.  Invariant, under the lock: every node is on exactly one list, a priority's or the
 * free one; length = nodes on the priorities' lists.
 */
#include "render/queue.h"

#include "pool/os.h"

typedef struct node {
    struct node *next;
    queue_job job;
} node;

typedef struct list {
    node *first, *last;
} list;

struct render_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    list waiting[DP_PRIORITY_COUNT];
    node *spare;
    node *nodes; /* all of them, for free */
    unsigned length;
    bool closed;
};

dp_status render_queue_create(unsigned jobs_max, render_queue **out)
{
    DP_ASSERT(jobs_max > 0);
    render_queue *queue = os_calloc(1, sizeof *queue);
    if (queue == NULL) {
        return DP_ERR_NOMEM;
    }
    queue->nodes = os_calloc(jobs_max, sizeof *queue->nodes);
    if (queue->nodes == NULL || pthread_cond_init(&queue->wake, NULL) != 0) {
        os_free(queue->nodes);
        os_free(queue);
        return DP_ERR_NOMEM;
    }
    for (unsigned i = 0; i < jobs_max; i++) {
        queue->nodes[i].next = queue->spare;
        queue->spare = &queue->nodes[i];
    }
    os_mutex_init(&queue->lock);
    *out = queue;
    return DP_OK;
}

void render_queue_destroy(render_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    DP_ASSERT(queue->length == 0);
    pthread_cond_destroy(&queue->wake);
    os_mutex_destroy(&queue->lock);
    os_free(queue->nodes);
    os_free(queue);
}

dp_status render_queue_push(render_queue *queue, const queue_job *job)
{
    DP_ASSERT((unsigned)job->job.priority < DP_PRIORITY_COUNT);
    dp_status status = DP_OK;

    os_lock(&queue->lock);
    node *taken = queue->spare;
    if (queue->closed) {
        status = DP_ERR_CLOSED;
    } else if (taken == NULL) {
        status = DP_ERR_BUSY;
    } else {
        list *waiting = &queue->waiting[job->job.priority];
        queue->spare = taken->next;
        *taken = (node){.job = *job};
        if (waiting->first == NULL) {
            waiting->first = taken;
        } else {
            waiting->last->next = taken;
        }
        waiting->last = taken;
        queue->length++;
        pthread_cond_signal(&queue->wake);
    }
    os_unlock(&queue->lock);
    return status;
}

/* Under the lock. */
static bool take_first(render_queue *queue, queue_job *out)
{
    for (int p = DP_PRIORITY_COUNT - 1; p >= 0; p--) {
        node *taken = queue->waiting[p].first;
        if (taken != NULL) {
            queue->waiting[p].first = taken->next;
            *out = taken->job;
            taken->next = queue->spare;
            queue->spare = taken;
            queue->length--;
            return true;
        }
    }
    return false;
}

bool render_queue_pop(render_queue *queue, queue_job *out)
{
    os_lock(&queue->lock);
    while (!queue->closed && queue->length == 0) {
        pthread_cond_wait(&queue->wake, &queue->lock);
    }
    const bool taken = !queue->closed && take_first(queue, out);
    os_unlock(&queue->lock);
    return taken;
}

void render_queue_close(render_queue *queue)
{
    os_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->wake);
    os_unlock(&queue->lock);
}

bool render_queue_drain(render_queue *queue, queue_job *out)
{
    os_lock(&queue->lock);
    DP_ASSERT(queue->closed);
    const bool taken = take_first(queue, out);
    os_unlock(&queue->lock);
    return taken;
}

unsigned render_queue_length(render_queue *queue)
{
    os_lock(&queue->lock);
    const unsigned length = queue->length;
    os_unlock(&queue->lock);
    return length;
}
