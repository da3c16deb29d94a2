/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot history: the newest messages that a room showed, packed, in a ring of entries.
 */
#include "server/room/room_internal.h"

#include <string.h>

#include <danpool/lifecycle.h>

#include "pool/os.h"
#include "server/wire/format_json.h"

#define HOT_ENTRIES_MIN 16u

room_entry *room_hot_at(const dp_room *room, size_t back)
{
    const room_hot *hot = &room->hot;
    DP_ASSERT(back >= 1 && back <= hot->count);
    return &hot->entries[(hot->head + hot->capacity - back) % hot->capacity];
}

static void drop_oldest(dp_room *room)
{
    room_hot *hot = &room->hot;
    room_entry *oldest = room_hot_at(room, hot->count);
    if (oldest->seq > hot->lost_seq) {
        hot->lost_seq = oldest->seq;
    }
    hot->bytes -= dp_buf_size(oldest->packed);
    dp_put(oldest->packed);
    hot->count--;
}

/* Doubles the places up to history_max; without memory it stays as it is. */
static void grow(dp_room *room)
{
    room_hot *hot = &room->hot;
    size_t max = room->table->config.history_max;
    size_t capacity = hot->capacity == 0 ? HOT_ENTRIES_MIN : hot->capacity * 2;
    capacity = capacity > max ? max : capacity;
    if (hot->count < hot->capacity || capacity == hot->capacity) {
        return;
    }
    room_entry *entries = os_calloc(capacity, sizeof *entries);
    if (entries == NULL) {
        return;
    }
    for (size_t i = 0; i < hot->count; i++) {
        entries[i] = *room_hot_at(room, hot->count - i);
    }
    os_free(hot->entries);
    hot->entries = entries;
    hot->capacity = capacity;
    hot->head = hot->count % capacity;
}

void room_hot_push(dp_room *room, const room_entry *entry)
{
    room_hot *hot = &room->hot;
    grow(room);
    if (hot->capacity == 0) {
        hot->lost_seq = entry->seq;
        return;
    }
    if (hot->count == hot->capacity) {
        drop_oldest(room);
    }
    room_entry *slot = &hot->entries[hot->head];
    *slot = *entry;
    dp_ref(slot->packed);
    dp_buf_expect_long(slot->packed);
    hot->head = (hot->head + 1) % hot->capacity;
    hot->count++;
    hot->bytes += dp_buf_size(slot->packed);
}

/* How far back the newest entry is whose number is not above `seq`: count + 1 when all are. */
static size_t back_of(const dp_room *room, uint64_t seq)
{
    size_t newest = 1;
    size_t oldest = room->hot.count + 1;
    while (newest < oldest) {
        size_t middle = newest + (oldest - newest) / 2;
        if (room_hot_at(room, middle)->seq > seq) {
            newest = middle + 1;
        } else {
            oldest = middle;
        }
    }
    return newest;
}

room_entry *room_hot_find(dp_room *room, uint64_t seq)
{
    size_t back = back_of(room, seq);
    room_entry *found = back <= room->hot.count ? room_hot_at(room, back) : NULL;
    return found != NULL && found->seq == seq ? found : NULL;
}

void room_hot_remove(dp_room *room, uint64_t seq)
{
    room_hot *hot = &room->hot;
    room_entry *found = room_hot_find(room, seq);
    if (found == NULL) {
        return;
    }
    hot->bytes -= dp_buf_size(found->packed);
    dp_put(found->packed);
    for (size_t back = back_of(room, seq); back > 1; back--) {
        *room_hot_at(room, back) = *room_hot_at(room, back - 1);
    }
    hot->head = (hot->head + hot->capacity - 1) % hot->capacity;
    hot->count--;
}

bool room_hot_halve(dp_room *room)
{
    size_t keep = room->hot.count / 2;
    bool any = room->hot.count > 0;
    while (room->hot.count > keep) {
        drop_oldest(room);
    }
    return any;
}

void room_hot_clear(dp_room *room)
{
    while (room->hot.count > 0) {
        drop_oldest(room);
    }
    os_free(room->hot.entries);
}

/* Those of the newest `limit` whose numbers are in (after_seq, seq_max], oldest first. */
static void copy(const dp_room *room, uint64_t after_seq, uint64_t seq_max, size_t limit,
                 room_past *out)
{
    size_t newest = back_of(room, seq_max);
    size_t oldest = back_of(room, after_seq);
    if (oldest > newest + limit) {
        oldest = newest + limit;
    }
    size_t count = oldest > newest ? oldest - newest : 0;
    for (size_t i = 0; i < count; i++) {
        const room_entry *entry = room_hot_at(room, oldest - 1 - i);
        out->bufs[i] = dp_ref(entry->packed);
        out->messages[i] = (format_message){
            .seq = entry->seq, .count = entry->count, .packed = dp_buf_data(entry->packed)};
    }
    out->batch.messages = out->messages;
    out->batch.count = count;
    out->batch.first_seq = count > 0 ? out->messages[0].seq : seq_max + 1;
}

static dp_status past_begin(dp_room *room, size_t limit, room_past *out)
{
    size_t max = room->table->config.history_max;
    limit = limit > max ? max : limit;
    room_past made = {.batch = {.room = room->name, .epoch = room->epoch, .history = true}};
    made.messages = os_calloc(limit + 1, sizeof *made.messages);
    made.bufs = os_calloc(limit + 1, sizeof *made.bufs);
    if (made.messages == NULL || made.bufs == NULL) {
        os_free(made.messages);
        os_free(made.bufs);
        return DP_ERR_NOMEM;
    }
    *out = made;
    return DP_OK;
}

void room_past_put(room_past *past)
{
    for (size_t i = 0; i < past->batch.count; i++) {
        dp_put(past->bufs[i]);
    }
    os_free(past->messages);
    os_free(past->bufs);
}

dp_status room_past_take(dp_room *room, size_t limit, room_past *out)
{
    room_past past;
    dp_status status = past_begin(room, limit, &past);
    if (status != DP_OK) {
        return status;
    }
    pthread_mutex_lock(&room->lock);
    copy(room, 0, room->last_seq, limit, &past);
    past.batch.next_seq = room->last_seq + 1;
    pthread_mutex_unlock(&room->lock);
    *out = past;
    return DP_OK;
}

dp_status room_history(dp_room *room, size_t limit, dp_buf **out)
{
    room_past past;
    dp_status status = room_past_take(room, limit, &past);
    if (status == DP_OK) {
        status = format_json_history(room->table->config.pool, &past.batch, out);
        room_past_put(&past);
    }
    return status;
}

/* Pulls, copies what is after `after_seq`, and builds it. */
static dp_status build_past(room_view *view, room_past *past, uint64_t after_seq, size_t limit,
                            dp_buf **out)
{
    dp_room *room = view->room;
    pthread_mutex_lock(&room->lock);
    room_view_pull_locked(view);
    copy(room, after_seq, view->next_seq - 1, limit, past);
    format_batch *batch = &past->batch;
    batch->next_seq = view->next_seq;
    if (batch->resumed) {
        /* Whole, when none that was shown after after_seq has been forgotten or cut off. */
        bool known = after_seq >= room->hot.lost_seq && after_seq <= room->last_seq;
        size_t newest = back_of(room, view->next_seq - 1);
        size_t oldest = back_of(room, after_seq);
        size_t wanted = oldest > newest ? oldest - newest : 0;
        batch->recovered = batch->recovered && known && wanted == batch->count;
    }
    pthread_mutex_unlock(&room->lock);
    dp_buf *frame = NULL;
    dp_status status = DP_OK;
    if (batch->count > 0 || batch->resumed) {
        status = format_of(view->format)->build(room->table->config.pool, batch, &frame);
    }
    if (status == DP_OK) {
        *out = frame;
    }
    return status;
}

dp_status room_view_history(room_view *view, size_t limit, dp_buf **out)
{
    room_past past;
    dp_status status = past_begin(view->room, limit, &past);
    if (status != DP_OK) {
        return status;
    }
    status = build_past(view, &past, 0, limit, out);
    room_past_put(&past);
    return status;
}

dp_status room_view_resume(room_view *view, const room_seen *seen, size_t limit, room_resumed *out)
{
    room_past past;
    dp_status status = past_begin(view->room, limit, &past);
    if (status != DP_OK) {
        return status;
    }
    room_resumed resumed = {.recovered = false};
    bool same = strcmp(seen->epoch, view->room->epoch) == 0;
    past.batch.resumed = true;
    past.batch.recovered = same; /* so far */
    status = build_past(view, &past, same ? seen->seq : 0, limit, &resumed.frame);
    resumed.recovered = past.batch.recovered;
    room_past_put(&past);
    if (status == DP_OK) {
        *out = resumed;
    }
    return status;
}
