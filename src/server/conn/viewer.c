/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Viewers: their rooms, what waits for them and when it is written (viewer.h).
 *
 * Batches are written to every viewer of a view at once instead of asking poll() first: a socket
 * that can take them, the usual case, then costs one send().  One that cannot is written to again
 * only when it says so.
 */
#include "server/conn/viewer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <danpool/lifecycle.h>
#include <danpool/stats.h>

#include "pool/os.h"
#include "server/ops/log.h"
#include "server/ops/metrics.h"
#include "server/server.h"

#define REPLIES_PAUSE   64u
#define REPLIES_RESUME  16u
#define WRITES_PER_WAKE 8
#define RETRY_MS_MIN    500u
#define RETRY_MS_SPREAD 2000u

/* A reply's block: the next one's pointer, room for the frame header, the bytes. */
#define REPLY_HEADROOM 64u
_Static_assert(REPLY_HEADROOM >= sizeof(dp_buf *) + LWS_PRE, "a reply needs its link and header");
_Static_assert(BATCH_HEADROOM >= LWS_PRE, "a frame header must fit in front of a batch");

static dp_buf **reply_link(dp_buf *reply)
{
    return (dp_buf **)dp_buf_data(reply);
}

static void reply_push(viewer *to, dp_buf *reply)
{
    *reply_link(reply) = NULL;
    dp_buf_expect_long(reply); /* as long as the client does not read */
    if (to->reply_tail == NULL) {
        to->reply_head = reply;
    } else {
        *reply_link(to->reply_tail) = reply;
    }
    to->reply_tail = reply;
    to->reply_count++;
    if (to->reply_count >= REPLIES_PAUSE && !to->reading_paused) {
        to->reading_paused = true;
        to->io->read(to, false);
    }
    to->io->ask(to);
}

static void reply_pop(viewer *of)
{
    dp_buf *reply = of->reply_head;
    of->reply_head = *reply_link(reply);
    if (of->reply_head == NULL) {
        of->reply_tail = NULL;
    }
    dp_put(reply);
    of->reply_count--;
    if (of->reading_paused && of->reply_count <= REPLIES_RESUME) {
        of->reading_paused = false;
        of->io->read(of, true);
    }
}

void viewer_reply(viewer *to, const void *bytes, size_t size_bytes)
{
    DP_ASSERT(size_bytes > 0);
    dp_request request = {
        .size_bytes = REPLY_HEADROOM + size_bytes, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    dp_buf *reply;
    if (to->is_done) {
        return;
    }
    if (dp_get(to->loop->server->pool, &request, &reply) != DP_OK) {
        viewer_close(to, WS_CLOSE_UNEXPECTED);
        return;
    }
    memcpy((char *)dp_buf_data(reply) + REPLY_HEADROOM, bytes, size_bytes);
    reply_push(to, reply);
}

void viewer_close(viewer *whom, ws_close status)
{
    if (!whom->is_closing) {
        whom->is_closing = true;
        whom->close_status = (uint16_t)status;
    }
    whom->io->ask(whom);
}

void viewer_begin(viewer *made, server_loop *loop, const viewer_protocol *protocol,
                  const viewer_io *io, void *socket)
{
    *made = (viewer){.loop = loop, .protocol = protocol, .io = io, .socket = socket};
    loop->sessions++;
    atomic_fetch_add_explicit(&loop->server->viewers, 1, memory_order_relaxed);
    metrics_add(METRIC_CONNECTIONS, 1);
    metrics_add(METRIC_CONNECTIONS_TOTAL, 1);
}

void viewer_end(viewer *ended)
{
    ended->is_done = true;
    while (ended->reply_head != NULL) {
        dp_buf *reply = ended->reply_head;
        ended->reply_head = *reply_link(reply);
        dp_put(reply);
    }
    ended->reply_tail = NULL;
    while (ended->rooms != NULL) {
        viewer_leave(ended, ended->rooms);
    }
    ended->loop->sessions--;
    atomic_fetch_sub_explicit(&ended->loop->server->viewers, 1, memory_order_relaxed);
    metrics_add(METRIC_CONNECTIONS, -1);
}

dp_status viewer_join(viewer *who, const char *room, subscription **out)
{
    subscription *joined = os_calloc(1, sizeof *joined);
    if (joined == NULL) {
        return DP_ERR_NOMEM;
    }
    *joined = (subscription){.owner = who, .sibling = who->rooms};
    dp_status status = loop_view_acquire(who->loop, room, who->protocol->format, &joined->view);
    if (status != DP_OK) {
        os_free(joined);
        return status;
    }
    room_view_pull(joined->view);
    joined->next_batch = joined->view->ring.head;
    joined->next_seq = joined->view->next_seq;
    joined->next = joined->view->viewers;
    if (joined->next != NULL) {
        joined->next->previous = joined;
    }
    joined->view->viewers = joined;
    who->rooms = joined;
    *out = joined;
    return DP_OK;
}

void viewer_leave(viewer *who, subscription *room)
{
    subscription **link = &who->rooms;
    while (*link != room) {
        link = &(*link)->sibling;
    }
    *link = room->sibling;
    if (room->previous != NULL) {
        room->previous->next = room->next;
    } else {
        room->view->viewers = room->next;
    }
    if (room->next != NULL) {
        room->next->previous = room->previous;
    }
    loop_view_release(who->loop, room->view);
    os_free(room);
}

subscription *viewer_room(const viewer *who, const char *room)
{
    subscription *found = who->rooms;
    while (found != NULL && strcmp(room_name(found->view->room), room) != 0) {
        found = found->sibling;
    }
    return found;
}

/* The room in which something waits; NULL. */
static subscription *room_behind(const viewer *who)
{
    subscription *room = who->rooms;
    while (room != NULL && room->next_batch >= room->view->ring.head) {
        room = room->sibling;
    }
    return room;
}

static viewer_sent send_reply(viewer *to)
{
    viewer_frame frame = {
        .buf = to->reply_head, .offset = REPLY_HEADROOM, .ws = {.opcode = to->protocol->opcode}};
    viewer_sent sent = to->io->send(to, &frame);
    if (sent == VIEWER_SENT) {
        metrics_add(METRIC_FRAMES, 1);
        dp_stats_delivered(to->reply_head, dp_buf_size(to->reply_head) - REPLY_HEADROOM);
        reply_pop(to);
    }
    return sent;
}

/* Moves who fell out of the ring to the newest batch, and lets the protocol say so. */
static void skip_to_newest(subscription *room)
{
    room_view *view = room->view;
    room_batch *newest = batch_ring_at(&view->ring, view->ring.head - 1);
    uint64_t missed = newest->first_seq - room->next_seq;
    room->next_batch = view->ring.head - 1;
    room->next_seq = newest->first_seq;
    metrics_add(METRIC_DROPPED_SLOW, (int64_t)missed);
    if (room->owner->protocol->missed != NULL) {
        room->owner->protocol->missed(room, missed);
    }
}

static viewer_sent send_batch(subscription *room)
{
    if (room->next_batch < room->view->ring.tail) {
        skip_to_newest(room);
        return VIEWER_SENT;
    }
    room_batch *batch = batch_ring_at(&room->view->ring, room->next_batch);
    if (batch->first_seq > room->next_seq) {
        /* The loop itself was stalled past the room's ring: the hole is told the same way. */
        skip_to_newest(room);
        return VIEWER_SENT;
    }
    viewer_frame frame = {.buf = batch->frame,
                          .offset = BATCH_HEADROOM,
                          .ws = {.opcode = room->owner->protocol->opcode}};
    viewer_sent sent = room->owner->io->send(room->owner, &frame);
    if (sent == VIEWER_SENT) {
        room->next_batch++;
        room->next_seq = batch->next_seq;
        metrics_add(METRIC_FRAMES, 1);
        metrics_add(METRIC_DELIVERED, batch->count);
        metrics_observe(HISTOGRAM_FANOUT, os_clock_ns() - batch->admitted_ns, batch->count);
        dp_stats_delivered(batch->frame, dp_buf_size(batch->frame) - BATCH_HEADROOM);
    }
    return sent;
}

/* Replies first, then batches in order; false when the connection is broken. */
static bool write_pending(viewer *who)
{
    subscription *room = NULL;
    viewer_sent sent = VIEWER_SENT;
    if (who->is_done || who->is_blocked) {
        return true;
    }
    for (int i = 0; sent == VIEWER_SENT && i < WRITES_PER_WAKE; i++) {
        room = room_behind(who);
        if ((who->reply_head == NULL && room == NULL) || who->io->is_full(who)) {
            break;
        }
        sent = who->reply_head != NULL ? send_reply(who) : send_batch(room);
    }
    who->is_blocked = sent == VIEWER_FULL;
    if (who->reply_head != NULL || who->is_closing || room_behind(who) != NULL) {
        who->io->ask(who);
    }
    return sent != VIEWER_BROKEN;
}

bool viewer_writable(viewer *who)
{
    who->is_blocked = false;
    if (who->is_done || !write_pending(who)) {
        return false;
    }
    if (who->is_closing && who->reply_head == NULL && !who->io->is_full(who)) {
        who->is_done = true;
        return false;
    }
    return true;
}

static void drop(viewer *whom)
{
    whom->is_done = true;
    whom->io->drop(whom);
}

void viewers_wake(room_view *view)
{
    for (subscription *room = view->viewers; room != NULL; room = room->next) {
        if (!write_pending(room->owner)) {
            drop(room->owner);
        }
    }
}

void viewers_check(server_loop *loop, room_view *view, uint64_t now_ns)
{
    uint64_t limit_ns = (uint64_t)loop->server->config.fanout_slow_close_ms * 1000000u;
    for (subscription *room = view->viewers; room != NULL; room = room->next) {
        viewer *who = room->owner;
        if (who->is_done || !(who->is_blocked || who->io->is_full(who))) {
            who->behind_since_ns = 0;
        } else if (who->behind_since_ns == 0) {
            who->behind_since_ns = now_ns;
        } else if (now_ns - who->behind_since_ns > limit_ns) {
            /* A close frame would wait behind what he does not read: hang up. */
            log_info("viewer closed", "reason=slow behind_ms=%" PRIu64,
                     (now_ns - who->behind_since_ns) / 1000000u);
            who->behind_since_ns = 0;
            drop(who);
        }
    }
}

size_t viewers_go_away(room_view *view, size_t most)
{
    size_t gone = 0;
    for (subscription *room = view->viewers; room != NULL && gone < most; room = room->next) {
        viewer *who = room->owner;
        if (who->is_closing || who->is_done) {
            continue;
        }
        /* Spread, so that a restart is not answered by everybody at once. */
        uint32_t retry_ms =
            RETRY_MS_MIN + (uint32_t)(((uintptr_t)who >> 6) * 2654435761u % RETRY_MS_SPREAD);
        if (who->protocol->going_away != NULL) {
            who->protocol->going_away(who, retry_ms);
        }
        viewer_close(who, WS_CLOSE_GOING_AWAY);
        gone++;
    }
    return gone;
}
