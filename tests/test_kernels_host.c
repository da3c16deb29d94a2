/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host build of the device code (tests/support/cuda_host) against the CPU twins, byte for byte,
 * on random input: what can be known of the kernels where there is no GPU, and under sanitizers.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel_rig.h"

static uint64_t take(const void *bytes, size_t size_bytes)
{
    /* Exactly as large as asked, so that a sanitizer sees a step beyond. */
    void *out;
    if (posix_memalign(&out, 64, size_bytes) != 0) {
        abort();
    }
    if (bytes != NULL) {
        memcpy(out, bytes, size_bytes);
    } else {
        memset(out, 0xa5, size_bytes);
    }
    return (uint64_t)(uintptr_t)out;
}

static void read_back(uint64_t address, void *bytes, size_t size_bytes)
{
    memcpy(bytes, (const void *)(uintptr_t)address, size_bytes);
}

static void give(uint64_t address)
{
    free((void *)(uintptr_t)address);
}

int main(void)
{
    static const kernel_memory memory = {.take = take, .read = read_back, .give = give};
    return kernel_rig_run(&memory);
}
