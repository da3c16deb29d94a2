/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets buffers, and do they come back: a recording's gets by call site.
 *
 * A get and its put are matched by the buffer's number in the order of time.  Events may be missing
 * (a ring overwrote them): a get that is followed by another get of the same buffer has lost its
 * put, and is not counted as held.  Pure functions of the file; no threads.
 */
#ifndef DP_CTL_REUSE_H
#define DP_CTL_REUSE_H

#include "pool/trace_file.h"

typedef struct reuse_row {
    uint64_t site; /* where dp_get() returned to; 0 in the total */
    uint64_t gets;
    uint64_t fresh;      /* of them, of blocks that were never handed out before */
    uint64_t bytes;      /* asked for by all of them */
    uint64_t held;       /* of them, not put when the recording ended */
    uint64_t held_bytes; /* asked for by those */
} reuse_row;

typedef struct reuse_table {
    reuse_row *rows; /* the most gets first */
    size_t count;
    reuse_row total;
} reuse_table;

/* DP_ERR_NOMEM. */
dp_status reuse_make(const trace_file *file, reuse_table *out);
void reuse_clear(reuse_table *table);

#endif
