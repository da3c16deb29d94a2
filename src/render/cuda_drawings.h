/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunk of drawings: as many RASTER items of a batch as one stream works on at a time.
 *
 *     stage_in --copy--> device_in: [plans][runs]...[tiles] --draw--> targets --unpremultiply-->
 * (page-locked)                     (hbm)                     (hbm)        the items' own pixels
 *
 * Scenes are planned already.  Plans that were used before stay on the device: of those only heads
 * and tiles are sent.  Pixels go where the items want them without a stop, written by the kernel
 * itself, where that is page-locked memory; else through a staging buffer.  Begin, then finish, by
 * one thread; between the two the stream works, and another chunk can be begun on another stream.
 */
#ifndef DP_RENDER_CUDA_DRAWINGS_H
#define DP_RENDER_CUDA_DRAWINGS_H

#include "render/cuda_chunk.h"

typedef struct cuda_drawing_part cuda_drawing_part;

typedef struct cuda_drawings {
    dp_pool *pool;
    const cuda_calls *calls;
    void *stream;
    draw_batch batch;           /* its memory is kept from chunk to chunk */
    backend_item *const *items; /* NULL: nothing is under way */
    size_t count;
    cuda_drawing_part *parts; /* one an item */
    dp_buf *stage_in, *device_in, *targets, *spare, *stage_out;
    size_t in_bytes, target_bytes, staged_out_bytes, spare_bytes;
    uint64_t runs; /* composite_run of each item, on the device */
    uint64_t pixels_max;
    bool broken; /* not all of it got into the stream */
} cuda_drawings;

/* How many of the items, all RASTER, make a chunk: at least one. */
size_t cuda_drawings_span(backend_item *const items[], size_t count);

/*
 * Puts the work into the stream.  NULL, or what the device said.  Where there is no memory for it,
 * every item is told so and nothing is under way.
 */
const char *cuda_drawings_begin(cuda_drawings *chunk, backend_item *const items[], size_t count);

/* Waits, brings the pixels home and gives the memory back; nothing under way is fine. */
const char *cuda_drawings_finish(cuda_drawings *chunk);

/* Gives back what is kept from chunk to chunk; nothing is under way. */
void cuda_drawings_close(cuda_drawings *chunk);

#endif
