/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool over host memory alone and a task over it, for tests of the render stages.
 */
#ifndef DP_TESTS_RENDER_RIG_H
#define DP_TESTS_RENDER_RIG_H

#include <string.h>

#include <danpool/stats.h>

#include "cm.h"
#include "media_make.h"
#include "render/codec.h"
#include "render/task.h"
#include "used_bytes.h"

typedef struct render_rig {
    dp_pool *pool;
    render_task task;
} render_rig;

static inline int rig_setup(void **state)
{
    static render_rig rig;
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    rig = (render_rig){.task = {.input_pixels_max = 40000000}};
    assert_int_equal(dp_pool_create(&config, &rig.pool), DP_OK);
    rig.task.pool = rig.pool;
    *state = &rig;
    return 0;
}

/* Bytes in buffers that somebody still holds. */
static inline uint64_t rig_used_bytes(const render_rig *rig)
{
    return pool_used_bytes(rig->pool);
}

/* Every test ends with nothing held: a leak in any stage fails it. */
static inline int rig_teardown(void **state)
{
    render_rig *rig = *state;
    const uint64_t used = rig_used_bytes(rig);
    if (used != 0) {
        print_error("%llu bytes are still held\n", (unsigned long long)used);
        return -1;
    }
    dp_pool_destroy(rig->pool);
    return 0;
}

#define RIG_TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static inline media_bytes rig_bytes(const made_media *media)
{
    return (media_bytes){media->bytes, media->size_bytes};
}

/* Opens and decodes as the hints say (sides of 0 = the file's own); frees `media`. */
static inline dp_status rig_picture(render_rig *rig, made_media *media, const decode_hints *wanted,
                                    picture *out)
{
    decode_hints hints = *wanted;
    decoder *d;
    rig->task.message[0] = '\0';
    dp_status status = codec_open(&rig->task, rig_bytes(media), &d);
    if (status == DP_OK) {
        hints.width = hints.width == 0 ? d->info.width : hints.width;
        hints.height = hints.height == 0 ? d->info.height : hints.height;
        status = codec_decode(d, &hints, out);
        codec_close(d);
    }
    media_free(media);
    return status;
}

/* The same for a still picture, as a surface that the caller owns. */
static inline dp_status rig_decode(render_rig *rig, made_media *media, const uint32_t size[2],
                                   surface *out)
{
    const decode_hints hints = {.width = size == NULL ? 0 : size[0],
                                .height = size == NULL ? 0 : size[1]};
    picture p;
    const dp_status status = rig_picture(rig, media, &hints, &p);
    if (status == DP_OK) {
        *out = picture_frame(&p, 0);
    }
    return status;
}

/* Encodes a surface, which stays the caller's. */
static inline dp_status rig_encode(render_rig *rig, dp_media_format format, const surface *s,
                                   const encode_hints *hints, dp_buf **out)
{
    const picture p = {.buf = s->buf,
                       .bytes = s->pixels,
                       .kind = PICTURE_RGBA,
                       .width = s->width,
                       .height = s->height,
                       .frame_count = 1,
                       .frame_bytes = surface_bytes(s)};
    return codec_encode(&rig->task, format, &p, hints, out);
}

#endif
