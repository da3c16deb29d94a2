/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header is looked at in the order in which its bytes come, and each rule is checked with the
 * first byte that shows it broken:
 *
 *     byte 0  reserved bits, opcode, open or not    byte 1  mask, length of control frames
 *     2 or 8 bytes of length                        4 bytes of mask
 */
#include "server/wire/ws_frame.h"

#include <string.h>

#include <openssl/evp.h>

#include "server/wire/text.h"

#define FIN          0x80u
#define RSV          0x70u
#define RSV1         0x40u
#define OPCODE       0x0fu
#define MASKED       0x80u
#define LENGTH       0x7fu
#define LENGTH_16    126u
#define LENGTH_64    127u
#define MASK_BYTES   4u
#define KEY_BYTES    16u
#define KEY_CHARS    24u
#define DIGEST_BYTES 20u
#define ACCEPT_GUID  "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool is_control(unsigned opcode)
{
    return (opcode & 8u) != 0;
}

/* The rules of the first byte: which frame may stand here at all (sections 5.2, 5.4, 5.5). */
static bool first_byte_allowed(const ws_reader *reader, unsigned first)
{
    unsigned opcode = first & OPCODE;
    unsigned rsv = first & RSV;
    bool opens = opcode == WS_TEXT || opcode == WS_BINARY;
    if (rsv != 0 && !(rsv == RSV1 && reader->may_deflate && opens)) {
        return false;
    }
    switch (opcode) {
    case WS_TEXT:
    case WS_BINARY:
        return !reader->is_open;
    case WS_CONTINUATION:
        return reader->is_open;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return (first & FIN) != 0;
    default:
        return false;
    }
}

static uint64_t read_big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* XOR with the mask, whose first byte belongs to the first of the payload. */
static void unmask(uint8_t *payload, size_t size_bytes, const uint8_t mask[MASK_BYTES])
{
    uint8_t twice[2 * MASK_BYTES];
    uint64_t wide;
    memcpy(twice, mask, MASK_BYTES);
    memcpy(twice + MASK_BYTES, mask, MASK_BYTES);
    memcpy(&wide, twice, sizeof wide);
    size_t at = 0;
    for (; at + sizeof wide <= size_bytes; at += sizeof wide) {
        uint64_t word;
        memcpy(&word, payload + at, sizeof word);
        word ^= wide;
        memcpy(payload + at, &word, sizeof word);
    }
    for (; at < size_bytes; at++) {
        payload[at] ^= mask[at % MASK_BYTES];
    }
}

static ws_read fail(ws_close code, ws_close *close)
{
    *close = code;
    return WS_READ_FAIL;
}

static ws_read more(size_t needed, ws_frame *out)
{
    out->frame_bytes = needed;
    return WS_READ_MORE;
}

/* Notes a whole data frame: what may follow it. */
static void account(ws_reader *reader, const ws_frame *frame)
{
    if (is_control(frame->opcode)) {
        return;
    }
    reader->is_open = !frame->is_final;
    reader->message_bytes = frame->is_final ? 0 : reader->message_bytes + frame->payload_bytes;
}

ws_read ws_frame_read(ws_reader *reader, uint8_t *bytes, size_t size_bytes, ws_frame *out,
                      ws_close *close)
{
    size_t header_bytes = 2 + MASK_BYTES;
    if (size_bytes >= 1 && !first_byte_allowed(reader, bytes[0])) {
        return fail(WS_CLOSE_PROTOCOL, close);
    }
    if (size_bytes < 2) {
        return more(header_bytes, out);
    }
    unsigned opcode = bytes[0] & OPCODE;
    uint64_t length = bytes[1] & LENGTH;
    if ((bytes[1] & MASKED) == 0 || (is_control(opcode) && length > WS_CONTROL_BYTES_MAX)) {
        return fail(WS_CLOSE_PROTOCOL, close);
    }
    size_t length_bytes = length == LENGTH_16 ? 2 : length == LENGTH_64 ? 8 : 0;
    header_bytes += length_bytes;
    if (size_bytes < 2 + length_bytes) {
        return more(header_bytes, out);
    }
    if (length_bytes > 0) {
        uint64_t shortest = length == LENGTH_16 ? LENGTH_16 : UINT64_C(0x10000);
        length = read_big_endian(bytes + 2, length_bytes);
        /* The fewest bytes must be used, and the highest bit of eight must be clear. */
        if (length < shortest || length > INT64_MAX) {
            return fail(WS_CLOSE_PROTOCOL, close);
        }
    }
    if (!is_control(opcode) && length > reader->message_bytes_max - reader->message_bytes) {
        return fail(WS_CLOSE_TOO_LARGE, close);
    }
    if (size_bytes < header_bytes || size_bytes - header_bytes < length) {
        return more(header_bytes + (size_t)length, out);
    }
    *out = (ws_frame){.opcode = (ws_opcode)opcode,
                      .is_final = (bytes[0] & FIN) != 0,
                      .is_deflated = (bytes[0] & RSV1) != 0,
                      .payload = bytes + header_bytes,
                      .payload_bytes = (uint32_t)length,
                      .frame_bytes = header_bytes + (size_t)length};
    unmask(out->payload, out->payload_bytes, bytes + header_bytes - MASK_BYTES);
    account(reader, out);
    return WS_READ_FRAME;
}

/* Codes that may stand in a close frame: section 7.4, and 1012 to 1014 of IANA's registry. */
static bool close_code_allowed(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

ws_close ws_close_answer(const uint8_t *payload, size_t size_bytes)
{
    if (size_bytes == 0) {
        return WS_CLOSE_NONE;
    }
    if (size_bytes == 1) {
        return WS_CLOSE_PROTOCOL;
    }
    unsigned code = (unsigned)payload[0] << 8 | payload[1];
    if (!close_code_allowed(code)) {
        return WS_CLOSE_PROTOCOL;
    }
    return text_is_utf8(payload + 2, size_bytes - 2) ? (ws_close)code : WS_CLOSE_NOT_UTF8;
}

size_t ws_header_write(ws_write what, size_t payload_bytes, uint8_t *to)
{
    size_t length_bytes = payload_bytes < LENGTH_16 ? 0 : payload_bytes < 0x10000u ? 2 : 8;
    to[0] = (uint8_t)(FIN | (what.is_deflated ? RSV1 : 0u) | (unsigned)what.opcode);
    to[1] = (uint8_t)(length_bytes == 0   ? payload_bytes
                      : length_bytes == 2 ? LENGTH_16
                                          : LENGTH_64);
    for (size_t i = 0; i < length_bytes; i++) {
        to[2 + i] = (uint8_t)((uint64_t)payload_bytes >> (8 * (length_bytes - 1 - i)));
    }
    return 2 + length_bytes;
}

bool ws_accept_of(const char *key, size_t key_bytes, char accept[WS_ACCEPT_BYTES])
{
    unsigned char nonce[KEY_CHARS];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    char text[KEY_CHARS + sizeof ACCEPT_GUID];
    /* 16 bytes are 22 characters and two of padding; the decoder counts those as bytes too. */
    if (key_bytes != KEY_CHARS || memcmp(key + KEY_CHARS - 2, "==", 2) != 0 ||
        key[KEY_CHARS - 3] == '=' ||
        EVP_DecodeBlock(nonce, (const unsigned char *)key, (int)key_bytes) != KEY_BYTES + 2) {
        return false;
    }
    memcpy(text, key, KEY_CHARS);
    memcpy(text + KEY_CHARS, ACCEPT_GUID, sizeof ACCEPT_GUID);
    if (EVP_Digest(text, sizeof text - 1, digest, &digest_bytes, EVP_sha1(), NULL) != 1 ||
        digest_bytes != DIGEST_BYTES) {
        return false;
    }
    return EVP_EncodeBlock((unsigned char *)accept, digest, DIGEST_BYTES) == WS_ACCEPT_BYTES - 1;
}
