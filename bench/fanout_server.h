/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoold as a child process: started on a free port, measured through /proc, always reaped.
 */
#ifndef DP_BENCH_FANOUT_SERVER_H
#define DP_BENCH_FANOUT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_SETTINGS_MAX 16u

typedef struct server {
    pid_t pid;
    int output; /* its standard output, kept open so that it never writes into a closed pipe */
    unsigned port;
} server;

/*
 * Starts `path` with "--set" for each of `settings` (ended by NULL), pinned to the core, and waits
 * for its "serving" line.  False with a message in `error`.
 */
bool server_start(const char *path, const char *const *settings, int core, server *out,
                  char error[160]);

/* Asks it to stop, waits, kills it after 10 s.  False: it did not end with status 0. */
bool server_stop(server *s);

/* CPU seconds it has used so far, user and system; NAN when /proc does not say. */
double server_cpu_s(const server *s);

/* Seconds its threads were ready to run but had no core: other programs' load on the machine.  0
 * where the kernel does not keep it. */
double server_wait_s(const server *s);

/* Resident bytes; 0 when /proc does not say. */
uint64_t server_resident_bytes(const server *s);

/* Writes where danpoold is: `given`, or $DANPOOLD, or beside this program in the build tree. */
bool server_find(const char *given, char *out, size_t out_size);

#endif
