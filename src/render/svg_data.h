/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures embedded in an SVG as "data:image/png;base64,...".
 */
#ifndef DP_RENDER_SVG_DATA_H
#define DP_RENDER_SVG_DATA_H

#include "render/codec.h"

/* The base64 text of an embedded PNG, JPEG, WebP or GIF; NULL for any other address.  Static. */
const char *svg_data_picture(const char *address);

/*
 * How many pixels the embedded picture has, by its header and whatever its label says.  The bytes
 * decide the format, as they will in the loader.  DP_ERR_FORMAT, DP_ERR_TOO_LARGE, the pool's
 * errors.
 */
dp_status svg_data_pixels(render_task *task, const char *base64, uint64_t *pixels);

#endif
