/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the server's bounds are: the most it sustains, the most it admits, what an idle connection
 * takes, and what stalled viewers cost the others.
 *
 * The two searches raise the rate step by step until a step fails, and give the last that held; the
 * note says what ended it, the server or the client's own core.
 */
#ifndef DP_BENCH_FANOUT_BOUNDS_H
#define DP_BENCH_FANOUT_BOUNDS_H

#include <stddef.h>

#include "harness.h"

typedef struct bounds_plan {
    const char *danpoold;
    size_t viewers; /* of the one room */
    size_t text_bytes;
    double seconds; /* of a step */
} bounds_plan;

/* Deliveries a second with p99 <= 50 ms into one room. */
void bounds_sustained(bench *b, const bounds_plan *plan);

/* Messages a second admitted, 100 rooms of 10 viewers, none lost. */
void bounds_ingest(bench *b, const bounds_plan *plan);

/* The others' p99 while every tenth viewer stopped reading, beside the same without. */
void bounds_stalled(bench *b, const bounds_plan *plan);

/* Resident bytes of an idle viewer, beside the same connections to a bare libwebsockets server. */
void bounds_idle(bench *b, const bounds_plan *plan);

#endif
