/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run: a fresh danpoold on its core, a load on the other, and what both used.
 */
#ifndef DP_BENCH_FANOUT_RUN_H
#define DP_BENCH_FANOUT_RUN_H

#include "fanout_load.h"
#include "fanout_server.h"

#define RUN_SERVER_CORE    0
#define RUN_CLIENT_CORE    1
#define RUN_CONNECT_MS_MAX 30000
#define RUN_DRAIN_MS_MAX   10000

typedef struct run_plan {
    const char *danpoold;
    const char *const *settings; /* ended by NULL */
    load_config load;            /* port and connect_ms_max are filled in */
    unsigned rate;
    double seconds;
    double warmup_s;
} run_plan;

typedef struct run_result {
    load_result load;
    load_result warmup;
    double cpu_s;  /* of the server, during the load */
    double wait_s; /* likewise, ready to run but without a core */
    uint64_t resident_empty_bytes, resident_idle_bytes; /* without and with the connections */
} run_result;

/* The settings that every run has; NULL at their end. */
extern const char *const run_settings_usual[];

/* False with a message in `error`; a result that is only bad (loss, lateness) is true. */
bool run_once(const run_plan *plan, run_result *out, char error[160]);

#endif
