/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and messages of the status codes, made from the one list in the header.
 *
 * Static tables, no state, thread safe.
 */
#include <danpool/status.h>

static const char *const names[DP_STATUS_COUNT] = {
#define STATUS_NAME(id, name, message) [id] = (name),
    DP_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const messages[DP_STATUS_COUNT] = {
#define STATUS_MESSAGE(id, name, message) [id] = (message),
    DP_STATUS_LIST(STATUS_MESSAGE)
#undef STATUS_MESSAGE
};

const char *dp_status_name(dp_status status)
{
    /* The cast makes a negative value a large one: one comparison for both ends. */
    return (unsigned)status < DP_STATUS_COUNT ? names[status] : "unknown";
}

const char *dp_status_message(dp_status status)
{
    return (unsigned)status < DP_STATUS_COUNT ? messages[status] : "an unknown status code";
}
