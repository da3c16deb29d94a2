/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 4: the queue of references that wait for their streams.
 *
 * A put cannot fail.  Where there is no memory for an entry or no event, the put waits for the
 * stream itself, which is slow and right.  A device that was lost runs nothing any more, so every
 * error of the driver but "not ready" counts as passed: the memory is gone or harmless.
 *
 * Entries are polled from the front and go to the back when they are not ready, so that a stream
 * that stands still does not hide the others.  Right behind an entry that was not ready, entries of
 * the same stream are not asked about in that poll: work on a stream passes in order.
 */
#include "pool/stream_release.h"

#include <danpool/device.h>

#include "pool/pool_state.h"

#define STREAM_POLLS_A_PUT                                                                         \
    2u /* each put adds one entry and looks at two: the queue stays short                          \
        */

struct stream_entry {
    stream_entry *next;
    cuda_event *event;
    dp_buf *buf; /* NULL: spare */
    uint64_t stream;
};

/* ---- the queue ---- */

static void queue_push(stream_queue *queue, stream_entry *entry)
{
    entry->next = NULL;
    if (queue->first == NULL)
        queue->first = entry;
    else
        queue->last->next = entry;
    queue->last = entry;
}

static stream_entry *queue_pop(stream_queue *queue)
{
    stream_entry *entry = queue->first;
    if (entry != NULL)
        queue->first = entry->next;
    return entry;
}

/* ---- entries; the context is current but for a lost device ---- */

static void entry_free(stream_release *self, stream_entry *entry)
{
    (void)self->device.driver->event_destroy(entry->event);
    os_free(entry);
}

static stream_entry *entry_make(stream_release *self)
{
    stream_entry *entry = os_calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    if (self->device.driver->event_create(&entry->event, CUDA_EVENT_NO_TIMING) != CUDA_OK) {
        os_free(entry);
        return NULL;
    }
    return entry;
}

static stream_entry *entry_take(stream_release *self)
{
    os_lock(&self->lock);
    stream_entry *entry = self->spares;
    if (entry != NULL) {
        self->spares = entry->next;
        self->spare_count--;
    }
    os_unlock(&self->lock);
    return entry != NULL ? entry : entry_make(self);
}

static void entry_give(stream_release *self, stream_entry *entry)
{
    entry->buf = NULL;
    os_lock(&self->lock);
    bool keep = self->spare_count < STREAM_SPARES_MAX;
    if (keep) {
        entry->next = self->spares;
        self->spares = entry;
        self->spare_count++;
    }
    os_unlock(&self->lock);
    if (!keep)
        entry_free(self, entry);
}

/* ---- putting ---- */

/* Records and queues; false where the caller still has the reference to put. */
static bool put_later(stream_release *self, dp_buf *buf, cuda_stream *stream)
{
    stream_entry *entry = entry_take(self);
    if (entry == NULL)
        return false;
    cuda_result result = self->device.driver->event_record(entry->event, stream);
    DP_ASSERT(result != CUDA_INVALID_HANDLE); /* no stream of the device's primary context */
    if (result != CUDA_OK) {
        entry_give(self, entry);
        return false;
    }
    entry->buf = buf;
    entry->stream = (uintptr_t)stream;
    os_lock(&self->lock);
    queue_push(&self->pending, entry);
    atomic_fetch_add_explicit(&self->pending_count, 1, memory_order_relaxed);
    os_unlock(&self->lock);
    return true;
}

void dp_put_on_stream(dp_buf *buf, uint64_t stream)
{
    if (buf == NULL)
        return;
    stream_release *self = &buf_pool(buf)->streams;
    cuda_stream *order = (cuda_stream *)(uintptr_t)stream;
    if (buf->device == 0 || self->device.driver == NULL || cuda_enter(&self->device) != DP_OK) {
        dp_put(buf);
        return;
    }
    bool queued = put_later(self, buf, order);
    if (!queued)
        (void)self->device.driver->stream_wait(order);
    cuda_leave(&self->device);
    if (!queued)
        dp_put(buf);
    (void)stream_release_poll(self, STREAM_POLLS_A_PUT);
}

/* ---- polling ---- */

/* Takes at most count_max entries off the front. */
static stream_queue detach(stream_release *self, unsigned count_max)
{
    stream_queue taken = {NULL, NULL};
    os_lock(&self->lock);
    for (unsigned i = 0; i < count_max && self->pending.first != NULL; i++)
        queue_push(&taken, queue_pop(&self->pending));
    os_unlock(&self->lock);
    return taken;
}

static void attach(stream_release *self, stream_queue *waiting, unsigned passed_count)
{
    os_lock(&self->lock);
    for (stream_entry *entry = queue_pop(waiting); entry != NULL; entry = queue_pop(waiting))
        queue_push(&self->pending, entry);
    atomic_fetch_sub_explicit(&self->pending_count, passed_count, memory_order_relaxed);
    os_unlock(&self->lock);
}

/* True too for an event of a lost device: nothing is running there. */
static bool has_passed(const stream_release *self, const stream_entry *entry)
{
    cuda_result result = self->device.driver->event_query(entry->event);
    DP_ASSERT(result != CUDA_CAPTURED_EVENT); /* a graph that was being captured, not queued work */
    return result != CUDA_NOT_READY;
}

unsigned stream_release_poll(stream_release *self, unsigned count_max)
{
    dp_buf *passed[STREAM_POLLS_MAX];
    unsigned passed_count = 0;
    DP_ASSERT(count_max <= STREAM_POLLS_MAX);
    if (atomic_load_explicit(&self->pending_count, memory_order_relaxed) == 0)
        return 0;
    stream_queue taken = detach(self, count_max);
    if (taken.first != NULL) {
        stream_queue waiting = {NULL, NULL};
        bool entered = cuda_enter(&self->device) == DP_OK;
        for (stream_entry *entry = queue_pop(&taken); entry != NULL; entry = queue_pop(&taken)) {
            bool behind = waiting.first != NULL && waiting.last->stream == entry->stream;
            if (behind || (entered && !has_passed(self, entry))) {
                queue_push(&waiting, entry);
                continue;
            }
            passed[passed_count++] = entry->buf;
            entry_give(self, entry);
        }
        if (entered)
            cuda_leave(&self->device);
        attach(self, &waiting, passed_count);
    }
    for (unsigned i = 0; i < passed_count; i++)
        dp_put(passed[i]);
    return atomic_load_explicit(&self->pending_count, memory_order_relaxed);
}

size_t dp_pool_reclaim(dp_pool *pool)
{
    DP_ASSERT(pool != NULL);
    return stream_release_poll(&pool->streams, STREAM_POLLS_MAX);
}

/* ---- making and taking down ---- */

void stream_release_open(stream_release *self, bool device_visible)
{
    char detail[CUDA_DETAIL_BYTES];
    *self = (stream_release){0};
    os_mutex_init(&self->lock);
    /* The tiers hold the same context.  Where it cannot be had there is no stream to wait for. */
    if (device_visible)
        (void)cuda_device_open(detail, &self->device);
}

void stream_release_close(stream_release *self)
{
    const cuda_driver *driver = self->device.driver;
    bool entered = driver != NULL && cuda_enter(&self->device) == DP_OK;
    for (stream_entry *entry = queue_pop(&self->pending); entry != NULL;
         entry = queue_pop(&self->pending)) {
        if (entered)
            (void)driver->event_wait(entry->event);
        dp_put(entry->buf);
        entry_free(self, entry);
    }
    while (self->spares != NULL) {
        stream_entry *entry = self->spares;
        self->spares = entry->next;
        entry_free(self, entry);
    }
    if (entered)
        cuda_leave(&self->device);
    if (driver != NULL)
        cuda_device_close(&self->device);
    os_mutex_destroy(&self->lock);
}

void stream_release_check(stream_release *self)
{
    unsigned pending = 0;
    unsigned spares = 0;
    os_lock(&self->lock);
    for (const stream_entry *entry = self->pending.first; entry != NULL; entry = entry->next) {
        DP_ASSERT(buf_references(entry->buf) > 0 && entry->buf->device != 0);
        DP_ASSERT(entry->event != NULL && (entry->next != NULL || entry == self->pending.last));
        pending++;
    }
    for (const stream_entry *entry = self->spares; entry != NULL; entry = entry->next) {
        DP_ASSERT(entry->buf == NULL && entry->event != NULL);
        spares++;
    }
    DP_ASSERT(spares == self->spare_count && spares <= STREAM_SPARES_MAX);
    DP_ASSERT(pending == atomic_load_explicit(&self->pending_count, memory_order_relaxed));
    os_unlock(&self->lock);
}
