/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner sides of corners; outline_corner.h says what is done.
 *
 * A cut is made only where it is plain that both sides cover what is cut out: neither side's end
 * may cross the other's edges, no piece may fold, and the corner may not be too sharp.
 */
#include "render/svg/outline_corner.h"

#include <math.h>

/* 1 + cosine of the sharpest corner that is looked at more closely. */
#define SHARPEST 0.4f

/* What of a piece's edge corners may still take, local; nothing of one that folds. */
static float room(const nib *n, const nib_piece *q, bool left)
{
    if (q->fold != NIB_FLAT) {
        return -1.0f;
    }
    scene_point chord = {q->p1.x - q->p0.x, q->p1.y - q->p0.y};
    scene_point turn = {q->t1.x - q->t0.x, q->t1.y - q->t0.y};
    float length = sqrtf(dot(chord, chord)), longer = n->half * cross(turn, chord) / length;
    return left ? length + longer - q->taken_left : length - longer - q->taken_right;
}

static const nib_spot *inner0(const nib_piece *q, bool left)
{
    return left ? &q->left0 : &q->right0;
}

static const nib_spot *inner1(const nib_piece *q, bool left)
{
    return left ? &q->left1 : &q->right1;
}

/* Two lines that cross: at which part of each, and which way b turns off a. */
typedef struct nib_cross {
    float on_a, on_b, turn;
} nib_cross;

static bool lines_cross(const nib_spot *a0, const nib_spot *a1, const nib_spot *b0,
                        const nib_spot *b1, nib_cross *out)
{
    float ax = a1->x - a0->x, ay = a1->y - a0->y, bx = b1->x - b0->x, by = b1->y - b0->y;
    float dx = b0->x - a0->x, dy = b0->y - a0->y;
    out->turn = ax * by - ay * bx;
    out->on_a = (dx * by - dy * bx) / out->turn;
    out->on_b = (dx * ay - dy * ax) / out->turn;
    return out->on_a >= 0.0f && out->on_a <= 1.0f && out->on_b >= 0.0f && out->on_b <= 1.0f;
}

/* The oldest piece before the open corner that can still be cut; one too many if there is none. The
 * first waits for the end, but what closes a run is cut out of it from the other side. */
static uint32_t oldest_to_cut(const nib *n)
{
    uint32_t oldest = n->drawn > 1 || n->corner.closing ? n->drawn : 0;
    return n->chain > oldest ? n->chain : oldest;
}

/* The corner's inner side goes by way of the corner itself. */
static void leave_corner(nib *n, const nib_spot *from, const nib_spot *to)
{
    edge(n, from, &n->corner.at, n->corner.left);
    edge(n, &n->corner.at, to, n->corner.left);
    n->corner.open = false;
    n->chain = n->corner.piece + 1;
}

void corner_leave(nib *n)
{
    const nib_corner *c = &n->corner;
    if (c->open) {
        const nib_piece *after = piece_at(n, c->closing ? 0 : c->piece + 1);
        leave_corner(n, inner1(piece_at(n, c->piece), c->left), inner0(after, c->left));
    }
}

/* Whether b's inner side begins within the pieces before the corner, as far as they are here. */
static bool may_cut(nib *n, const nib_piece *a, const nib_piece *b, float onward)
{
    nib_cross cross;
    const bool left = n->corner.left;
    if (onward < SHARPEST || a->fold != NIB_FLAT || b->fold != NIB_FLAT) {
        return false;
    }
    for (uint32_t i = oldest_to_cut(n); i < n->corner.piece; ++i) {
        const nib_piece *q = piece_at(n, i);
        if (lines_cross(inner0(q, left), inner1(q, left), &n->corner.at, inner0(b, left), &cross)) {
            return false;
        }
    }
    return oldest_to_cut(n) <= n->corner.piece;
}

/* Ends piece `i` and begins `b` where their inner edges cross, and hides what is between. */
static void cut(nib *n, uint32_t i, nib_piece *b, const nib_cross *where)
{
    const bool left = n->corner.left;
    nib_piece *a = piece_at(n, i);
    const nib_spot *b0 = inner0(b, left), *b1 = inner1(b, left);
    nib_spot at =
        spot_of(n, b0->x + where->on_b * (b1->x - b0->x), b0->y + where->on_b * (b1->y - b0->y));
    *(left ? &a->taken_left : &a->taken_right) += (1.0f - where->on_a) * room(n, a, left);
    *(left ? &b->taken_left : &b->taken_right) += where->on_b * room(n, b, left);
    *(left ? &a->left1 : &a->right1) = at;
    *(left ? &b->left0 : &b->right0) = at;
    for (++i; i < n->count && piece_at(n, i) != b; ++i) {
        *(left ? &piece_at(n, i)->hides_left : &piece_at(n, i)->hides_right) = true;
    }
    n->corner.open = false;
    n->chain = n->count;
}

/* Cuts the open corner where the inner edge of `b` leaves the pieces before it; false where the
 * corner can never be cut. */
static bool try_cut(nib *n, nib_piece *b)
{
    const bool left = n->corner.left;
    const nib_spot *b0 = inner0(b, left), *b1 = inner1(b, left);
    nib_cross cross, best = {0.0f, 2.0f, 0.0f};
    if (b->fold != NIB_FLAT ||
        lines_cross(inner1(piece_at(n, n->corner.piece), left), &n->corner.at, b0, b1, &cross)) {
        return false;
    }
    uint32_t found = n->count;
    for (uint32_t i = n->corner.piece + 1; i > oldest_to_cut(n); --i) {
        const nib_piece *a = piece_at(n, i - 1);
        if (a->fold != NIB_FLAT) {
            break;
        }
        if (lines_cross(inner0(a, left), inner1(a, left), b0, b1, &cross) &&
            cross.on_b < best.on_b) {
            best = cross;
            found = i - 1;
        }
    }
    if (found == n->count) {
        return true;
    }
    if (left ? best.turn > 0.0f : best.turn < 0.0f) {
        return false;
    }
    cut(n, found, b, &best);
    return true;
}

void corner_inside(nib *n, nib_piece *a, nib_piece *b, bool left)
{
    float onward = 1.0f + dot(a->t1, b->t0);
    float taken = fabsf(n->half * cross(a->t1, b->t0)) / onward;
    nib_spot *from = left ? &a->left1 : &a->right1, *to = left ? &b->left0 : &b->right0;
    if (onward > OPPOSITE && taken <= room(n, a, left) + n->nothing &&
        taken <= room(n, b, left) + n->nothing) {
        scene_point v = normal(n, a->t1), w = normal(n, b->t0);
        float factor = (left ? 1.0f : -1.0f) / onward;
        *from = *to = spot_at(n, a->p1, (scene_point){(v.x + w.x) * factor, (v.y + w.y) * factor});
        *(left ? &a->taken_left : &a->taken_right) += taken;
        *(left ? &b->taken_left : &b->taken_right) += taken;
        n->chain = n->count;
        return;
    }
    n->corner = (nib_corner){.open = true,
                             .left = left,
                             .closing = b == &n->first,
                             .piece = n->count - 1,
                             .at = spot_at(n, a->p1, (scene_point){0, 0})};
    if (!may_cut(n, a, b, onward)) {
        leave_corner(n, from, to);
    }
}

void corner_go_on(nib *n, nib_piece *next)
{
    if (n->corner.open && (n->count > n->corner.piece + NIB_OPEN || !try_cut(n, next))) {
        corner_leave(n);
    }
}
