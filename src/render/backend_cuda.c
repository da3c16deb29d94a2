/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend: a batch is cut into chunks, of pictures to be scaled (cuda_chunk.h) and of
 * drawings (cuda_drawings.h), that take turns on LANES streams, so that while one chunk's kernel
 * runs, the next one's pictures are packed and copied, and those of the one before come back.
 *
 * The pool retains the primary context by the driver API, the kernels' runtime uses the same one,
 * so addresses of the one are good for the other.  One thread at a time.
 */
#include "render/backend_cuda.h"

#include <stdio.h>

#include "dp_features.h"
#include "pool/nvtx_mark.h"
#include "pool/os.h"
#include "render/cuda_drawings.h"

#define LANES 3u

/* One stream; at most one of the two is under way. */
typedef struct cuda_lane {
    cuda_chunk pictures;
    cuda_drawings drawings;
} cuda_lane;

typedef struct cuda_backend {
    backend base;
    const cuda_calls *calls;
    unsigned stream_count;
    cuda_lane lanes[LANES];
} cuda_backend;

static void close_cuda(backend *b)
{
    cuda_backend *cuda = (cuda_backend *)(void *)b;
    while (cuda->stream_count > 0) {
        cuda_lane *lane = &cuda->lanes[--cuda->stream_count];
        cuda_drawings_close(&lane->drawings);
        cuda->calls->stream_close(lane->pictures.stream);
    }
    os_free(cuda);
}

static const char *finish(cuda_lane *lane)
{
    const char *words = cuda_chunk_finish(&lane->pictures);
    const char *others = cuda_drawings_finish(&lane->drawings);
    return words == NULL ? others : words;
}

/* Begins the next chunk of items, all of one kind, on a lane that is finished. */
static const char *begin(cuda_lane *lane, backend_item *const items[], size_t count, size_t *begun)
{
    if (items[0]->kind == BACKEND_RASTER) {
        *begun = cuda_drawings_span(items, count);
        return cuda_drawings_begin(&lane->drawings, items, *begun);
    }
    *begun = cuda_chunk_span(items, count);
    return cuda_chunk_begin(&lane->pictures, items, *begun);
}

/* All items, those from `drawings` on being RASTER; NULL, or what the device said first. */
static const char *run_chunks(cuda_backend *cuda, backend_item *const items[], size_t count,
                              size_t drawings)
{
    const char *words = NULL;
    unsigned turn = 0;

    for (size_t at = 0; at < count && words == NULL; turn = (turn + 1) % LANES) {
        size_t begun = 0;
        words = finish(&cuda->lanes[turn]);
        if (words == NULL) {
            words = begin(&cuda->lanes[turn], items + at, (at < drawings ? drawings : count) - at,
                          &begun);
            at += begun;
        }
    }
    /* Also after a failure: what is under way must not outlive the items. */
    for (unsigned i = 0; i < LANES; i++) {
        const char *said = finish(&cuda->lanes[i]);
        words = words == NULL ? said : words;
    }
    return words;
}

/* Pictures, then drawings, each in their order; gives the number of pictures. */
static size_t sort(backend_item *const items[], size_t count, backend_item **out)
{
    size_t at = 0, pictures = 0;
    for (int drawings = 0; drawings < 2; drawings++) {
        for (size_t i = 0; i < count; i++) {
            if ((items[i]->kind == BACKEND_RASTER) == (drawings != 0)) {
                out[at++] = items[i];
            }
        }
        pictures = drawings == 0 ? at : pictures;
    }
    return pictures;
}

static dp_status run(backend *b, backend_item *const items[], size_t count,
                     char detail[BACKEND_DETAIL_BYTES])
{
    cuda_backend *cuda = (cuda_backend *)(void *)b;
    backend_item **sorted = os_calloc(count, sizeof *sorted);

    if (sorted == NULL) {
        for (size_t i = 0; i < count; i++) {
            items[i]->status = DP_ERR_NOMEM;
        }
        return DP_OK;
    }
    const size_t pictures = sort(items, count, sorted);
    nvtx_push(pictures == 0 ? NVTX_RASTER : NVTX_RESIZE, NVTX_CATEGORY_RENDER, count);
    const char *words = run_chunks(cuda, sorted, count, pictures);
    nvtx_pop();
    os_free(sorted);
    if (words != NULL) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", words);
        return DP_ERR_DEVICE;
    }
    return DP_OK;
}

static const backend_ops cuda_ops = {
    .name = "cuda", .rasters = true, .run = run, .close = close_cuda};

static dp_status open_streams(cuda_backend *cuda, dp_pool *pool, char detail[BACKEND_DETAIL_BYTES])
{
    for (unsigned i = 0; i < LANES; i++) {
        cuda_chunk *lane = &cuda->lanes[i].pictures;
        cuda_drawings *drawings = &cuda->lanes[i].drawings;
        const char *words = cuda->calls->stream_open(&lane->stream);
        if (words != NULL) {
            snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", words);
            return DP_ERR_UNSUPPORTED;
        }
        lane->pool = pool;
        lane->calls = cuda->calls;
        *drawings = (cuda_drawings){.pool = pool, .calls = cuda->calls, .stream = lane->stream};
        cuda->stream_count++;
    }
    return DP_OK;
}

dp_status backend_cuda_open_over(dp_pool *pool, const cuda_calls *calls,
                                 char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    dp_tier_info info;
    const char *failure = calls->probe();
    if (failure != NULL) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", failure);
        return DP_ERR_UNSUPPORTED;
    }
    dp_status status = dp_pool_tier_info(pool, DP_TIER_HBM, &info);
    if (status != DP_OK || info.state != DP_OK) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "tier hbm: %.80s",
                 status == DP_OK ? info.detail : dp_status_message(status));
        return DP_ERR_UNSUPPORTED;
    }
    cuda_backend *cuda = os_calloc(1, sizeof *cuda);
    if (cuda == NULL) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "no memory");
        return DP_ERR_NOMEM;
    }
    cuda->base.ops = &cuda_ops;
    cuda->calls = calls;
    status = open_streams(cuda, pool, detail);
    if (status != DP_OK) {
        close_cuda(&cuda->base);
        return status;
    }
    *out = &cuda->base;
    return DP_OK;
}

#if DP_HAVE_CUDA

#include "kernels/composite.h"
#include "kernels/cuda_launch.h"

static uint64_t number_of(void *stream)
{
    return (uint64_t)(uintptr_t)stream;
}

static const char *stream_open(void **stream)
{
    uint64_t number;
    const char *words = cuda_stream_open(&number);
    if (words == NULL) {
        *stream = (void *)(uintptr_t)number;
    }
    return words;
}

static void stream_close(void *stream)
{
    cuda_stream_close(number_of(stream));
}

static const char *copy_in(uint64_t to, const void *from, size_t size_bytes, void *stream)
{
    return cuda_stream_upload(number_of(stream), to, from, size_bytes);
}

static const char *copy_out(void *to, uint64_t from, size_t size_bytes, void *stream)
{
    return cuda_stream_download(number_of(stream), to, from, size_bytes);
}

static const char *wait_for(void *stream)
{
    return cuda_stream_wait(number_of(stream));
}

static const char *draw(const draw_batch *batch, void *stream)
{
    return draw_batch_draw_cuda(batch, number_of(stream));
}

static const char *unpremultiply(uint64_t runs, uint32_t count, uint64_t pixels_max, void *stream)
{
    return composite_unpremultiply_runs_cuda(runs, count, pixels_max, number_of(stream));
}

dp_status backend_cuda_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    static const cuda_calls calls = {.probe = cuda_launch_probe,
                                     .stream_open = stream_open,
                                     .stream_close = stream_close,
                                     .copy_in = copy_in,
                                     .copy_out = copy_out,
                                     .resize = resize_batch_cuda,
                                     .draw = draw,
                                     .unpremultiply = unpremultiply,
                                     .finish = wait_for};
    return backend_cuda_open_over(pool, &calls, detail, out);
}

#else

dp_status backend_cuda_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    (void)pool;
    (void)out;
    snprintf(detail, BACKEND_DETAIL_BYTES, "built without the CUDA kernels (preset cuda has them)");
    return DP_ERR_UNSUPPORTED;
}

#endif
