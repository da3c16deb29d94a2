/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket frames and the upgrade, client side.
 *
 * The key of the upgrade is the RFC's own example for every connection, so its accept value is a
 * constant and no hash is needed; a key's randomness protects against caching proxies, of which
 * there is none on loopback.
 */
#define _GNU_SOURCE /* memmem, strcasestr */

#include "fanout_ws.h"

#include <stdio.h>
#include <string.h>

#define UPGRADE_KEY      "dGhlIHNhbXBsZSBub25jZQ=="
#define UPGRADE_ACCEPT   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE_HEAD_MAX 4096u

/* Reads a big-endian length of 2 or 8 bytes. */
static uint64_t read_length(const unsigned char *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static bool head_is_valid(unsigned char first, unsigned char second)
{
    unsigned opcode = first & 0x0Fu;
    bool known = opcode <= WS_BINARY || (opcode >= WS_CLOSE && opcode <= WS_PONG);
    bool control_fits = opcode < WS_CLOSE || ((first & 0x80u) != 0 && (second & 0x7Fu) <= 125);
    bool plain = (first & 0x70u) == 0 && (second & 0x80u) == 0; /* no extension, no mask */
    return known && control_fits && plain;
}

ws_result ws_frame_parse(const char *bytes, size_t count, ws_frame *out)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (count < 2) {
        return WS_NEED_MORE;
    }
    if (!head_is_valid(at[0], at[1])) {
        return WS_BROKEN;
    }
    size_t head = 2;
    uint64_t length = at[1] & 0x7Fu;
    if (length >= 126) {
        size_t extra = length == 126 ? 2 : 8;
        head += extra;
        if (count < head) {
            return WS_NEED_MORE;
        }
        length = read_length(at + 2, extra);
        /* The shortest form is obligatory. */
        if (length < (extra == 2 ? 126u : 65536u)) {
            return WS_BROKEN;
        }
    }
    if (length > WS_PAYLOAD_MAX) {
        return WS_BROKEN;
    }
    if (count - head < length) {
        return WS_NEED_MORE;
    }
    *out = (ws_frame){.final = (at[0] & 0x80u) != 0,
                      .opcode = at[0] & 0x0Fu,
                      .payload = bytes + head,
                      .payload_bytes = (size_t)length,
                      .frame_bytes = head + (size_t)length};
    return WS_DONE;
}

size_t ws_frame_write(char *out, uint8_t opcode, const char *payload, size_t payload_bytes,
                      uint32_t mask)
{
    unsigned char *at = (unsigned char *)out;
    size_t head = 0;
    at[head++] = (unsigned char)(0x80u | opcode);
    if (payload_bytes < 126) {
        at[head++] = (unsigned char)(0x80u | payload_bytes);
    } else {
        size_t extra = payload_bytes < 65536 ? 2 : 8;
        at[head++] = extra == 2 ? 0x80u | 126u : 0x80u | 127u;
        for (size_t i = extra; i-- > 0;) {
            at[head++] = (unsigned char)(payload_bytes >> (8 * i));
        }
    }
    unsigned char key[4];
    memcpy(key, &mask, sizeof key);
    memcpy(at + head, key, sizeof key);
    head += sizeof key;
    for (size_t i = 0; i < payload_bytes; i++) {
        at[head + i] = (unsigned char)((unsigned char)payload[i] ^ key[i % 4]);
    }
    return head + payload_bytes;
}

size_t ws_upgrade_write(char *out, size_t out_size, const char *room, unsigned port)
{
    int length = snprintf(out, out_size,
                          "GET /v1/ws?room=%s HTTP/1.1\r\n"
                          "Host: 127.0.0.1:%u\r\n"
                          "Connection: Upgrade\r\n"
                          "Upgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: " UPGRADE_KEY
                          "\r\n"
                          "Sec-WebSocket-Protocol: " WS_PROTOCOL "\r\n\r\n",
                          room, port);
    return length > 0 && (size_t)length < out_size ? (size_t)length : 0;
}

/* Whether the header is there with exactly that value; `head` is a string. */
static bool header_is(const char *head, const char *name, const char *value)
{
    const char *at = strcasestr(head, name);
    if (at == NULL) {
        return false;
    }
    at += strlen(name);
    at += strspn(at, " \t");
    size_t length = strlen(value);
    return strncmp(at, value, length) == 0 && strchr(" \t\r\n", at[length]) != NULL;
}

ws_result ws_upgrade_check(const char *bytes, size_t count, size_t *head_bytes)
{
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);
    if (end == NULL) {
        return count < UPGRADE_HEAD_MAX ? WS_NEED_MORE : WS_BROKEN;
    }
    char head[UPGRADE_HEAD_MAX + 1];
    size_t length = (size_t)(end - bytes) + 4;
    if (length > UPGRADE_HEAD_MAX) {
        return WS_BROKEN;
    }
    memcpy(head, bytes, length);
    head[length] = '\0';
    if (strncmp(head, "HTTP/1.1 101 ", 13) != 0 ||
        !header_is(head, "\r\nSec-WebSocket-Accept:", UPGRADE_ACCEPT) ||
        !header_is(head, "\r\nSec-WebSocket-Protocol:", WS_PROTOCOL)) {
        return WS_BROKEN;
    }
    *head_bytes = length;
    return WS_DONE;
}
