/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A played device for the CUDA backend: a fake driver gives the memory (its device addresses cannot
 * be dereferenced), a host build of the device code is the kernels, and every stream does its work
 * as late as it may: when it is waited for.  So what is packed, sent, freed or read at the wrong
 * time or place is seen.
 */
#ifndef DP_TESTS_LATE_DEVICE_H
#define DP_TESTS_LATE_DEVICE_H

#include "cuda_fake.h"
#include "render/cuda_chunk.h"

typedef struct late_device {
    cuda_device device;
    unsigned call_number, fail_at; /* the n-th call answers with an error, 0 = none does */
    unsigned copies, launches, most_under_way;
    size_t sent_bytes;
    bool others_first; /* all other streams pass the one that is waited for */
} late_device;

extern late_device late;
extern const cuda_calls late_device_calls;

/* Installs the fake driver; before the pool is made. */
void late_device_begin(size_t device_bytes);
/* After it. */
void late_device_open(void);
/* When the backends are closed, before the pool goes. */
void late_device_close(void);

#endif
