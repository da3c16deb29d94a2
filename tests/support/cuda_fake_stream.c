/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake driver's streams and events.  Work on a stream is a number that counts up when an event
 * is recorded, and is done at once or, while streams are held, when the test lets it pass; whoever
 * waits lets it pass too, and is counted.  All under one mutex of its own.
 */
#include "cuda_fake_internal.h"

#include <pthread.h>
#include <stdlib.h>

#include "pool/os.h"

#define STREAMS_MAX 8u

/* Work is a number that counts up; a stream is known from its first use on. */
typedef struct fake_stream {
    uint64_t handle;
    uint64_t queued;
    uint64_t done;
} fake_stream;

struct cuda_event {
    struct cuda_event *next;
    fake_stream *stream; /* NULL: never recorded, hence done */
    uint64_t work;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cuda_event *events;
static unsigned event_count;
static unsigned events_max; /* 0: as many as one likes */
static fake_stream streams[STREAMS_MAX];
static unsigned stream_count;
static bool streams_held;
static unsigned waits;

/* Under the lock. */
static fake_stream *stream_find(uint64_t handle)
{
    for (unsigned i = 0; i < stream_count; i++) {
        if (streams[i].handle == handle) {
            return &streams[i];
        }
    }
    DP_ASSERT(stream_count < STREAMS_MAX);
    streams[stream_count] = (fake_stream){.handle = handle};
    return &streams[stream_count++];
}

/* Under the lock: the link that leads to the event, NULL for anything that is none. */
static cuda_event **event_link(const cuda_event *event)
{
    cuda_event **link = &events;
    while (*link != NULL && *link != event) {
        link = &(*link)->next;
    }
    return *link == NULL ? NULL : link;
}

static bool event_is_done(const cuda_event *event)
{
    return event->stream == NULL || event->stream->done >= event->work;
}

cuda_result fake_event_create(cuda_event **event, unsigned flags)
{
    cuda_result result = cuda_fake_touch();
    if (result == CUDA_OK && flags != CUDA_EVENT_NO_TIMING) {
        result = CUDA_INVALID_VALUE;
    }
    os_lock(&lock);
    if (result == CUDA_OK && events_max != 0 && event_count >= events_max) {
        result = CUDA_OUT_OF_MEMORY;
    }
    if (result == CUDA_OK) {
        cuda_event *made = calloc(1, sizeof *made);
        DP_ASSERT(made != NULL);
        made->next = events;
        events = made;
        event_count++;
        *event = made;
    }
    os_unlock(&lock);
    return result;
}

cuda_result fake_event_destroy(cuda_event *event)
{
    cuda_result result = cuda_fake_touch();
    os_lock(&lock);
    cuda_event **link = event_link(event);
    if (link != NULL) {
        *link = event->next;
        free(event);
        event_count--;
    } else if (result == CUDA_OK) {
        result = CUDA_INVALID_HANDLE;
    }
    os_unlock(&lock);
    return result;
}

cuda_result fake_event_record(cuda_event *event, cuda_stream *stream)
{
    cuda_result result = cuda_fake_touch();
    os_lock(&lock);
    if (result == CUDA_OK && event_link(event) == NULL) {
        result = CUDA_INVALID_HANDLE;
    }
    if (result == CUDA_OK) {
        event->stream = stream_find((uintptr_t)stream);
        event->work = ++event->stream->queued;
        if (!streams_held) {
            event->stream->done = event->work;
        }
    }
    os_unlock(&lock);
    return result;
}

cuda_result fake_event_query(cuda_event *event)
{
    cuda_result result = cuda_fake_touch();
    os_lock(&lock);
    if (result == CUDA_OK && event_link(event) == NULL) {
        result = CUDA_INVALID_HANDLE;
    }
    if (result == CUDA_OK && !event_is_done(event)) {
        result = CUDA_NOT_READY;
    }
    os_unlock(&lock);
    return result;
}

cuda_result fake_event_wait(cuda_event *event)
{
    cuda_result result = cuda_fake_touch();
    os_lock(&lock);
    if (result == CUDA_OK && event_link(event) == NULL) {
        result = CUDA_INVALID_HANDLE;
    }
    if (result == CUDA_OK && !event_is_done(event)) {
        event->stream->done = event->work;
        waits++;
    }
    os_unlock(&lock);
    return result;
}

cuda_result fake_stream_wait(cuda_stream *stream)
{
    cuda_result result = cuda_fake_touch();
    os_lock(&lock);
    if (result == CUDA_OK) {
        fake_stream *known = stream_find((uintptr_t)stream);
        known->done = known->queued;
        waits++;
    }
    os_unlock(&lock);
    return result;
}

/* --- for the fake and for tests --- */

void cuda_fake_streams_reset(unsigned new_events_max)
{
    os_lock(&lock);
    events_max = new_events_max;
    stream_count = 0;
    streams_held = false;
    waits = 0;
    os_unlock(&lock);
}

size_t cuda_fake_events(void)
{
    os_lock(&lock);
    size_t result = event_count;
    os_unlock(&lock);
    return result;
}

void cuda_fake_streams_hold(bool hold)
{
    os_lock(&lock);
    streams_held = hold;
    for (unsigned i = 0; i < stream_count && !hold; i++) {
        streams[i].done = streams[i].queued;
    }
    os_unlock(&lock);
}

void cuda_fake_stream_pass(uint64_t stream)
{
    os_lock(&lock);
    fake_stream *known = stream_find(stream);
    known->done = known->queued;
    os_unlock(&lock);
}

unsigned cuda_fake_waits(void)
{
    os_lock(&lock);
    unsigned result = waits;
    os_unlock(&lock);
    return result;
}
