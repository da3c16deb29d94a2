/* SPDX-License-Identifier: Apache-2.0 */
/*
 * danpoolctl route: which rule a request would go by, in which tiers it would be tried, and why not
 * in the others.
 *
 * The rules are the shipped ones, or those of a danpoold.conf; the tiers are what a pool finds
 * here. The pool is asked only: no memory is taken from it, and no pmem file is opened or made.
 */
#define _DEFAULT_SOURCE /* getopt_long */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <danpool/pool.h>

#include "ctl/ctl.h"
#include "server/config/route_text.h"
#if DP_CTL_CONFIG
#include "server/config/config.h"
#else
#define CONFIG_RULES_MAX 64u
#endif

/* The routing table, and what else of the configuration the answer depends on. */
typedef struct table {
    dp_route_rule rules[CONFIG_RULES_MAX];
    size_t count;
    uint32_t tiers; /* those to open */
#if DP_CTL_CONFIG
    config settings; /* says where its rules were read */
#endif
} table;

typedef struct options {
    dp_request request;
    const char *file;
} options;

/* ---- the table ---- */

#if DP_CTL_CONFIG

static int table_load(const char *file, table *out)
{
    config_error error = {.message = ""};
    config_defaults(&out->settings);
    dp_status status = DP_OK;
    if (file != NULL) {
        status = config_load_file(&out->settings, file, &error);
    }
    if (status == DP_OK) {
        status = config_tiers(&out->settings, &out->tiers, &error);
    }
    if (status != DP_OK) {
        ctl_error("%s", error.message);
        return 0;
    }
    out->count = config_rules(&out->settings, out->rules);
    return 1;
}

static const char *table_where(const table *in, size_t rule)
{
    return rule < in->settings.pool_route_count ? in->settings.pool_routes[rule].where : "shipped";
}

#else

static int table_load(const char *file, table *out)
{
    if (file != NULL) {
        ctl_error("this build cannot read %s (no libconfig)", file);
        return 0;
    }
    const dp_route_rule *shipped = dp_route_rules_default(&out->count);
    memcpy(out->rules, shipped, out->count * sizeof *shipped);
    out->tiers = DP_TIER_BITS_ALL;
    return 1;
}

static const char *table_where(const table *in, size_t rule)
{
    (void)in;
    (void)rule;
    return "shipped";
}

#endif

/* ---- the answer ---- */

static void print_request(const dp_request *request)
{
    printf("%s of %zu bytes, batch %" PRIu16, dp_kind_name((dp_kind)request->kind),
           request->size_bytes, request->batch_size);
    if (request->priority != DP_PRIORITY_LOW) {
        printf(", priority %s", dp_priority_name((dp_priority)request->priority));
    }
    if (request->tenant != 0) {
        printf(", tenant %" PRIu16, request->tenant);
    }
}

/* Why the router passes a tier over, the reason it looks at first. */
static void print_reason(const dp_tier_info *info, const dp_request *request)
{
    if (info->state != DP_OK) {
        printf("absent here: %s", info->detail);
    } else if ((request->need & DP_NEED_HOST) != 0 && !info->host_visible) {
        printf("passed over: the CPU cannot see it");
    } else if ((request->need & DP_NEED_DEVICE) != 0 && !info->device_visible) {
        printf("passed over: kernels cannot see it");
    } else {
        printf("passed over: it keeps objects and hands out no memory");
    }
}

static void print_tiers(const dp_pool *pool, const dp_request *request, const dp_route_rule *rule,
                        const dp_tier_id tried[DP_TIER_COUNT])
{
    for (unsigned i = 0; i < DP_TIER_COUNT && rule->tiers[i] != DP_TIER_NONE; i++) {
        dp_tier_info info;
        unsigned order = 0;
        while (order < DP_TIER_COUNT && tried[order] != rule->tiers[i]) {
            order++;
        }
        printf("  %-8s ", dp_tier_name(rule->tiers[i]));
        if (order < DP_TIER_COUNT) {
            printf("tried %s", order == 0 ? "first" : "next");
        } else if (dp_pool_tier_info(pool, rule->tiers[i], &info) == DP_OK) {
            print_reason(&info, request);
        }
        printf("\n");
    }
}

static int explain(const dp_pool *pool, const table *from, const dp_request *request)
{
    dp_tier_id tried[DP_TIER_COUNT];
    size_t index = 0;
    for (unsigned i = 0; i < DP_TIER_COUNT; i++) {
        tried[i] = DP_TIER_NONE;
    }
    dp_status status = dp_route_rules_match(from->rules, from->count, request, &index);
    if (status != DP_OK) {
        ctl_error("no rule would serve it: %s", dp_status_message(status));
        return CTL_FAILED;
    }
    size_t same = 0;
    status = dp_pool_route(pool, request, tried, &same);
    print_request(request);
    printf(": rule %zu of %zu, ", index + 1, from->count);
    if (status != DP_OK) {
        printf("no tier here would serve it");
    }
    for (unsigned i = 0; i < DP_TIER_COUNT && tried[i] != DP_TIER_NONE; i++) {
        printf("%s %s", i == 0 ? "tiers tried:" : ",", dp_tier_name(tried[i]));
    }
    printf("\n  %s: ", table_where(from, index));
    route_text_print(stdout, &from->rules[index]);
    printf("\n");
    print_tiers(pool, request, &from->rules[index], tried);
    return status == DP_OK ? CTL_OK : CTL_FAILED;
}

/* ---- the command line ---- */

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

static int read_priority(const char *text, uint8_t *priority)
{
    *priority = (uint8_t)dp_priority_by_name(text);
    if (*priority == DP_PRIORITY_COUNT) {
        ctl_error("--priority: \"%s\" is none of low, normal, high", text);
        return 0;
    }
    return 1;
}

static int read_option(int option, const char *text, options *out)
{
    unsigned long long number = 0;
    dp_request *request = &out->request;
    int ok = 1;
    switch (option) {
    case 'k':
        return read_kind(text, &request->kind);
    case 'n':
        return read_need(text, &request->need);
    case 'p':
        return read_priority(text, &request->priority);
    case 's':
        ok = ctl_number("--size", text, 1, DP_SIZE_BYTES_MAX, &number);
        request->size_bytes = (size_t)number;
        return ok;
    case 'b':
        ok = ctl_number("--batch", text, 0, UINT16_MAX, &number);
        request->batch_size = (uint16_t)number;
        return ok;
    case 't':
        ok = ctl_number("--tenant", text, 0, UINT16_MAX, &number);
        request->tenant = (uint16_t)number;
        return ok;
    case 'c':
        out->file = text;
        return 1;
    default:
        return 0;
    }
}

static int read_options(int argc, char **argv, options *out)
{
    static const struct option known[] = {
        {"kind", required_argument, NULL, 'k'},   {"size", required_argument, NULL, 's'},
        {"batch", required_argument, NULL, 'b'},  {"need", required_argument, NULL, 'n'},
        {"tenant", required_argument, NULL, 't'}, {"priority", required_argument, NULL, 'p'},
        {"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
    int option;

    out->request.kind = DP_KIND_COUNT;
    while ((option = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
        if (!read_option(option, optarg, out)) {
            return 0;
        }
    }
    if (optind != argc || out->request.kind == DP_KIND_COUNT || out->request.size_bytes == 0) {
        ctl_error("route needs --kind and --size");
        return 0;
    }
    return 1;
}

int ctl_route(int argc, char **argv)
{
    static table from;
    options asked = {.file = NULL};
    dp_pool_config pool_config = DP_POOL_CONFIG_DEFAULT;
    dp_pool *pool;

    if (!read_options(argc, argv, &asked)) {
        return CTL_USAGE;
    }
    if (!table_load(asked.file, &from)) {
        return CTL_FAILED;
    }
    pool_config.tiers = from.tiers;
    pool_config.rules = from.rules;
    pool_config.rule_count = from.count;
    dp_status made = dp_pool_create(&pool_config, &pool);
    if (made != DP_OK) {
        ctl_error("cannot make a pool: %s", dp_status_message(made));
        return CTL_FAILED;
    }
    const int status = explain(pool, &from, &asked.request);
    dp_pool_destroy(pool);
    return status;
}
