/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any bytes through the codecs, the SVG guard, the resizer and an encoder, under small
 * limits.
 *
 * The last byte of the input chooses the way: planes or colours, one frame or many, the size, the
 * format out.  Beyond what the sanitizers see: an error has words, a picture is sound and within
 * the hints, and nothing is held afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include <danpool/stats.h>

#include "kernels/resize.h"
#include "pool/os.h"
#include "render/codec.h"

#define TIME_NS     UINT64_C(2000000000)
#define FRAMES_MAX  6u
#define TARGET_SIDE 24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static dp_pool *pool_once(void)
{
    static dp_pool *pool;
    const dp_pool_config config = {.tiers = DP_TIER_BIT(DP_TIER_HOST)};
    if (pool == NULL && dp_pool_create(&config, &pool) != DP_OK) {
        abort();
    }
    return pool;
}

static void need(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* A block of exactly this size, so that a step beyond it is seen. */
static void *take(size_t size_bytes)
{
    void *memory = malloc(size_bytes);
    need(memory != NULL);
    return memory;
}

static resize_source source_of(const picture *p, uint32_t frame)
{
    if (p->kind == PICTURE_RGBA) {
        const surface s = picture_frame(p, frame);
        return (resize_source){.pixels = s.pixels, .stride_bytes = surface_stride_bytes(&s)};
    }
    const picture_plane *y = &p->planes[0], *cb = &p->planes[1], *cr = &p->planes[2];
    return (resize_source){.pixels = p->bytes + y->offset_bytes,
                           .stride_bytes = y->stride_bytes,
                           .chroma = {p->bytes + cb->offset_bytes, p->bytes + cr->offset_bytes},
                           .chroma_stride_bytes = cb->stride_bytes,
                           .chroma_shift_x = cb->width != p->width,
                           .chroma_shift_y = cb->height != p->height};
}

static void resize_frames(const picture *from, const picture *to)
{
    resize_axis x, y;
    void *x_memory = take(resize_axis_bytes(from->width, to->width));
    void *y_memory = take(resize_axis_bytes(from->height, to->height));
    resize_axis_init(&x, from->width, to->width, x_memory);
    resize_axis_init(&y, from->height, to->height, y_memory);
    void *scratch = take(resize_cpu_scratch_bytes(&x, &y));
    for (uint32_t i = 0; i < from->frame_count; i++) {
        const surface target = picture_frame(to, i);
        const resize_args args = {.x = &x,
                                  .y = &y,
                                  .source = source_of(from, i),
                                  .target = target.pixels,
                                  .target_stride_bytes = surface_stride_bytes(&target)};
        resize_cpu(&args, scratch);
    }
    free(scratch);
    free(x_memory);
    free(y_memory);
}

static void encode(render_task *task, const picture *from, unsigned way)
{
    static const dp_media_format formats[4] = {DP_MEDIA_WEBP, DP_MEDIA_PNG, DP_MEDIA_JPEG,
                                               DP_MEDIA_WEBP};
    const encode_hints hints = {.drawing = way == 3};
    picture small;
    dp_buf *out;
    if (picture_take(task, TARGET_SIDE, TARGET_SIDE - way, from->frame_count, &small) != DP_OK) {
        return;
    }
    resize_frames(from, &small);
    if (codec_encode(task, formats[way], &small, &hints, &out) == DP_OK) {
        need(dp_media_sniff(dp_buf_data(out), dp_buf_size(out)) == formats[way]);
        dp_put(out);
    }
    picture_drop(&small);
}

static void decode(render_task *task, media_bytes bytes, unsigned way)
{
    static const uint32_t sides[4] = {1, TARGET_SIDE, 90, 4096};
    decode_hints hints = {.width = sides[way >> 2 & 3u],
                          .height = sides[way >> 2 & 3u],
                          .frames_max = (way & 2u) != 0 ? FRAMES_MAX : 1,
                          .want_planes = (way & 1u) != 0};
    picture p = {0};
    decoder *d;

    dp_status status = codec_open(task, bytes, &d);
    if (status == DP_OK) {
        if (d->info.drawing) {
            hints.width = hints.height = TARGET_SIDE;
        }
        status = codec_decode(d, &hints, &p);
        codec_close(d);
    }
    if (status != DP_OK) {
        need(task->message[0] != '\0');
        return;
    }
    need(picture_check(&p, dp_buf_size(p.buf)) == DP_OK && p.frame_count <= FRAMES_MAX);
    if (task_check_time(task) == DP_OK) {
        encode(task, &p, way >> 4 & 3u);
    }
    picture_drop(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dp_pool *pool = pool_once();
    render_task task = {
        .pool = pool, .deadline_ns = os_clock_ns() + TIME_NS, .input_pixels_max = 300000};
    dp_stats stats;

    if (size < 2) {
        return 0;
    }
    uint8_t *bytes = take(size - 1);
    memcpy(bytes, data, size - 1);
    decode(&task, (media_bytes){bytes, size - 1}, data[size - 1]);
    free(bytes);
    dp_stats_read(pool, &stats);
    need(stats.tiers[DP_TIER_HOST].used_bytes == 0);
    return 0;
}
