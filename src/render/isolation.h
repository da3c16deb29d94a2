/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which reader a pipeline has its pictures decoded by: the configuration's wish made into what this
 * machine can do.
 */
#ifndef DP_RENDER_ISOLATION_H
#define DP_RENDER_ISOLATION_H

#include "render/decode_process.h"

typedef struct isolation {
    sandbox *box; /* NULL: decoders run in the threads */
    process_reader process;
    const decode_reader *reader; /* the one that is used; points into this struct */
} isolation;

/*
 * Opens what the configuration asks for, its defaults filled in.  PROCESS: what sandbox_create()
 * says when there is none, or no filter.  AUTO falls back, first to processes without a filter,
 * then to threads.  The struct must not move.  `detail`, in words, says what was not to be had.
 */
dp_status isolation_open(isolation *self, dp_pool *pool, const dp_render_config *config,
                         char detail[SANDBOX_DETAIL_BYTES]);
void isolation_close(isolation *self);

void isolation_read(const isolation *self, dp_render_decoders *out);

#endif
