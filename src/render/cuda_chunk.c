/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cuda_chunk.h.  Offsets are the same in a staging buffer and its twin on the device; what is
 * not staged lies behind what is, so that the staging buffers end where that begins.
 */
#include "render/cuda_chunk.h"

#include <string.h>

#include <danpool/stats.h>

#include "pool/os.h"

#define ALIGNMENT 64u
/* What one chunk sends and gets, so that the next one's copies find the kernel of this one busy. */
#define CHUNK_BYTES  ((size_t)32 << 20)
#define CHUNK_FRAMES 4096u
/* Smaller pieces go with the others in one copy. */
#define DIRECT_BYTES ((size_t)64 << 10)
/* A batch by the routing rules, however few pieces are in it: the kernel reads them many times. */
#define ROUTE_BATCH 8u

struct cuda_part {
    resize_axis x, y;
    size_t x_at, y_at;
    bool sends; /* its source; else it is the one of the part before */
    bool source_direct, target_direct;
    size_t source_at, source_bytes;
    size_t target_at, target_bytes;
};

static size_t aligned(size_t size_bytes)
{
    return os_align_up(size_bytes, ALIGNMENT);
}

static size_t source_bytes(const picture *p, uint32_t frames)
{
    size_t end = 0;
    if (p->kind == PICTURE_RGBA) {
        return p->frame_bytes * frames;
    }
    for (int i = 0; i < 3; i++) {
        const picture_plane *plane = &p->planes[i];
        const size_t plane_end = plane->offset_bytes + plane->stride_bytes * plane->height;
        end = plane_end > end ? plane_end : end;
    }
    return end;
}

static size_t target_bytes(const backend_item *item)
{
    return item->target->frame_bytes * item->target->frame_count;
}

size_t cuda_chunk_span(backend_item *const items[], size_t count)
{
    size_t bytes = 0, frames = 0, span = 0;
    while (span < count) {
        const backend_item *item = items[span];
        bytes += target_bytes(item);
        if (span == 0 || items[span - 1]->source != item->source) {
            bytes += source_bytes(item->source, item->target->frame_count);
        }
        frames += item->target->frame_count;
        if (span > 0 && (bytes > CHUNK_BYTES || frames > CHUNK_FRAMES)) {
            break;
        }
        span++;
    }
    return span;
}

static bool is_direct(const picture *p, size_t size_bytes)
{
    return size_bytes >= DIRECT_BYTES && dp_buf_tier(p->buf) == DP_TIER_PINNED;
}

/* What each part needs, but for where it will be. */
static void measure(cuda_chunk *chunk)
{
    chunk->job_count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const backend_item *item = chunk->items[i];
        cuda_part *part = &chunk->parts[i];
        const size_t bytes = source_bytes(item->source, item->target->frame_count);
        part->sends = i == 0 || chunk->items[i - 1]->source != item->source;
        part->source_bytes = bytes;
        part->target_bytes = target_bytes(item);
        part->target_direct = is_direct(item->target, part->target_bytes);
        chunk->job_count += item->target->frame_count;
        /* The one that sends does so for all that follow it with the same source. */
        for (size_t k = i; !part->sends && k-- > 0;) {
            cuda_part *sender = &chunk->parts[k];
            if (sender->sends) {
                sender->source_bytes = bytes > sender->source_bytes ? bytes : sender->source_bytes;
                break;
            }
        }
    }
    for (size_t i = 0; i < chunk->count; i++) {
        cuda_part *part = &chunk->parts[i];
        part->source_direct = is_direct(chunk->items[i]->source, part->source_bytes);
    }
}

/* Gives the sources (or targets) that are direct, or those that are not, their places. */
static size_t place_pieces(cuda_chunk *chunk, size_t at, bool targets, bool direct)
{
    for (size_t i = 0; i < chunk->count; i++) {
        cuda_part *part = &chunk->parts[i];
        if (targets && part->target_direct == direct) {
            part->target_at = at;
            at += aligned(part->target_bytes);
        } else if (!targets && part->sends && part->source_direct == direct) {
            part->source_at = at;
            at += aligned(part->source_bytes);
        }
    }
    return at;
}

static void place(cuda_chunk *chunk)
{
    size_t at = aligned(chunk->job_count * sizeof(resize_job));
    for (size_t i = 0; i < chunk->count; i++) {
        const backend_item *item = chunk->items[i];
        cuda_part *part = &chunk->parts[i];
        part->x_at = at;
        at += aligned(resize_axis_bytes(item->cut.width, item->target->width));
        part->y_at = at;
        at += aligned(resize_axis_bytes(item->cut.height, item->target->height));
    }
    chunk->staged_in_bytes = place_pieces(chunk, at, false, false);
    chunk->in_bytes = place_pieces(chunk, chunk->staged_in_bytes, false, true);
    chunk->staged_out_bytes = place_pieces(chunk, 0, true, false);
    chunk->out_bytes = place_pieces(chunk, chunk->staged_out_bytes, true, true);
    for (size_t i = 1; i < chunk->count; i++) {
        if (!chunk->parts[i].sends) {
            chunk->parts[i].source_at = chunk->parts[i - 1].source_at;
        }
    }
}

static dp_status take(cuda_chunk *chunk, size_t size_bytes, uint8_t need, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_SURFACE,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = need,
                                .batch_size = need == DP_NEED_DEVICE ? ROUTE_BATCH : 1};
    return size_bytes == 0 ? DP_OK : dp_get(chunk->pool, &request, out);
}

static dp_status take_all(cuda_chunk *chunk)
{
    dp_status status = take(chunk, chunk->in_bytes, DP_NEED_DEVICE, &chunk->device_in);
    if (status == DP_OK) {
        status = take(chunk, chunk->out_bytes, DP_NEED_DEVICE, &chunk->device_out);
    }
    if (status == DP_OK) {
        status = take(chunk, chunk->staged_in_bytes, DP_NEED_HOST, &chunk->stage_in);
    }
    if (status == DP_OK) {
        status = take(chunk, chunk->staged_out_bytes, DP_NEED_HOST, &chunk->stage_out);
    }
    return status;
}

/* The kernels' addresses of one frame: those on the host, moved to the device. */
static resize_source moved(const backend_item *item, uint32_t frame, uint64_t device_source)
{
    resize_source s = backend_source(item->source, frame, &item->cut);
    const uint8_t *base = item->source->bytes;
    s.pixels = (const uint8_t *)(uintptr_t)(device_source + (uint64_t)(s.pixels - base));
    for (int i = 0; i < 2 && s.chroma[i] != NULL; i++) {
        s.chroma[i] = (const uint8_t *)(uintptr_t)(device_source + (uint64_t)(s.chroma[i] - base));
    }
    return s;
}

static void fill_jobs(cuda_chunk *chunk, const backend_item *item, const cuda_part *part,
                      resize_job *jobs)
{
    const uint64_t in = dp_buf_device_address(chunk->device_in);
    const uint64_t out = dp_buf_device_address(chunk->device_out);
    const uint64_t axes[2] = {in + part->x_at, in + part->y_at};
    for (uint32_t i = 0; i < item->target->frame_count; i++) {
        const uint64_t target = out + part->target_at + i * item->target->frame_bytes;
        const resize_args args = {.x = &part->x,
                                  .y = &part->y,
                                  .source = moved(item, i, in + part->source_at),
                                  .target = (uint8_t *)(uintptr_t)target,
                                  .target_stride_bytes = (size_t)item->target->width * 4};
        chunk->tile_count += resize_job_init(&jobs[i], &args, axes, chunk->tile_count);
    }
}

static void fill_stage(cuda_chunk *chunk)
{
    uint8_t *stage = dp_buf_data(chunk->stage_in);
    resize_job *jobs = (resize_job *)(void *)stage;
    size_t copied = 0;
    chunk->tile_count = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const backend_item *item = chunk->items[i];
        cuda_part *part = &chunk->parts[i];
        resize_axis_init(&part->x, item->cut.width, item->target->width, stage + part->x_at);
        resize_axis_init(&part->y, item->cut.height, item->target->height, stage + part->y_at);
        fill_jobs(chunk, item, part, jobs);
        jobs += item->target->frame_count;
        if (part->sends && !part->source_direct) {
            memcpy(stage + part->source_at, item->source->bytes, part->source_bytes);
            copied += part->source_bytes;
        }
    }
    dp_stats_copied(chunk->pool, copied);
}

static const char *send(cuda_chunk *chunk)
{
    const uint64_t in = dp_buf_device_address(chunk->device_in);
    const char *words = chunk->calls->copy_in(in, dp_buf_data(chunk->stage_in),
                                              chunk->staged_in_bytes, chunk->stream);
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        const cuda_part *part = &chunk->parts[i];
        if (part->sends && part->source_direct) {
            words = chunk->calls->copy_in(in + part->source_at, chunk->items[i]->source->bytes,
                                          part->source_bytes, chunk->stream);
        }
    }
    dp_stats_copied(chunk->pool, chunk->in_bytes);
    return words;
}

static const char *fetch(cuda_chunk *chunk)
{
    const uint64_t out = dp_buf_device_address(chunk->device_out);
    const char *words = NULL;
    if (chunk->staged_out_bytes > 0) {
        words = chunk->calls->copy_out(dp_buf_data(chunk->stage_out), out, chunk->staged_out_bytes,
                                       chunk->stream);
    }
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        const cuda_part *part = &chunk->parts[i];
        if (part->target_direct) {
            words = chunk->calls->copy_out(chunk->items[i]->target->bytes, out + part->target_at,
                                           part->target_bytes, chunk->stream);
        }
    }
    dp_stats_copied(chunk->pool, chunk->out_bytes);
    return words;
}

static void drop(cuda_chunk *chunk)
{
    dp_put(chunk->stage_in);
    dp_put(chunk->device_in);
    dp_put(chunk->stage_out);
    dp_put(chunk->device_out);
    os_free(chunk->parts);
    chunk->stage_in = chunk->device_in = chunk->stage_out = chunk->device_out = NULL;
    chunk->parts = NULL;
    chunk->items = NULL;
    chunk->count = 0;
}

const char *cuda_chunk_begin(cuda_chunk *chunk, backend_item *const items[], size_t count)
{
    DP_ASSERT(chunk->items == NULL && count > 0);
    dp_status status = DP_ERR_NOMEM;
    chunk->items = items;
    chunk->count = count;
    chunk->parts = os_calloc(count, sizeof *chunk->parts);
    if (chunk->parts != NULL) {
        measure(chunk);
        place(chunk);
        status = take_all(chunk);
    }
    if (status != DP_OK) {
        for (size_t i = 0; i < count; i++) {
            items[i]->status = status;
        }
        drop(chunk);
        /* A device that fails while it is asked for memory is a device that failed. */
        return status == DP_ERR_DEVICE ? "the device gives no memory" : NULL;
    }
    fill_stage(chunk);
    const char *words = send(chunk);
    if (words == NULL) {
        words = chunk->calls->resize(dp_buf_device_address(chunk->device_in), chunk->job_count,
                                     chunk->tile_count, chunk->stream);
    }
    return words == NULL ? fetch(chunk) : words;
}

size_t cuda_item_land(backend_item *item, const dp_buf *stage, size_t at, size_t size_bytes)
{
    item->status = DP_OK;
    if (stage == NULL) {
        return 0;
    }
    memcpy(item->target->bytes, (const uint8_t *)dp_buf_data(stage) + at, size_bytes);
    return size_bytes;
}

const char *cuda_chunk_finish(cuda_chunk *chunk)
{
    if (chunk->items == NULL) {
        return NULL;
    }
    const char *words = chunk->calls->finish(chunk->stream);
    size_t copied = 0;
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        backend_item *item = chunk->items[i];
        const cuda_part *part = &chunk->parts[i];
        copied += cuda_item_land(item, part->target_direct ? NULL : chunk->stage_out,
                                 part->target_at, part->target_bytes);
        item->tier = dp_buf_tier(chunk->device_in);
    }
    dp_stats_copied(chunk->pool, copied);
    drop(chunk);
    return words;
}
