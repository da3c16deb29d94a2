/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking, dropping, turning and judging pictures; see picture.h.  Used by one thread at a time.
 *
 *     RGBA:   [frame 0][frame 1]...[durations]
 *     YCBCR:  [Y and its spare rows][Cb and its spare rows][Cr and its spare rows]
 */
#include "render/picture.h"

#include <string.h>

#include <danpool/stats.h>

#include "pool/os.h"

#define PLANE_ALIGNMENT 64u

static dp_status take(render_task *task, size_t size_bytes, picture *p)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_SURFACE,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = DP_NEED_HOST};
    const dp_status status = task_get_picture(task, &request, &p->buf);
    if (status != DP_OK) {
        return task_fail(task, status, "no memory for a picture of %u x %u pixels", p->width,
                         p->height);
    }
    p->bytes = dp_buf_data(p->buf);
    return DP_OK;
}

dp_status picture_take(render_task *task, uint32_t width, uint32_t height, uint32_t frame_count,
                       picture *out)
{
    DP_ASSERT(width > 0 && height > 0 && frame_count > 0 && frame_count <= PICTURE_FRAMES_MAX);
    DP_ASSERT(width <= RENDER_SOURCE_SIDE_MAX && height <= RENDER_SOURCE_SIDE_MAX);
    picture p = {.kind = PICTURE_RGBA,
                 .width = width,
                 .height = height,
                 .frame_count = frame_count,
                 .frame_bytes = (size_t)width * height * 4};
    const size_t frames_bytes = p.frame_bytes * frame_count;
    const size_t durations_bytes = frame_count > 1 ? frame_count * sizeof(uint32_t) : 0;

    const dp_status status = take(task, frames_bytes + durations_bytes, &p);
    if (status != DP_OK) {
        return status;
    }
    if (durations_bytes > 0) {
        p.durations_offset_bytes = frames_bytes;
        memset(p.bytes + frames_bytes, 0, durations_bytes);
    }
    *out = p;
    return DP_OK;
}

dp_status picture_take_planes(render_task *task, uint32_t width, uint32_t height,
                              const uint32_t chroma[2], picture *out)
{
    DP_ASSERT(width > 0 && height > 0 && chroma[0] > 0 && chroma[1] > 0);
    DP_ASSERT(width <= RENDER_SOURCE_SIDE_MAX && height <= RENDER_SOURCE_SIDE_MAX);
    picture p = {.kind = PICTURE_YCBCR, .width = width, .height = height, .frame_count = 1};
    size_t end = 0;

    for (int i = 0; i < 3; i++) {
        picture_plane *plane = &p.planes[i];
        plane->width = i == 0 ? width : chroma[0];
        plane->height = i == 0 ? height : chroma[1];
        plane->offset_bytes = end;
        plane->stride_bytes = os_align_up(plane->width + PICTURE_PLANE_ROWS, PLANE_ALIGNMENT);
        end += plane->stride_bytes * ((size_t)plane->height + PICTURE_PLANE_ROWS);
    }
    const dp_status status = take(task, end, &p);
    if (status == DP_OK) {
        *out = p;
    }
    return status;
}

void picture_drop(picture *p)
{
    dp_put(p->buf);
    *p = (picture){0};
}

surface picture_frame(const picture *p, uint32_t index)
{
    DP_ASSERT(p->kind == PICTURE_RGBA && index < p->frame_count);
    return (surface){.buf = p->buf,
                     .pixels = p->bytes + index * p->frame_bytes,
                     .width = p->width,
                     .height = p->height};
}

uint32_t *picture_durations_ms(const picture *p)
{
    return p->frame_count > 1 ? (uint32_t *)(void *)(p->bytes + p->durations_offset_bytes) : NULL;
}

dp_status picture_orient(render_task *task, picture *p, unsigned orientation)
{
    if (orientation < 2 || orientation > 8) {
        return DP_OK;
    }
    const bool side = orientation_lies_on_side(orientation);
    picture turned;
    const dp_status status = picture_take(task, side ? p->height : p->width,
                                          side ? p->width : p->height, p->frame_count, &turned);
    if (status != DP_OK) {
        return status;
    }
    turned.loop_count = p->loop_count;
    for (uint32_t i = 0; i < p->frame_count; i++) {
        const surface from = picture_frame(p, i), to = picture_frame(&turned, i);
        surface_turn(&from, &to, orientation);
    }
    if (p->frame_count > 1) {
        memcpy(picture_durations_ms(&turned), picture_durations_ms(p),
               p->frame_count * sizeof(uint32_t));
    }
    dp_stats_copied(task->pool, dp_buf_size(turned.buf));
    picture_drop(p);
    *p = turned;
    return DP_OK;
}

/* Whether `count` pieces of `each` bytes from `offset` on lie within `size_bytes`. */
static bool lies_within(size_t offset, size_t each, size_t count, size_t size_bytes)
{
    if (offset > size_bytes) {
        return false;
    }
    return each == 0 || count <= (size_bytes - offset) / each;
}

static bool frames_are_sound(const picture *p, size_t size_bytes)
{
    const uint64_t pixels_bytes = (uint64_t)p->width * p->height * 4;
    if (p->frame_count == 0 || p->frame_count > PICTURE_FRAMES_MAX ||
        p->frame_bytes != pixels_bytes ||
        !lies_within(0, p->frame_bytes, p->frame_count, size_bytes)) {
        return false;
    }
    /* The durations are read as words, so they lie at a word, and behind the frames. */
    return p->frame_count == 1 ||
           (p->durations_offset_bytes % sizeof(uint32_t) == 0 &&
            p->durations_offset_bytes >= p->frame_bytes * p->frame_count &&
            lies_within(p->durations_offset_bytes, sizeof(uint32_t), p->frame_count, size_bytes));
}

static bool planes_are_sound(const picture *p, size_t size_bytes)
{
    if (p->frame_count != 1) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        const picture_plane *plane = &p->planes[i];
        if (plane->stride_bytes < plane->width ||
            !lies_within(plane->offset_bytes, plane->stride_bytes, plane->height, size_bytes)) {
            return false;
        }
    }
    const picture_plane *y = &p->planes[0], *cb = &p->planes[1], *cr = &p->planes[2];
    const bool full = cb->width == p->width;
    const bool tall = cb->height == p->height;
    /* Height is halved only with the width: no JPEG that we take planes of is otherwise. */
    return y->width == p->width && y->height == p->height && cr->width == cb->width &&
           cr->height == cb->height && (full || cb->width == p->width / 2 + p->width % 2) &&
           (tall || (!full && cb->height == p->height / 2 + p->height % 2));
}

dp_status picture_check(const picture *p, size_t size_bytes)
{
    const bool sides = p->width > 0 && p->height > 0 && p->width <= RENDER_SOURCE_SIDE_MAX &&
                       p->height <= RENDER_SOURCE_SIDE_MAX;
    bool sound = false;
    if (sides && p->kind == PICTURE_RGBA) {
        sound = frames_are_sound(p, size_bytes);
    } else if (sides && p->kind == PICTURE_YCBCR) {
        sound = planes_are_sound(p, size_bytes);
    }
    return sound ? DP_OK : DP_ERR_FORMAT;
}
