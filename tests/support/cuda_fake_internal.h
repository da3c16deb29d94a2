/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the fake driver know of each other: cuda_fake.c, memory and device, and
 * cuda_fake_stream.c, streams and events.
 */
#ifndef DP_TESTS_CUDA_FAKE_INTERNAL_H
#define DP_TESTS_CUDA_FAKE_INTERNAL_H

#include "cuda_fake.h"

/* Every entry point that needs a context starts here; CUDA_OK when the call may go on. */
cuda_result cuda_fake_touch(void);

/* Forgets all streams; no event may be out. */
void cuda_fake_streams_reset(unsigned events_max);
size_t cuda_fake_events(void);

/* Slots of the table. */
cuda_result fake_event_create(cuda_event **event, unsigned flags);
cuda_result fake_event_destroy(cuda_event *event);
cuda_result fake_event_record(cuda_event *event, cuda_stream *stream);
cuda_result fake_event_query(cuda_event *event);
cuda_result fake_event_wait(cuda_event *event);
cuda_result fake_stream_wait(cuda_stream *stream);

#endif
