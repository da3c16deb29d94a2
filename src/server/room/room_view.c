/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Views: a loop's own ring of one format's batches.  The room keeps a format's ring only while it
 * has views of that format.
 */
#include "server/room/room_internal.h"

#include "pool/os.h"

dp_status room_view_create(dp_room *room, void *loop, unsigned loop_index, format_id format,
                           room_view **out)
{
    DP_ASSERT(loop_index < ROOM_LOOPS_MAX && format_of(format)->build != NULL);
    const room_config *config = &room->table->config;
    room_view *view = os_calloc(1, sizeof *view);
    if (view == NULL) {
        return DP_ERR_NOMEM;
    }
    view->room = room;
    view->loop = loop;
    view->loop_index = loop_index;
    view->format = format;
    batch_ring_init(&view->ring, config->ring_batches, config->ring_bytes_max);
    pthread_mutex_lock(&room->lock);
    DP_ASSERT(room->views[loop_index][format] == NULL);
    room->views[loop_index][format] = view;
    room_output *output = &room->outputs[format];
    if (output->views++ == 0) {
        output->next_seq = room->flushed_seq + 1;
    }
    view->pulled = output->ring.head;
    view->next_seq = room->flushed_seq + 1;
    pthread_mutex_unlock(&room->lock);
    *out = view;
    return DP_OK;
}

void room_view_leave(room_view *view)
{
    dp_room *room = view->room;
    room_output *output = &room->outputs[view->format];
    pthread_mutex_lock(&room->lock);
    room->views[view->loop_index][view->format] = NULL;
    if (--output->views == 0) {
        batch_ring_clear(&output->ring);
    }
    pthread_mutex_unlock(&room->lock);
}

void room_view_destroy(room_view *view)
{
    batch_ring_clear(&view->ring);
    os_free(view);
}

/* One batch for this view: the frame itself for the first loop that asks, else a copy. */
static bool take_batch(dp_room *room, room_batch *shared, room_batch *out)
{
    *out = *shared;
    if (!shared->taken) {
        shared->taken = true;
        out->frame = dp_ref(shared->frame);
        return true;
    }
    return batch_copy(room->table->config.pool, shared->frame, &out->frame) == DP_OK;
}

void room_view_pull_locked(room_view *view)
{
    dp_room *room = view->room;
    batch_ring *ring = &room->outputs[view->format].ring;
    if (view->pulled < ring->tail) {
        /* This loop was stalled longer than the ring: its viewers are told by their numbers. */
        view->pulled = ring->tail;
    }
    while (view->pulled < ring->head) {
        room_batch mine;
        if (batch_ring_reserve(&view->ring) != DP_OK ||
            !take_batch(room, batch_ring_at(ring, view->pulled), &mine)) {
            return;
        }
        batch_ring_push(&view->ring, &mine);
        view->next_seq = mine.next_seq;
        view->pulled++;
    }
    /* Behind the newest batch there may be numbers that this format has nothing to say about. */
    view->next_seq = room->flushed_seq + 1;
}

void room_view_pull(room_view *view)
{
    pthread_mutex_lock(&view->room->lock);
    room_view_pull_locked(view);
    pthread_mutex_unlock(&view->room->lock);
}

dp_status room_view_missed(const room_view *view, uint64_t missed, uint64_t next_seq, dp_buf **out)
{
    const format_batch batch = {.room = view->room->name,
                                .epoch = view->room->epoch,
                                .first_seq = next_seq,
                                .next_seq = next_seq,
                                .missed = missed};
    return format_of(view->format)->build(view->room->table->config.pool, &batch, out);
}
