/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of Bilibili's live protocol (goim's): a big-endian header of 16 bytes and a body, over
 * WebSocket frames or a TCP stream.  Known by reverse engineering of its clients
 * (docs/protocol.md).
 *
 *     u32 packet bytes, header included | u16 header bytes = 16 | u16 version | u32 operation | u32
 * seq
 *
 * What we write, clients of 2025 survive: never a length of 0, never another header length than 16.
 * No allocation; functions of their arguments.
 */
#ifndef DP_SERVER_WIRE_BILI_PACKET_H
#define DP_SERVER_WIRE_BILI_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/room/room.h"

#define BILI_HEADER_BYTES 16u
#define BILI_PACKET_BYTES 4096u /* largest that a client may send */
#define BILI_TOKEN_BYTES  2048u

typedef enum bili_version {
    BILI_PLAIN = 0,   /* JSON */
    BILI_CONTROL = 1, /* heartbeats and auth */
    BILI_ZLIB = 2,    /* RFC 1950 over packets of version 0 */
    BILI_BROTLI = 3
} bili_version;

typedef enum bili_operation {
    BILI_HEARTBEAT = 2,
    BILI_HEARTBEAT_REPLY = 3,
    BILI_MESSAGE = 5,
    BILI_AUTH = 7,
    BILI_AUTH_REPLY = 8
} bili_operation;

typedef struct bili_packet {
    uint32_t packet_bytes;
    uint16_t version;
    uint32_t operation;
    const uint8_t *body;
    uint32_t body_bytes;
} bili_packet;

typedef enum bili_read { BILI_READ_PACKET, BILI_READ_MORE, BILI_READ_FAIL } bili_read;

/*
 * Reads the packet at `bytes`.  BILI_READ_MORE: it is not there as a whole.  BILI_READ_FAIL: no
 * client of ours sends it (a header that is not 16 bytes, a length under 16 or over
 * BILI_PACKET_BYTES); nothing that follows can be told apart.
 */
bili_read bili_packet_read(const uint8_t *bytes, size_t size_bytes, bili_packet *out);

/* Writes a header; seq is 1, as the service has it for everything but its own numbering. */
void bili_header_write(uint8_t to[BILI_HEADER_BYTES], uint32_t body_bytes, bili_version version,
                       bili_operation operation);

/* What an auth packet asks for. */
typedef struct bili_auth {
    char room[ROOM_NAME_BYTES_MAX + 1]; /* roomid in decimal digits */
    int version;                        /* protover; 0 when it is absent or unknown */
    char token[BILI_TOKEN_BYTES];       /* key, "" when absent */
} bili_auth;

/*
 * Reads the JSON of an auth packet loosely, as clients differ: only roomid must be there, a
 * positive whole number (or its digits in quotes).  False: it is no JSON object, has no room, or a
 * key longer than a token can be.  Needs 16 KiB of stack.
 */
bool bili_auth_read(const uint8_t *body, size_t body_bytes, bili_auth *out);

#endif
