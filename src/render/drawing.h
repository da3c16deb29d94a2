/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drawings: our own SVG engine as the pipeline uses it.
 *
 *     document --drawing_parse--> scene in a pooled buffer --drawing_raster--> pixels
 *
 * The parser's and the drawer's memory is kept warm by each thread that uses them and goes with the
 * thread.
 */
#ifndef DP_RENDER_DRAWING_H
#define DP_RENDER_DRAWING_H

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

/* Gives back what the calling thread keeps; for tests that count. */
void drawing_forget(void);

#endif
