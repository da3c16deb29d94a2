/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl tiers and danpoolctl route: what this machine has, and what the shipped rules make of
 * a request.  Both open a pool with the defaults and ask it; neither takes memory from it.
 */
#define _DEFAULT_SOURCE /* getopt_long */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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

/* Which tiers of the pool would be passed over is the router's knowledge: it lists those it would
 * try. */
static int explain(const dp_pool *pool, const dp_request *request)
{
    dp_tier_id tiers[DP_TIER_COUNT];
    size_t rule = 0;
    size_t rule_count = 0;

    const dp_status status = dp_pool_route(pool, request, tiers, &rule);
    if (status != DP_OK) {
        ctl_error("no tier here would serve it: %s", dp_status_message(status));
        return CTL_FAILED;
    }
    (void)dp_route_rules_default(&rule_count);
    printf("%s of %zu bytes, batch %" PRIu16 ": rule %zu of %zu, tiers tried",
           dp_kind_name((dp_kind)request->kind), request->size_bytes, request->batch_size, rule + 1,
           rule_count);
    for (int i = 0; i < DP_TIER_COUNT && tiers[i] != DP_TIER_NONE; i++) {
        printf("%s %s", i == 0 ? ":" : ",", dp_tier_name(tiers[i]));
    }
    printf("\n");
    return CTL_OK;
}

static int read_need(const char *text, uint8_t *need)
{
    if (strcmp(text, "host") == 0) {
        *need |= DP_NEED_HOST;
    } else if (strcmp(text, "device") == 0) {
        *need |= DP_NEED_DEVICE;
    } else {
        ctl_error("--need: \"%s\" is neither host nor device", text);
        return 0;
    }
    return 1;
}

static int read_kind(const char *text, uint8_t *kind)
{
    /* An SVG is text to read but a surface to hold; people ask about it by its own name. */
    dp_kind named = strcmp(text, "svg") == 0 ? DP_KIND_SURFACE : dp_kind_by_name(text);
    *kind = (uint8_t)named;
    if (*kind == DP_KIND_COUNT) {
        ctl_error("--kind: \"%s\" is none of other, text, surface, encoded, svg", text);
        return 0;
    }
    return 1;
}

static int read_options(int argc, char **argv, dp_request *request)
{
    static const struct option options[] = {{"kind", required_argument, NULL, 'k'},
                                            {"size", required_argument, NULL, 's'},
                                            {"batch", required_argument, NULL, 'b'},
                                            {"need", required_argument, NULL, 'n'},
                                            {NULL, 0, NULL, 0}};
    unsigned long long number = 0;
    int ok = 1;
    int option;

    request->kind = DP_KIND_COUNT;
    while (ok && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'k':
            ok = read_kind(optarg, &request->kind);
            break;
        case 's':
            ok = ctl_number("--size", optarg, 1, DP_SIZE_BYTES_MAX, &number);
            request->size_bytes = (size_t)number;
            break;
        case 'b':
            ok = ctl_number("--batch", optarg, 0, UINT16_MAX, &number);
            request->batch_size = (uint16_t)number;
            break;
        case 'n':
            ok = read_need(optarg, &request->need);
            break;
        default:
            ok = 0;
        }
    }
    if (ok && (optind != argc || request->kind == DP_KIND_COUNT || request->size_bytes == 0)) {
        ctl_error("route needs --kind and --size");
        ok = 0;
    }
    return ok;
}

int ctl_route(int argc, char **argv)
{
    dp_request request = {0};
    dp_pool *pool;

    if (!read_options(argc, argv, &request)) {
        return CTL_USAGE;
    }
    if (!open_pool(&pool)) {
        return CTL_FAILED;
    }
    const int status = explain(pool, &request);
    dp_pool_destroy(pool);
    return status;
}
