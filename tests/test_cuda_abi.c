/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cuda_driver.h says of the driver's ABI, against the toolkit's own header where one is
 * installed: sizes, values, and the name that each exported symbol has there.  Nearly all of it is
 * decided by the compiler; at run time only the names of the symbols are compared.
 */
#include "cm.h"

#include <stddef.h>
#include <string.h>

#include <cuda.h>

#include "pool/cuda_driver.h"

_Static_assert(sizeof(cuda_result) == sizeof(CUresult), "CUresult");
_Static_assert(sizeof(cuda_ordinal) == sizeof(CUdevice), "CUdevice");
_Static_assert(sizeof(cuda_address) == sizeof(CUdeviceptr), "CUdeviceptr");
_Static_assert(sizeof(cuda_location) == sizeof(CUmemLocation), "CUmemLocation");
_Static_assert(offsetof(cuda_location, id) == offsetof(CUmemLocation, id), "CUmemLocation.id");

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #theirs)

SAME(CUDA_OK, CUDA_SUCCESS);
SAME(CUDA_INVALID_VALUE, CUDA_ERROR_INVALID_VALUE);
SAME(CUDA_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
SAME(CUDA_NOT_INITIALIZED, CUDA_ERROR_NOT_INITIALIZED);
SAME(CUDA_DEINITIALIZED, CUDA_ERROR_DEINITIALIZED);
SAME(CUDA_STUB_LIBRARY, CUDA_ERROR_STUB_LIBRARY);
SAME(CUDA_DEVICE_UNAVAILABLE, CUDA_ERROR_DEVICE_UNAVAILABLE);
SAME(CUDA_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
SAME(CUDA_INVALID_DEVICE, CUDA_ERROR_INVALID_DEVICE);
SAME(CUDA_INVALID_CONTEXT, CUDA_ERROR_INVALID_CONTEXT);
SAME(CUDA_ECC_UNCORRECTABLE, CUDA_ERROR_ECC_UNCORRECTABLE);
SAME(CUDA_NVLINK_UNCORRECTABLE, CUDA_ERROR_NVLINK_UNCORRECTABLE);
SAME(CUDA_OPERATING_SYSTEM, CUDA_ERROR_OPERATING_SYSTEM);
SAME(CUDA_INVALID_HANDLE, CUDA_ERROR_INVALID_HANDLE);
SAME(CUDA_NOT_READY, CUDA_ERROR_NOT_READY);
SAME(CUDA_ILLEGAL_ADDRESS, CUDA_ERROR_ILLEGAL_ADDRESS);
SAME(CUDA_LAUNCH_FAILED, CUDA_ERROR_LAUNCH_FAILED);
SAME(CUDA_SYSTEM_NOT_READY, CUDA_ERROR_SYSTEM_NOT_READY);
SAME(CUDA_SYSTEM_DRIVER_MISMATCH, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
SAME(CUDA_COMPAT_NOT_SUPPORTED, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
SAME(CUDA_CAPTURED_EVENT, CUDA_ERROR_CAPTURED_EVENT);
SAME(CUDA_UNKNOWN, CUDA_ERROR_UNKNOWN);
SAME(CUDA_HOST_PORTABLE, CU_MEMHOSTALLOC_PORTABLE);
SAME(CUDA_HOST_DEVICE_MAP, CU_MEMHOSTALLOC_DEVICEMAP);
SAME(CUDA_EVENT_NO_TIMING, CU_EVENT_DISABLE_TIMING);
SAME(CUDA_ATTACH_GLOBAL, CU_MEM_ATTACH_GLOBAL);
SAME(CUDA_ATTRIBUTE_MANAGED_MEMORY, CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY);
SAME(CUDA_ATTRIBUTE_CONCURRENT_ACCESS, CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS);
SAME(CUDA_ADVISE_READ_MOSTLY, CU_MEM_ADVISE_SET_READ_MOSTLY);
SAME(CUDA_ADVISE_NOT_READ_MOSTLY, CU_MEM_ADVISE_UNSET_READ_MOSTLY);
SAME(CUDA_ADVISE_PREFER, CU_MEM_ADVISE_SET_PREFERRED_LOCATION);
SAME(CUDA_ADVISE_PREFER_NONE, CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION);
SAME(CUDA_LOCATION_DEVICE, CU_MEM_LOCATION_TYPE_DEVICE);
SAME(CUDA_LOCATION_HOST, CU_MEM_LOCATION_TYPE_HOST);
SAME(CUDA_ORDINAL_CPU, CU_DEVICE_CPU);

/* The header's macros turn a plain name into the versioned symbol that a program really calls. */
#define TEXT_OF(name)   #name
#define SYMBOL_OF(name) TEXT_OF(name)

static void symbols_are_those_that_the_names_of_the_header_stand_for(void **state)
{
    (void)state;
    static const struct {
        const char *slot;
        const char *symbol;
    } ours[] = {
#define ABI_ROW(slot, symbol, parameters) {#slot, symbol},
        CUDA_DRIVER_LIST(ABI_ROW) CUDA_DRIVER_OPTIONAL_LIST(ABI_ROW)
#undef ABI_ROW
    };
    static const struct {
        const char *slot;
        const char *symbol;
    } theirs[] = {
        {"context_release", SYMBOL_OF(cuDevicePrimaryCtxRelease)},
        {"context_push", SYMBOL_OF(cuCtxPushCurrent)},
        {"context_pop", SYMBOL_OF(cuCtxPopCurrent)},
        {"memory_info", SYMBOL_OF(cuMemGetInfo)},
        {"memory_alloc", SYMBOL_OF(cuMemAlloc)},
        {"memory_free", SYMBOL_OF(cuMemFree)},
        {"host_alloc", SYMBOL_OF(cuMemHostAlloc)},
        {"host_free", SYMBOL_OF(cuMemFreeHost)},
        {"host_address", SYMBOL_OF(cuMemHostGetDevicePointer)},
        {"copy_to_device", SYMBOL_OF(cuMemcpyHtoD)},
        {"copy_to_host", SYMBOL_OF(cuMemcpyDtoH)},
        {"event_create", SYMBOL_OF(cuEventCreate)},
        {"event_destroy", SYMBOL_OF(cuEventDestroy)},
        {"event_record", SYMBOL_OF(cuEventRecord)},
        {"event_query", SYMBOL_OF(cuEventQuery)},
        {"event_wait", SYMBOL_OF(cuEventSynchronize)},
        {"stream_wait", SYMBOL_OF(cuStreamSynchronize)},
        {"device_attribute", SYMBOL_OF(cuDeviceGetAttribute)},
        {"managed_alloc", SYMBOL_OF(cuMemAllocManaged)},
#if CUDA_VERSION >= 13000 /* earlier headers mean the older forms by these names */
        {"advise", SYMBOL_OF(cuMemAdvise)},
        {"prefetch", SYMBOL_OF(cuMemPrefetchAsync)},
#else
        {"advise_ordinal", SYMBOL_OF(cuMemAdvise)},
        {"prefetch_ordinal", SYMBOL_OF(cuMemPrefetchAsync)},
#endif
    };
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        size_t at = 0;
        while (at < sizeof ours / sizeof *ours && strcmp(ours[at].slot, theirs[i].slot) != 0) {
            at++;
        }
        assert_true(at < sizeof ours / sizeof *ours);
        assert_string_equal(ours[at].symbol, theirs[i].symbol);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(symbols_are_those_that_the_names_of_the_header_stand_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
