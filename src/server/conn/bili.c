/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until it has said who it is and what room it wants, a client is shown nothing, and may hold at
 * most one packet of BILI_PACKET_BYTES.  One version for a connection: these clients decode frames
 * side by side, and a plain one would overtake a compressed one.
 *
 * A client whose auth fails is told so and closed: those clients ignore the code and would listen
 * for ever.
 */
#include "server/conn/bili.h"

#include <string.h>

#include <danpool/lifecycle.h>

#include "pool/os.h"
#include "server/conn/entrance.h"
#include "server/ops/metrics.h"
#include "server/server.h"
#include "server/wire/bili_packet.h"

#define REPLY_BYTES_MAX 64u

/* They know no words for it: the sequence numbers of what comes next show the hole. */
static const viewer_protocol plain = {
    .name = "bili", .format = FORMAT_BILI_PLAIN, .opcode = WS_BINARY};
static const viewer_protocol zlib = {
    .name = "bili", .format = FORMAT_BILI_ZLIB, .opcode = WS_BINARY};
static const viewer_protocol brotli = {
    .name = "bili", .format = FORMAT_BILI_BROTLI, .opcode = WS_BINARY};

/* What was asked for, or the next that this build can write. */
static const viewer_protocol *protocol_of(int version)
{
    if (version == BILI_BROTLI && format_of(FORMAT_BILI_BROTLI)->build != NULL) {
        return &brotli;
    }
    return version >= BILI_ZLIB && format_of(FORMAT_BILI_ZLIB)->build != NULL ? &zlib : &plain;
}

void bili_begin(bili_session *made, struct server_loop *loop, const viewer_io *io, void *socket,
                identity *who)
{
    memset(made, 0, sizeof *made);
    made->who = who;
    viewer_begin(&made->viewer, loop, &plain, io, socket);
}

void bili_end(bili_session *ended)
{
    dp_put(ended->partial);
    ended->partial = NULL;
    viewer_end(&ended->viewer);
}

static void reply(bili_session *session, bili_operation operation, const void *body,
                  size_t body_bytes)
{
    uint8_t packet[BILI_HEADER_BYTES + REPLY_BYTES_MAX];
    DP_ASSERT(body_bytes <= REPLY_BYTES_MAX);
    bili_header_write(packet, (uint32_t)body_bytes, BILI_CONTROL, operation);
    memcpy(packet + BILI_HEADER_BYTES, body, body_bytes);
    viewer_reply(&session->viewer, packet, BILI_HEADER_BYTES + body_bytes);
}

static void refuse(bili_session *session)
{
    static const char body[] = "{\"code\":-101}";
    reply(session, BILI_AUTH_REPLY, body, sizeof body - 1);
    viewer_close(&session->viewer, WS_CLOSE_POLICY);
}

static void take_auth(bili_session *session, const bili_packet *packet)
{
    static const char body[] = "{\"code\":0}";
    bili_auth asked;
    subscription *room;
    if (session->is_authed) {
        return;
    }
    protocol_message unheard; /* those clients show nobody why */
    if (!bili_auth_read(packet->body, packet->body_bytes, &asked) ||
        entrance_admit(session->viewer.loop, asked.token, asked.room, session->who, &unheard) !=
            PROTOCOL_OK) {
        refuse(session);
        return;
    }
    session->viewer.protocol = protocol_of(asked.version);
    if (viewer_join(&session->viewer, asked.room, &room) != DP_OK) {
        viewer_close(&session->viewer, WS_CLOSE_TRY_LATER);
        return;
    }
    session->is_authed = true;
    reply(session, BILI_AUTH_REPLY, body, sizeof body - 1);
}

/* The count of viewers that this protocol shows beside a room: everybody who is connected. */
static void take_heartbeat(bili_session *session)
{
    int64_t viewers =
        atomic_load_explicit(&session->viewer.loop->server->viewers, memory_order_relaxed);
    uint32_t shown = viewers < 0 ? 0 : viewers > UINT32_MAX ? UINT32_MAX : (uint32_t)viewers;
    const uint8_t body[] = {(uint8_t)(shown >> 24), (uint8_t)(shown >> 16), (uint8_t)(shown >> 8),
                            (uint8_t)shown};
    reply(session, BILI_HEARTBEAT_REPLY, body, sizeof body);
}

static void take_packet(bili_session *session, const bili_packet *packet)
{
    if (packet->operation == BILI_AUTH) {
        take_auth(session, packet);
    } else if (packet->operation == BILI_HEARTBEAT && session->is_authed) {
        take_heartbeat(session);
    }
    /* Other operations are a newer client's: ignored, as the service does. */
}

/* Keeps what is left of a packet that has not come as a whole. */
static bool keep_rest(bili_session *session, const uint8_t *bytes, size_t size_bytes)
{
    dp_request request = {
        .size_bytes = BILI_PACKET_BYTES, .kind = DP_KIND_TEXT, .need = DP_NEED_HOST};
    if (session->partial == NULL &&
        dp_get(session->viewer.loop->server->pool, &request, &session->partial) != DP_OK) {
        return false;
    }
    dp_buf_expect_long(session->partial); /* as long as the client does not go on */
    memcpy((uint8_t *)dp_buf_data(session->partial) + session->partial_bytes, bytes, size_bytes);
    session->partial_bytes += size_bytes;
    return true;
}

/* Adds to the packet that has begun; how many bytes of `bytes` that took. */
static size_t complete(bili_session *session, const uint8_t *bytes, size_t size_bytes, bool *good)
{
    size_t taken = 0;
    bili_packet packet;
    bili_read result = BILI_READ_MORE;
    while (taken < size_bytes && result == BILI_READ_MORE) {
        /* First to the end of the header, which says how long it is; then to its end. */
        const uint8_t *have = dp_buf_data(session->partial);
        size_t wanted = BILI_HEADER_BYTES;
        if (session->partial_bytes >= BILI_HEADER_BYTES) {
            wanted = (size_t)have[2] << 8 | have[3];
        }
        size_t step = wanted - session->partial_bytes;
        step = step < size_bytes - taken ? step : size_bytes - taken;
        *good = keep_rest(session, bytes + taken, step);
        taken += step;
        result = bili_packet_read(have, session->partial_bytes, &packet);
    }
    *good = *good && result != BILI_READ_FAIL;
    if (result == BILI_READ_PACKET) {
        take_packet(session, &packet);
        dp_put(session->partial);
        session->partial = NULL;
        session->partial_bytes = 0;
    }
    return taken;
}

bool bili_take(bili_session *session, const uint8_t *bytes, size_t size_bytes)
{
    bool good = true;
    size_t at = 0;
    while (good && at < size_bytes && !session->viewer.is_closing) {
        bili_packet packet;
        if (session->partial != NULL) {
            at += complete(session, bytes + at, size_bytes - at, &good);
            continue;
        }
        switch (bili_packet_read(bytes + at, size_bytes - at, &packet)) {
        case BILI_READ_PACKET:
            take_packet(session, &packet);
            at += packet.packet_bytes;
            break;
        case BILI_READ_MORE:
            good = keep_rest(session, bytes + at, size_bytes - at);
            at = size_bytes;
            break;
        case BILI_READ_FAIL:
            good = false;
            break;
        }
    }
    return good;
}
