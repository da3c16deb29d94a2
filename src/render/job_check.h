/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks at the pipeline's door: without a lock, memory or time to speak of.  Thread safe.
 */
#ifndef DP_RENDER_JOB_CHECK_H
#define DP_RENDER_JOB_CHECK_H

#include "render/render.h"

/* dp_render_submit()'s errors, but for the queue's.  `config` has its defaults filled in. */
dp_status render_job_check(const dp_render_config *config, const dp_render_job *job);

#endif
