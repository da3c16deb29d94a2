/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See cuda_drawings.h.  A plan's `resident` front is this thread's alone; while a stream brings it
 * there it is that chunk's, others send a copy of their own.
 */
#include "render/cuda_drawings.h"

#include <string.h>

#include <danpool/stats.h>

#include "kernels/composite.h"
#include "pool/os.h"
#include "render/svg/draw_pack.h"

#define ALIGNMENT 64u
/* What one chunk sends, gets and keeps for filters. */
#define CHUNK_BYTES       ((size_t)32 << 20)
#define CHUNK_SPARE_BYTES ((size_t)256 << 20)
#define CHUNK_DRAWINGS    4096u
/* A larger front is sent each time it is drawn. */
#define RESIDENT_BYTES_MAX ((size_t)1 << 20)
/* A batch by the routing rules, however few pieces are in it. */
#define ROUTE_BATCH 8u

struct cuda_drawing_part {
    size_t target_at, target_bytes;
    size_t staged_at;
    uint64_t home;  /* the item's own pixels, where the device can write there */
    bool direct;    /* it does */
    bool uploads;   /* brings the plan's front to where it stays */
    uint64_t front; /* where it is; 0: it goes with the batch */
};

static size_t aligned(size_t size_bytes)
{
    return os_align_up(size_bytes, ALIGNMENT);
}

static const draw_pack *pack_of(const backend_item *item)
{
    return dp_buf_data(item->plan->pack);
}

static size_t target_bytes(const backend_item *item)
{
    return (size_t)item->target->width * item->target->height * 4;
}

size_t cuda_drawings_span(backend_item *const items[], size_t count)
{
    size_t bytes = 0, spare = 0, span = 0;
    while (span < count && span < CHUNK_DRAWINGS) {
        const draw_pack *pack = pack_of(items[span]);
        bytes += target_bytes(items[span]) + pack->size_bytes;
        spare += pack->spare_bytes;
        if (span > 0 && (bytes > CHUNK_BYTES || spare > CHUNK_SPARE_BYTES)) {
            break;
        }
        span++;
    }
    return span;
}

static dp_status take(cuda_drawings *chunk, size_t size_bytes, uint8_t need, dp_buf **out)
{
    const dp_request request = {.size_bytes = size_bytes,
                                .kind = DP_KIND_SURFACE,
                                .priority = DP_PRIORITY_NORMAL,
                                .need = need,
                                .batch_size = need == DP_NEED_DEVICE ? ROUTE_BATCH : 1};
    return size_bytes == 0 ? DP_OK : dp_get(chunk->pool, &request, out);
}

/* A plan that is drawn for a second time is to stay on the device, where there is room. */
static void choose_front(cuda_drawings *chunk, cuda_drawing_part *part, drawing_plan *plan)
{
    const draw_pack *pack = dp_buf_data(plan->pack);
    dp_buf *front = NULL;

    if (plan->resident == NULL && draw_pack_can_stay(pack) &&
        pack->front_bytes <= RESIDENT_BYTES_MAX &&
        atomic_load_explicit(&plan->uses, memory_order_relaxed) > 0 &&
        take(chunk, pack->front_bytes, DP_NEED_DEVICE, &front) == DP_OK) {
        plan->resident = front;
        plan->uploading = chunk;
        part->uploads = true;
    }
    if (plan->resident != NULL && (plan->uploading == NULL || plan->uploading == chunk)) {
        part->front = dp_buf_device_address(plan->resident);
    }
}

static void measure(cuda_drawings *chunk)
{
    size_t in = 0, out = 0, staged = 0, spare = 0;
    chunk->pixels_max = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        const backend_item *item = chunk->items[i];
        const draw_pack *pack = pack_of(item);
        cuda_drawing_part *part = &chunk->parts[i];
        DP_ASSERT(pack->width == item->target->width && pack->height == item->target->height);
        choose_front(chunk, part, item->plan);
        part->target_bytes = target_bytes(item);
        part->target_at = out;
        part->staged_at = staged;
        part->home = dp_buf_tier(item->target->buf) == DP_TIER_PINNED
                         ? dp_buf_device_address(item->target->buf)
                         : 0;
        part->direct = part->home != 0;
        in += draw_pack_put_bytes(pack, part->front != 0);
        out += aligned(part->target_bytes);
        staged += part->direct ? 0 : aligned(part->target_bytes);
        spare += aligned(pack->spare_bytes);
        chunk->pixels_max =
            chunk->pixels_max > part->target_bytes / 4 ? chunk->pixels_max : part->target_bytes / 4;
    }
    chunk->in_bytes = aligned(in + chunk->count * sizeof(composite_run) + 2 * ALIGNMENT);
    chunk->target_bytes = out;
    chunk->staged_out_bytes = staged;
    chunk->spare_bytes = spare;
}

static dp_status take_all(cuda_drawings *chunk)
{
    dp_status status = take(chunk, chunk->in_bytes, DP_NEED_DEVICE, &chunk->device_in);
    if (status == DP_OK) {
        status = take(chunk, chunk->target_bytes, DP_NEED_DEVICE, &chunk->targets);
    }
    if (status == DP_OK) {
        status = take(chunk, chunk->spare_bytes, DP_NEED_DEVICE, &chunk->spare);
    }
    if (status == DP_OK) {
        status = take(chunk, chunk->in_bytes, DP_NEED_HOST, &chunk->stage_in);
    }
    if (status == DP_OK) {
        status = take(chunk, chunk->staged_out_bytes, DP_NEED_HOST, &chunk->stage_out);
    }
    return status;
}

/* Where the finished pixels of all drawings go; staged ones go over the drawn ones. */
static uint64_t put_runs(cuda_drawings *chunk)
{
    const uint64_t targets = dp_buf_device_address(chunk->targets);
    uint64_t runs = 0;

    _Static_assert(sizeof(composite_run) % RASTER_BATCH_ALIGNMENT == 0, "runs lie in a row");
    for (size_t i = 0; i < chunk->count; i++) {
        const cuda_drawing_part *part = &chunk->parts[i];
        const uint64_t from = targets + part->target_at;
        const composite_run run = {
            .from = from, .to = part->direct ? part->home : from, .pixels = part->target_bytes / 4};
        const uint64_t at = raster_batch_put(&chunk->batch.raster, &run, sizeof run);
        DP_ASSERT(at != 0);
        runs = i == 0 ? at : runs;
    }
    return runs;
}

static dp_status fill(cuda_drawings *chunk)
{
    const draw_memory memory = {.host = dp_buf_data(chunk->stage_in),
                                .device = dp_buf_device_address(chunk->device_in),
                                .size_bytes = chunk->in_bytes,
                                .spare =
                                    chunk->spare == NULL ? 0 : dp_buf_device_address(chunk->spare),
                                .spare_bytes = chunk->spare_bytes};
    const uint64_t targets = dp_buf_device_address(chunk->targets);
    dp_status status = DP_OK;

    draw_batch_begin(&chunk->batch, &memory);
    for (size_t i = 0; i < chunk->count && status == DP_OK; i++) {
        const cuda_drawing_part *part = &chunk->parts[i];
        status = draw_batch_put(&chunk->batch, pack_of(chunk->items[i]), part->front,
                                targets + part->target_at);
        /* The room was measured. */
        DP_ASSERT(status != DP_ERR_BUSY);
    }
    if (status == DP_OK) {
        draw_batch_seal(&chunk->batch);
        chunk->runs = put_runs(chunk);
    }
    return status;
}

static const char *send(cuda_drawings *chunk)
{
    size_t sent = chunk->in_bytes;
    const char *words =
        chunk->calls->copy_in(dp_buf_device_address(chunk->device_in), dp_buf_data(chunk->stage_in),
                              chunk->in_bytes, chunk->stream);
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        const draw_pack *pack = pack_of(chunk->items[i]);
        if (chunk->parts[i].uploads) {
            words = chunk->calls->copy_in(chunk->parts[i].front, draw_pack_front(pack),
                                          pack->front_bytes, chunk->stream);
            sent += pack->front_bytes;
        }
    }
    dp_stats_copied(chunk->pool, sent);
    return words;
}

/* Those that are not written home by the kernel: one copy each, to where they lie in a row. */
static const char *fetch(cuda_drawings *chunk)
{
    const uint64_t targets = dp_buf_device_address(chunk->targets);
    const char *words = NULL;
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        const cuda_drawing_part *first = &chunk->parts[i];
        size_t bytes = 0;
        while (i < chunk->count && !chunk->parts[i].direct) {
            bytes += aligned(chunk->parts[i++].target_bytes);
        }
        if (bytes != 0) {
            uint8_t *to = dp_buf_data(chunk->stage_out);
            words = chunk->calls->copy_out(to + first->staged_at, targets + first->target_at, bytes,
                                           chunk->stream);
        }
    }
    dp_stats_copied(chunk->pool, chunk->target_bytes);
    return words;
}

/* What was brought to stay is there, or is given back. */
static void settle_fronts(cuda_drawings *chunk, bool arrived)
{
    for (size_t i = 0; chunk->parts != NULL && i < chunk->count; i++) {
        drawing_plan *plan = chunk->items[i]->plan;
        if (chunk->parts[i].uploads) {
            plan->uploading = NULL;
            if (!arrived) {
                dp_put(plan->resident);
                plan->resident = NULL;
            }
        }
    }
}

static void drop(cuda_drawings *chunk, bool arrived)
{
    dp_buf **const bufs[] = {&chunk->stage_in, &chunk->device_in, &chunk->targets, &chunk->spare,
                             &chunk->stage_out};
    settle_fronts(chunk, arrived);
    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        dp_put(*bufs[i]);
        *bufs[i] = NULL;
    }
    os_free(chunk->parts);
    chunk->parts = NULL;
    chunk->items = NULL;
    chunk->count = 0;
}

const char *cuda_drawings_begin(cuda_drawings *chunk, backend_item *const items[], size_t count)
{
    DP_ASSERT(chunk->items == NULL && count > 0);
    dp_status status = DP_ERR_NOMEM;
    chunk->items = items;
    chunk->count = count;
    chunk->parts = os_calloc(count, sizeof *chunk->parts);
    if (chunk->parts != NULL) {
        measure(chunk);
        status = take_all(chunk);
    }
    status = status == DP_OK ? fill(chunk) : status;
    if (status != DP_OK) {
        /* Whatever the device has no memory for, the CPU may well have. */
        for (size_t i = 0; i < count; i++) {
            items[i]->status = backend_spare_can_help(status) ? status : DP_ERR_NOMEM;
        }
        drop(chunk, false);
        return status == DP_ERR_DEVICE ? "the device gives no memory" : NULL;
    }
    const char *words = send(chunk);
    if (words == NULL) {
        words = chunk->calls->draw(&chunk->batch, chunk->stream);
    }
    if (words == NULL) {
        words = chunk->calls->unpremultiply(chunk->runs, (uint32_t)count, chunk->pixels_max,
                                            chunk->stream);
    }
    words = words == NULL ? fetch(chunk) : words;
    chunk->broken = words != NULL;
    return words;
}

const char *cuda_drawings_finish(cuda_drawings *chunk)
{
    if (chunk->items == NULL) {
        return NULL;
    }
    const char *words = chunk->calls->finish(chunk->stream);
    size_t copied = 0;
    for (size_t i = 0; words == NULL && i < chunk->count; i++) {
        backend_item *item = chunk->items[i];
        const cuda_drawing_part *part = &chunk->parts[i];
        copied += cuda_item_land(item, part->direct ? NULL : chunk->stage_out, part->staged_at,
                                 part->target_bytes);
        item->tier = dp_buf_tier(chunk->targets);
    }
    dp_stats_copied(chunk->pool, copied);
    drop(chunk, words == NULL && !chunk->broken);
    return words;
}

void cuda_drawings_close(cuda_drawings *chunk)
{
    DP_ASSERT(chunk->items == NULL);
    draw_batch_drop(&chunk->batch);
}
