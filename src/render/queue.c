/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See queue.h.  Under the lock:
 *
 *     every node is spare, or stands in one flow, in the list of arrivals, and, when it has a
 *     deadline, in the heap of deadlines; length = nodes that are not spare
 *     a tenant stands in its hash chain while it has a node (waiting > 0), else it is spare
 *     a flow (one tenant's jobs of one priority) is in its priority's ring while it has a node
 *     a slot is spare, resumed, or out; spare_count + resumed_count + out = slots_max
 */
#include "render/queue.h"

#include "pool/list.h"
#include "pool/os.h"

/* Bytes of source that count like one more picture to make. */
#define COST_BYTES ((size_t)1 << 20)

typedef struct tenant tenant;

typedef struct node {
    list_node in_flow; /* while spare: in the list of spares */
    list_node by_arrival;
    tenant *owner;
    unsigned heap_place; /* of those with a deadline */
    queue_job job;
} node;

typedef struct flow {
    list_node in_ring;
    list_node jobs;
    unsigned credit;
} flow;

struct tenant {
    list_node in_chain; /* while spare: in the list of spares */
    uint64_t id;
    unsigned waiting;
    flow flows[DP_PRIORITY_COUNT];
};

struct render_queue {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    render_queue_config config;
    unsigned length, tenant_count, heap_length;
    unsigned spare_slots, resumed_first, resumed_count;
    bool closed;
    list_node rings[DP_PRIORITY_COUNT];
    list_node arrivals, spare_nodes, spare_tenants;
    unsigned chain_count; /* a power of two */
    list_node *chains;
    node *nodes;
    tenant *tenants;
    node **heap;
    unsigned *slots;   /* the spare ones, a stack */
    unsigned *resumed; /* a ring */
};

static void free_memory(render_queue *queue)
{
    os_free(queue->resumed);
    os_free(queue->slots);
    os_free(queue->heap);
    os_free(queue->tenants);
    os_free(queue->nodes);
    os_free(queue->chains);
    os_free(queue);
}

static bool take_memory(render_queue *queue)
{
    const size_t jobs = queue->config.jobs_max;
    const size_t slots = queue->config.slots_max;
    queue->chain_count = 1;
    while (queue->chain_count < jobs) {
        queue->chain_count *= 2;
    }
    queue->chains = os_calloc(queue->chain_count, sizeof *queue->chains);
    queue->nodes = os_calloc(jobs, sizeof *queue->nodes);
    queue->tenants = os_calloc(jobs, sizeof *queue->tenants);
    queue->heap = os_calloc(jobs, sizeof(node *));
    queue->slots = os_calloc(slots, sizeof *queue->slots);
    queue->resumed = os_calloc(slots, sizeof *queue->resumed);
    return queue->chains != NULL && queue->nodes != NULL && queue->tenants != NULL &&
           queue->heap != NULL && queue->slots != NULL && queue->resumed != NULL;
}

static void init_lists(render_queue *queue)
{
    list_init(&queue->arrivals);
    list_init(&queue->spare_nodes);
    list_init(&queue->spare_tenants);
    for (unsigned p = 0; p < DP_PRIORITY_COUNT; p++) {
        list_init(&queue->rings[p]);
    }
    for (unsigned i = 0; i < queue->chain_count; i++) {
        list_init(&queue->chains[i]);
    }
    for (unsigned i = 0; i < queue->config.jobs_max; i++) {
        list_push_back(&queue->spare_nodes, &queue->nodes[i].in_flow);
        list_push_back(&queue->spare_tenants, &queue->tenants[i].in_chain);
        for (unsigned p = 0; p < DP_PRIORITY_COUNT; p++) {
            list_init(&queue->tenants[i].flows[p].in_ring);
            list_init(&queue->tenants[i].flows[p].jobs);
        }
    }
    for (unsigned i = 0; i < queue->config.slots_max; i++) {
        queue->slots[queue->spare_slots++] = queue->config.slots_max - 1 - i;
    }
}

dp_status render_queue_create(const render_queue_config *config, render_queue **out)
{
    DP_ASSERT(config->jobs_max > 0 && config->tenant_jobs_max > 0 && config->slots_max > 0);
    render_queue *queue = os_calloc(1, sizeof *queue);
    if (queue == NULL) {
        return DP_ERR_NOMEM;
    }
    queue->config = *config;
    if (!take_memory(queue) || pthread_cond_init(&queue->wake, NULL) != 0) {
        free_memory(queue);
        return DP_ERR_NOMEM;
    }
    init_lists(queue);
    os_mutex_init(&queue->lock);
    *out = queue;
    return DP_OK;
}

void render_queue_destroy(render_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    DP_ASSERT(queue->length == 0 && queue->spare_slots == queue->config.slots_max);
    pthread_cond_destroy(&queue->wake);
    os_mutex_destroy(&queue->lock);
    free_memory(queue);
}

unsigned queue_cost(const dp_render_job *job)
{
    const size_t bytes = job->source == NULL ? 0 : dp_buf_size(job->source);
    const size_t cost = 1 + bytes / COST_BYTES + (job->output_count + 1) / 4;
    return cost < QUEUE_COST_MAX ? (unsigned)cost : QUEUE_COST_MAX;
}

/* ---- the heap of deadlines: the earliest first, ties by nothing ---- */

static void heap_put(render_queue *queue, unsigned place, node *n)
{
    queue->heap[place] = n;
    n->heap_place = place;
}

static void heap_rise(render_queue *queue, unsigned place, node *n)
{
    while (place > 0) {
        const unsigned above = (place - 1) / 2;
        if (queue->heap[above]->job.deadline_ns <= n->job.deadline_ns) {
            break;
        }
        heap_put(queue, place, queue->heap[above]);
        place = above;
    }
    heap_put(queue, place, n);
}

static void heap_sink(render_queue *queue, unsigned place, node *n)
{
    for (;;) {
        unsigned below = 2 * place + 1;
        if (below + 1 < queue->heap_length &&
            queue->heap[below + 1]->job.deadline_ns < queue->heap[below]->job.deadline_ns) {
            below++;
        }
        if (below >= queue->heap_length ||
            n->job.deadline_ns <= queue->heap[below]->job.deadline_ns) {
            break;
        }
        heap_put(queue, place, queue->heap[below]);
        place = below;
    }
    heap_put(queue, place, n);
}

static void heap_remove(render_queue *queue, const node *n)
{
    const unsigned place = n->heap_place;
    DP_ASSERT(place < queue->heap_length && queue->heap[place] == n);
    node *last = queue->heap[--queue->heap_length];
    if (last == n) {
        return;
    }
    heap_sink(queue, place, last);
    heap_rise(queue, last->heap_place, last);
}

/* ---- tenants ---- */

static list_node *chain_of(render_queue *queue, uint64_t id)
{
    /* Fibonacci hashing: ids may be addresses, whose low bits are all alike. */
    const uint64_t mixed = id * UINT64_C(0x9E3779B97F4A7C15);
    return &queue->chains[(mixed >> 32) & (queue->chain_count - 1)];
}

static tenant *find_tenant(render_queue *queue, uint64_t id)
{
    list_node *chain = chain_of(queue, id);
    LIST_EACH(at, chain)
    {
        tenant *found = LIST_OF(at, tenant, in_chain);
        if (found->id == id) {
            return found;
        }
    }
    return NULL;
}

/* There is always one: as many tenants as nodes, and whoever comes here has a node. */
static tenant *add_tenant(render_queue *queue, uint64_t id)
{
    DP_ASSERT(!list_is_empty(&queue->spare_tenants));
    tenant *added = LIST_OF(queue->spare_tenants.next, tenant, in_chain);
    list_remove(&added->in_chain);
    list_push_front(chain_of(queue, id), &added->in_chain);
    added->id = id;
    queue->tenant_count++;
    return added;
}

/* ---- jobs in and out ---- */

static void insert(render_queue *queue, tenant *owner, const queue_job *job)
{
    node *n = LIST_OF(queue->spare_nodes.next, node, in_flow);
    flow *f = &owner->flows[job->job.priority];
    list_remove(&n->in_flow);
    n->job = *job;
    n->owner = owner;
    if (list_is_empty(&f->jobs)) {
        f->credit = 0;
        list_push_back(&queue->rings[job->job.priority], &f->in_ring);
    }
    list_push_back(&f->jobs, &n->in_flow);
    list_push_back(&queue->arrivals, &n->by_arrival);
    if (job->deadline_ns != 0) {
        heap_rise(queue, queue->heap_length++, n);
    }
    owner->waiting++;
    queue->length++;
}

static void take_out(render_queue *queue, node *n, queue_job *out)
{
    tenant *owner = n->owner;
    flow *f = &owner->flows[n->job.job.priority];
    *out = n->job;
    if (n->job.deadline_ns != 0) {
        heap_remove(queue, n);
    }
    list_remove(&n->in_flow);
    list_remove(&n->by_arrival);
    list_push_front(&queue->spare_nodes, &n->in_flow);
    if (list_is_empty(&f->jobs)) {
        list_remove(&f->in_ring);
    }
    if (--owner->waiting == 0) {
        list_remove(&owner->in_chain);
        list_push_front(&queue->spare_tenants, &owner->in_chain);
        queue->tenant_count--;
    }
    queue->length--;
}

dp_status render_queue_push(render_queue *queue, const queue_job *job)
{
    DP_ASSERT((unsigned)job->job.priority < DP_PRIORITY_COUNT);
    dp_status status = DP_OK;

    os_lock(&queue->lock);
    tenant *owner = find_tenant(queue, job->job.tenant);
    if (queue->closed) {
        status = DP_ERR_CLOSED;
    } else if (list_is_empty(&queue->spare_nodes)) {
        status = DP_ERR_BUSY;
    } else if (owner != NULL && owner->waiting >= queue->config.tenant_jobs_max) {
        status = DP_ERR_QUOTA;
    } else {
        insert(queue, owner != NULL ? owner : add_tenant(queue, job->job.tenant), job);
        pthread_cond_signal(&queue->wake);
    }
    os_unlock(&queue->lock);
    return status;
}

/* The next one in turn.  A flow at the front spends its credit; without enough it gets one more
 * unit and goes to the back, so that each walk around the ring serves somebody sooner or later. */
static node *next_in_turn(list_node *ring)
{
    for (;;) {
        flow *f = LIST_OF(ring->next, flow, in_ring);
        node *n = LIST_OF(f->jobs.next, node, in_flow);
        const unsigned cost = queue_cost(&n->job.job);
        f->credit++;
        list_remove(&f->in_ring);
        list_push_back(ring, &f->in_ring);
        if (f->credit >= cost) {
            f->credit -= cost;
            return n;
        }
    }
}

/* Under the lock. */
static bool take_first(render_queue *queue, queue_job *out)
{
    if (queue->heap_length > 0 && queue->heap[0]->job.deadline_ns < os_clock_ns()) {
        take_out(queue, queue->heap[0], out);
        return true;
    }
    for (int p = DP_PRIORITY_COUNT - 1; p >= 0; p--) {
        if (!list_is_empty(&queue->rings[p])) {
            take_out(queue, next_in_turn(&queue->rings[p]), out);
            return true;
        }
    }
    return false;
}

static bool has_new(const render_queue *queue)
{
    return !queue->closed && queue->length > 0 && queue->spare_slots > 0;
}

/* Nothing will come any more. */
static bool is_over(const render_queue *queue)
{
    return queue->closed && queue->spare_slots == queue->config.slots_max;
}

bool render_queue_pop(render_queue *queue, queue_work *out)
{
    bool found = true;

    os_lock(&queue->lock);
    while (queue->resumed_count == 0 && !has_new(queue) && !is_over(queue)) {
        pthread_cond_wait(&queue->wake, &queue->lock);
    }
    if (queue->resumed_count > 0) {
        out->slot = queue->resumed[queue->resumed_first];
        out->resumed = true;
        queue->resumed_first = (queue->resumed_first + 1) % queue->config.slots_max;
        queue->resumed_count--;
    } else if (has_new(queue)) {
        out->resumed = false;
        found = take_first(queue, &out->job);
        DP_ASSERT(found);
        out->slot = queue->slots[--queue->spare_slots];
    } else {
        found = false;
    }
    os_unlock(&queue->lock);
    return found;
}

void render_queue_resume(render_queue *queue, unsigned slot)
{
    os_lock(&queue->lock);
    DP_ASSERT(slot < queue->config.slots_max);
    DP_ASSERT(queue->resumed_count + queue->spare_slots < queue->config.slots_max);
    queue->resumed[(queue->resumed_first + queue->resumed_count) % queue->config.slots_max] = slot;
    queue->resumed_count++;
    pthread_cond_signal(&queue->wake);
    os_unlock(&queue->lock);
}

void render_queue_release(render_queue *queue, unsigned slot)
{
    os_lock(&queue->lock);
    DP_ASSERT(slot < queue->config.slots_max);
    DP_ASSERT(queue->resumed_count + queue->spare_slots < queue->config.slots_max);
    queue->slots[queue->spare_slots++] = slot;
    if (is_over(queue)) {
        pthread_cond_broadcast(&queue->wake);
    } else if (has_new(queue)) {
        pthread_cond_signal(&queue->wake);
    }
    os_unlock(&queue->lock);
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

void render_queue_stats_read(render_queue *queue, queue_stats *out)
{
    os_lock(&queue->lock);
    *out = (queue_stats){.length = queue->length, .tenants = queue->tenant_count};
    if (!list_is_empty(&queue->arrivals)) {
        out->oldest_ns = LIST_OF(queue->arrivals.next, node, by_arrival)->job.submitted_ns;
    }
    os_unlock(&queue->lock);
}
