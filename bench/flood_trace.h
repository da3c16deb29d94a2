/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the flood in a process of its own and counts its system calls for memory there.
 *
 * The process asks the kernel (seccomp, SECCOMP_RET_TRACE) to stop it at mmap, munmap, mremap, brk
 * and madvise only, from the begin of the measured time on; this process continues it at once and
 * counts.  All other calls run at full speed, so what is measured is not disturbed by being
 * counted.
 */
#ifndef DP_BENCH_FLOOD_TRACE_H
#define DP_BENCH_FLOOD_TRACE_H

#include "flood_work.h"
#include "pool_peer.h"

#define FLOOD_FLAG "--flood-process"

typedef struct flood_order {
    const char *preload; /* (or NULL) library that brings malloc */
    bool with_pool;
    unsigned seconds;
    unsigned messages_per_s;
    const char *flame_path; /* (or NULL) a profile is taken and drawn there */
} flood_order;

typedef struct flood_count {
    flood_result result;
    char library[sizeof((peer *)0)->library]; /* the file that its malloc came from */
    double calls_per_s; /* NAN: this machine does not let a process be traced */
    bool flame_written;
} flood_count;

/* False, with the reason, when the process could not be run or failed. */
bool flood_trace(const flood_order *order, flood_count *out, char why[128]);

/* The process itself: main() calls it when argv[1] is FLOOD_FLAG.  Returns the exit status. */
int flood_process(int argc, char **argv);

#endif
