/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the pipeline need beyond render.h: a device of their own.
 */
#ifndef DP_RENDER_RENDER_INTERNAL_H
#define DP_RENDER_RENDER_INTERNAL_H

#include "render/backend.h"
#include "render/render.h"

/*
 * As dp_render_create(), with `device` in the place of what the configuration names; NULL = the CPU
 * alone.  Takes the device over, also when it fails.
 */
dp_status render_create_over(dp_pool *pool, const dp_render_config *config, backend *device,
                             dp_render **out);

#endif
