/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pixels of the most common PNG files, RGB and RGBA of 8 bits row by row, at once: libdeflate
 * inflates the whole picture in one call, in a third of zlib's time.  Everything else about a PNG,
 * the header and all side information included, is libspng's (codec_png.c).
 */
#ifndef DP_RENDER_PNG_WHOLE_H
#define DP_RENDER_PNG_WHOLE_H

#include "render/rows.h"

/* What the header says. */
typedef struct png_whole {
    media_bytes file;
    uint32_t width, height;
    uint32_t channels; /* 3 or 4 */
} png_whole;

/* Whether this build and the picture's size allow it: it is inflated whole, and cannot be stopped.
 */
bool png_whole_can(const png_whole *png);

/*
 * Puts all rows.  DP_ERR_FORMAT for what is damaged or ends early, the pool's errors,
 * DP_ERR_TIMEOUT, with words.
 */
dp_status png_whole_read(render_task *task, const png_whole *png, rows *out);

#endif
