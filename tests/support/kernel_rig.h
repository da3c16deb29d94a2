/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CUDA drivers of kernels/ against their CPU twins, byte for byte, on random input: the checks
 * themselves, for a real device (test_kernels_cuda.c, memory from the pool's hbm tier) and for a
 * host build of the device code (test_kernels_host.c, plain memory).
 *
 * Checks are cmocka tests and fail by its assertions.  One thread.
 */
#ifndef DP_TESTS_KERNEL_RIG_H
#define DP_TESTS_KERNEL_RIG_H

#include <stddef.h>
#include <stdint.h>

/* The memory that kernels work on.  Addresses are aligned to 64. */
typedef struct kernel_memory {
    /* `bytes` may be NULL: content undefined. */
    uint64_t (*take)(const void *bytes, size_t size_bytes);
    void (*read)(uint64_t address, void *bytes, size_t size_bytes);
    void (*give)(uint64_t address);
} kernel_memory;

/* Runs every check; cmocka's count of failures.  Prints the seed. */
int kernel_rig_run(const kernel_memory *memory);

/* For the files of checks. */
/* Rounds of random input; fewer where a sanitizer makes each of them slow. */
#if defined(__SANITIZE_ADDRESS__)
#define KERNEL_RIG_ROUNDS(rounds) ((rounds) / 2)
#elif defined(__SANITIZE_THREAD__)
#define KERNEL_RIG_ROUNDS(rounds) ((rounds) / 4)
#else
#define KERNEL_RIG_ROUNDS(rounds) (rounds)
#endif
extern const kernel_memory *kernel_rig_memory;
uint32_t kernel_rig_random(void);
/* To be freed. */
void *kernel_rig_bytes(size_t size_bytes);
void *kernel_rig_random_bytes(size_t size_bytes);
/* Compares device memory with what is wanted and gives it back. */
void kernel_rig_expect(uint64_t address, const void *want, size_t size_bytes);

/* One file of checks each. */
void kernel_rig_resize(void **state);
void kernel_rig_resize_batch(void **state);
void kernel_rig_composite(void **state);
void kernel_rig_filter(void **state);
void kernel_rig_raster(void **state);
void kernel_rig_raster_full(void **state);
void kernel_rig_scene(void **state);
void kernel_rig_scene_full(void **state);
void kernel_rig_pack(void **state);

#endif
