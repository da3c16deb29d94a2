/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of decoder processes: where pictures are decoded, how many processes there are, and
 * what became of the others.  No state.
 */
#ifndef DP_SERVER_STATUS_DECODERS_H
#define DP_SERVER_STATUS_DECODERS_H

#include "render/render.h"
#include "server/ops/metrics.h"

void status_write_decoders(metrics_text *text, const dp_render *render);

#endif
