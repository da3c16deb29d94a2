/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CUDA drivers share: is there a device, and the one mapper of CUDA's errors to words.
 *
 * The runtime is linked statically and looks for the driver at run time, so a binary with kernels
 * starts on machines without one.  Work goes to the calling thread's own stream
 * (cudaStreamPerThread), so that render workers do not wait for each other.
 */
#ifndef DP_KERNELS_CUDA_LAUNCH_H
#define DP_KERNELS_CUDA_LAUNCH_H

#ifdef __cplusplus
extern "C" {
#endif

/* NULL when kernels can run on the current device, else why not in CUDA's words (static). */
const char *cuda_launch_probe(void);

/* Ends a call: NULL when its launches were taken and finished, else CUDA's words (static). */
const char *cuda_launch_finish(void);

#ifdef __cplusplus
}
#endif

#endif
