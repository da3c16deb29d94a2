/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads libcuda.so.1 and keeps count of the devices that are open over it.
 *
 * The real table is filled exactly once (pthread_once) and is constant from then on, failure
 * included: a driver that was absent when the process started does not appear later.  The only
 * mutable state is the test override and the count of open devices, both under override_lock; the
 * count is there so that a table is never exchanged under a tier that still calls it.
 */
#include "pool/cuda_driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pool/os.h"

_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "dlsym needs this of a POSIX system");
_Static_assert(sizeof(cuda_address) == sizeof(uint64_t), "device addresses are 64 bits");

static pthread_once_t load_once = PTHREAD_ONCE_INIT;
static cuda_driver loaded_table;
static dp_status loaded_status;
static char loaded_detail[CUDA_DETAIL_BYTES];

static pthread_mutex_t override_lock = PTHREAD_MUTEX_INITIALIZER;
static const cuda_driver *override_table;
static unsigned devices_open;

dp_status cuda_status(cuda_result result)
{
    switch (result) {
    case CUDA_OK:
        return DP_OK;
    case CUDA_OUT_OF_MEMORY:
        return DP_ERR_NOMEM;
    case CUDA_NOT_INITIALIZED:
    case CUDA_DEINITIALIZED:
    case CUDA_STUB_LIBRARY:
    case CUDA_NO_DEVICE:
    case CUDA_INVALID_DEVICE:
    case CUDA_SYSTEM_DRIVER_MISMATCH:
    case CUDA_COMPAT_NOT_SUPPORTED:
        return DP_ERR_UNSUPPORTED;
    default:
        return DP_ERR_DEVICE;
    }
}

static const char *result_name(const cuda_driver *driver, cuda_result result)
{
    const char *name = NULL;
    if (driver->error_name(result, &name) != CUDA_OK || name == NULL) {
        return "unnamed error";
    }
    return name;
}

/* cuInit, with its failure in words: a driver without a device is by far the most common one. */
static dp_status initialise(const cuda_driver *driver, char detail[CUDA_DETAIL_BYTES])
{
    cuda_result result = driver->init(0);
    if (result == CUDA_NO_DEVICE) {
        snprintf(detail, CUDA_DETAIL_BYTES, "CUDA driver found, no device");
    } else if (result != CUDA_OK) {
        snprintf(detail, CUDA_DETAIL_BYTES, "CUDA driver found, cuInit failed: %s (%d)",
                 result_name(driver, result), result);
    }
    return cuda_status(result);
}

/* Reads one exported function into *slot, NULL where there is none.  ISO C has no cast from object
 * to function pointer. */
static bool load_optional(void *library, const char *symbol, void *slot)
{
    void *address = dlsym(library, symbol);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

static bool load_symbol(void *library, const char *symbol, void *slot)
{
    bool found = load_optional(library, symbol, slot);
    if (!found) {
        snprintf(loaded_detail, sizeof loaded_detail, "CUDA driver too old: it lacks %s", symbol);
    }
    return found;
}

static bool load_symbols(void *library)
{
#define CUDA_DRIVER_LOAD(slot, symbol, parameters)                                                 \
    if (!load_symbol(library, symbol, &loaded_table.slot)) {                                       \
        return false;                                                                              \
    }
    CUDA_DRIVER_LIST(CUDA_DRIVER_LOAD)
#undef CUDA_DRIVER_LOAD
#define CUDA_DRIVER_LOAD(slot, symbol, parameters)                                                 \
    (void)load_optional(library, symbol, &loaded_table.slot);
    CUDA_DRIVER_OPTIONAL_LIST(CUDA_DRIVER_LOAD)
#undef CUDA_DRIVER_LOAD
    return true;
}

static void load(void)
{
    loaded_status = DP_ERR_UNSUPPORTED;
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(loaded_detail, sizeof loaded_detail, "no CUDA driver (libcuda.so.1 not found)");
        return;
    }
    if (load_symbols(library)) {
        loaded_status = initialise(&loaded_table, loaded_detail);
    }
    /* The library stays mapped even then: unloading it after its constructors ran is not safe. */
}

dp_status cuda_driver_get(char detail[CUDA_DETAIL_BYTES], const cuda_driver **out)
{
    os_lock(&override_lock);
    const cuda_driver *table = override_table;
    os_unlock(&override_lock);
    if (table != NULL) {
        dp_status status = initialise(table, detail);
        if (status == DP_OK) {
            *out = table;
        }
        return status;
    }
    pthread_once(&load_once, load);
    if (loaded_status != DP_OK) {
        memcpy(detail, loaded_detail, CUDA_DETAIL_BYTES);
        return loaded_status;
    }
    *out = &loaded_table;
    return DP_OK;
}

static dp_status device_open(cuda_device *device, char detail[CUDA_DETAIL_BYTES])
{
    const cuda_driver *driver = device->driver;
    int count = 0;
    cuda_result result = driver->device_count(&count);
    if (result == CUDA_OK && count == 0) {
        result = CUDA_NO_DEVICE;
    }
    if (result == CUDA_NO_DEVICE) {
        snprintf(detail, CUDA_DETAIL_BYTES, "CUDA driver found, no device");
        return cuda_status(result);
    }
    const char *step = "cuDeviceGetCount";
    if (result == CUDA_OK) {
        step = "cuDeviceGet";
        result = driver->device_get(&device->ordinal, 0);
    }
    if (result == CUDA_OK) {
        step = "cuDeviceGetName";
        result = driver->device_name(device->name, (int)sizeof device->name, device->ordinal);
    }
    if (result == CUDA_OK) {
        step = "cuDevicePrimaryCtxRetain";
        result = driver->context_retain(&device->context, device->ordinal);
    }
    if (result != CUDA_OK) {
        snprintf(detail, CUDA_DETAIL_BYTES, "CUDA driver found, %s failed: %s (%d)", step,
                 result_name(driver, result), result);
    }
    return cuda_status(result);
}

dp_status cuda_device_open(char detail[CUDA_DETAIL_BYTES], cuda_device *out)
{
    cuda_device device = {0};
    dp_status status = cuda_driver_get(detail, &device.driver);
    if (status != DP_OK) {
        return status;
    }
    status = device_open(&device, detail);
    if (status != DP_OK) {
        return status;
    }
    os_lock(&override_lock);
    devices_open++;
    os_unlock(&override_lock);
    *out = device;
    return DP_OK;
}

void cuda_device_close(cuda_device *device)
{
    /* A lost device refuses even this; there is nothing left to give back then. */
    (void)device->driver->context_release(device->ordinal);
    os_lock(&override_lock);
    DP_ASSERT(devices_open > 0);
    devices_open--;
    os_unlock(&override_lock);
    memset(device, 0, sizeof *device);
}

dp_status cuda_enter(const cuda_device *device)
{
    return cuda_status(device->driver->context_push(device->context));
}

void cuda_leave(const cuda_device *device)
{
    cuda_context *popped = NULL;
    /* A sticky device error is reported by the pop too, but the stack is popped all the same. */
    (void)device->driver->context_pop(&popped);
}

void cuda_driver_override(const cuda_driver *table)
{
    os_lock(&override_lock);
    DP_ASSERT(devices_open == 0);
    override_table = table;
    os_unlock(&override_lock);
}
