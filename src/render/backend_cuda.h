/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA backend over any table of calls: what tests need beyond backend.h.
 */
#ifndef DP_RENDER_BACKEND_CUDA_H
#define DP_RENDER_BACKEND_CUDA_H

#include "render/cuda_chunk.h"

/* As backend_cuda_open(), by `calls`, which outlive the backend. */
dp_status backend_cuda_open_over(dp_pool *pool, const cuda_calls *calls,
                                 char detail[BACKEND_DETAIL_BYTES], backend **out);

#endif
