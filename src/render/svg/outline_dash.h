/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dashes: a contour's steps cut into runs of the nib.
 *
 * A closed contour that begins inside a dash is gone over again where it ends, until that dash is
 * over: then its last dash and its first are one, and joined like any corner.  So dash_begin() says
 * whether the first dash is left out for now, and dash_again() whether a second tour is wanted.
 *
 * Over a step that cannot be seen only the place in the pattern goes on, in one division.
 */
#ifndef DP_RENDER_SVG_OUTLINE_DASH_H
#define DP_RENDER_SVG_OUTLINE_DASH_H

#include "render/svg/outline_nib.h"

/* Dashes of one stroke; more are DP_ERR_TOO_LARGE: nobody could tell them from a grey line. */
#define DASHES_MAX 65536u

typedef struct dash {
    nib *nib;
    const float *lengths; /* NULL: solid */
    uint32_t count;       /* even */
    float offset;         /* 0 <= offset < sum of the lengths */
    float sum;            /* of the lengths */
    uint32_t left;        /* dashes that may still be drawn */
    uint32_t steps_left;  /* steps that may still be taken */

    /* Of this contour. */
    scene_point at;
    uint32_t index;
    float remaining; /* of the dash or gap that lengths[index] is */
    float owed;      /* length of a first dash that is left for the second tour, else negative */
    bool skipping;   /* tour one, still within that dash */
    bool tour_two;   /* only that dash is wanted still */
    bool whole;      /* no dash or gap ends on this contour: it is solid */
    bool running;    /* the nib is in a run */
    bool done;
    bool moved; /* there was a step */
} dash;

/* Takes the pattern over; a pattern that is none is solid.  More than `steps` are too large. */
void dash_set(dash *d, nib *n, const scene_stroke *stroke, const float *dashes, uint32_t steps);
void dash_begin(dash *d, scene_point at, bool closed);
void dash_go(dash *d, const nib_step *step, bool in_sight);
/* After all steps of a contour: whether they are wanted once more, from dash_begin()'s point on. */
bool dash_again(dash *d, scene_point at);
void dash_end(dash *d, bool closed);

#endif
