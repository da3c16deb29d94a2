/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a rule needs no libconfig, so this stands beside what reads one.  No state.
 */
#include "server/config/route_text.h"

#include <inttypes.h>

/* libconfig 1.5 takes a number over 32 bits only with an L behind it. */
static void print_number(FILE *to, const char *key, uint64_t value)
{
    if (value != 0) {
        fprintf(to, " %s = %" PRIu64 "%s;", key, value, value > INT32_MAX ? "L" : "");
    }
}

void route_text_print(FILE *to, const dp_route_rule *rule)
{
    fputc('{', to);
    if (rule->kind != DP_KIND_COUNT) {
        fprintf(to, " kind = \"%s\";", dp_kind_name(rule->kind));
    }
    print_number(to, "size_min", rule->size_bytes_min);
    print_number(to, "size_max", rule->size_bytes_max);
    if (rule->priority_min != DP_PRIORITY_LOW) {
        fprintf(to, " priority = \"%s\";", dp_priority_name(rule->priority_min));
    }
    print_number(to, "batch_min", rule->batch_size_min);
    print_number(to, "tenant", rule->tenant);
    fputs(" tiers = [", to);
    for (unsigned i = 0; i < DP_TIER_COUNT && rule->tiers[i] != DP_TIER_NONE; i++) {
        fprintf(to, "%s\"%s\"", i == 0 ? "" : ", ", dp_tier_name(rule->tiers[i]));
    }
    fputs("]; }", to);
}
