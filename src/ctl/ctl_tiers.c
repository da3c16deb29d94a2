/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl tiers: what this machine has.  Opens a pool with the defaults and asks it, without
 * taking memory from it.
 */
#include <stdio.h>

#include <danpool/pool.h>

#include "ctl/ctl.h"

static int open_pool(dp_pool **out)
{
    const dp_pool_config config = DP_POOL_CONFIG_DEFAULT;
    const dp_status status = dp_pool_create(&config, out);
    if (status != DP_OK) {
        ctl_error("cannot make a pool: %s", dp_status_message(status));
    }
    return status == DP_OK;
}

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

int ctl_tiers(int argc, char **argv)
{
    dp_pool *pool;

    if (argc > 1) {
        ctl_error("tiers takes no argument (\"%s\")", argv[1]);
        return CTL_USAGE;
    }
    if (!open_pool(&pool)) {
        return CTL_FAILED;
    }
    printf("%-8s %-12s %-5s %-7s %-10s %-9s %-6s %s\n", "tier", "state", "host", "device",
           "persistent", "shareable", "align", "detail");
    for (int id = 0; id < DP_TIER_COUNT; id++) {
        dp_tier_info info;
        if (dp_pool_tier_info(pool, (dp_tier_id)id, &info) != DP_OK) {
            continue;
        }
        printf("%-8s %-12s %-5s %-7s %-10s %-9s %-6zu %s\n", info.name, dp_status_name(info.state),
               yes_no(info.host_visible), yes_no(info.device_visible), yes_no(info.persistent),
               yes_no(info.shareable), info.alignment_bytes, info.detail);
    }
    dp_pool_destroy(pool);
    return CTL_OK;
}
