/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows on their way from a decoder to a frame: as they are, or made smaller by whole numbers
 * (kernels/shrink.h) where the results are much smaller than the file, so that a large picture is
 * never in memory as a whole.
 *
 *     rows_plan()   how small the frames may be
 *     rows_open()   once a file: takes what one row and the sums need
 *     rows_begin()  once a frame, then `height` rows: rows_room(), fill, rows_put(); or
 * rows_put_rgb() rows_close()  also after a failed open
 *
 * Used by one thread.
 */
#ifndef DP_RENDER_ROWS_H
#define DP_RENDER_ROWS_H

#include "kernels/shrink.h"
#include "render/codec.h"

typedef struct rows_plan {
    uint32_t source[2];  /* width and height of the file's picture */
    uint32_t factors[2]; /* 1: kept */
    uint32_t sides[2];   /* of the frames */
} rows_plan;

typedef struct rows {
    rows_plan plan;
    surface frame;
    shrink shrink;
    dp_buf *memory; /* one row of RGBA, then the sums; NULL where nothing is made smaller */
    uint32_t done;  /* rows of this frame */
} rows;

/* Twice what the hints ask for is left, or all of it. */
rows_plan rows_plan_make(const media_info *info, const decode_hints *hints);

static inline bool rows_plan_shrinks(const rows_plan *plan)
{
    return plan->factors[0] > 1 || plan->factors[1] > 1;
}

/* The pool's errors, with words. */
dp_status rows_open(rows *r, render_task *task, const rows_plan *plan);
void rows_begin(rows *r, const surface *frame);

/* Where the next row of RGBA is to be written. */
uint8_t *rows_room(const rows *r);
void rows_put(rows *r);
/* The next row, of three bytes a pixel, opaque. */
void rows_put_rgb(rows *r, const uint8_t *rgb);
/* All rows of a finished frame. */
void rows_put_frame(rows *r, const surface *whole);

void rows_close(rows *r);

#endif
