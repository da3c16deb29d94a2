/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A routing rule in the notation of danpoold.conf, as --print-config and danpoolctl write it.
 */
#ifndef DP_SERVER_ROUTE_TEXT_H
#define DP_SERVER_ROUTE_TEXT_H

#include <stdio.h>

#include <danpool/pool.h>

/* { kind = "surface"; batch_min = 8; tiers = ["hbm", "pinned"]; }  Columns that match everything
 * are left out. */
void route_text_print(FILE *to, const dp_route_rule *rule);

#endif
