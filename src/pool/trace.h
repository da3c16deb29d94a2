/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: the rings that a recording goes to; include/danpool/trace.h says what for.
 *
 *     trace -> ring of thread A  [ e5 | e6 | e3 | e4 ]   head = 7: e3 is the oldest that is left
 *           -> ring of thread B  [ e0 | e1 |    |    ]   head = 2
 *
 * A ring has one writer, its thread.  It stores an event's five words and then the new head, all
 * with release; a reader loads head, the words, and head again, all with acquire, and throws away
 * what may have been overwritten meanwhile: whoever sees a word of event i also sees a head of at
 * least i, so that events after (second head - size) are whole and others may not be.  No locks,
 * no waiting, and on x86 no locked instruction.
 *
 * Rings are made under the lock on a thread's first event and live as long as the trace.  A thread
 * knows its ring by the address of a thread-local variable; a thread that gets the memory of a dead
 * one inherits its ring, too, so threads that come and go do not add rings for ever.  Events carry
 * the kernel's thread number, so they are told apart all the same.
 *
 * `id` is new with each start and never used twice in a process: a thread's remembered ring of a
 * trace that is gone, or of an earlier recording, cannot match.
 */
#ifndef DP_POOL_TRACE_H
#define DP_POOL_TRACE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <danpool/trace.h>

#include "pool/os.h"

#define TRACE_RINGS_MAX      64u
#define TRACE_EVENTS_DEFAULT 16383u
#define TRACE_EVENTS_MAX     ((1u << 24) - 1u)
#define TRACE_EVENT_WORDS    5u

/* Bits of trace_event.detail, by type. */
#define TRACE_GET_FRESH      1u /* DP_TRACE_GET: the block was never handed out before */
#define TRACE_GET_KIND_SHIFT 1u /* DP_TRACE_GET: the buffer's dp_kind from here on */
/* The others: MIGRATE the tier it went to, EVICT the priority, TIER_CALL a tier_call, HEALTH the
 * old state in the high and the new one in the low four bits. */

/* What happened.  `time_ns` is when it was over; it began `duration_ns` before. */
typedef struct trace_event {
    uint64_t time_ns;
    uint64_t id;   /* GET, PUT: names the buffer while it is held; else 0 */
    uint64_t site; /* GET: where dp_get() will return to; else 0 */
    uint32_t size_bytes;
    uint32_t thread;      /* the kernel's number of it */
    uint32_t duration_ns; /* at most; 0 where nothing was timed */
    uint8_t type;         /* dp_trace_event */
    uint8_t tier;
    uint8_t size_class; /* GET, PUT, HEALTH; else 0 */
    uint8_t detail;
} trace_event;
_Static_assert(sizeof(trace_event) == TRACE_EVENT_WORDS * sizeof(uint64_t), "an event is words");

typedef struct trace_ring trace_ring;

typedef struct trace {
    _Atomic bool on;
    _Atomic uint64_t id;
    _Atomic uint64_t dropped; /* events of threads without a ring */
    _Atomic uint64_t begun_ns;
    pthread_mutex_t lock; /* guards what follows */
    trace_ring *rings;
    uint32_t ring_count;
    uint32_t slots_per_thread; /* of a ring that is made from now on */
} trace;

void trace_init(trace *self);
/* No thread may be in a call on it. */
void trace_destroy(trace *self);

static inline bool trace_is_on(const trace *self)
{
    return atomic_load_explicit(&self->on, memory_order_relaxed);
}

/* As dp_trace_start() and dp_trace_stop(). */
dp_status trace_start(trace *self, uint32_t events_per_thread);
void trace_stop(trace *self);

/* Records an event of the calling thread; time and thread are filled in here.  Cannot fail: what
 * finds no ring is counted as dropped. */
void trace_record(trace *self, const trace_event *event);

void trace_stats_read(trace *self, dp_trace_stats *out);

/*
 * Copies the events that are left, in the order of time; free with os_free().  *events is NULL when
 * there is none.  DP_ERR_NOMEM.
 */
dp_status trace_snapshot(trace *self, trace_event **events, size_t *count, uint64_t *dropped);

#endif
