/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status codes: every danpool function that can fail for a reason in the world returns one.
 *
 * A programmer error (a NULL where none is allowed, a reference put twice) is an assertion, not a
 * status.  On failure no output argument is written and no reference changes hands.
 */
#ifndef DANPOOL_STATUS_H
#define DANPOOL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define DP_API
#else
#define DP_API __attribute__((visibility("default")))
#endif

/* X(enumerator, short name, message).  The order is part of the ABI: append only. */
#define DP_STATUS_LIST(X)                                                                          \
    X(DP_OK, "ok", "success")                                                                      \
    X(DP_ERR_INVALID, "invalid", "an argument or a setting is out of its range")                   \
    X(DP_ERR_NOMEM, "nomem", "no tier of the rule has memory left")                                \
    X(DP_ERR_UNSUPPORTED, "unsupported", "this machine or build lacks what it needs")              \
    X(DP_ERR_TOO_LARGE, "too_large", "larger than the configured limit")                           \
    X(DP_ERR_QUOTA, "quota", "the budget of this tier or tenant is used up")                       \
    X(DP_ERR_NOT_FOUND, "not_found", "no such object")                                             \
    X(DP_ERR_EXISTS, "exists", "an object of this name is already there")                          \
    X(DP_ERR_BUSY, "busy", "in use or full at the moment, try again later")                        \
    X(DP_ERR_TIMEOUT, "timeout", "the time allowed has passed")                                    \
    X(DP_ERR_FORMAT, "format", "the bytes are not in the format they claim")                       \
    X(DP_ERR_IO, "io", "the operating system reported an error")                                   \
    X(DP_ERR_CORRUPT, "corrupt", "stored data does not pass its own checks")                       \
    X(DP_ERR_DEVICE, "device", "the device failed or was lost")                                    \
    X(DP_ERR_CLOSED, "closed", "shutting down, no new work is taken")

typedef enum dp_status {
#define DP_STATUS_ENUM(id, name, message) id,
    DP_STATUS_LIST(DP_STATUS_ENUM)
#undef DP_STATUS_ENUM
        DP_STATUS_COUNT
} dp_status;

/* Short name ("nomem") for logs and protocols; "unknown" outside the list.  Static, thread safe. */
DP_API const char *dp_status_name(dp_status status);

/* One clause for people ("no tier of the rule has memory left").  Static, thread safe. */
DP_API const char *dp_status_message(dp_status status);

#ifdef __cplusplus
}
#endif

#endif
