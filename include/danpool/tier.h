/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiers: the unlike memories that one pool allocates from.
 *
 * Hardware that is absent is a normal state: the tier is listed, says "unsupported" and why, and
 * the router takes the next tier of its rule.  Nothing pretends to be a device.
 */
#ifndef DANPOOL_TIER_H
#define DANPOOL_TIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <danpool/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(enumerator, name).  The name is what metrics, configuration and dp_tier_name() use. */
#define DP_TIER_LIST(X)                                                                            \
    X(DP_TIER_HOST, "host")                                                                        \
    X(DP_TIER_HUGE, "huge")                                                                        \
    X(DP_TIER_PINNED, "pinned")                                                                    \
    X(DP_TIER_HBM, "hbm")                                                                          \
    X(DP_TIER_MANAGED, "managed")                                                                  \
    X(DP_TIER_PMEM, "pmem")                                                                        \
    X(DP_TIER_SHM, "shm")

typedef enum dp_tier_id {
#define DP_TIER_ENUM(id, name) id,
    DP_TIER_LIST(DP_TIER_ENUM)
#undef DP_TIER_ENUM
        DP_TIER_COUNT,
    DP_TIER_NONE = DP_TIER_COUNT
} dp_tier_id;

/* What a tier is and how it stands, as dp_pool_tier_info() reports it. */
typedef struct dp_tier_info {
    dp_tier_id id;
    const char *name;
    dp_status state;         /* DP_OK when usable, else why it is not */
    char detail[96];         /* for people: "no CUDA driver (libcuda.so.1 not found)" */
    size_t alignment_bytes;  /* every block starts at a multiple of this */
    bool host_visible;       /* the CPU may dereference dp_buf_data() */
    bool device_visible;     /* kernels may dereference dp_buf_device_address() */
    bool persistent;         /* what was committed survives the process */
    bool shareable;          /* its regions can be mapped by other processes, read-only */
    size_t budget_bytes_max; /* 0: no limit of ours */
} dp_tier_info;

/* Name of a tier, "none" outside the list.  Static, thread safe. */
DP_API const char *dp_tier_name(dp_tier_id id);

/* The tier of that name, DP_TIER_NONE when there is none.  Thread safe. */
DP_API dp_tier_id dp_tier_by_name(const char *name);

#ifdef __cplusplus
}
#endif

#endif
