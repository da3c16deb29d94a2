/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open window: messages get numbers and wait, packed, until the window is over; then each
 * format that somebody watches is built once over all of them.
 *
 * A batch is cut when BATCH_BYTES_CUT are reached, so that one frame to a slow viewer never pins
 * more than that.  All formats are cut at the same numbers, and a cut is published for all or, when
 * memory lacks, for none, to be tried again.
 */
#include "server/room/room_internal.h"

#include <string.h>

#include <danpool/lifecycle.h>

#include "pool/os.h"
#include "server/ops/metrics.h"

#define BATCH_BYTES_CUT     (64u << 10)
#define MESSAGE_BYTES_EXTRA 64u /* what a format adds to a packed message, roughly */
#define WINDOW_MESSAGES_MIN 16u
#define WINDOW_MESSAGES_MAX 16384u
#define RETRY_NS            20000000u
#define READ_SHARE          4u
#define CHEAP_SHARE         16u
#define TELL_NS             200000000u /* how long numbers wait for a message to go with */

void room_window_clear(dp_room *room)
{
    room_window *window = &room->window;
    for (size_t i = 0; i < window->count; i++) {
        dp_put(window->entries[i].packed);
    }
    os_free(window->entries);
    os_free(window->scratch);
    *window = (room_window){.count = 0};
}

static dp_status window_reserve(room_window *window)
{
    if (window->count < window->capacity) {
        return DP_OK;
    }
    if (window->capacity >= WINDOW_MESSAGES_MAX) {
        return DP_ERR_BUSY;
    }
    size_t capacity = window->capacity == 0 ? WINDOW_MESSAGES_MIN : window->capacity * 2;
    room_entry *entries = os_calloc(capacity, sizeof *entries);
    format_message *scratch = os_calloc(capacity, sizeof *scratch);
    if (entries == NULL || scratch == NULL) {
        os_free(entries);
        os_free(scratch);
        return DP_ERR_NOMEM;
    }
    if (window->count > 0) {
        memcpy(entries, window->entries, window->count * sizeof *entries);
    }
    os_free(window->entries);
    os_free(window->scratch);
    window->entries = entries;
    window->scratch = scratch;
    window->capacity = capacity;
    return DP_OK;
}

static dp_status pack(dp_room *room, const message *in, dp_buf **out)
{
    const dp_request request = {.size_bytes = message_packed_bytes(in),
                                .kind = DP_KIND_TEXT,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST,
                                .tenant = room->tenant};
    dp_buf *packed;
    dp_status status = dp_get(room->table->config.pool, &request, &packed);
    while (status == DP_ERR_QUOTA && room_hot_halve(room)) {
        status = dp_get(room->table->config.pool, &request, &packed);
    }
    if (status == DP_OK) {
        message_pack(in, dp_buf_data(packed));
        dp_buf_set_size(packed, request.size_bytes);
        *out = packed;
    }
    return status;
}

static size_t entry_bytes(const room_entry *entry)
{
    return dp_buf_size(entry->packed) + MESSAGE_BYTES_EXTRA;
}

/* How many messages of the window, from `start`, go into the next batch. */
static size_t cut_batch(const dp_room *room, size_t start)
{
    size_t max = room->table->config.batch_messages_max;
    size_t count = 0;
    size_t bytes = 0;
    while (start + count < room->window.count && (max == 0 || count < max)) {
        bytes += entry_bytes(&room->window.entries[start + count]);
        if (count > 0 && bytes > BATCH_BYTES_CUT) {
            break;
        }
        count++;
    }
    return count;
}

/* What the entries [start, start + count) and the numbers that they answer for are to a format. */
static format_batch describe(dp_room *room, size_t start, size_t count)
{
    room_window *window = &room->window;
    format_batch batch = {.room = room->name,
                          .epoch = room->epoch,
                          .messages = window->scratch,
                          .count = count,
                          .first_seq = room->flushed_seq + 1,
                          .next_seq = room->last_seq + 1};
    for (size_t i = 0; i < count; i++) {
        const room_entry *entry = &window->entries[start + i];
        window->scratch[i] = (format_message){
            .seq = entry->seq, .count = entry->count, .packed = dp_buf_data(entry->packed)};
        batch.sampled += entry->dropped.sampled;
        batch.merged += entry->dropped.merged;
    }
    if (start + count < window->count) {
        batch.next_seq = window->entries[start + count - 1].seq + 1;
    } else {
        batch.sampled += window->dropped.sampled;
        batch.merged += window->dropped.merged;
    }
    return batch;
}

/* After something was published: begins the next window and tells the views. */
static void notify_all(dp_room *room, uint64_t now_ns)
{
    room->flushed_ns = now_ns;
    room->flush_from_ns = now_ns + room->table->config.window_ns;
    for (unsigned format = 0; format < FORMAT_COUNT; format++) {
        for (unsigned i = 0; i < ROOM_LOOPS_MAX && room->outputs[format].views > 0; i++) {
            room_view *view = room->views[i][format];
            if (view != NULL) {
                room->table->config.notify(view->loop, view);
            }
        }
    }
}

/* Whether there are numbers behind the last message of the window that viewers were not told. */
static bool has_numbers(const dp_room *room)
{
    return room->window.dropped.sampled > 0 || room->window.dropped.merged > 0;
}

static void publish(dp_room *room, format_id format, const format_batch *batch, dp_buf *frame,
                    uint64_t admitted_ns)
{
    room_output *output = &room->outputs[format];
    if (frame == NULL) {
        return; /* nothing that the format can say: its next batch covers these numbers too */
    }
    const room_batch made = {.frame = frame,
                             .first_seq = output->next_seq,
                             .next_seq = batch->next_seq,
                             .count = (uint32_t)batch->count,
                             .admitted_ns = admitted_ns};
    batch_ring_push(&output->ring, &made);
    output->next_seq = batch->next_seq;
    metrics_add(METRIC_BATCHES, 1);
    metrics_add(METRIC_BATCH_BYTES, (int64_t)(dp_buf_size(frame) - BATCH_HEADROOM));
}

/* Builds the batch in each format that is watched, and publishes all of them, or none. */
static dp_status build_all(dp_room *room, const format_batch *batch, uint64_t admitted_ns)
{
    dp_buf *frames[FORMAT_COUNT] = {NULL};
    dp_status status = DP_OK;
    for (unsigned i = 0; i < FORMAT_COUNT && status == DP_OK; i++) {
        if (room->outputs[i].views > 0) {
            status = batch_ring_reserve(&room->outputs[i].ring);
            if (status == DP_OK) {
                status = format_of(i)->build(room->table->config.pool, batch, &frames[i]);
            }
        }
    }
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        if (status == DP_OK && room->outputs[i].views > 0) {
            publish(room, (format_id)i, batch, frames[i], admitted_ns);
        } else {
            dp_put(frames[i]);
        }
    }
    return status;
}

static void flush_locked(dp_room *room, uint64_t now_ns)
{
    room_window *window = &room->window;
    size_t start = 0;
    while (start < window->count) {
        size_t count = cut_batch(room, start);
        format_batch batch = describe(room, start, count);
        if (build_all(room, &batch, window->entries[start].admitted_ns) != DP_OK) {
            break;
        }
        for (size_t i = start; i < start + count; i++) {
            window->bytes -= entry_bytes(&window->entries[i]);
            (void)dp_buf_advance(window->entries[i].packed, DP_BUF_RECYCLED);
            dp_put(window->entries[i].packed);
        }
        start += count;
        room->flushed_seq = batch.next_seq - 1;
        metrics_add(METRIC_SHOWN, (int64_t)count);
    }
    if (start == 0) {
        return;
    }
    room->flushed_count = start;
    window->count -= start;
    if (window->count == 0) {
        window->dropped = (room_dropped){.sampled = 0};
    } else {
        memmove(window->entries, window->entries + start, window->count * sizeof *window->entries);
    }
    notify_all(room, now_ns);
}

/* Tells the numbers of messages that nobody was shown, when nothing else came to go with. */
static void flush_numbers(dp_room *room, uint64_t now_ns)
{
    room_window *window = &room->window;
    if (window->count > 0 || !has_numbers(room)) {
        return;
    }
    format_batch batch = describe(room, 0, 0);
    if (build_all(room, &batch, now_ns) == DP_OK) {
        room->flushed_seq = room->last_seq;
        window->dropped = (room_dropped){.sampled = 0};
        notify_all(room, now_ns);
    }
}

/* When to try what is in the window now; a step away when it is there for want of memory. */
static uint64_t flush_time(const dp_room *room, uint64_t now_ns)
{
    return room->flush_from_ns > now_ns ? room->flush_from_ns : now_ns + RETRY_NS;
}

/* Puts a message into the window and the history; `count` is what it stands for. */
static dp_status show(dp_room *room, const message *in, uint32_t count, uint64_t now_ns)
{
    room_window *window = &room->window;
    dp_buf *packed;
    dp_status status = window_reserve(window);
    if (status == DP_OK) {
        status = pack(room, in, &packed);
    }
    if (status != DP_OK) {
        return status;
    }
    room_entry *entry = &window->entries[window->count++];
    *entry = (room_entry){.seq = ++room->last_seq,
                          .admitted_ns = now_ns,
                          .packed = packed,
                          .count = count,
                          .dropped = window->dropped};
    window->dropped = (room_dropped){.sampled = 0};
    window->bytes += entry_bytes(entry);
    (void)dp_buf_advance(packed, DP_BUF_QUEUED);
    room_hot_push(room, entry);
    return DP_OK;
}

static room_entry *window_find(dp_room *room, uint64_t seq)
{
    size_t first = 0;
    size_t end = room->window.count;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (room->window.entries[middle].seq < seq) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    bool found = first < room->window.count && room->window.entries[first].seq == seq;
    return found ? &room->window.entries[first] : NULL;
}

/* Counts a message that nobody is shown. */
static void leave_out(dp_room *room, room_fate fate, uint64_t now_ns)
{
    room_window *window = &room->window;
    if (!has_numbers(room)) {
        window->tell_ns = now_ns + TELL_NS;
    }
    room->last_seq++;
    if (fate == ROOM_MERGED) {
        window->dropped.merged++;
    } else {
        window->dropped.sampled++;
    }
}

/* Adds to the count of the like one that was shown: in the window if it is still there. */
static void merge_into(dp_room *room, merge_slot *slot)
{
    room_entry *waiting = window_find(room, slot->seq);
    if (waiting == NULL) {
        slot->pending++;
        return;
    }
    waiting->count++;
    room_entry *kept = room_hot_find(room, slot->seq);
    if (kept != NULL) {
        kept->count = waiting->count;
    }
}

/* An ordinary message, a super chat or a moderator's: what the room's settings let be shown. */
static dp_status admit_shown(dp_room *room, const message *in, uint64_t now_ns, room_fate *fate)
{
    const room_settings *settings = &room->settings;
    bool notes = settings->merge == ROOM_MERGE_ALWAYS ||
                 (settings->merge == ROOM_MERGE_WHEN_FULL && settings->display_per_s > 0);
    bool merges = notes && (settings->merge == ROOM_MERGE_ALWAYS ||
                            room_budget_is_tight(&room->budget, settings->display_per_s));
    uint64_t key = notes ? merge_key(in) : 0;
    merge_slot *slot = key != 0 ? merge_find(&room->merges, key) : NULL;
    if (merges && slot != NULL &&
        now_ns - slot->shown_ns < (uint64_t)settings->merge_ms * 1000000u) {
        merge_into(room, slot);
        *fate = ROOM_MERGED;
    } else if (!room_budget_take(&room->budget, settings->display_per_s, in->lane, now_ns)) {
        *fate = ROOM_SAMPLED;
    } else {
        dp_status status = show(room, in, 1 + (slot != NULL ? slot->pending : 0), now_ns);
        if (status == DP_OK && key != 0) {
            merge_note(&room->merges, key, room->last_seq, now_ns);
        }
        *fate = ROOM_SHOWN;
        return status;
    }
    leave_out(room, *fate, now_ns);
    return DP_OK;
}

/* Takes a message out of what was not sent yet; its number becomes a hole. */
static void window_remove(dp_room *room, room_entry *entry)
{
    room_window *window = &room->window;
    size_t at = (size_t)(entry - window->entries);
    room_dropped *next =
        at + 1 < window->count ? &window->entries[at + 1].dropped : &window->dropped;
    next->sampled += entry->dropped.sampled;
    next->merged += entry->dropped.merged;
    window->bytes -= entry_bytes(entry);
    dp_put(entry->packed);
    window->count--;
    memmove(entry, entry + 1, (window->count - at) * sizeof *entry);
    metrics_add(METRIC_RECALLED, 1);
}

static dp_status admit_recall(dp_room *room, const message *in, uint64_t now_ns)
{
    if (in->target_seq == 0 || in->target_seq > room->last_seq) {
        return DP_ERR_NOT_FOUND;
    }
    dp_status status = show(room, in, 1, now_ns);
    if (status == DP_OK) {
        room_entry *waiting = window_find(room, in->target_seq);
        room_hot_remove(room, in->target_seq);
        if (waiting != NULL) {
            window_remove(room, waiting);
        }
    }
    return status;
}

static dp_status admit_locked(dp_room *room, const message *in, uint64_t now_ns, room_admitted *out)
{
    dp_status status;
    out->fate = ROOM_SHOWN;
    if (in->kind == MESSAGE_RECALL) {
        status = admit_recall(room, in, now_ns);
    } else {
        status = admit_shown(room, in, now_ns, &out->fate);
    }
    out->seq = room->last_seq;
    return status;
}

static bool is_waiting(const dp_room *room)
{
    return room->window.count > 0 || has_numbers(room);
}

/* admitted = shown + merged + sampled + recalled + what waits in windows; METRIC_SHOWN is counted
 * when it is built. */
static void count(room_fate fate)
{
    metrics_add(METRIC_ADMITTED, 1);
    if (fate == ROOM_MERGED) {
        metrics_add(METRIC_MERGED, 1);
    } else if (fate == ROOM_SAMPLED) {
        metrics_add(METRIC_SAMPLED, 1);
    }
}

dp_status room_admit(dp_room *room, const message *in, uint64_t now_ns, room_admitted *out)
{
    room_admitted admitted = {.seq = 0};
    pthread_mutex_lock(&room->lock);
    dp_status status = admit_locked(room, in, now_ns, &admitted);
    if (status == DP_OK) {
        /* Quiet: leave at once.  Full: a longer wait would only make the same bytes later. */
        if (now_ns >= room->flush_from_ns || room->window.bytes >= BATCH_BYTES_CUT) {
            flush_locked(room, now_ns);
        }
        if (is_waiting(room) && !room->flush_promised) {
            room->flush_promised = true;
            admitted.flush_later = true;
            admitted.flush_at_ns = flush_time(room, now_ns);
        }
        *out = admitted;
    }
    pthread_mutex_unlock(&room->lock);
    if (status == DP_OK) {
        count(admitted.fate);
    }
    return status;
}

uint64_t room_flush(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    if (now_ns >= room->flush_from_ns) {
        flush_locked(room, now_ns);
    }
    if (has_numbers(room) && now_ns >= room->window.tell_ns) {
        flush_numbers(room, now_ns);
    }
    room->flush_promised = is_waiting(room);
    uint64_t again_ns = room->flush_promised ? flush_time(room, now_ns) : 0;
    pthread_mutex_unlock(&room->lock);
    return again_ns;
}

void room_flush_now(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    flush_locked(room, now_ns);
    flush_numbers(room, now_ns);
    room->flush_promised = false;
    pthread_mutex_unlock(&room->lock);
}

/* How long the window is that began with the newest batch, of which the writing took write_ns. */
static uint64_t window_of(const dp_room *room, uint64_t write_ns)
{
    uint64_t window_ns = room->table->config.window_ns;
    /* Few viewers and few messages: twice the writes cost nothing yet, and nobody waits. */
    if (room->flushed_count <= 1 && write_ns < window_ns / CHEAP_SHARE) {
        return window_ns / READ_SHARE;
    }
    /* The last viewer of a batch waits for the window and for the writing: together they shall not
     * take longer than a window and a quarter. */
    uint64_t both_ns = window_ns + window_ns / READ_SHARE;
    uint64_t rest_ns = both_ns > write_ns ? both_ns - write_ns : 0;
    return rest_ns < window_ns ? rest_ns : window_ns;
}

void room_written(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    uint64_t write_ns = now_ns > room->flushed_ns ? now_ns - room->flushed_ns : 0;
    uint64_t from_ns = room->flushed_ns + window_of(room, write_ns);
    uint64_t free_ns = now_ns + room->table->config.window_ns / READ_SHARE;
    room->flush_from_ns = from_ns > free_ns ? from_ns : free_ns;
    pthread_mutex_unlock(&room->lock);
}

dp_status room_own(dp_room *room, format_id format, const message *in, uint64_t seq, dp_buf **out)
{
    dp_pool *pool = room->table->config.pool;
    const dp_request request = {
        .size_bytes = message_packed_bytes(in), .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *packed;
    dp_status status = dp_get(pool, &request, &packed);
    if (status != DP_OK) {
        return status;
    }
    message_pack(in, dp_buf_data(packed));
    const format_message one = {.seq = seq, .count = 1, .packed = dp_buf_data(packed)};
    const format_batch batch = {.room = room->name,
                                .epoch = room->epoch,
                                .messages = &one,
                                .count = 1,
                                .first_seq = seq,
                                .next_seq = seq + 1,
                                .own = true};
    status = format_of(format)->build(pool, &batch, out);
    dp_put(packed);
    return status;
}
