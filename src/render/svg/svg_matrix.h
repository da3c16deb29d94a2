/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Affine matrices in doubles, while a document is laid out; a scene keeps them as floats.
 */
#ifndef DP_RENDER_SVG_MATRIX_H
#define DP_RENDER_SVG_MATRIX_H

#include <stdbool.h>

#include "render/svg/scene.h"

/* x' = a x + c y + e, y' = b x + d y + f. */
typedef struct svg_matrix {
    double a, b, c, d, e, f;
} svg_matrix;

/* Empty when x1 < x0. */
typedef struct svg_box {
    double x0, y0, x1, y1;
} svg_box;

#define SVG_IDENTITY  ((svg_matrix){1, 0, 0, 1, 0, 0})
#define SVG_BOX_EMPTY ((svg_box){1e300, 1e300, -1e300, -1e300})

/* First `inner`, then `outer`. */
svg_matrix svg_matrix_mul(const svg_matrix *outer, const svg_matrix *inner);
/* False for one that flattens the plane, or is not of this world. */
bool svg_matrix_invert(const svg_matrix *m, svg_matrix *out);
/* Every entry is one that scene_open() takes, and the plane is not flattened. */
bool svg_matrix_usable(const svg_matrix *m);
scene_matrix svg_matrix_pack(const svg_matrix *m);
svg_matrix svg_matrix_of(const scene_matrix *m);
/* Unit square to box. */
svg_matrix svg_matrix_of_box(const svg_box *box);

/*
 * A `transform` list, times what was in `out` before.  False when it cannot be read: `out` is as it
 * was.  Units of CSS (px, deg) are taken too.
 */
bool svg_parse_transform(const char *text, svg_matrix *out);

static inline void svg_box_add(svg_box *box, double x, double y)
{
    box->x0 = x < box->x0 ? x : box->x0;
    box->y0 = y < box->y0 ? y : box->y0;
    box->x1 = x > box->x1 ? x : box->x1;
    box->y1 = y > box->y1 ? y : box->y1;
}

static inline bool svg_box_is_empty(const svg_box *box)
{
    return box->x1 < box->x0 || box->y1 < box->y0;
}

static inline void svg_box_unite(svg_box *box, const svg_box *other)
{
    if (!svg_box_is_empty(other)) {
        svg_box_add(box, other->x0, other->y0);
        svg_box_add(box, other->x1, other->y1);
    }
}

/* The box around the four corners. */
svg_box svg_matrix_box(const svg_matrix *m, const svg_box *box);

#endif
