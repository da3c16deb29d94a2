/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librsvg, for documents that our own engine does not cover: text, embedded pictures, patterns,
 * markers, other filters.
 *
 * A document is opened, drawn as often as there are sizes, and closed, by one thread.
 */
#ifndef DP_RENDER_LIBRSVG_H
#define DP_RENDER_LIBRSVG_H

#include "render/codec.h"

/* Whether this build has it. */
bool librsvg_is_there(void);

/* The guard first.  Errors with words.  `sides`: the natural size in pixels. */
dp_status librsvg_open(render_task *task, media_bytes bytes, uint32_t sides[2], void **out);

/* Draws over the whole of a picture of one frame: straight RGBA, every pixel written. */
dp_status librsvg_draw(render_task *task, void *document, const picture *target);

/* NULL is fine. */
void librsvg_close(void *document);

/*
 * From here on the fonts that a drawing's text used stay open, for a process that will not be able
 * to open them again.  Before the first drawing.
 */
void librsvg_keep_fonts(void);

#endif
