/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk: as many RESAMPLE items of a batch as one stream of a device works on at a time.
 *
 *     stage_in  --copy--> device_in: [jobs][axes][sources] --kernel--> device_out --copy-->
 * stage_out (page-locked)                        (hbm)                          (hbm) (page-locked)
 *
 * Sources and targets that are page-locked themselves and large are not staged: they are copied to
 * and from where they are.  A source that several items in a row share is sent once.  Begin, then
 * finish, by one thread; between the two the stream works, and another chunk can be begun on
 * another stream.
 */
#ifndef DP_RENDER_CUDA_CHUNK_H
#define DP_RENDER_CUDA_CHUNK_H

#include "render/backend.h"
#include "render/svg/draw_batch.h"

/* What a device is asked for: kernels/cuda_launch.h and the kernels, or a test's own. */
typedef struct cuda_calls {
    const char *(*probe)(void);
    const char *(*stream_open)(void **stream);
    void (*stream_close)(void *stream);
    const char *(*copy_in)(uint64_t to, const void *from, size_t size_bytes, void *stream);
    const char *(*copy_out)(void *to, uint64_t from, size_t size_bytes, void *stream);
    const char *(*resize)(uint64_t jobs, uint32_t count, uint32_t tiles, void *stream);
    /* Of a batch whose block is on the device (draw_batch_draw_cuda()). */
    const char *(*draw)(const draw_batch *batch, void *stream);
    const char *(*unpremultiply)(uint64_t runs, uint32_t count, uint64_t pixels_max, void *stream);
    const char *(*finish)(void *stream);
} cuda_calls;

typedef struct cuda_part cuda_part;

typedef struct cuda_chunk {
    dp_pool *pool;
    const cuda_calls *calls;
    void *stream;
    backend_item *const *items; /* NULL: nothing is under way */
    size_t count;
    cuda_part *parts; /* one an item */
    dp_buf *stage_in, *device_in, *stage_out, *device_out;
    size_t staged_in_bytes, in_bytes, staged_out_bytes, out_bytes;
    uint32_t job_count, tile_count;
} cuda_chunk;

/* How many of the items, at least one, make a chunk. */
size_t cuda_chunk_span(backend_item *const items[], size_t count);

/*
 * Puts the work into the stream.  NULL, or what the device said.  Where there is no memory for it,
 * every item is told so and nothing is under way.
 */
const char *cuda_chunk_begin(cuda_chunk *chunk, backend_item *const items[], size_t count);

/* Waits, brings the pixels home and gives the memory back; nothing under way is fine. */
const char *cuda_chunk_finish(cuda_chunk *chunk);

/*
 * An item's pixels are there: where they were wanted, or in `stage` (NULL: not) at `at`, from where
 * they are copied.  Sets the status, and returns the bytes that were copied.
 */
size_t cuda_item_land(backend_item *item, const dp_buf *stage, size_t at, size_t size_bytes);

#endif
