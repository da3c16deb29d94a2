/* SPDX-License-Identifier: Apache-2.0 */
/* The same words by the toolkit's other name. */
#ifndef DP_TESTS_CUDA_RUNTIME_API_H
#define DP_TESTS_CUDA_RUNTIME_API_H

#include <cuda_runtime.h>

#endif
