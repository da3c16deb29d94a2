/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words for the pipeline's enumerations, for metrics, logs and command lines.
 */
#include "render/render.h"

const char *dp_render_device_name(dp_render_device state)
{
    static const char *const names[] = {"none", "ok", "failed", "tried"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

const char *dp_render_fit_name(dp_render_fit fit)
{
    static const char *const names[DP_RENDER_FIT_COUNT] = {"contain", "cover", "exact"};
    return (unsigned)fit < DP_RENDER_FIT_COUNT ? names[fit] : "unknown";
}

const char *dp_render_stage_name(dp_render_stage stage)
{
    static const char *const names[DP_RENDER_STAGE_COUNT] = {"queue", "decode", "batch", "resize",
                                                             "encode"};
    return (unsigned)stage < DP_RENDER_STAGE_COUNT ? names[stage] : "unknown";
}
