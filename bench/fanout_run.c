/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a run: start, connect, rest, warm up, measure, stop.  Memory is read while everybody
 * is connected and silent.
 */
#include "fanout_run.h"

#include <stdio.h>

#define REST_S 0.2

const char *const run_settings_usual[] = {"listen.address=127.0.0.1",
                                          "listen.port=0",
                                          "listen.loops=1",
                                          "limits.messages_per_s=0",
                                          "limits.address_connects_per_s=0",
                                          "limits.connections_max=20000",
                                          "log.level=warn",
                                          NULL};

static bool measure(const run_plan *plan, const server *s, run_result *out, char error[160])
{
    load_config config = plan->load;
    config.port = s->port;
    config.connect_ms_max = RUN_CONNECT_MS_MAX;
    out->resident_empty_bytes = server_resident_bytes(s);
    load *l = load_open(&config, error);
    if (l == NULL) {
        return false;
    }
    load_idle(l, REST_S);
    out->resident_idle_bytes = server_resident_bytes(s);
    if (plan->warmup_s > 0.0) {
        load_run(l, plan->rate, plan->warmup_s, RUN_DRAIN_MS_MAX, &out->warmup);
    }
    double cpu_s = server_cpu_s(s);
    double wait_s = server_wait_s(s);
    if (plan->rate > 0) {
        load_run(l, plan->rate, plan->seconds, RUN_DRAIN_MS_MAX, &out->load);
    }
    out->cpu_s = server_cpu_s(s) - cpu_s;
    out->wait_s = server_wait_s(s) - wait_s;
    load_close(l);
    return true;
}

bool run_once(const run_plan *plan, run_result *out, char error[160])
{
    server child;
    if (!server_start(plan->danpoold, plan->settings, RUN_SERVER_CORE, &child, error)) {
        return false;
    }
    bool good = measure(plan, &child, out, error);
    if (!server_stop(&child)) {
        (void)snprintf(error, 160, "danpoold did not stop cleanly");
        return false;
    }
    return good;
}
