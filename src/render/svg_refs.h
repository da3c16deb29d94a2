/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How large an SVG becomes when its references are followed: a kilobyte of nested <use> can stand
 * for a billion shapes, and librsvg draws in one call that cannot be stopped.
 *
 * The guard tells of every element in document order; svg_refs_expanded() then counts what would be
 * drawn, without drawing.  One document, one thread.
 */
#ifndef DP_RENDER_SVG_REFS_H
#define DP_RENDER_SVG_REFS_H

#include "render/task.h"

typedef struct svg_refs svg_refs;

/* References of one document, and elements that have an id. */
#define SVG_REFS_MAX 20000u

/* How often a reference is followed. */
#define SVG_TIMES_ELEMENTS UINT32_MAX /* once for each element: it stands in a style sheet */
#define SVG_TIMES_VERTICES                                                                         \
    (UINT32_MAX - 1u) /* at each vertex of the document: inherited markers                         \
                       */

/* What one element inside something referred to costs, in plain shapes. */
#define SVG_COST_SHAPE    1u
#define SVG_COST_GRADIENT 0u   /* looked up, not drawn */
#define SVG_COST_FILTER   100u /* a pass over a whole surface: some ms against some tens of us */

dp_status svg_refs_create(render_task *task, svg_refs **out);
void svg_refs_destroy(svg_refs *refs); /* NULL is fine */

/*
 * An element begins; `id` may be NULL.  A reference to it costs `cost` for each element in it.
 * DP_ERR_TOO_LARGE, with words: more than SVG_REFS_MAX ids.
 */
dp_status svg_refs_enter(svg_refs *refs, const char *id, uint32_t cost);
void svg_refs_leave(svg_refs *refs);

/* The open element refers `times` to the id of `length` bytes.  DP_ERR_TOO_LARGE as above. */
dp_status svg_refs_add(svg_refs *refs, const char *id, size_t length, uint32_t times);

/* The open element has about that many vertices. */
void svg_refs_vertices(svg_refs *refs, size_t count);

/*
 * Elements that would be drawn, at most `max` + 1.  References in a circle count as more than
 * `max`. Time: at most 64 passes over ids and references.
 */
uint64_t svg_refs_expanded(svg_refs *refs, uint64_t max);

#endif
