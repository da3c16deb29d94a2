/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: references that are given back in the order of a CUDA stream.
 *
 * A buffer that queued work still reads must not be got by somebody else before that work is done.
 * Each such reference waits here behind an event on its stream; it is a reference like any other,
 * so however many streams and threads share a buffer, its block is free when the last of them is
 * through.  Nothing here needs to know whether a reference is the last one.
 *
 *   put -> record an event -> pending (a queue) -> the event has passed -> dp_put
 *
 * Invariants, under the lock: `pending_count` is the length of the queue; every entry there holds
 * one reference and a recorded event; spare entries hold an event and no buffer.  Polling takes
 * entries out first and asks the driver without the lock, so no put waits for the driver's answer
 * to another.  One of these a pool; buffers that no device sees never get here.
 */
#ifndef DP_POOL_STREAM_RELEASE_H
#define DP_POOL_STREAM_RELEASE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <danpool/buf.h>

#include "pool/cuda_driver.h"
#include "pool/os.h"

#define STREAM_POLLS_MAX  32u /* entries that one poll looks at */
#define STREAM_SPARES_MAX 64u /* entries, with their events, that are kept for reuse */

typedef struct stream_entry stream_entry;

typedef struct stream_queue {
    stream_entry *first;
    stream_entry *last;
} stream_queue;

typedef struct stream_release {
    cuda_device device; /* constant; driver is NULL where there is no device, hence no stream */
    pthread_mutex_t lock;
    stream_queue pending;
    stream_entry *spares;
    unsigned spare_count;
    _Atomic unsigned pending_count;
} stream_release;

/* `device_visible`: the pool has a tier that a GPU sees; without one no device is opened. */
void stream_release_open(stream_release *self, bool device_visible);
/* Waits until every stream has passed, or its device is lost, and puts what was pending. */
void stream_release_close(stream_release *self);

/*
 * Looks at count_max (at most STREAM_POLLS_MAX) pending references, puts those whose stream has
 * passed, and returns how many are left.  Never waits for a stream; one load where none is pending.
 */
unsigned stream_release_poll(stream_release *self, unsigned count_max);

/* For tests, as pool_check(). */
void stream_release_check(stream_release *self);

#endif
