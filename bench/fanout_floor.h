/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor under every broadcaster that uses sockets: a bare loop that send()s the same bytes, in
 * the same windows, to the same number of loopback connections, and does nothing else.
 */
#ifndef DP_BENCH_FANOUT_FLOOR_H
#define DP_BENCH_FANOUT_FLOOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct floor_config {
    size_t sockets;
    size_t frame_bytes;   /* of each send() */
    double windows_per_s; /* rounds over all sockets */
    double seconds;
    int core;      /* of the sending loop, as the server's */
    int sink_core; /* of the process that reads, as the load client's */
} floor_config;

/*
 * Runs it and writes the loop's CPU seconds for each send().  Forks the reading process and reaps
 * it.  The calling thread is pinned to config->core for the time and to config->sink_core after.
 */
bool floor_run(const floor_config *config, double *cpu_s_per_send, char error[160]);

#endif
