/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document on its way through the front end: its arena, its budget, and the first thing that
 * went wrong, which stays and stops all that comes behind.
 */
#ifndef DP_RENDER_SVG_JOB_H
#define DP_RENDER_SVG_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

typedef struct svg_arena_block svg_arena_block;

/* Memory that goes all at once; blocks grow by chaining. */
typedef struct svg_arena {
    svg_arena_block *first; /* kept warm */
    svg_arena_block *current;
} svg_arena;

typedef struct svg_job {
    svg_arena arena;
    dp_status status;
    char *message; /* SVG_MESSAGE_BYTES */
    uint64_t deadline_ns;
    uint32_t steps;
} svg_job;

/* `size_bytes` at a multiple of 8; NULL, and the job has failed, when there is no memory. */
void *svg_take(svg_job *job, size_t size_bytes);
/* A copy with a NUL behind it. */
char *svg_copy(svg_job *job, const char *text, size_t length);

void svg_arena_reset(svg_arena *arena); /* keeps one block */
void svg_arena_drop(svg_arena *arena);

/* Keeps the first failure and its words. */
void svg_fail(svg_job *job, dp_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void svg_fail_memory(svg_job *job);

/* Takes `count` off the budget of small work; false when it is used up or it is too late. */
bool svg_spend(svg_job *job, uint32_t count);
bool svg_in_time(svg_job *job);

#endif
