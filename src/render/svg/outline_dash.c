/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Even entries of the pattern are dashes, odd ones gaps.  Lengths are those of the flattened path,
 * in local units.  A dash of no length is a dot, which knows the path's direction.
 */
#include "render/svg/outline_dash.h"

#include <math.h>

void dash_set(dash *d, nib *n, const scene_stroke *stroke, const float *dashes, uint32_t steps)
{
    *d = (dash){.nib = n, .left = DASHES_MAX, .steps_left = steps};
    float sum = 0.0f;
    for (uint32_t i = 0; i < stroke->dash_count; ++i) {
        float length = dashes[stroke->first_dash + i];
        sum += length >= 0.0f ? length : NAN;
    }
    if (stroke->dash_count < 2 || !(sum > 0.0f) || !isfinite(sum)) {
        return;
    }
    float offset = isfinite(stroke->dash_offset) ? fmodf(stroke->dash_offset, sum) : 0.0f;
    d->lengths = dashes + stroke->first_dash;
    d->count = stroke->dash_count;
    d->sum = sum;
    d->offset = offset < 0.0f ? offset + sum : offset;
}

static bool is_on(const dash *d)
{
    return d->index % 2 == 0;
}

static void next_length(dash *d)
{
    d->index = d->index + 1 < d->count ? d->index + 1 : 0;
    d->remaining = d->lengths[d->index];
}

void dash_begin(dash *d, scene_point at, bool closed)
{
    d->at = at;
    d->skipping = d->tour_two = d->done = d->moved = false;
    d->whole = d->running = d->lengths == NULL;
    d->owed = -1.0f;
    if (d->lengths != NULL) {
        d->index = 0;
        d->remaining = d->lengths[0];
        float offset = d->offset;
        /* At most once round the pattern: the offset is less than its sum. */
        for (uint32_t i = 0; i < d->count && offset >= d->remaining; ++i) {
            offset -= d->remaining;
            next_length(d);
        }
        d->remaining -= offset < d->remaining ? offset : d->remaining;
        d->skipping = closed && is_on(d);
        d->owed = d->skipping ? d->remaining : -1.0f;
        d->running = is_on(d) && !d->skipping;
    }
    if (d->running) {
        nib_run(d->nib, at);
    }
}

/* The dash or gap ends here. */
static void turn_over(dash *d, scene_point at, scene_point tangent)
{
    if (d->running && d->nib->count == 0) {
        nib_dot(d->nib, at, tangent);
    } else if (d->running) {
        nib_end(d->nib, false);
    }
    d->running = d->skipping = false;
    if (d->tour_two) {
        d->done = true;
        return;
    }
    next_length(d);
    if (!is_on(d)) {
        return;
    }
    if (d->left == 0 && d->nib->pen.status == DP_OK) {
        d->nib->pen.status = DP_ERR_TOO_LARGE;
    }
    d->done = d->nib->pen.status != DP_OK;
    d->left -= !d->done;
    d->running = !d->done;
    nib_run(d->nib, at);
}

/* A unit vector between two, for a point within a step. */
static scene_point between(scene_point a, scene_point b, float t)
{
    scene_point v = {a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t};
    float length = sqrtf(v.x * v.x + v.y * v.y);
    return length > 1e-3f ? (scene_point){v.x / length, v.y / length} : a;
}

/* A step that nobody sees: runs end where it begins, and begin where it ends. */
static void pass_over(dash *d, const nib_step *step)
{
    float rest = step->length;
    if (d->running) {
        nib_end(d->nib, false);
    }
    if (d->remaining > rest) {
        d->remaining -= rest;
    } else {
        d->done = d->tour_two;
        d->skipping = false;
        rest = fmodf(rest - d->remaining, d->sum);
        next_length(d);
        for (uint32_t i = 0; i < 2 * d->count && rest >= d->remaining; ++i) {
            rest -= d->remaining;
            next_length(d);
        }
        d->remaining -= rest;
    }
    d->running = is_on(d) && !d->skipping && !d->done;
    d->running = d->running || (d->tour_two && !d->done);
    nib_run(d->nib, step->to);
    d->at = step->to;
}

void dash_go(dash *d, const nib_step *step, bool in_sight)
{
    d->moved = true;
    if (d->steps_left == 0) {
        d->nib->pen.status = d->nib->pen.status == DP_OK ? DP_ERR_TOO_LARGE : d->nib->pen.status;
        return;
    }
    --d->steps_left;
    if (d->whole) {
        nib_go(d->nib, step);
        return;
    }
    if (!in_sight) {
        if (!d->done) {
            pass_over(d, step);
        }
        return;
    }
    const scene_point from = d->at;
    float dx = step->to.x - from.x, dy = step->to.y - from.y;
    float length = step->length, done = 0.0f;
    bool straight = step->t0.x == step->t1.x && step->t0.y == step->t1.y;
    nib_step rest = *step;
    while (!d->done && length > 0.0f && d->remaining <= length - done) {
        done += d->remaining;
        float t = done / length;
        nib_step part = rest;
        part.to = (scene_point){from.x + dx * t, from.y + dy * t};
        part.t1 = straight ? step->t0 : between(step->t0, step->t1, t);
        part.swell = 1.0f;
        if (d->running) {
            nib_go(d->nib, &part);
        }
        rest.t0 = part.t1;
        turn_over(d, part.to, part.t1);
    }
    d->remaining -= length - done;
    if (d->running) {
        nib_go(d->nib, &rest);
    }
    d->at = step->to;
}

bool dash_again(dash *d, scene_point at)
{
    if (d->owed < 0.0f || d->done || d->tour_two) {
        return false;
    }
    d->tour_two = true;
    d->whole = d->skipping;
    if (!d->running) {
        nib_run(d->nib, at);
    }
    d->running = true;
    d->remaining = d->owed;
    d->at = at;
    return true;
}

void dash_end(dash *d, bool closed)
{
    if (d->running) {
        nib_end(d->nib, closed && d->whole);
    }
    d->running = false;
}
