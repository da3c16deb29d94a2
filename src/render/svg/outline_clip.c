/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that leave the canvas.
 *
 *                  0        right
 *      above   ----+-----------+----   nothing is kept
 *                  |           |
 *      wall <--    |   kept    |   --> wall
 *                  |           |
 *      below   ----+-----------+----   nothing is kept
 *
 * The row where a line begins and the row where it ends are the rounded and clamped positions,
 * shared with the neighbours; between them it may be split where it meets a wall, at one row that
 * both parts share.  So the signed heights of a contour telescope to 0 whatever was cut away.
 * What lies beyond a wall stands on the wall, and runs along one wall are joined to one line: a
 * path that winds about beside the canvas costs a line, not thousands.
 *
 * Positions are clamped to +-2^30 units (4 million pixels) first, NaN to the lower end; where lines
 * cross is computed in double.
 */
#include "render/svg/outline_pen.h"

/* Rounded (positions are half a unit on) and clamped to [0, high]. */
static int32_t fixed(double value, double high)
{
    return value > 0.0 ? value < high ? (int32_t)value : (int32_t)high : 0;
}

/* A line from the pen's place; one that goes on straight up or down makes the last one longer. */
static void clip_put(pen *p, int32_t ix, int32_t iy)
{
    if (p->iy == iy) {
        p->ix = ix;
        return;
    }
    if (p->ix == ix && p->next > p->o->lines + p->first) {
        raster_line *last = p->next - 1;
        if (last->x0 == ix && last->x1 == ix && last->y1 == p->iy) {
            last->y1 = iy;
            p->next -= last->y0 == iy;
            p->iy = iy;
            return;
        }
    }
    if (pen_room(p, 1)) {
        pen_put(p, ix, iy);
    }
}

void clip_move(pen *p, float x, float y)
{
    p->start_x = p->x = clip_tame(x);
    p->start_y = p->y = clip_tame(y);
    p->start_ix = p->ix = fixed((double)p->x, (double)p->right);
    p->start_iy = p->iy = fixed((double)p->y, (double)p->bottom);
}

/* The part of a line that lies in the canvas's rows; from and to are its ends' x after the cut. */
static void clip_rows(const pen *p, double *x, double *y, double slope)
{
    double edge = *y < (double)PEN_HALF    ? (double)PEN_HALF
                  : *y > (double)p->bottom ? (double)p->bottom
                                           : *y;
    *x += (edge - *y) * slope;
    *y = edge;
}

void clip_line(pen *p, float to_x, float to_y)
{
    double x0 = (double)p->x, y0 = (double)p->y;
    p->x = clip_tame(to_x);
    p->y = clip_tame(to_y);
    double x1 = (double)p->x, y1 = (double)p->y;
    const double left = (double)PEN_HALF, right = (double)p->right, bottom = (double)p->bottom;
    int32_t row = fixed(y1, bottom);
    if (p->iy == row) {
        p->ix = fixed(x1, right);
        return;
    }
    double slope = (x1 - x0) / (y1 - y0);
    clip_rows(p, &x0, &y0, slope);
    clip_rows(p, &x1, &y1, slope);
    p->ix = fixed(x0, right);
    double wall0 = x0 < left ? left : x0 > right ? right : x0;
    double wall1 = x1 < left ? left : x1 > right ? right : x1;
    if (wall0 != wall1) {
        /* The ends are on unlike sides of whatever wall stands between them: x0 != x1. */
        double rise = (y1 - y0) / (x1 - x0);
        if (wall0 != x0) {
            clip_put(p, p->ix, fixed(y0 + (wall0 - x0) * rise, bottom));
        }
        if (wall1 != x1) {
            clip_put(p, fixed(wall1, right), fixed(y1 + (wall1 - x1) * rise, bottom));
        }
    }
    clip_put(p, fixed(wall1, right), row);
}

void clip_close(pen *p)
{
    clip_line(p, p->start_x, p->start_y);
}
