/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How strangers' pictures are decoded, and what became of the processes that do it.
 */
#include "server/ops/status_decoders.h"

static void write_one(metrics_text *text, const char *family, const char *type, const char *help,
                      uint64_t value)
{
    metrics_family(text, family, type, help);
    metrics_printf(text, "danpool_%s %llu\n", family, (unsigned long long)value);
}

void status_write_decoders(metrics_text *text, const dp_render *render)
{
    dp_render_decoders decoders;
    dp_render_decoders_read(render, &decoders);

    metrics_family(text, "decoder_isolation", "gauge", "Where pictures are decoded, by what holds");
    metrics_printf(text, "danpool_decoder_isolation{mode=\"%s\"} 1\n", decoders.isolation);
    write_one(text, "decoder_processes", "gauge", "Decoder processes that are there",
              decoders.workers_ready);
    write_one(text, "decoder_processes_started_total", "counter", "Decoder processes started",
              decoders.started);
    write_one(text, "decoder_jobs_total", "counter", "Pictures given to decoder processes",
              decoders.jobs);
    write_one(text, "decoder_refused_total", "counter",
              "Pictures refused since they, or their sender, had killed decoders",
              decoders.refused);
    write_one(text, "decoder_sources_blocked", "gauge", "Pictures that are refused so now",
              decoders.sources_blocked);
    metrics_family(text, "sandbox_deaths_total", "counter",
                   "Decoder processes that died, by cause");
    for (unsigned i = 0; i < DP_DECODER_DEATH_CAUSES; i++) {
        metrics_printf(text, "danpool_sandbox_deaths_total{cause=\"%s\"} %llu\n",
                       dp_render_death_name(i), (unsigned long long)decoders.deaths[i]);
    }
}
