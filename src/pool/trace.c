/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: rings and their snapshot; trace.h tells the scheme and its memory orders.
 */
#define _DEFAULT_SOURCE /* syscall */
#include "pool/trace.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct trace_ring {
    trace_ring *next;
    const void *owner;     /* the thread's `slots` */
    uint64_t size;         /* slots, a power of two */
    uint64_t base;         /* head when the recording began; under the trace's lock */
    _Atomic uint64_t head; /* events ever written */
    _Atomic uint64_t words[];
};

#define SLOTS 2u /* traces that a thread can alternate between without the lock */

typedef struct trace_slot {
    uint64_t id;
    trace_ring *ring; /* NULL: there is none for this thread */
} trace_slot;

static _Atomic uint64_t id_last;
static _Thread_local trace_slot slots[SLOTS];
static _Thread_local uint32_t thread_number;

void trace_init(trace *self)
{
    *self = (trace){.slots_per_thread = 0};
    os_mutex_init(&self->lock);
}

void trace_destroy(trace *self)
{
    while (self->rings != NULL) {
        trace_ring *ring = self->rings;
        self->rings = ring->next;
        os_free(ring);
    }
    os_mutex_destroy(&self->lock);
}

/* ---- start and stop ---- */

static uint32_t slots_for(uint32_t events)
{
    uint32_t slot_count = 2;
    while (slot_count <= (events == 0 ? TRACE_EVENTS_DEFAULT : events))
        slot_count *= 2;
    return slot_count;
}

dp_status trace_start(trace *self, uint32_t events_per_thread)
{
    if (events_per_thread > TRACE_EVENTS_MAX)
        return DP_ERR_INVALID;
    os_lock(&self->lock);
    bool runs = trace_is_on(self);
    if (!runs) {
        self->slots_per_thread = slots_for(events_per_thread);
        for (trace_ring *ring = self->rings; ring != NULL; ring = ring->next)
            ring->base = atomic_load_explicit(&ring->head, memory_order_relaxed);
        atomic_store_explicit(&self->dropped, 0, memory_order_relaxed);
        atomic_store_explicit(&self->begun_ns, os_clock_ns(), memory_order_relaxed);
        uint64_t id = atomic_fetch_add_explicit(&id_last, 1, memory_order_relaxed) + 1;
        atomic_store_explicit(&self->id, id, memory_order_release);
        atomic_store_explicit(&self->on, true, memory_order_release);
    }
    os_unlock(&self->lock);
    return runs ? DP_ERR_EXISTS : DP_OK;
}

void trace_stop(trace *self)
{
    os_lock(&self->lock);
    atomic_store_explicit(&self->on, false, memory_order_relaxed);
    os_unlock(&self->lock);
}

/* ---- recording ---- */

/* Under the lock. */
static trace_ring *ring_make(trace *self)
{
    if (self->ring_count == TRACE_RINGS_MAX)
        return NULL;
    uint64_t size = self->slots_per_thread;
    trace_ring *ring =
        os_calloc(1, sizeof *ring + size * TRACE_EVENT_WORDS * sizeof(_Atomic uint64_t));
    if (ring == NULL)
        return NULL;
    ring->owner = slots;
    ring->size = size;
    ring->next = self->rings;
    self->rings = ring;
    self->ring_count++;
    return ring;
}

/* This thread's ring; it is remembered that there is none, until the next start. */
static trace_ring *ring_of_thread(trace *self, uint64_t id)
{
    trace_slot *slot = &slots[id % SLOTS];
    if (DP_LIKELY(slot->id == id))
        return slot->ring;
    os_lock(&self->lock);
    trace_ring *ring = self->rings;
    while (ring != NULL && ring->owner != slots)
        ring = ring->next;
    if (ring == NULL)
        ring = ring_make(self);
    os_unlock(&self->lock);
    *slot = (trace_slot){.id = id, .ring = ring};
    return ring;
}

static uint32_t thread_number_find(void)
{
    if (thread_number == 0)
        thread_number = (uint32_t)syscall(SYS_gettid);
    return thread_number;
}

void trace_record(trace *self, const trace_event *event)
{
    trace_ring *ring = ring_of_thread(self, atomic_load_explicit(&self->id, memory_order_acquire));
    if (DP_UNLIKELY(ring == NULL)) {
        atomic_fetch_add_explicit(&self->dropped, 1, memory_order_relaxed);
        return;
    }
    trace_event stamped = *event;
    stamped.time_ns = os_clock_ns();
    stamped.thread = thread_number_find();
    uint64_t words[TRACE_EVENT_WORDS];
    memcpy(words, &stamped, sizeof words);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    _Atomic uint64_t *to = &ring->words[(head & (ring->size - 1)) * TRACE_EVENT_WORDS];
    for (unsigned i = 0; i < TRACE_EVENT_WORDS; i++)
        atomic_store_explicit(&to[i], words[i], memory_order_release);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* ---- reading ---- */

/*
 * The oldest event of this recording that can still be read.  One slot is always the writer's, who
 * may be in the middle of it: a ring holds one event less than it has slots.
 */
static uint64_t ring_first(const trace_ring *ring, uint64_t head)
{
    uint64_t first = head >= ring->size ? head + 1 - ring->size : 0;
    return first > ring->base ? first : ring->base;
}

void trace_stats_read(trace *self, dp_trace_stats *out)
{
    *out = (dp_trace_stats){.running = trace_is_on(self)};
    uint64_t without_ring = atomic_load_explicit(&self->dropped, memory_order_relaxed);
    out->recorded = without_ring;
    out->dropped = without_ring;
    os_lock(&self->lock);
    out->threads = self->ring_count;
    for (const trace_ring *ring = self->rings; ring != NULL; ring = ring->next) {
        uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
        out->recorded += head - ring->base;
        out->dropped += ring_first(ring, head) - ring->base;
    }
    os_unlock(&self->lock);
}

/* Copies what is whole behind `to`, the oldest first, and returns how many events that were. */
static size_t ring_copy(const trace_ring *ring, uint64_t begun_ns, uint64_t head, trace_event *to)
{
    uint64_t first = ring_first(ring, head);
    for (uint64_t i = first; i < head; i++) {
        const _Atomic uint64_t *from = &ring->words[(i & (ring->size - 1)) * TRACE_EVENT_WORDS];
        uint64_t words[TRACE_EVENT_WORDS];
        for (unsigned word = 0; word < TRACE_EVENT_WORDS; word++)
            words[word] = atomic_load_explicit(&from[word], memory_order_acquire);
        memcpy(&to[i - first], words, sizeof words);
    }
    /* What the writer has come to meanwhile may be half one event and half another. */
    uint64_t whole = ring_first(ring, atomic_load_explicit(&ring->head, memory_order_acquire));
    size_t count = 0;
    for (uint64_t i = whole; i < head; i++) {
        /* A writer that was late at the start may have left an event of the time before it. */
        if (to[i - first].time_ns >= begun_ns)
            to[count++] = to[i - first];
    }
    return count;
}

typedef struct merge_lane {
    const trace_event *at;
    const trace_event *end;
} merge_lane;

/* Each lane is in the order of time already; of equal times the earlier lane's comes first. */
static void merge(merge_lane *lanes, unsigned lane_count, trace_event *to)
{
    for (;;) {
        merge_lane *first = NULL;
        for (unsigned i = 0; i < lane_count; i++) {
            merge_lane *lane = &lanes[i];
            if (lane->at < lane->end && (first == NULL || lane->at->time_ns < first->at->time_ns))
                first = lane;
        }
        if (first == NULL)
            return;
        *to++ = *first->at++;
    }
}

/* Under the lock.  `heads` get each ring's length now; the sum of what they hold. */
static size_t heads_read(const trace *self, uint64_t heads[TRACE_RINGS_MAX])
{
    size_t count = 0;
    unsigned i = 0;
    for (const trace_ring *ring = self->rings; ring != NULL; ring = ring->next, i++) {
        heads[i] = atomic_load_explicit(&ring->head, memory_order_acquire);
        count += (size_t)(heads[i] - ring_first(ring, heads[i]));
    }
    return count;
}

dp_status trace_snapshot(trace *self, trace_event **events, size_t *count, uint64_t *dropped)
{
    uint64_t heads[TRACE_RINGS_MAX];
    merge_lane lanes[TRACE_RINGS_MAX];
    uint64_t begun_ns = atomic_load_explicit(&self->begun_ns, memory_order_relaxed);
    uint64_t lost = atomic_load_explicit(&self->dropped, memory_order_relaxed);
    os_lock(&self->lock);
    size_t most = heads_read(self, heads);
    trace_event *copied = most == 0 ? NULL : os_calloc(most, sizeof *copied);
    trace_event *merged = most == 0 ? NULL : os_calloc(most, sizeof *merged);
    if (most != 0 && (copied == NULL || merged == NULL)) {
        os_unlock(&self->lock);
        os_free(copied);
        os_free(merged);
        return DP_ERR_NOMEM;
    }
    size_t at = 0;
    unsigned lane = 0;
    for (const trace_ring *ring = self->rings; ring != NULL && most != 0; ring = ring->next) {
        size_t got = ring_copy(ring, begun_ns, heads[lane], copied + at);
        lost += heads[lane] - ring->base - got;
        lanes[lane++] = (merge_lane){.at = copied + at, .end = copied + at + got};
        at += got;
    }
    os_unlock(&self->lock);
    merge(lanes, lane, merged);
    os_free(copied);
    *events = merged;
    *count = at;
    *dropped = lost;
    return DP_OK;
}
