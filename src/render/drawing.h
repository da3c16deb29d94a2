/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawings: our own SVG engine as the pipeline uses it.
 *
 *     document --drawing_parse--> scene in a pooled buffer --drawing_raster--> pixels
 *                                                        '--drawing_plan_make--> plan --device-->
 *
 * The parser's and the drawer's memory is kept warm by each thread that uses them and goes with the
 * thread.
 */
#ifndef DP_RENDER_DRAWING_H
#define DP_RENDER_DRAWING_H

#include <stdatomic.h>

#include "render/codec.h"
#include "render/svg/scene.h"

/* Whether this build has the front end (expat). */
bool drawing_can_parse(void);

/*
 * Makes a scene; *out is one reference to a buffer that holds exactly its bytes.
 * DP_ERR_UNSUPPORTED: the document shows what the engine does not cover; `task` then has no words
 * yet, `why` has.  Any other failure has words in the task.
 */
#define DRAWING_WHY_BYTES 160
dp_status drawing_parse(render_task *task, media_bytes bytes, dp_buf **out,
                        char why[DRAWING_WHY_BYTES]);

/* Looks at a scene's bytes, which must not change any more; DP_ERR_CORRUPT with words. */
dp_status drawing_open(render_task *task, const dp_buf *bytes, scene *out);

/* The natural size in whole pixels, brought into what a picture can have, in proportion. */
void drawing_sides(const scene *s, uint32_t sides[2]);

/* Draws the scene over the whole of a picture of one frame: straight RGBA, every pixel written. */
dp_status drawing_raster(render_task *task, const scene *s, const picture *target);

/*
 * A scene planned for one size, for a device to draw (svg/draw_pack.h).  Counted references, from
 * any thread; `resident` is the device's thread's alone.
 */
typedef struct drawing_plan {
    atomic_uint refs;
    atomic_uint uses;      /* times that it was found again after it was made */
    dp_buf *pack;          /* a draw_pack */
    dp_buf *resident;      /* its front on the device; NULL: not there */
    const void *uploading; /* who has the stream that brings it there; NULL: it is there */
} drawing_plan;

/* DP_ERR_BUSY: too large for a device; else as drawing_raster().  No words. */
dp_status drawing_plan_make(render_task *task, const scene *s, const uint32_t size[2],
                            drawing_plan **out);
void drawing_plan_ref(drawing_plan *plan);
void drawing_plan_put(drawing_plan *plan); /* NULL is fine */
size_t drawing_plan_bytes(const drawing_plan *plan);

/* Gives back what the calling thread keeps; for tests that count. */
void drawing_forget(void);

#endif
