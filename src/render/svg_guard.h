/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in front of librsvg: a streaming look over an SVG that a stranger sent.
 */
#ifndef DP_RENDER_SVG_GUARD_H
#define DP_RENDER_SVG_GUARD_H

#include "render/codec.h"
#include "render/svg/svg_limits.h"

#define SVG_EXPANDED_MAX 50000u /* elements once references are followed */

/*
 * DP_OK when the document is well-formed XML in UTF-8 (or what expat reads), within the limits
 * of svg_limits.h, and refers to nothing but its own elements and embedded PNG, JPEG, WebP and GIF
 * pictures, whose pixels together are within the task's limit.  Else DP_ERR_FORMAT or
 * DP_ERR_TOO_LARGE with words such as "svg refers to a local file".  Memory: expat's, and one style
 * sheet or embedded picture at a time.
 */
dp_status svg_guard_check(render_task *task, media_bytes bytes);

#endif
