/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the open window are also the newest of the history, but each holds its own reference:
 * a history of 0 is allowed.  A batch is cut when BATCH_BYTES_CUT are reached, so that one frame to
 * a slow viewer never pins more than that.
 *
 * Invariants, under the room's lock: flushed_seq + window_count == last_seq; the ring's newest
 * batch ends at flushed_seq; history_count <= history_max.
 */
#include "server/room/room.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <danpool/lifecycle.h>
#include <danpool/tenant.h>

#include "pool/os.h"
#include "server/ops/metrics.h"

#define BATCH_BYTES_CUT     (64u << 10)
#define WINDOW_MESSAGES_MAX 16384u
#define RETRY_NS            20000000u
#define READ_SHARE          4u
#define BUCKETS             4096u

struct dp_room {
    room_table *table;
    dp_room *bucket_next;
    unsigned references; /* under the table's lock */
    uint64_t used_ns;    /* likewise */
    char name[ROOM_NAME_BYTES_MAX + 1];
    char epoch[ROOM_EPOCH_BYTES];
    uint16_t tenant; /* 0: none */

    pthread_mutex_t lock;
    uint64_t last_seq, flushed_seq;
    uint64_t flush_from_ns; /* the window is open until then */
    bool flush_promised;
    room_message *window;
    size_t window_count, window_capacity, window_bytes;
    batch_ring ring;
    room_message *history;
    size_t history_head, history_count;
    room_view *views[ROOM_LOOPS_MAX];
};

struct room_table {
    room_config config;
    pthread_mutex_t lock;
    dp_room *buckets[BUCKETS];
    size_t count;
    uint64_t epoch_base_ms;
    uint64_t made;
};

dp_status room_table_create(const room_config *config, room_table **out)
{
    room_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return DP_ERR_NOMEM;
    }
    table->config = *config;
    pthread_mutex_init(&table->lock, NULL);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    table->epoch_base_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    *out = table;
    return DP_OK;
}

static dp_room **bucket_of(room_table *table, const char *name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; room names are short and not secret */
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    }
    return &table->buckets[(hash ^ (hash >> 32)) % BUCKETS];
}

static void room_destroy(dp_room *room)
{
    for (size_t i = 0; i < room->window_count; i++) {
        dp_put(room->window[i].tail);
    }
    size_t max = room->table->config.history_max;
    for (size_t i = 0; i < room->history_count; i++) {
        dp_put(room->history[(room->history_head + max - 1 - i) % max].tail);
    }
    batch_ring_clear(&room->ring);
    if (room->tenant != 0) {
        (void)dp_tenant_destroy(room->table->config.pool, room->tenant);
    }
    free(room->window);
    free(room->history);
    pthread_mutex_destroy(&room->lock);
    free(room);
}

void room_table_sweep(room_table *table, uint64_t now_ns, uint64_t idle_ns)
{
    pthread_mutex_lock(&table->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        dp_room **link = &table->buckets[i];
        while (*link != NULL) {
            dp_room *candidate = *link;
            if (candidate->references == 0 && now_ns - candidate->used_ns >= idle_ns) {
                *link = candidate->bucket_next;
                table->count--;
                room_destroy(candidate);
            } else {
                link = &candidate->bucket_next;
            }
        }
    }
    pthread_mutex_unlock(&table->lock);
}

void room_table_destroy(room_table *table)
{
    if (table == NULL) {
        return;
    }
    room_table_sweep(table, UINT64_MAX, 0);
    DP_ASSERT(table->count == 0);
    pthread_mutex_destroy(&table->lock);
    free(table);
}

size_t room_table_count(room_table *table)
{
    pthread_mutex_lock(&table->lock);
    size_t count = table->count;
    pthread_mutex_unlock(&table->lock);
    return count;
}

/*
 * Messages are charged, batches are not: those are bounded by the ring, and a room whose history
 * fills its quota must still be able to send.
 */
static dp_status tenant_create(const room_config *config, const char *name, uint16_t *id)
{
    if (config->quota_bytes_max == 0) {
        return DP_OK;
    }
    size_t quotas[DP_TIER_COUNT];
    for (unsigned tier = 0; tier < DP_TIER_COUNT; tier++) {
        quotas[tier] = config->quota_bytes_max;
    }
    return dp_tenant_create(config->pool, name, quotas, id);
}

static dp_status room_create(room_table *table, const char *name, dp_room **out)
{
    const room_config *config = &table->config;
    if (table->count >= config->rooms_max) {
        return DP_ERR_BUSY;
    }
    dp_room *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return DP_ERR_NOMEM;
    }
    made->table = table;
    made->history =
        config->history_max > 0 ? calloc(config->history_max, sizeof *made->history) : NULL;
    if ((config->history_max > 0 && made->history == NULL) ||
        batch_ring_init(&made->ring, config->ring_batches, config->ring_bytes_max) != DP_OK) {
        free(made->history);
        free(made);
        return DP_ERR_NOMEM;
    }
    dp_status status = tenant_create(config, name, &made->tenant);
    if (status != DP_OK) {
        batch_ring_clear(&made->ring);
        free(made->history);
        free(made);
        return status;
    }
    pthread_mutex_init(&made->lock, NULL);
    snprintf(made->name, sizeof made->name, "%s", name);
    /* Rooms made and dropped within one run must not share an epoch either. */
    snprintf(made->epoch, sizeof made->epoch, "%" PRIx64, table->epoch_base_ms + table->made++);
    *out = made;
    return DP_OK;
}

dp_status room_acquire(room_table *table, const char *name, bool create, dp_room **out)
{
    dp_status status = DP_OK;
    pthread_mutex_lock(&table->lock);
    dp_room **bucket = bucket_of(table, name);
    dp_room *found = *bucket;
    while (found != NULL && strcmp(found->name, name) != 0) {
        found = found->bucket_next;
    }
    if (found == NULL && !create) {
        status = DP_ERR_NOT_FOUND;
    } else if (found == NULL) {
        status = room_create(table, name, &found);
        if (status == DP_OK) {
            found->bucket_next = *bucket;
            *bucket = found;
            table->count++;
        }
    }
    if (status == DP_OK) {
        found->references++;
        *out = found;
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

void room_hold(dp_room *room)
{
    pthread_mutex_lock(&room->table->lock);
    DP_ASSERT(room->references > 0);
    room->references++;
    pthread_mutex_unlock(&room->table->lock);
}

void room_release(dp_room *room)
{
    room_table *table = room->table;
    pthread_mutex_lock(&table->lock);
    DP_ASSERT(room->references > 0);
    room->references--;
    room->used_ns = os_clock_ns();
    pthread_mutex_unlock(&table->lock);
}

const char *room_name(const dp_room *room)
{
    return room->name;
}

const char *room_epoch(const dp_room *room)
{
    return room->epoch;
}

static bool window_reserve(dp_room *room)
{
    if (room->window_count < room->window_capacity) {
        return true;
    }
    if (room->window_capacity >= WINDOW_MESSAGES_MAX) {
        return false;
    }
    size_t capacity = room->window_capacity == 0 ? 16 : room->window_capacity * 2;
    room_message *grown = realloc(room->window, capacity * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    room->window = grown;
    room->window_capacity = capacity;
    return true;
}

static void history_push(dp_room *room, const room_message *message)
{
    size_t max = room->table->config.history_max;
    if (max == 0) {
        return;
    }
    room_message *slot = &room->history[room->history_head];
    if (room->history_count == max) {
        dp_put(slot->tail);
    } else {
        room->history_count++;
    }
    *slot = *message;
    dp_ref(slot->tail);
    dp_buf_expect_long(slot->tail);
    room->history_head = (room->history_head + 1) % max;
}

/* Drops the older half of the history; false when there is none. */
static bool history_halve(dp_room *room)
{
    size_t max = room->table->config.history_max;
    pthread_mutex_lock(&room->lock);
    size_t keep = room->history_count / 2;
    bool any = room->history_count > 0;
    for (; room->history_count > keep; room->history_count--) {
        dp_put(room->history[(room->history_head + max - room->history_count) % max].tail);
    }
    pthread_mutex_unlock(&room->lock);
    return any;
}

dp_status room_message_get(dp_room *room, size_t size_bytes, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_TEXT,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST,
                                .tenant = room->tenant};
    dp_status status = dp_get(room->table->config.pool, &request, out);
    while (status == DP_ERR_QUOTA && history_halve(room)) {
        status = dp_get(room->table->config.pool, &request, out);
    }
    return status;
}

/* How many messages of the window, from `start`, go into the next batch. */
static size_t cut_batch(const dp_room *room, size_t start)
{
    size_t max = room->table->config.batch_messages_max;
    size_t count = 0;
    size_t bytes = 0;
    while (start + count < room->window_count && (max == 0 || count < max)) {
        bytes += batch_message_bytes(&room->window[start + count]);
        if (count > 0 && bytes > BATCH_BYTES_CUT) {
            break;
        }
        count++;
    }
    return count;
}

static void publish(dp_room *room, const room_batch *batch)
{
    batch_ring_push(&room->ring, batch);
    metrics_add(METRIC_BATCHES, 1);
    metrics_add(METRIC_BATCH_BYTES, (int64_t)(dp_buf_size(batch->frame) - BATCH_HEADROOM));
}

static void flush_locked(dp_room *room, uint64_t now_ns)
{
    size_t start = 0;
    while (start < room->window_count) {
        size_t count = cut_batch(room, start);
        const room_message *first = &room->window[start];
        room_batch batch = {
            .first_seq = first->seq, .count = (uint32_t)count, .admitted_ns = first->admitted_ns};
        if (batch_build(room->table->config.pool, first, count, false, &batch.frame) != DP_OK) {
            break;
        }
        publish(room, &batch);
        for (size_t i = 0; i < count; i++) {
            room->window_bytes -= batch_message_bytes(&room->window[start + i]);
            (void)dp_buf_advance(room->window[start + i].tail, DP_BUF_RECYCLED);
            dp_put(room->window[start + i].tail);
        }
        start += count;
    }
    if (start == 0) {
        return;
    }
    room->window_count -= start;
    memmove(room->window, room->window + start, room->window_count * sizeof *room->window);
    room->flushed_seq += start;
    room->flush_from_ns = now_ns + room->table->config.window_ns;
    for (unsigned i = 0; i < ROOM_LOOPS_MAX; i++) {
        if (room->views[i] != NULL) {
            room->table->config.notify(room->views[i]->loop, room->views[i]);
        }
    }
}

/* When to try what is in the window now; a step away when it is there for want of memory. */
static uint64_t flush_time(const dp_room *room, uint64_t now_ns)
{
    return room->flush_from_ns > now_ns ? room->flush_from_ns : now_ns + RETRY_NS;
}

dp_status room_admit(dp_room *room, dp_buf *tail, uint64_t now_ns, room_admitted *out)
{
    *out = (room_admitted){.seq = 0};
    pthread_mutex_lock(&room->lock);
    if (!window_reserve(room)) {
        pthread_mutex_unlock(&room->lock);
        return DP_ERR_BUSY;
    }
    room_message *message = &room->window[room->window_count++];
    *message = (room_message){.seq = ++room->last_seq, .admitted_ns = now_ns, .tail = dp_ref(tail)};
    room->window_bytes += batch_message_bytes(message);
    (void)dp_buf_advance(tail, DP_BUF_QUEUED);
    history_push(room, message);
    out->seq = message->seq;
    /* Quiet: leave at once.  Full: a longer wait would only make the same bytes later. */
    if (now_ns >= room->flush_from_ns || room->window_bytes >= BATCH_BYTES_CUT) {
        flush_locked(room, now_ns);
    }
    if (room->window_count > 0 && !room->flush_promised) {
        room->flush_promised = true;
        out->flush_later = true;
        out->flush_at_ns = flush_time(room, now_ns);
    }
    pthread_mutex_unlock(&room->lock);
    metrics_add(METRIC_ADMITTED, 1);
    return DP_OK;
}

uint64_t room_flush(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    if (now_ns >= room->flush_from_ns) {
        flush_locked(room, now_ns);
    }
    room->flush_promised = room->window_count > 0;
    uint64_t again_ns = room->flush_promised ? flush_time(room, now_ns) : 0;
    pthread_mutex_unlock(&room->lock);
    return again_ns;
}

void room_flush_now(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    flush_locked(room, now_ns);
    room->flush_promised = false;
    pthread_mutex_unlock(&room->lock);
}

void room_written(dp_room *room, uint64_t now_ns)
{
    pthread_mutex_lock(&room->lock);
    uint64_t from_ns = now_ns + room->table->config.window_ns / READ_SHARE;
    if (from_ns > room->flush_from_ns) {
        room->flush_from_ns = from_ns;
    }
    pthread_mutex_unlock(&room->lock);
}

dp_status room_view_create(dp_room *room, void *loop, unsigned loop_index, room_view **out)
{
    DP_ASSERT(loop_index < ROOM_LOOPS_MAX);
    const room_config *config = &room->table->config;
    room_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return DP_ERR_NOMEM;
    }
    dp_status status = batch_ring_init(&view->ring, config->ring_batches, config->ring_bytes_max);
    if (status != DP_OK) {
        free(view);
        return status;
    }
    view->room = room;
    view->loop = loop;
    view->loop_index = loop_index;
    pthread_mutex_lock(&room->lock);
    DP_ASSERT(room->views[loop_index] == NULL);
    room->views[loop_index] = view;
    view->pulled = room->ring.head;
    view->next_seq = room->flushed_seq + 1;
    pthread_mutex_unlock(&room->lock);
    *out = view;
    return DP_OK;
}

void room_view_leave(room_view *view)
{
    dp_room *room = view->room;
    pthread_mutex_lock(&room->lock);
    room->views[view->loop_index] = NULL;
    pthread_mutex_unlock(&room->lock);
}

void room_view_destroy(room_view *view)
{
    batch_ring_clear(&view->ring);
    free(view);
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

static void pull_locked(room_view *view)
{
    dp_room *room = view->room;
    if (view->pulled < room->ring.tail) {
        /* This loop was stalled longer than the ring: its viewers are told by their numbers. */
        view->pulled = room->ring.tail;
    }
    while (view->pulled < room->ring.head) {
        room_batch mine;
        if (!take_batch(room, batch_ring_at(&room->ring, view->pulled), &mine)) {
            break;
        }
        batch_ring_push(&view->ring, &mine);
        view->next_seq = mine.first_seq + mine.count;
        view->pulled++;
    }
}

void room_view_pull(room_view *view)
{
    pthread_mutex_lock(&view->room->lock);
    pull_locked(view);
    pthread_mutex_unlock(&view->room->lock);
}

/* Copies the newest `limit` messages up to `seq_max` to `to`, oldest first, with references. */
static size_t history_copy(const dp_room *room, size_t limit, uint64_t seq_max, room_message *to)
{
    size_t max = room->table->config.history_max;
    size_t skip = (size_t)(room->last_seq - seq_max);
    if (skip >= room->history_count) {
        return 0;
    }
    size_t count = room->history_count - skip;
    if (count > limit) {
        count = limit;
    }
    for (size_t i = 0; i < count; i++) {
        size_t back = skip + count - i; /* 1 = the newest */
        to[i] = room->history[(room->history_head + max - back) % max];
        dp_ref(to[i].tail);
    }
    return count;
}

static void messages_put(room_message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dp_put(messages[i].tail);
    }
    free(messages);
}

dp_status room_view_history(room_view *view, size_t limit, dp_buf **out)
{
    dp_room *room = view->room;
    room_message *messages = calloc(limit + 1, sizeof *messages);
    if (messages == NULL) {
        return DP_ERR_NOMEM;
    }
    pthread_mutex_lock(&room->lock);
    pull_locked(view);
    size_t count = history_copy(room, limit, view->next_seq - 1, messages);
    pthread_mutex_unlock(&room->lock);
    dp_status status = DP_OK;
    dp_buf *frame = NULL;
    if (count > 0) {
        status = batch_build(room->table->config.pool, messages, count, true, &frame);
    }
    messages_put(messages, count);
    if (status == DP_OK) {
        *out = frame;
    }
    return status;
}

dp_status room_history(dp_room *room, size_t limit, dp_buf **out)
{
    room_message *messages = calloc(limit + 1, sizeof *messages);
    if (messages == NULL) {
        return DP_ERR_NOMEM;
    }
    pthread_mutex_lock(&room->lock);
    size_t count = history_copy(room, limit, room->last_seq, messages);
    batch_history_args args = {.room = room->name, .epoch = room->epoch, .seq = room->last_seq};
    pthread_mutex_unlock(&room->lock);
    dp_status status = batch_build_history(room->table->config.pool, &args, messages, count, out);
    messages_put(messages, count);
    return status;
}
