/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rung 0: the CUDA driver API as a table of function pointers, loaded at run time.
 *
 * No CUDA header and no link-time library is needed, so one binary serves machines with and
 * without a GPU.  The table is one X-macro list; tests install another table over malloc
 * (tests/support/cuda_fake.c) and so drive the same code through out-of-memory and device loss.
 *
 * A tier holds one cuda_device each.  cuda_enter() / cuda_leave() bracket every call that touches
 * the device: they push the primary context (the one that the CUDA runtime uses too) and pop it
 * again, so that a thread of the embedding program keeps whatever context it had made current.
 */
#ifndef DP_POOL_CUDA_DRIVER_H
#define DP_POOL_CUDA_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#define CUDA_DETAIL_BYTES 96

/* The driver's own types, as its documented ABI has them on 64-bit systems. */
typedef int cuda_result;
typedef int cuda_ordinal;
typedef struct cuda_context cuda_context;
typedef struct cuda_stream cuda_stream;
typedef struct cuda_event cuda_event;
typedef unsigned long long cuda_address;
/* CUmemLocation, passed by value. */
typedef struct cuda_location {
    int type;
    int id;
} cuda_location;

/* The results that somebody here tells apart; values from the driver API reference. */
enum {
    CUDA_OK = 0,
    CUDA_INVALID_VALUE = 1,
    CUDA_OUT_OF_MEMORY = 2,
    CUDA_NOT_INITIALIZED = 3,
    CUDA_DEINITIALIZED = 4,
    CUDA_STUB_LIBRARY = 34,
    CUDA_DEVICE_UNAVAILABLE = 46,
    CUDA_NO_DEVICE = 100,
    CUDA_INVALID_DEVICE = 101,
    CUDA_INVALID_CONTEXT = 201,
    CUDA_ECC_UNCORRECTABLE = 214,
    CUDA_NVLINK_UNCORRECTABLE = 220,
    CUDA_SYSTEM_DRIVER_MISMATCH = 803,
    CUDA_COMPAT_NOT_SUPPORTED = 804,
    CUDA_OPERATING_SYSTEM = 304,
    CUDA_INVALID_HANDLE = 400,
    CUDA_NOT_READY = 600,
    CUDA_ILLEGAL_ADDRESS = 700,
    CUDA_LAUNCH_FAILED = 719,
    CUDA_SYSTEM_NOT_READY = 802,
    CUDA_CAPTURED_EVENT = 907,
    CUDA_UNKNOWN = 999
};

#define CUDA_HOST_PORTABLE   1u /* CU_MEMHOSTALLOC_PORTABLE: pinned for every context */
#define CUDA_HOST_DEVICE_MAP 2u /* CU_MEMHOSTALLOC_DEVICEMAP: kernels may dereference it */

#define CUDA_EVENT_NO_TIMING 2u /* CU_EVENT_DISABLE_TIMING: recording and asking cost less */

#define CUDA_ATTACH_GLOBAL 1u /* CU_MEM_ATTACH_GLOBAL: any stream of any device may touch it */

#define CUDA_ATTRIBUTE_MANAGED_MEMORY    83 /* CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY */
#define CUDA_ATTRIBUTE_CONCURRENT_ACCESS 89 /* CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS */

/* CUmem_advise. */
enum {
    CUDA_ADVISE_READ_MOSTLY = 1,
    CUDA_ADVISE_NOT_READ_MOSTLY = 2,
    CUDA_ADVISE_PREFER = 3,
    CUDA_ADVISE_PREFER_NONE = 4
};

/* CUmemLocationType; the older calls take the device's ordinal instead, the CPU's is -1. */
enum { CUDA_LOCATION_DEVICE = 1, CUDA_LOCATION_HOST = 2, CUDA_ORDINAL_CPU = -1 };

/* X(slot, exported symbol, parameters).  Every function returns a CUresult.  All of them must be
 * there: a driver that lacks one is too old for us. */
#define CUDA_DRIVER_LIST(X)                                                                        \
    X(init, "cuInit", (unsigned flags))                                                            \
    X(device_count, "cuDeviceGetCount", (int *count))                                              \
    X(device_get, "cuDeviceGet", (cuda_ordinal * device, int index))                               \
    X(device_name, "cuDeviceGetName", (char *name, int length, cuda_ordinal device))               \
    X(context_retain, "cuDevicePrimaryCtxRetain", (cuda_context * *context, cuda_ordinal device))  \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (cuda_ordinal device))                      \
    X(context_push, "cuCtxPushCurrent_v2", (cuda_context * context))                               \
    X(context_pop, "cuCtxPopCurrent_v2", (cuda_context * *context))                                \
    X(memory_info, "cuMemGetInfo_v2", (size_t * free_bytes, size_t * total_bytes))                 \
    X(memory_alloc, "cuMemAlloc_v2", (cuda_address * address, size_t size_bytes))                  \
    X(memory_free, "cuMemFree_v2", (cuda_address address))                                         \
    X(host_alloc, "cuMemHostAlloc", (void **host, size_t size_bytes, unsigned flags))              \
    X(host_free, "cuMemFreeHost", (void *host))                                                    \
    X(host_address, "cuMemHostGetDevicePointer_v2",                                                \
      (cuda_address * address, void *host, unsigned flags))                                        \
    X(copy_to_device, "cuMemcpyHtoD_v2", (cuda_address to, const void *from, size_t size_bytes))   \
    X(copy_to_host, "cuMemcpyDtoH_v2", (void *to, cuda_address from, size_t size_bytes))           \
    X(event_create, "cuEventCreate", (cuda_event * *event, unsigned flags))                        \
    X(event_destroy, "cuEventDestroy_v2", (cuda_event * event))                                    \
    X(event_record, "cuEventRecord", (cuda_event * event, cuda_stream * stream))                   \
    X(event_query, "cuEventQuery", (cuda_event * event))                                           \
    X(event_wait, "cuEventSynchronize", (cuda_event * event))                                      \
    X(stream_wait, "cuStreamSynchronize", (cuda_stream * stream))                                  \
    X(error_name, "cuGetErrorName", (cuda_result result, const char **name))

/*
 * As above, but the slot is NULL where the driver lacks the symbol: what needs it is absent then.
 * Advice and prefetch changed their parameters with CUDA 12.2; either form will do.
 */
#define CUDA_DRIVER_OPTIONAL_LIST(X)                                                               \
    X(device_attribute, "cuDeviceGetAttribute", (int *value, int attribute, cuda_ordinal device))  \
    X(managed_alloc, "cuMemAllocManaged",                                                          \
      (cuda_address * address, size_t size_bytes, unsigned flags))                                 \
    X(advise, "cuMemAdvise_v2",                                                                    \
      (cuda_address address, size_t size_bytes, int advice, cuda_location location))               \
    X(prefetch, "cuMemPrefetchAsync_v2",                                                           \
      (cuda_address address, size_t size_bytes, cuda_location to, unsigned flags,                  \
       cuda_stream *stream))                                                                       \
    X(advise_ordinal, "cuMemAdvise",                                                               \
      (cuda_address address, size_t size_bytes, int advice, cuda_ordinal device))                  \
    X(prefetch_ordinal, "cuMemPrefetchAsync",                                                      \
      (cuda_address address, size_t size_bytes, cuda_ordinal to, cuda_stream * stream))

typedef struct cuda_driver {
#define CUDA_DRIVER_SLOT(slot, symbol, parameters) cuda_result(*slot) parameters;
    CUDA_DRIVER_LIST(CUDA_DRIVER_SLOT)
    CUDA_DRIVER_OPTIONAL_LIST(CUDA_DRIVER_SLOT)
#undef CUDA_DRIVER_SLOT
} cuda_driver;

/* Device 0 with its primary context retained.  Read-only once opened, so any thread may use it. */
typedef struct cuda_device {
    const cuda_driver *driver;
    cuda_context *context;
    cuda_ordinal ordinal;
    char name[64];
} cuda_device;

/*
 * The table: loaded and initialised by the first call, the same for every later one.  Never
 * unloaded, since the driver leaves threads behind.  Fails with DP_ERR_UNSUPPORTED (DP_ERR_DEVICE
 * for a driver whose device is broken) and says why in `detail`.  Thread safe.
 */
dp_status cuda_driver_get(char detail[CUDA_DETAIL_BYTES], const cuda_driver **out);

/*
 * Retains the first device's primary context.  One cuda_device_close() for each success.
 * Errors as above; "CUDA driver found, no device" is one of them.  Thread safe.
 */
dp_status cuda_device_open(char detail[CUDA_DETAIL_BYTES], cuda_device *out);
void cuda_device_close(cuda_device *device);

/*
 * Makes the device's context current on this thread until cuda_leave().  They nest; a failed enter
 * needs no leave.
 */
dp_status cuda_enter(const cuda_device *device);
void cuda_leave(const cuda_device *device);

/*
 * The one mapping from CUresult to dp_status: out of memory -> DP_ERR_NOMEM; no driver, no device,
 * not initialised -> DP_ERR_UNSUPPORTED; anything else -> DP_ERR_DEVICE, since after a lost
 * device, an ECC error or a failed launch every later call fails too.
 */
dp_status cuda_status(cuda_result result);

/*
 * For tests: serves `table` instead of the real driver until called with NULL.  The table must
 * outlive every device opened over it.  Asserts that no device is open.
 */
void cuda_driver_override(const cuda_driver *table);

#endif
