/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging what a decoder process says; see sandbox_wire.h.  No state.
 */
#include "render/sandbox_wire.h"

#include <string.h>

#define ORIENTATION_MAX 8u

/* Words of a stranger end up in logs and in front of the sender: printable ASCII, ended. */
static void tame_message(char message[WIRE_MESSAGE_BYTES])
{
    message[WIRE_MESSAGE_BYTES - 1] = '\0';
    for (char *c = message; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
}

/* As codec_open() promises it: see codec.h. */
static bool info_is_sound(const wire_reply *r, const wire_expected *expected)
{
    if (r->source_width == 0 || r->source_height == 0 || r->source_width > RENDER_SOURCE_SIDE_MAX ||
        r->source_height > RENDER_SOURCE_SIDE_MAX || r->orientation == 0 ||
        r->orientation > ORIENTATION_MAX || r->drawing > 1) {
        return false;
    }
    return r->drawing == 1 ||
           (uint64_t)r->source_width * r->source_height <= expected->input_pixels_max;
}

/* A drawing is as large as was asked; the rest lies between that and what the header said. */
static bool sides_are_sound(const wire_reply *r, const wire_expected *expected)
{
    const decode_hints *hints = &expected->hints;
    if (expected->info.drawing) {
        return r->width == hints->width && r->height == hints->height;
    }
    return r->width <= expected->info.width && r->height <= expected->info.height &&
           (r->width >= hints->width || r->width == expected->info.width) &&
           (r->height >= hints->height || r->height == expected->info.height);
}

static bool picture_is_sound(const wire_reply *r, const wire_expected *expected)
{
    const uint32_t frames_max = expected->hints.frames_max == 0 ? 1 : expected->hints.frames_max;
    const picture p = wire_reply_picture(r);
    if (r->picture_kind > PICTURE_YCBCR || !sides_are_sound(r, expected) ||
        r->frame_count > frames_max) {
        return false;
    }
    /* Planes only where they were asked for: not everybody can read them. */
    if (r->picture_kind == PICTURE_YCBCR && !expected->hints.want_planes) {
        return false;
    }
    return picture_check(&p, (size_t)r->used_bytes) == DP_OK;
}

static bool decoded_is_sound(const wire_reply *r, const wire_expected *expected)
{
    if (r->used_bytes == 0 || r->used_bytes > expected->place_size_bytes) {
        return false;
    }
    return r->kind == WIRE_BYTES || (r->kind == WIRE_PICTURE && picture_is_sound(r, expected));
}

bool wire_reply_check(wire_reply *reply, size_t size_bytes, const wire_expected *expected)
{
    if (size_bytes != sizeof *reply) {
        return false;
    }
    tame_message(reply->message);
    if (reply->version != WIRE_VERSION || reply->op != (uint32_t)expected->op ||
        reply->job != expected->job || reply->status >= DP_STATUS_COUNT ||
        reply->kind >= WIRE_KIND_COUNT || reply->filtered > 1 ||
        reply->copied_bytes > expected->place_size_bytes) {
        return false;
    }
    if (reply->status != DP_OK) {
        return true;
    }
    switch (expected->op) {
    case WIRE_OPEN:
        return info_is_sound(reply, expected);
    case WIRE_DECODE:
        return decoded_is_sound(reply, expected);
    default:
        return true;
    }
}

media_info wire_reply_info(const wire_reply *reply)
{
    return (media_info){.width = reply->source_width,
                        .height = reply->source_height,
                        .orientation = reply->orientation,
                        .drawing = reply->drawing == 1};
}

picture wire_reply_picture(const wire_reply *reply)
{
    picture p = {.kind = (picture_kind)reply->picture_kind,
                 .width = reply->width,
                 .height = reply->height,
                 .frame_count = reply->frame_count,
                 .loop_count = reply->loop_count,
                 .frame_bytes = (size_t)reply->frame_bytes,
                 .durations_offset_bytes = (size_t)reply->durations_offset_bytes};
    for (int i = 0; i < 3; i++) {
        p.planes[i] = (picture_plane){.offset_bytes = (size_t)reply->planes[i].offset_bytes,
                                      .stride_bytes = (size_t)reply->planes[i].stride_bytes,
                                      .width = reply->planes[i].width,
                                      .height = reply->planes[i].height};
    }
    return p;
}

void wire_reply_set_picture(wire_reply *reply, const picture *p)
{
    reply->kind = WIRE_PICTURE;
    reply->picture_kind = (uint32_t)p->kind;
    reply->width = p->width;
    reply->height = p->height;
    reply->frame_count = p->frame_count;
    reply->loop_count = p->loop_count;
    reply->frame_bytes = p->frame_bytes;
    reply->durations_offset_bytes = p->durations_offset_bytes;
    for (int i = 0; i < 3; i++) {
        reply->planes[i] = (wire_plane){.offset_bytes = p->planes[i].offset_bytes,
                                        .stride_bytes = p->planes[i].stride_bytes,
                                        .width = p->planes[i].width,
                                        .height = p->planes[i].height};
    }
}
