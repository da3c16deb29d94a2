/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nib: one run of a stroke (a contour, or a dash of it) as the lines around its area.
 *
 * The run is a chain of pieces, one for each straight step.  Half the width is laid off in the
 * path's local space, so that a matrix which stretches one way stretches the stroke with it.
 *
 *        left0 ------------------- left1          n = half * (t turned by a quarter)
 *          |                         |            left = p + n, right = p - n
 *         p0  ---- t0 ---->  t1 --> p1
 *          |                         |
 *       right0 ------------------ right1
 *
 * `half` carries the sign that makes the winding number of every piece +1 on the canvas, mirrored
 * or not.  Where two pieces meet
 *   - within a curve, they share the points left and right of the path: nothing is drawn there;
 *   - at a corner, the outer side gets the join's points; on the inner side the two edges end where
 *     they cross, as long as both pieces are long enough; else the corner is left open while a few
 *     more pieces are made, one of whose edges may cross one from before the corner, and what lies
 *     between is left out.  Where none does they go by way of p itself, so that the area remains a
 *     sum of rectangles and wedges which all count +1.
 * A step of a curve that is tighter than half the width is a bow tie: its ends cross in a hub,
 * beyond which the inner edge runs backwards.
 *
 *        out0 ---------- out1      The fan beyond the hub is turned over: its edge is drawn the
 * other \        //          way, and twice from in1 by way of the hub to in0.  Of two fans in p0
 * --- p1            a row, what lies along the normal between them cancels; from hub \  // to hub
 * is left, so a run of fans costs little more than its edge hub               and leaves no line
 * across the stroke.
 *               /   \
 *            in1 --- in0
 *
 * Where even the outer edge runs backwards, next to a cusp, a step becomes a rectangle with round
 * joins.  So the winding number is never negative, and never 0 inside the stroke.
 *
 * The last NIB_PIECES pieces are not drawn yet, since corners may still cut them, and the first
 * waits for the run's end, which may join it.
 */
#ifndef DP_RENDER_SVG_OUTLINE_NIB_H
#define DP_RENDER_SVG_OUTLINE_NIB_H

#include "render/svg/outline_pen.h"

/* Pieces that wait, a power of two; and how many of them may come while a corner is open. */
#define NIB_PIECES 16u
#define NIB_OPEN   8u

/* A point around the stroke, on the canvas. */
typedef struct nib_spot {
    float x, y;
    int32_t ix, iy;
} nib_spot;

/* The side on which a piece's edge runs backwards. */
typedef enum nib_fold { NIB_FLAT, NIB_FOLD_LEFT, NIB_FOLD_RIGHT } nib_fold;

typedef struct nib_piece {
    scene_point p0, p1; /* local */
    scene_point t0, t1; /* unit tangents */
    nib_spot left0, right0, left1, right1;
    float taken_left, taken_right; /* what of its edges corners have taken, local */
    nib_fold fold;
    bool folds_on, fold_goes_on;  /* the piece before, or after, has the same fold */
    bool hides_left, hides_right; /* cut away: that edge is not drawn */
    nib_spot hub;                 /* where its ends cross, if it folds */
} nib_piece;

/* How a point and its tangent lead to the spots beside it: left x, left y, right x, right y. */
typedef struct nib_map {
    float x[4], y[4], more[4];
    float beside_x[4], beside_y[4];
    float high[4]; /* the canvas ends here */
} nib_map;

/* A corner whose inner side is open. */
typedef struct nib_corner {
    bool open, left;
    bool closing;   /* the run's end, joined to its first piece */
    uint32_t piece; /* the one that ends in it */
    nib_spot at;
} nib_corner;

typedef struct nib {
    pen pen;
    nib_map map;
    float half;
    float miter_limit;
    scene_cap cap;
    scene_join join;
    float turn_cos, turn_sin; /* one step of a round join or cap, in the sense of `half` */
    float bulge;              /* points between an arc's ends are moved out by it */
    uint32_t half_turn_steps;
    float reach;   /* how far from the path the stroke can be, in units on the canvas */
    float nothing; /* local length below which a step is none */
    scene_point at;
    uint32_t count; /* pieces of this run */
    uint32_t drawn; /* those before it are drawn, but for the first */
    uint32_t chain; /* from it on inner edges follow each other without a corner */
    nib_corner corner;
    nib_piece first, later[NIB_PIECES];
} nib;

/* One step of a run. */
typedef struct nib_step {
    scene_point to;
    scene_point t0, t1; /* unit tangents where it begins and ends; equal for a straight one */
    float length;       /* along the path; looked at for dashes only */
    float swell;        /* spots beside `to` are so much further out: chords lie within a bend */
    bool smooth;        /* goes on with the curve of the step before: no corner between them */
} nib_step;

/* `pixel`: length of a pixel in local space, where it is smallest.  Half the width is not 0. */
void nib_begin(nib *n, const scene_stroke *stroke, float pixel, float reach);
void nib_run(nib *n, scene_point at);
void nib_go(nib *n, const nib_step *step);
/* Joined to its beginning or capped.  A run without a step draws nothing. */
void nib_end(nib *n, bool closed);
/* A run of no length. */
void nib_dot(nib *n, scene_point at, scene_point tangent);

#endif
