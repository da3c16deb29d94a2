/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch over buffers that do not come back, as the daemon runs it: a piece of a scan now and
 * then on the first loop, a line in the log and a counter for what it finds.
 *
 * Whoever keeps buffers for as long as a client or a cache likes says so (dp_buf_expect_long), so a
 * daemon that works as it should reports nothing.
 */
#include "server/server.h"

#include <danpool/lifecycle.h>

#include "server/ops/log.h"
#include "server/ops/metrics.h"

#define BLOCKS_MAX 16384u /* of one call: a third of a millisecond */
#define LINES_MAX  32u    /* of the log, likewise; the counter counts all */

static void report(void *user, const dp_escape *escape)
{
    static const metric counters[DP_ESCAPE_SEVERITY_COUNT] = {
        [DP_ESCAPE_LOW] = METRIC_ESCAPES_LOW,
        [DP_ESCAPE_MEDIUM] = METRIC_ESCAPES_MEDIUM,
        [DP_ESCAPE_HIGH] = METRIC_ESCAPES_HIGH,
    };
    unsigned *lines = user;
    metrics_add(counters[escape->severity], 1);
    if ((*lines)++ >= LINES_MAX) {
        return;
    }
    log_line(escape->severity == DP_ESCAPE_LOW ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "buffer escaped",
             "severity=%s module=\"%s\" offset=0x%zx function=%s age_ms=%llu lease_ms=%llu "
             "references=%u state=%s tier=%s kind=%s bytes=%zu",
             dp_escape_severity_name(escape->severity),
             escape->module == NULL ? "" : escape->module, escape->module_bytes,
             escape->symbol == NULL ? "" : escape->symbol,
             (unsigned long long)(escape->age_ns / 1000000u),
             (unsigned long long)(escape->lease_ns / 1000000u), (unsigned)escape->references,
             dp_buf_state_name(escape->state), dp_tier_name(escape->tier),
             dp_kind_name(escape->kind), escape->capacity_bytes);
}

bool escapes_scan(dp_server *server)
{
    unsigned lines = 0;
    dp_escape_options options = DP_ESCAPE_OPTIONS_DEFAULT;
    options.lease_ms = (uint32_t)server->config.pool_lease_ms;
    options.blocks_max = BLOCKS_MAX;
    options.report = report;
    options.report_user = &lines;
    dp_escape_totals totals;
    /* It can only be busy, which nobody but this loop makes it. */
    return dp_escape_scan(server->pool, &options, &totals) != DP_OK || totals.complete;
}
