/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend: a batch is cut into chunks (cuda_chunk.h) that take turns on LANES streams, so
 * that while one chunk's kernel runs, the next one's pictures are packed and copied, and those of
 * the one before come back.
 *
 * The pool retains the primary context by the driver API, the kernels' runtime uses the same one,
 * so addresses of the one are good for the other.  One thread at a time.
 */
#include "render/backend_cuda.h"

#include <stdio.h>

#include "dp_features.h"
#include "pool/nvtx_mark.h"
#include "pool/os.h"

#define LANES 3u

typedef struct cuda_backend {
    backend base;
    const cuda_calls *calls;
    unsigned stream_count;
    cuda_chunk lanes[LANES];
} cuda_backend;

static void close_cuda(backend *b)
{
    cuda_backend *cuda = (cuda_backend *)(void *)b;
    while (cuda->stream_count > 0) {
        cuda->calls->stream_close(cuda->lanes[--cuda->stream_count].stream);
    }
    os_free(cuda);
}

static dp_status run(backend *b, backend_item *const items[], size_t count,
                     char detail[BACKEND_DETAIL_BYTES])
{
    cuda_backend *cuda = (cuda_backend *)(void *)b;
    const char *words = NULL;
    unsigned lane = 0;

    nvtx_push(NVTX_RESIZE, NVTX_CATEGORY_RENDER, count);
    for (size_t at = 0; at < count && words == NULL; lane = (lane + 1) % LANES) {
        const size_t span = cuda_chunk_span(items + at, count - at);
        words = cuda_chunk_finish(&cuda->lanes[lane]);
        if (words == NULL) {
            words = cuda_chunk_begin(&cuda->lanes[lane], items + at, span);
            at += span;
        }
    }
    /* Also after a failure: what is under way must not outlive the items. */
    for (unsigned i = 0; i < LANES; i++) {
        const char *said = cuda_chunk_finish(&cuda->lanes[i]);
        words = words == NULL ? said : words;
    }
    nvtx_pop();
    if (words != NULL) {
        snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", words);
        return DP_ERR_DEVICE;
    }
    return DP_OK;
}

static const backend_ops cuda_ops = {.name = "cuda", .run = run, .close = close_cuda};

static dp_status open_streams(cuda_backend *cuda, dp_pool *pool, char detail[BACKEND_DETAIL_BYTES])
{
    for (unsigned i = 0; i < LANES; i++) {
        cuda_chunk *lane = &cuda->lanes[i];
        const char *words = cuda->calls->stream_open(&lane->stream);
        if (words != NULL) {
            snprintf(detail, BACKEND_DETAIL_BYTES, "cuda: %.80s", words);
            return DP_ERR_UNSUPPORTED;
        }
        lane->pool = pool;
        lane->calls = cuda->calls;
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

#include "kernels/cuda_launch.h"
#include "kernels/cuda_stream.h"

dp_status backend_cuda_open(dp_pool *pool, char detail[BACKEND_DETAIL_BYTES], backend **out)
{
    static const cuda_calls calls = {.probe = cuda_launch_probe,
                                     .stream_open = cuda_stream_open,
                                     .stream_close = cuda_stream_close,
                                     .copy_in = cuda_stream_copy_in,
                                     .copy_out = cuda_stream_copy_out,
                                     .resize = resize_batch_cuda,
                                     .finish = cuda_stream_finish};
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
