/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory side of a busy server, without its sockets: what 100,000 comments a second ask of an
 * allocator, the same for the pool and for malloc with a reference count in front of each block.
 *
 *     thread A, every millisecond:  a block for each comment that came, written, into its room
 *               every 20 ms:        a batch for each room that has comments; the comments go into
 * the room's history, whose oldest ones leave 200 times a second: a surface, taken and given back,
 * and an encoded picture, kept until newer ones push it out thread B:                     reads
 * each batch, holds the newest ones, releases the rest
 */
#ifndef DP_BENCH_FLOOD_WORK_H
#define DP_BENCH_FLOOD_WORK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct flood_config {
    unsigned seconds;
    unsigned messages_per_s;
    bool with_pool; /* false: malloc */
    /* Called by thread A when the warm-up ends and when the measured time does. */
    void (*measure_begin)(void);
    void (*measure_end)(void);
} flood_config;

/* Of the measured time. */
typedef struct flood_result {
    bool ok;
    uint64_t messages;
    uint64_t batches;
    double seconds;
    double cpu_seconds;    /* both threads, less the waiting for the next millisecond */
    double late_ms_worst;  /* how far thread A was behind its pace */
    double reuse_percent;  /* pool only: gets served by memory used before */
    double fragmentation;  /* pool only: percent of taken_bytes that nobody had asked for */
    double live_bytes;     /* asked for and held, at the end */
    double block_bytes;    /* pool only: the same, in blocks */
    double taken_bytes;    /* pool only: capacity of its tiers */
    double resident_bytes; /* growth of the resident set since the flood began */
    double waited_percent; /* of the time that a thread was ready but had no core */
} flood_result;

/* Blocks until it is done.  One at a time in a process. */
void flood_work(const flood_config *config, flood_result *out);

#endif
