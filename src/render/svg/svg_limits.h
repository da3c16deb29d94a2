/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large a stranger's SVG may be: one list for our own front end and for the guard in front of
 * librsvg, so that what one takes the other does not refuse for its size.
 */
#ifndef DP_RENDER_SVG_LIMITS_H
#define DP_RENDER_SVG_LIMITS_H

#include <stddef.h>

#define SVG_ELEMENTS_MAX        20000u
#define SVG_DEPTH_MAX           64u
#define SVG_ATTRIBUTE_BYTES_MAX ((size_t)256 << 10)
#define SVG_STYLE_BYTES_MAX     ((size_t)64 << 10)
#define SVG_FILTER_PARTS_MAX    100u
#define SVG_FILTER_REGION_MAX   10000.0

/* Of our own front end: what a document may become once its references are followed. */
#define SVG_VISITS_MAX   200000u   /* elements looked at, however often */
#define SVG_COMMANDS_MAX 200000u   /* of the scene */
#define SVG_POINTS_MAX   1900000u  /* of the scene: with their verbs they fit SCENE_BYTES_MAX */
#define SVG_STEPS_MAX    30000000u /* points measured, selectors tried, values read again */
/* Elements open at once, references followed. */
#define SVG_FRAMES_MAX 256u

#endif
