/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans of drawings that were asked for, by scene and size, for the next time: a bounded number of
 * bytes, the least recently used goes first.
 *
 * In this process alone: unlike scenes, plans are believed by those that draw them, so they are
 * not kept where they could come back from elsewhere.  Thread safe.
 */
#ifndef DP_RENDER_PLAN_CACHE_H
#define DP_RENDER_PLAN_CACHE_H

#include <danpool/cache.h>

#include "render/drawing.h"

typedef struct plan_cache plan_cache;

/* DP_ERR_NOMEM.  `bytes_max` is of plans in host memory; those on a device are no more. */
dp_status plan_cache_create(size_t bytes_max, plan_cache **out);
void plan_cache_destroy(plan_cache *cache); /* NULL is fine */

/* A reference, and one more use of the plan; NULL: it is not there. */
drawing_plan *plan_cache_find(plan_cache *cache, const dp_cache_key *scene_key,
                              const uint32_t size[2]);

/* Takes a reference of its own.  What does not fit, or is there, is left alone. */
void plan_cache_keep(plan_cache *cache, const dp_cache_key *scene_key, const uint32_t size[2],
                     drawing_plan *plan);

#endif
