/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes as a worker's reply, against any expectation.  Whatever is believed is
 * walked to its last byte, in a block of exactly the size that it says it uses.
 */
#include <stdlib.h>
#include <string.h>

#include "render/sandbox_wire.h"

#define PLACE_BYTES ((size_t)1 << 22)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t touched;

static void touch(const uint8_t *block, size_t offset, size_t size_bytes)
{
    if (size_bytes > 0) {
        touched ^= block[offset];
        touched ^= block[offset + size_bytes - 1];
    }
}

static void walk(const picture *p, const uint8_t *block)
{
    if (p->kind == PICTURE_RGBA) {
        for (uint32_t i = 0; i < p->frame_count; i++) {
            touch(block, i * p->frame_bytes, (size_t)p->width * p->height * 4);
        }
        if (p->frame_count > 1) {
            touch(block, p->durations_offset_bytes, p->frame_count * sizeof(uint32_t));
        }
        return;
    }
    for (int i = 0; i < 3; i++) {
        for (uint32_t y = 0; y < p->planes[i].height; y++) {
            touch(block, p->planes[i].offset_bytes + y * p->planes[i].stride_bytes,
                  p->planes[i].width);
        }
    }
}

static void check_picture(const wire_reply *reply, const wire_expected *expected)
{
    picture p = wire_reply_picture(reply);
    if (reply->used_bytes > PLACE_BYTES || p.width > expected->info.width + expected->hints.width) {
        abort();
    }
    uint8_t *block = malloc((size_t)reply->used_bytes);
    if (block != NULL) {
        memset(block, 0, (size_t)reply->used_bytes);
        walk(&p, block);
        free(block);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_reply reply = {0};
    uint8_t head[8] = {0};

    /* What was asked, in small numbers; then the reply, of which the fixed words are right half of
     * the time, or nothing would get far. */
    memcpy(head, data, size < sizeof head ? size : sizeof head);
    const size_t rest = size > sizeof head ? size - sizeof head : 0;
    memcpy(&reply, data + (size - rest), rest < sizeof reply ? rest : sizeof reply);
    const wire_expected expected = {
        .op = (head[0] & 1) != 0 ? WIRE_DECODE : WIRE_OPEN,
        .job = 1,
        .place_size_bytes = PLACE_BYTES,
        .input_pixels_max = 1u << 20,
        .hints = {.width = head[1] + 1u,
                  .height = head[2] + 1u,
                  .frames_max = head[3],
                  .want_planes = (head[0] & 2) != 0},
        .info = {.width = head[4] + 1u, .height = head[5] + 1u, .drawing = (head[0] & 4) != 0}};
    if ((head[0] & 8) == 0) {
        reply.version = WIRE_VERSION;
        reply.op = (uint32_t)expected.op;
        reply.job = 1;
        reply.status = DP_OK;
    }
    const bool sound = wire_reply_check(&reply, sizeof reply, &expected);
    if (memchr(reply.message, 0, sizeof reply.message) == NULL) {
        abort();
    }
    if (sound && reply.status == DP_OK && expected.op == WIRE_DECODE &&
        reply.kind == WIRE_PICTURE) {
        check_picture(&reply, &expected);
    }
    return 0;
}
