/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing where decoders run; see isolation.h.
 */
#include "render/isolation.h"

#include <stdio.h>

#include "pool/os.h"

_Static_assert((int)DP_DECODER_DEATH_CAUSES == (int)SANDBOX_CAUSE_COUNT,
               "one count for each cause");

const char *dp_render_death_name(unsigned cause)
{
    return sandbox_cause_name((sandbox_cause)cause);
}

dp_status isolation_open(isolation *self, dp_pool *pool, const dp_render_config *config,
                         char detail[SANDBOX_DETAIL_BYTES])
{
    const sandbox_config box = {.program = config->decoder_program,
                                .workers = config->workers,
                                .memory_bytes = config->decoder_memory_bytes,
                                .input_bytes_max = config->input_bytes_max,
                                .input_pixels_max = config->input_pixels_max,
                                .need_filter = config->isolation == DP_ISOLATION_PROCESS};
    detail[0] = '\0';
    *self = (isolation){.reader = &decode_in_thread};
    if (config->isolation == DP_ISOLATION_THREAD) {
        return DP_OK;
    }
    const dp_status status = sandbox_create(pool, &box, detail, &self->box);
    if (status != DP_OK) {
        self->box = NULL;
        return config->isolation == DP_ISOLATION_PROCESS ? status : DP_OK;
    }
    sandbox_stats stats;
    sandbox_stats_read(self->box, &stats);
    if (!stats.filtered) {
        (void)snprintf(detail, SANDBOX_DETAIL_BYTES,
                       "no system call filter (libseccomp at build time, seccomp in the kernel)");
    }
    process_reader_init(&self->process, self->box);
    self->reader = &self->process.base;
    return DP_OK;
}

void isolation_close(isolation *self)
{
    sandbox_destroy(self->box);
    *self = (isolation){0};
}

void isolation_read(const isolation *self, dp_render_decoders *out)
{
    sandbox_stats stats;
    *out = (dp_render_decoders){.isolation = "thread"};
    if (self->box == NULL) {
        return;
    }
    sandbox_stats_read(self->box, &stats);
    out->isolation = stats.filtered ? "process+seccomp" : "process";
    out->workers = stats.workers;
    out->workers_ready = stats.workers_ready;
    out->jobs = stats.jobs;
    out->started = stats.started;
    out->refused = stats.refused;
    out->sources_blocked = stats.sources_blocked;
    for (unsigned i = 0; i < DP_DECODER_DEATH_CAUSES; i++) {
        out->deaths[i] = stats.deaths[i];
    }
}
