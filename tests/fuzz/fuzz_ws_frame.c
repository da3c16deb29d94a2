/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer over the WebSocket reader: a stream of bytes read as a whole and in two halves must
 * give the same frames, the same failure, and never look behind its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/wire/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_MAX 8192u

typedef struct outcome {
    size_t frames, consumed, payload_bytes;
    uint64_t sum;
    uint64_t close; /* wide, so that no padding is compared */
} outcome;

static void require(int condition)
{
    if (!condition) {
        abort();
    }
}

/* Reads what is there of the stream from out->consumed on. */
static void drain(ws_reader *reader, uint8_t *bytes, size_t size, outcome *out)
{
    while (out->close == 0) {
        ws_frame frame;
        ws_close close = WS_CLOSE_NONE;
        ws_read result =
            ws_frame_read(reader, bytes + out->consumed, size - out->consumed, &frame, &close);
        if (result == WS_READ_FAIL) {
            require(close == WS_CLOSE_PROTOCOL || close == WS_CLOSE_TOO_LARGE);
            out->close = (uint64_t)close;
            return;
        }
        if (result == WS_READ_MORE) {
            require(frame.frame_bytes > size - out->consumed);
            require(frame.frame_bytes <= MESSAGE_MAX + WS_HEADER_BYTES_MAX);
            return;
        }
        require(frame.frame_bytes <= size - out->consumed);
        require(frame.payload + frame.payload_bytes == bytes + out->consumed + frame.frame_bytes);
        for (uint32_t i = 0; i < frame.payload_bytes; i++) {
            out->sum = out->sum * 31 + frame.payload[i];
        }
        if (frame.opcode == WS_CLOSE) {
            (void)ws_close_answer(frame.payload, frame.payload_bytes);
        }
        out->frames++;
        out->payload_bytes += frame.payload_bytes;
        out->consumed += frame.frame_bytes;
    }
}

static outcome read_cut(const uint8_t *data, size_t size, size_t cut, bool may_deflate)
{
    ws_reader reader = {.message_bytes_max = MESSAGE_MAX, .may_deflate = may_deflate};
    outcome out = {0};
    uint8_t *bytes = malloc(size + 1);
    require(bytes != NULL);
    memcpy(bytes, data, size);
    drain(&reader, bytes, cut, &out);
    drain(&reader, bytes, size, &out);
    free(bytes);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    bool may_deflate = (data[0] & 1) != 0;
    size_t cut = (size_t)data[1] % size;
    outcome whole = read_cut(data + 2, size - 2, size - 2, may_deflate);
    outcome halves = read_cut(data + 2, size - 2, cut > size - 2 ? size - 2 : cut, may_deflate);
    require(memcmp(&whole, &halves, sizeof whole) == 0);
    return 0;
}
