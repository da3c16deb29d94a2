/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A contact sheet: the results of many files in one picture, a cell each, in the order of the
 * files.
 *
 * Cells do not overlap, so workers fill unlike ones at the same time without a lock.
 */
#ifndef DP_CTL_SHEET_H
#define DP_CTL_SHEET_H

#include "render/picture.h"

#define SHEET_CELL_SIDE 128u
#define SHEET_CELLS_MAX 4096u

typedef struct sheet {
    render_task task;
    picture pixels;
    unsigned cell_count, columns;
    bool labels;
} sheet;

/* A white sheet; DP_ERR_TOO_LARGE beyond SHEET_CELLS_MAX, the pool's errors. */
dp_status sheet_open(dp_pool *pool, unsigned cell_count, bool labels, sheet *out);

/*
 * Puts an encoded picture of at most SHEET_CELL_SIDE squared into a cell, NULL for one that failed,
 * and the name below it.  What cannot be shown is left out.
 */
void sheet_put(const sheet *s, unsigned cell, const dp_buf *encoded, const char *name);

/* The sheet as a PNG. */
dp_status sheet_encode(sheet *s, dp_buf **out);
void sheet_close(sheet *s);

#endif
